"""Faces: reading, splits by person, pairs of the book, augmentation, our encoder."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from chapters.ch02_siamese import faces
from chapters.ch02_siamese.presets import FACES, FacesConfig
from chapters.engine.errors import ConfigError
from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.readers.pgm import write_pgm


def noise_people(people=12, pictures=4, height=56, width=46):
    random = np.random.default_rng(0)
    return Dataset(
        name="noise",
        items=random.integers(0, 256, [people * pictures, height, width]).astype(np.uint8),
        item_class=np.repeat(np.arange(people, dtype=np.int32), pictures),
        class_names=tuple(f"s{p + 1}" for p in range(people)),
    )


CONFIG = FacesConfig(splits=4, val_people=3)


def test_e2_4_nobody_is_on_two_sides_and_everybody_is_tested_once():
    people, tested = noise_people(), []
    for number in range(4):
        splits = faces.split_people(people, number, CONFIG).splits
        sides = [set(splits[name].tolist()) for name in ("train", "val", "test")]
        assert set.union(*sides) == set(range(12))
        assert sum(map(len, sides)) == 12
        tested += sorted(sides[2])
    assert sorted(tested) == list(range(12))


def test_e2_4_the_books_pairs_name_no_person_of_another_side():
    people = faces.split_people(noise_people(), 0, CONFIG)
    seen = {}
    for split in ("train", "val", "test"):
        pairs = faces.get_data(people, split, 50)
        assert pairs.genuine.sum() == (~pairs.genuine).sum() == 50
        shown = people.item_class[np.concatenate([pairs.first, pairs.second])]
        seen[split] = set(shown.tolist())
        assert seen[split] <= set(people.splits[split].tolist())
    assert not seen["train"] & seen["test"]


def test_too_few_people_are_refused():
    with pytest.raises(DataError, match="4 people; 4 splits with 3 people"):
        faces.split_people(noise_people(people=4), 0, CONFIG)


def test_e2_9_subsampling_keeps_every_second_row_and_column():
    image = np.arange(112 * 92).reshape(112, 92)
    assert faces.subsample(image).shape == (56, 46)
    assert faces.subsample(image)[3, 5] == image[6, 10]
    assert faces.subsample(np.zeros([7, 112, 92])).shape == (7, 56, 46)


def test_read_image_takes_pgm_as_it_is_and_other_pictures_in_the_size_of_the_faces(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, [112, 92]).astype(np.uint8)
    write_pgm(tmp_path / "1.pgm", pixels)
    np.testing.assert_array_equal(faces.read_image(tmp_path / "1.pgm"), pixels)
    Image.new("RGB", (300, 200), (10, 200, 30)).save(tmp_path / "1.png")
    assert faces.read_image(tmp_path / "1.png").shape == (112, 92)


def test_read_image_refuses_what_is_no_picture(tmp_path):
    (tmp_path / "broken.pgm").write_bytes(b"P5 not a picture")
    with pytest.raises(DataError, match="broken.pgm"):
        faces.read_image(tmp_path / "broken.pgm")


def test_unknown_data_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'orl_faces'"):
        faces.load(dataclasses.replace(CONFIG, data="orl_face"))


def test_augmenting_is_a_function_of_the_seed_and_alters_every_picture_on_its_own():
    x = tf.tile(tf.random.uniform([1, 56, 46, 1], seed=0), [6, 1, 1, 1])
    one, again = faces.augment(x, tf.constant([1, 2])), faces.augment(x, tf.constant([1, 2]))
    np.testing.assert_array_equal(one, again)
    assert len({one[k].numpy().tobytes() for k in range(6)}) == 6
    assert not np.array_equal(one, faces.augment(x, tf.constant([1, 3])))


def test_augmenting_by_nothing_leaves_the_picture_or_its_mirror_image():
    x = tf.random.uniform([20, 56, 46, 1], seed=1)
    same = faces.augment(x, tf.constant([0, 0]), shift=0.0, turn=0.0, zoom=0.0, light=0.0).numpy()
    mirrored = 0
    for before, after in zip(x.numpy(), same, strict=True):
        flipped = np.abs(after - before[:, ::-1]).max() < 1e-4
        mirrored += flipped
        assert flipped or np.abs(after - before).max() < 1e-4
    assert 2 < mirrored < 18


def test_edges_of_known_direction_fall_into_their_bin():
    layer = faces.OrientedGradients(bins=4, cell=16)
    rows = tf.range(64.0)[None, :, None, None] * tf.ones([1, 64, 64, 1]) / 64
    columns = tf.transpose(rows, [0, 2, 1, 3])
    # direction of the gradient: along x is 0 degrees, bin 0; along y is 90 degrees, bin 2 of 4
    for picture, expected in ((columns, 0), (rows, 2)):
        cell = layer(picture)[0, 4, 4].numpy()
        assert cell.argmax() == expected
        assert np.delete(cell, expected).max() < 0.01


def test_a_picture_and_its_mirror_image_have_the_same_features():
    x = tf.random.uniform([2, 112, 92, 1], seed=2)
    layer = faces.OrientedGradients()
    assert layer(x).shape == (2, 14, 12, 9)
    np.testing.assert_allclose(layer(x), layer(x[:, :, ::-1]), atol=1e-5)


def test_light_and_contrast_hardly_change_the_features():
    x = tf.random.uniform([2, 112, 92, 1], seed=3)
    layer = faces.OrientedGradients()
    np.testing.assert_allclose(layer(0.5 * x + 0.2), layer(x), atol=0.05)


def test_whitening_makes_differences_within_people_equal_in_all_directions():
    random = np.random.default_rng(5)
    person = np.repeat(np.arange(30), 40)
    stretch = random.normal(size=[6, 6])
    x = 5 * random.normal(size=[30, 6])[person] + random.normal(size=[1200, 6]) @ stretch
    layer = faces.WithinPersonWhitening(6)
    layer.build((None, 6))
    layer.fit(x, person, ridge=0.0)
    z = layer(x.astype(np.float32)).numpy()
    within = np.concatenate([z[person == p] - z[person == p].mean(axis=0) for p in range(30)])
    np.testing.assert_allclose(within.T @ within / len(within), np.eye(6), atol=1e-3)
    np.testing.assert_allclose(z.mean(axis=0), np.zeros(6), atol=1e-3)


def test_whitening_of_fewer_pictures_than_units_leaves_the_rest_zero():
    layer = faces.WithinPersonWhitening(10)
    layer.build((None, 20))
    layer.fit(np.random.default_rng(6).normal(size=[4, 20]), np.array([0, 0, 1, 1]))
    assert np.isfinite(layer.map.numpy()).all()
    assert (layer.map.numpy()[:, 3:] == 0).all()


def test_the_books_preset_draws_the_books_numbers_of_pairs():
    book = FACES["book"]
    parts = {"train": 9 / 16, "val": 3 / 16, "test": 4 / 16}
    assert [round(2 * p * book["sample_size"]) for p in parts.values()] == [11250, 3750, 5000]
    assert book["steps"] == 13 * -(-11250 // book["pairs"])


@pytest.mark.real_data
def test_the_faces_have_the_books_shapes():
    everybody = faces.load(FacesConfig(offline=True, encoder="book"))
    assert everybody.items.shape == (400, 56, 46)
    assert everybody.image_shape == (56, 46, 1)
    assert faces.load(FacesConfig(offline=True)).image_shape == (112, 92, 1)

"""Sketched faces: the ORL faces' layout, reproducible, and as hard for pixels."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import datasets
from datasets.sets import faces, sources
from datasets.standins import sketch_faces


@pytest.fixture(scope="module")
def sketched(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METAZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        return datasets.load("sketch_faces", offline=True)


def test_shapes_and_splits_are_those_of_the_orl_faces(sketched):
    assert sketched.generated
    assert sketched.name == "sketch_faces"
    assert sketched.items.shape == (400, 112, 92)
    assert sketched.items.dtype == np.uint8
    assert sketched.class_names == tuple(f"s{person}" for person in range(1, 41))
    assert {name: len(classes) for name, classes in sketched.splits.items()} == {
        "train": 30,
        "test": 10,
        "all": 40,
    }


def test_files_are_named_and_coded_as_published(tmp_path, monkeypatch):
    monkeypatch.setattr(sketch_faces, "PEOPLE", 2)
    sketch_faces.write(tmp_path)
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.pgm"))
    expected = [f"orl_faces/s{person}/{n}.pgm" for person in (1, 2) for n in range(1, 11)]
    assert written == sorted(expected)
    for name in written:
        content = (tmp_path / name).read_bytes()
        assert content.startswith(b"P5\n92 112\n255\n")
        assert len(content) == 10_318  # as each of the published files


def test_same_seed_same_pictures_and_another_seed_other_people():
    first, again, other = (next(sketch_faces.albums(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_split_has_a_seed_of_its_own(sketched, tmp_path, monkeypatch):
    monkeypatch.setenv("METAZOO_CACHE", str(tmp_path))
    other = sketch_faces.load(test_people=5, seed=1)
    np.testing.assert_array_equal(other.items, sketched.items)
    assert len(other.splits["test"]) == 5


def test_no_two_pictures_are_equal(sketched):
    assert len(np.unique(sketched.items.reshape(400, -1), axis=0)) == 400


def test_glasses_show_only_when_worn():
    """A mask painted for one picture parameter changes that part of the face and nothing else."""
    rng = np.random.default_rng(0)
    person = replace(sketch_faces.invent_person(rng), glasses=0.2)
    picture = replace(sketch_faces.invent_picture(rng, 0.4), wears_glasses=True)
    worn = painted(person, picture)
    off = painted(person, replace(picture, wears_glasses=False))
    never = painted(replace(person, glasses=0.0), picture)
    np.testing.assert_array_equal(off, never)
    changed = np.flatnonzero((worn != off).any(axis=1))  # rows
    assert 0 < len(changed) < 112 / 3


def painted(person, picture):
    return sketch_faces.paint(person, picture, np.random.default_rng(0))


def test_ellipse_mask_has_the_area_of_the_ellipse():
    y, x = np.mgrid[-1:1:800j, -1:1:800j]
    for radii in ((0.5, 0.5), (0.8, 0.1), (0.05, 0.6)):
        area = sketch_faces.ellipse(x, y, (0.1, -0.1), radii).mean() * 4
        assert area == pytest.approx(np.pi * radii[0] * radii[1], rel=0.1)


def test_pixels_tell_people_apart_well_but_not_perfectly(sketched):
    assert 0.9 < pixel_auc(sketched) < 0.96


@pytest.mark.real_data
@pytest.mark.skipif(not sources.find("orl_faces"), reason="needs orl_faces: set METAZOO_DATA")
def test_pixels_do_about_as_well_as_on_the_orl_faces(sketched):
    assert abs(pixel_auc(sketched) - pixel_auc(faces.load(offline=True))) < 0.03


def pixel_auc(data):
    """Area under the ROC curve of the pixel distance over all pairs of pictures."""
    items = data.items.reshape(len(data.items), -1).astype(np.float32)
    pairs = np.array(list(combinations(range(len(items)), 2)))
    first, second = pairs.T
    squares = np.sum(items**2, axis=1)
    distance = squares[first] + squares[second] - 2 * (items @ items.T)[first, second]
    return roc_auc_score(data.item_class[first] == data.item_class[second], -distance)

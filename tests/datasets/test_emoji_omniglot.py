"""Two sets as one: every class of both, ink as on paper, and splits of both and of each."""

import numpy as np
import pytest
from PIL import Image

import datasets
from datasets.readers.folder import read_image
from datasets.sets.emoji_omniglot import on_paper, together


@pytest.fixture(scope="module")
def both():
    return datasets.load("signs_strokes", size=16)


@pytest.fixture(scope="module")
def parts():
    return [datasets.load(name, size=16) for name in ("painted_signs", "strokes")]


def test_every_class_of_both_is_there_with_its_items(both, parts):
    signs, strokes = parts
    assert both.class_names == signs.class_names + strokes.class_names
    assert both.items.shape == (len(signs.items) + len(strokes.items), 16, 16, 3)
    assert both.generated and both.items.dtype == np.uint8 and both.item_class.dtype == np.int32
    for name in (signs.class_names[3], strokes.class_names[5]):
        part = signs if name in signs.class_names else on_paper(strokes)
        ours, theirs = (
            data.items[data.items_of(data.class_names.index(name))] for data in (both, part)
        )
        np.testing.assert_array_equal(ours, theirs)


def test_splits_are_those_of_both_and_of_each(both, parts):
    assert set(both.splits) == {
        f"{part}{split}"
        for part in ("", "painted_signs/", "strokes/")
        for split in ("train", "val", "test")
    }
    names = np.array(both.class_names)
    for split in ("train", "val", "test"):
        expected = [np.array(part.class_names)[part.classes(split)] for part in parts]
        for part, of_part in zip(parts, expected, strict=True):
            assert names[both.classes(f"{part.name}/{split}")].tolist() == of_part.tolist()
        assert names[both.classes(split)].tolist() == np.concatenate(expected).tolist()


def test_a_character_looks_as_a_file_of_it_does(parts, tmp_path):
    """Black on white, as a network of emoji reads it."""
    ink = parts[1].items[0]
    Image.fromarray(255 - ink).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png", (16, 16), channels=3)
    np.testing.assert_array_equal(on_paper(parts[1]).items[0], read)


def test_one_set_alone_stays_as_it_is(parts):
    alone = together("alone", parts[:1])
    np.testing.assert_array_equal(alone.classes("test"), parts[0].classes("test"))
    np.testing.assert_array_equal(alone.items, parts[0].items)


@pytest.mark.real_data
def test_the_published_sets_have_the_stated_counts():
    data = datasets.load("emoji_omniglot", offline=True)
    assert data.items.shape == (44038, 32, 32, 3) and not data.generated
    assert [len(data.classes(split)) for split in ("train", "val", "test")] == [1980, 350, 780]
    assert len(data.classes("emoji/test")) == 357 and len(data.classes("omniglot/test")) == 423
    median = np.median(data.items[:, 0], axis=(1, 2))  # of the upper border: paper
    assert (median == 255).mean() > 0.9

"""Two sets for one training: what is in which, and that none is of the test."""

import numpy as np
import pytest

import datasets
from chapters.ch09_frontiers import external
from chapters.ch09_frontiers.presets import SCRIPTS
from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from datasets import DataError, Dataset
from datasets.sets import emoji
from tests.chapters.experiments.test_images import write_folder


def options(*arguments):
    return configuration.parse(SCRIPTS["train_concepts"], ["--image-size", "16", *arguments])


def test_halves_share_no_alphabet_and_lose_no_class():
    data = datasets.load("strokes", size=16)
    own, other = external.halves(data, seed=1)
    assert sorted([*own, *other]) == sorted(data.classes("train"))
    alphabets = [{data.class_names[k].split("/")[0] for k in part} for part in (own, other)]
    assert not alphabets[0] & alphabets[1] and min(map(len, alphabets)) >= 2
    assert not np.array_equal(own, external.halves(data, seed=2)[0])


@pytest.mark.parametrize(
    ("head", "way", "columns"), [("prototypical", 4, "2w1s"), ("maml", 2, "2w1s")]
)
def test_ways_are_what_the_halves_of_a_folder_have(head, way, columns, tmp_path):
    folder = write_folder(tmp_path, classes=12)
    config = options("--data", folder, "--head", head, "--way", "5", "--columns", "5w1s")
    data, foreign, fitted = external.load(config)
    assert len(data.classes("train")) == len(foreign.classes("external")) == 4
    assert (fitted.way, fitted.columns) == (way, columns)


def test_external_classes_are_none_of_tasks_validation_or_test():
    data, foreign, _ = external.load(options("--data", "strokes"))
    concepts = set(foreign.classes("external"))
    for split in ("train", "val", "test"):
        assert concepts and not concepts & set(data.classes(split))


def test_signs_become_grey_ink_as_characters_are():
    _, foreign, _ = external.load(options("--data", "strokes", "--external", "emoji"))
    signs = datasets.load("painted_signs", size=16)
    assert foreign.items.shape == signs.items.shape[:3] and foreign.items.dtype == np.uint8
    white = (signs.items == 255).all(axis=-1)
    assert (foreign.items[white] == 0).all()  # paper becomes ground
    red = signs.items[~white][:50].astype(float)
    grey = 255 - (red @ [0.299, 0.587, 0.114])
    np.testing.assert_allclose(foreign.items[~white][:50], grey, atol=0.51)
    assert len(foreign.classes("external")) == len(signs.class_names)


def test_digits_are_ten_concepts():
    _, foreign, _ = external.load(options("--data", "strokes", "--external", "digits"))
    assert len(foreign.classes("external")) == 10 and foreign.image_shape == (16, 16, 1)


def test_subgroups_gather_the_signs_that_unicode_puts_together():
    signs = emoji.read_table(emoji.TABLE)
    count = len(signs)
    number = np.repeat(np.arange(count), 2)  # of the sign, which every picture shows
    items = np.stack([number // 256, number % 256], axis=-1).astype(np.uint8)[:, None]
    names = tuple(sign.label for sign in signs)
    grouped = external._by_subgroup(Dataset("emoji", items, number.astype(np.int32), names))
    assert len(grouped.class_names) == 96 and len(grouped.items) == 2 * count
    shown = grouped.items[:, 0, 0].astype(int) * 256 + grouped.items[:, 0, 1]
    for label, sign in zip(grouped.item_class, shown, strict=True):
        assert grouped.class_names[label] == signs[sign].subgroup


def test_what_does_not_fit_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="generated signs have none"):
        external.load(options("--data", "strokes", "--external", "subgroups"))
    with pytest.raises(ConfigError, match="has other pictures"):
        external.load(options("--data", "painted_signs", "--external", "digits"))
    few = Dataset(
        "few", np.zeros([3, 4, 4], np.uint8), np.arange(3, dtype=np.int32), ("a", "b", "c"),
        {"train": np.arange(3)},
    )  # fmt: skip
    with pytest.raises(DataError, match="too few for two halves"):
        external.halves(few, 0)


def test_an_external_class_of_the_test_is_refused():
    data = Dataset(
        "own", np.zeros([4, 4, 4], np.uint8), np.arange(4, dtype=np.int32), tuple("abcd"),
        {"external": np.array([0, 1]), "test": np.array([1, 2])},
    )  # fmt: skip
    with pytest.raises(DataError, match="1 classes are in the external set and in the test"):
        external._check_apart(data, data)

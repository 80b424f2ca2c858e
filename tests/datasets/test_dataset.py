"""What every data set is: items by class, words of classes, and splits without small classes."""

import numpy as np
import pytest

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.episodes import EpisodeSampler

COUNTS = [2, 6, 3, 6, 7, 1]
SPLITS = {"train": np.arange(4), "test": np.array([4, 5]), "all": np.arange(6)}


def unequal(**more) -> Dataset:
    """Classes of different sizes; every pixel of an item of class k is k."""
    item_class = np.repeat(np.arange(6, dtype=np.int32), COUNTS)
    items = np.broadcast_to(item_class[:, None, None], (25, 4, 4)).astype(np.uint8)
    return Dataset("unequal", items, item_class, tuple("abcdef"), SPLITS, **more)


def test_splits_lose_small_classes_and_nothing_else_changes():
    words = tuple((name,) for name in "abcdef")
    data = unequal(words=words)
    small = data.with_least(6)
    assert {name: found.tolist() for name, found in small.splits.items()} == {
        "train": [1, 3],
        "test": [4],
        "all": [1, 3, 4],
    }
    assert small.items is data.items and small.item_class is data.item_class
    assert small.class_names == data.class_names and small.words == words
    assert data.splits is SPLITS  # as it was


def test_all_classes_have_one_item():
    assert unequal().with_least(1).classes("all").tolist() == list(range(6))


def test_no_class_left_is_one_sentence():
    with pytest.raises(DataError, match="No class of unequal has 8 items; the largest has 7"):
        unequal().with_least(8)


def test_episodes_that_need_more_items_than_a_class_has_name_it_until_it_is_left_out():
    with pytest.raises(DataError, match="Class a of unequal/train has 2 items, but shot 5 \\+"):
        EpisodeSampler(unequal(), "train", way=2, shot=5, query=1)
    episode = EpisodeSampler(unequal().with_least(6), "train", 2, 5, 1, tasks=20).episode(0)
    assert set(episode.class_ids.numpy().ravel()) == {1, 3}
    shown = episode.support_x.numpy()[:, ::5, 0, 0, 0] * 255  # [task, way]
    np.testing.assert_allclose(shown, episode.class_ids, rtol=1e-6)


def test_a_split_without_classes_is_told_by_the_sampler():
    with pytest.raises(DataError, match="unequal/test has 1 classes, but 2-way tasks need 2"):
        EpisodeSampler(unequal().with_least(6), "test", way=2, shot=1, query=1)
    with pytest.raises(DataError, match="unequal/train has 0 classes"):
        EpisodeSampler(unequal().with_least(7), "train", way=1, shot=1, query=1)


def test_words_are_of_every_class_or_of_none():
    assert unequal().words == ()
    with pytest.raises(ValueError, match="6 classes but words for 1"):
        unequal(words=(("a",),))

"""Splits by class: disjoint, complete, the same for the same seed."""

import numpy as np
import pytest

from datasets.errors import DataError
from datasets.splits import random_split


def test_base_splits_are_disjoint_and_complete():
    splits = random_split(20, {"test": 4, "val": 3}, seed=0)
    assert {name: len(classes) for name, classes in splits.items()} == {
        "test": 4,
        "val": 3,
        "train": 13,
        "all": 20,
    }
    base = np.concatenate([splits["train"], splits["val"], splits["test"]])
    np.testing.assert_array_equal(np.sort(base), np.arange(20))
    for classes in splits.values():
        assert (np.diff(classes) > 0).all()


def test_seed_decides():
    test = [random_split(40, {"test": 10}, seed)["test"].tolist() for seed in (0, 0, 1)]
    assert test[0] == test[1] != test[2]


def test_split_of_seed_0_never_moves():
    # Published results depend on it.
    assert random_split(40, {"test": 10}, 0)["test"].tolist() == [
        *(4, 10, 11, 15, 18, 20, 22, 25, 28, 29)
    ]


def test_every_class_is_held_out_by_some_seed():
    held_out = {c for seed in range(100) for c in random_split(10, {"test": 1}, seed)["test"]}
    assert held_out == set(range(10))


@pytest.mark.parametrize("held_out", [{"test": 4}, {"test": 2, "val": 2}, {"test": -1}])
def test_training_needs_a_class(held_out):
    with pytest.raises(DataError, match="of 4 classes; at least one has to be left for training"):
        random_split(4, held_out, 0)


def test_folds_hold_out_blocks_that_share_no_class():
    held_out = {"test": 2, "val": 3}
    folds = [random_split(11, held_out, seed=4, fold=fold) for fold in range(5)]
    np.testing.assert_array_equal(folds[0]["test"], random_split(11, held_out, seed=4)["test"])
    tested = np.concatenate([fold["test"] for fold in folds])
    assert len(set(tested)) == 10
    for fold in folds:
        parts = [fold[name] for name in ("train", "val", "test")]
        assert sorted(np.concatenate(parts)) == list(range(11))
    with pytest.raises(DataError, match="no block 5 of 2 classes: 11 classes have blocks 0 to 4"):
        random_split(11, held_out, seed=4, fold=5)

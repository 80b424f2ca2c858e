"""Pairs: split first, drawn uniformly, a function of seed and index."""

import numpy as np
import pytest
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.pairs import (
    ListedPairs,
    Pairs,
    PairSampler,
    all_pairs,
    folder_folds,
    folder_pairs,
)


def numbered(counts, splits=None):
    """Items that carry their own position: class c has counts[c] of them."""
    total = sum(counts)
    return Dataset(
        name="numbered",
        items=np.arange(total, dtype=np.float32)[:, None, None],
        item_class=np.repeat(np.arange(len(counts), dtype=np.int32), counts),
        class_names=tuple(f"s{c}" for c in range(len(counts))),
        splits=splits or {"all": np.arange(len(counts))},
    )


def draw(sampler, batches):
    """Positions of many batches: first [pair], second [pair], label [pair]."""
    positions = tf.function(sampler.positions)
    drawn = [[x.numpy() for x in positions(tf.constant(index))] for index in range(batches)]
    first, second, label = (np.concatenate(columns) for columns in zip(*drawn, strict=True))
    return first, second, label[:, 0]


def test_labels_say_whether_classes_agree_and_no_item_is_paired_with_itself():
    data = numbered([3, 5, 2, 4])
    first, second, label = draw(PairSampler(data, "all", 100, seed=1), 5)
    np.testing.assert_array_equal(data.item_class[first] == data.item_class[second], label == 1)
    assert (first != second).all()
    assert label.mean() == 0.5


@pytest.mark.parametrize("genuine", [True, False])
def test_every_pair_is_equally_likely_when_classes_differ_in_size(genuine):
    data = numbered([2, 5, 3])
    first, second, label = draw(PairSampler(data, "all", 2000, seed=3), 20)
    kind = label == genuine
    found = np.sort(np.stack([first[kind], second[kind]], axis=1), axis=1)
    pairs, counts = np.unique(found, axis=0, return_counts=True)
    possible = all_pairs(data, "all")
    assert len(pairs) == (possible.genuine == genuine).sum()
    expected = counts.sum() / len(pairs)
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < len(pairs) + 5 * np.sqrt(2 * len(pairs))


def test_e2_11_picture_numbers_of_imposite_pairs_are_uniform():
    data = numbered([10] * 8)
    first, second, label = draw(PairSampler(data, "all", 2000), 10)
    table = np.zeros((10, 10))
    np.add.at(table, (first[label == 0] % 10, second[label == 0] % 10), 1)
    expected = table.sum() / 100  # the book fills the diagonal only
    assert ((table - expected) ** 2 / expected).sum() < 100 + 5 * np.sqrt(200)


def test_pairs_stay_within_their_split():
    data = numbered([4] * 6, {"train": np.array([0, 2, 5]), "test": np.array([1, 3])})
    for split in ("train", "test"):
        first, second, _ = draw(PairSampler(data, split, 200), 3)
        drawn = set(data.item_class[np.concatenate([first, second])])
        assert drawn == set(data.splits[split])
        listed = all_pairs(data, split)
        assert set(data.item_class[listed.first]) | set(data.item_class[listed.second]) == drawn


def test_a_batch_is_a_function_of_seed_and_index():
    data = numbered([4, 4])
    batch = PairSampler(data, "all", 20, seed=5)(7)
    again = PairSampler(data, "all", 20, seed=5)(tf.constant(7))
    tf.nest.map_structure(np.testing.assert_array_equal, batch, again)
    for other in (PairSampler(data, "all", 20, seed=6)(7), PairSampler(data, "all", 20, seed=5)(8)):
        assert not np.array_equal(batch[0]["a"], other[0]["a"])


def test_a_batch_holds_the_items_at_its_positions_and_labels_with_two_axes():
    data = numbered([4, 4])
    sampler = PairSampler(data, "all", 20)
    (inputs, label), (first, second, _) = sampler(3), sampler.positions(3)
    np.testing.assert_array_equal(inputs["a"][:, 0, 0], first)
    np.testing.assert_array_equal(inputs["b"][:, 0, 0], second)
    assert label.shape == (20, 1)


def test_all_pairs_are_complete_and_unordered():
    pairs = all_pairs(numbered([3, 2]), "all")
    assert len(pairs.first) == 10
    assert pairs.genuine.sum() == 4
    assert (pairs.first < pairs.second).all()


@pytest.mark.parametrize(
    ("counts", "pairs", "words"),
    [
        ([5], 2, "1 classes of at most 5 items"),
        ([1, 1, 1], 2, "3 classes of at most 1 items"),
        ([3, 3], 7, "batch of 7 pairs"),
        ([3, 3], 0, "batch of 0 pairs"),
    ],
)
def test_impossible_requests_are_refused_with_what_was_found(counts, pairs, words):
    with pytest.raises(DataError, match=words):
        PairSampler(numbered(counts), "all", pairs)


def test_a_list_without_one_kind_is_refused():
    with pytest.raises(DataError, match="1 genuine and 0 imposite"):
        all_pairs(numbered([2]), "all")


FOLDER = np.array(["Cats"] * 14 + ["Dogs"] * 14 + ["Sub_dogs"] * 14)


def test_e2_13_every_file_appears_and_none_on_both_sides():
    fold = folder_folds(FOLDER, 7, seed=0)
    tested = []
    for number in range(7):
        sides = {}
        for side, positions in (
            ("train", np.flatnonzero(fold != number)),
            ("test", np.flatnonzero(fold == number)),
        ):
            pairs = folder_pairs(FOLDER, positions, "Dogs", "Sub_dogs", "Cats")
            sides[side] = set(pairs.first) | set(pairs.second)
            assert sides[side] == set(positions)
        assert not sides["train"] & sides["test"]
        tested += sorted(sides["test"])
    assert sorted(tested) == list(range(42))


def test_e2_13_all_anchors_meet_all_others():
    pairs = folder_pairs(FOLDER, np.arange(42), "Dogs", "Sub_dogs", "Cats")
    assert len(pairs.first) == 14 * 14 + 14 * 14  # the book draws 14
    assert (FOLDER[pairs.first] == "Dogs").all()
    np.testing.assert_array_equal(FOLDER[pairs.second] == "Sub_dogs", pairs.genuine)
    assert len({*zip(pairs.first, pairs.second, strict=True)}) == 392


def test_folds_share_every_folder_evenly_and_follow_the_seed():
    fold = folder_folds(FOLDER, 7, seed=0)
    for name in np.unique(FOLDER):
        assert (np.bincount(fold[name == FOLDER]) == 2).all()
    np.testing.assert_array_equal(fold, folder_folds(FOLDER, 7, seed=0))
    assert not np.array_equal(fold, folder_folds(FOLDER, 7, seed=1))


def test_more_folds_than_files_are_refused():
    with pytest.raises(DataError, match="'Cats' has 14 files, which 15 folds"):
        folder_folds(FOLDER, 15, seed=0)


def test_a_missing_folder_is_refused():
    with pytest.raises(DataError, match="None of 28 files is in folder 'Sub_dogs'"):
        folder_pairs(FOLDER, np.arange(28), "Dogs", "Sub_dogs", "Cats")


def listed(epochs, batch=4):
    pairs = Pairs(np.arange(10), np.arange(10) + 10, np.arange(10) < 3)
    return ListedPairs(np.arange(20, dtype=np.float32)[:, None], pairs, batch, 0, epochs)


def test_listed_pairs_go_through_the_whole_list_in_each_epoch():
    batches = listed(epochs=True)
    assert batches.batches_per_epoch == 3
    orders = []
    for epoch in range(2):
        seen = np.concatenate([batches.chosen(3 * epoch + part) for part in range(3)])
        assert sorted(seen[:10]) == list(range(10))
        np.testing.assert_array_equal(seen[10:], seen[:2])  # filled up from its beginning
        orders.append(seen)
    assert not np.array_equal(*orders)


def test_listed_pairs_drawn_afresh_are_half_genuine():
    batches = listed(epochs=False)
    for index in range(5):
        inputs, label = batches(index)
        assert label.numpy().ravel().tolist() == [1, 0, 1, 0]
        np.testing.assert_array_equal(inputs["b"], inputs["a"] + 10)
        np.testing.assert_array_equal(inputs["a"] < 3, label == 1)


def test_a_listed_batch_larger_than_the_list_repeats_it():
    chosen = listed(epochs=True, batch=12).chosen(0).numpy()
    assert sorted(chosen[:10]) == list(range(10))
    assert len(chosen) == 12

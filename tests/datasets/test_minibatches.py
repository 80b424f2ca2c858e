"""Minibatches: right classes, every item and turn, and a pure function of (seed, index)."""

import numpy as np
import pytest
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.minibatches import Minibatches
from tests.datasets.test_episodes import COUNTS, decode, marked_dataset

TRAIN = [0, 2, 3, 5]  # classes of the split of ``marked_dataset``


def test_shapes_and_types_are_as_documented():
    x, y = Minibatches(marked_dataset(), "train", 7)(0)
    assert x.shape == (7, 4, 4, 1) and x.dtype == tf.float32
    assert y.shape == (7,) and y.dtype == tf.int32
    assert float(tf.reduce_max(x)) <= 1.0


def test_labels_number_the_classes_of_the_split():
    batches = Minibatches(marked_dataset(), "train", 500)
    x, y = batches(3)
    assert batches.classes == 4
    np.testing.assert_array_equal(decode(x)[0], np.array(TRAIN)[y])


def test_every_item_of_the_split_is_drawn_equally_often_and_no_other():
    counts = {}
    batches = Minibatches(marked_dataset(), "train", 4000)
    for index in range(5):
        for pair in zip(*decode(batches(index)[0]), strict=True):
            counts[pair] = counts.get(pair, 0) + 1
    assert set(counts) == {(k, i) for k in TRAIN for i in range(COUNTS[k])}
    expected = 20000 / len(counts)  # chi-squared of 35 degrees at the 0.1 % point
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 66.6


def test_turned_items_are_numpy_quarter_turns_and_classes_of_their_own():
    rng = np.random.default_rng(0)
    items = rng.integers(0, 256, [3 * 4, 5, 5], dtype=np.uint8)
    item_class = np.repeat(np.arange(3, dtype=np.int32), 4)
    dataset = Dataset("random", items, item_class, ("a", "b", "c"), {"train": np.array([0, 2])})
    batches = Minibatches(dataset, "train", 300, rotations=True)
    x, y = batches(0)
    assert batches.classes == 8
    assert set(y.numpy()) == set(range(8))
    for image, label in zip(x.numpy(), y.numpy(), strict=True):
        own = items[dataset.items_of([0, 2][label % 2])]
        turned = [np.rot90(item, label // 2) / 255 for item in own]
        assert any(np.allclose(image[..., 0], item) for item in turned)


def test_same_seed_and_index_give_the_same_batch_others_do_not():
    def draw(seed, index):
        return Minibatches(marked_dataset(), "train", 20, seed)(index)[0].numpy()

    np.testing.assert_array_equal(draw(1, 5), draw(1, 5))
    assert not np.array_equal(draw(1, 5), draw(1, 6))
    assert not np.array_equal(draw(1, 5), draw(2, 5))


@pytest.mark.parametrize("compiled", [False, True])
def test_graphs_draw_the_same_batch(compiled):
    batches = Minibatches(marked_dataset(), "train", 9, rotations=True)
    graph = tf.function(batches, jit_compile=compiled)
    for ours, theirs in zip(batches(4), graph(tf.constant(4)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)


def test_bytes_of_colour_keep_their_channels():
    items = np.full([4, 6, 6, 3], 51, np.uint8)
    item_class = np.array([0, 0, 1, 1], np.int32)
    dataset = Dataset("colour", items, item_class, ("a", "b"), {"all": np.arange(2)})
    x, _ = Minibatches(dataset, "all", 3)(0)
    np.testing.assert_allclose(x, np.full([3, 6, 6, 3], 0.2), atol=1e-6)


def test_moved_items_are_of_the_same_classes_and_have_the_ground_around_them():
    plain = Minibatches(marked_dataset(size=16), "train", 50)
    moved = Minibatches(marked_dataset(size=16), "train", 50, ground=1.0)
    (x, y), (altered, altered_y) = plain(0), moved(0)
    np.testing.assert_array_equal(y, altered_y)
    assert altered.shape == x.shape and float(tf.reduce_max(x)) < 0.1
    assert np.ptp(altered, axis=(1, 2, 3)).max() > 0.9  # some show what lies outside
    assert not np.array_equal(altered, moved(1)[0])
    np.testing.assert_array_equal(altered, moved(0)[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch": 0}, "A batch has 0 items"),
        ({"split": "one"}, "marked/one has 1 class"),
        ({"split": "none"}, "has no split 'none'"),
    ],
)
def test_impossible_batches_are_refused(options, words):
    dataset = marked_dataset()
    dataset.splits["one"] = np.array([2])
    with pytest.raises(DataError, match=words):
        Minibatches(dataset, **{"split": "train", "batch": 4, **options})


def test_turns_of_items_that_are_not_square_are_refused():
    items, item_class = np.zeros([4, 6, 5], np.uint8), np.array([0, 0, 1, 1], np.int32)
    dataset = Dataset("flat", items, item_class, ("a", "b"), {"all": np.arange(2)})
    with pytest.raises(DataError, match="need square images; flat/all has 6 x 5"):
        Minibatches(dataset, "all", 4, rotations=True)

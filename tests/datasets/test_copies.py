"""Tasks of altered copies: no label is looked at, and no query is its support copy."""

import numpy as np
import pytest
import tensorflow as tf

from datasets import DataError, Dataset
from datasets.tasks.copies import Alterations, Copies, alter

NOTHING = Alterations(0, 0, 0, 0, 0, 0, 0)


def drawings(classes=4, each=5, size=12, shuffled=False):
    """Pictures with a mark of their own in the middle; labels in order, or in another one."""
    rng = np.random.default_rng(0)
    items = np.zeros([classes * each, size, size], np.uint8)
    items[:, 3:9, 3:9] = rng.integers(60, 256, [classes * each, 6, 6])
    label = np.repeat(np.arange(classes), each).astype(np.int32)
    if shuffled:  # the same pictures under other names
        label = np.sort(np.random.default_rng(1).permutation(label))
    names = tuple(f"class {k}" for k in range(classes))
    splits = {"train": np.arange(classes)}
    return Dataset("drawings", items, label, names, splits)


def test_items_of_a_class_are_copies_of_one_picture():
    data = drawings()
    sampler = Copies(data, "train", way=3, shot=2, query=3, alterations=Alterations(shift=0.05))
    inputs, query_y = sampler(0)
    assert inputs["support_x"].shape == (1, 6, 12, 12, 1)
    assert inputs["support_y"].numpy().tolist() == [[0, 0, 1, 1, 2, 2]]
    assert query_y.numpy().tolist() == [[0, 0, 0, 1, 1, 1, 2, 2, 2]]
    slight = Alterations(turn=0.01, zoom=0, shear=0, shift=0, thickness=0, erase=0)
    inputs, _ = Copies(data, "train", 3, 2, 3, alterations=slight)(0)
    copies = inputs["support_x"][0].numpy()
    stored = data.items[..., None] / 255
    nearest = [np.abs(stored - copy).mean(axis=(1, 2, 3)).argmin() for copy in copies]
    assert nearest[0] == nearest[1] and nearest[2] == nearest[3] and len(set(nearest)) == 3


def test_no_query_is_its_support_copy_unchanged():
    for name in Alterations._fields[:5]:  # colours have a test of their own
        only = NOTHING._replace(**{name: 0.3 if name != "turn" else 20.0})
        inputs, _ = Copies(drawings(), "train", 4, 1, 1, seed=2, alterations=only)(3)
        apart = np.abs(inputs["support_x"] - inputs["query_x"]).max(axis=(2, 3, 4))
        assert (apart > 0).mean() == 1, name


def test_labels_are_not_looked_at():
    data = drawings()
    others = drawings(shuffled=True)
    one_class = Dataset("drawings", data.items, 0 * data.item_class, ("all",), {"train": [0]})
    expected, _ = Copies(data, "train", 3, 1, 2, seed=1)(7)
    for same in (others, one_class):
        found, _ = Copies(same, "train", 3, 1, 2, seed=1)(7)
        for name, x in expected.items():
            np.testing.assert_array_equal(found[name], x)


def test_pictures_of_other_splits_are_never_drawn():
    data = drawings()
    data.splits.update(train=np.array([1]), test=np.array([0, 2, 3]))
    slight = NOTHING._replace(turn=0.01)
    sampler = Copies(data, "train", 5, 1, 1, alterations=slight)
    own = data.items[data.item_class == 1] / 255
    for copy in sampler(0)[0]["support_x"][0, ..., 0].numpy():
        assert np.abs(own - copy).mean(axis=(1, 2)).min() < 1e-3


def test_tasks_are_a_function_of_seed_and_index():
    sampler = Copies(drawings(), "train", 3, 1, 2, tasks=2, seed=5, rotations=True)
    graph = tf.function(sampler)
    for name, x in sampler(4)[0].items():
        np.testing.assert_allclose(graph(tf.constant(4))[0][name], x, atol=1e-4)
    assert np.abs(sampler(5)[0]["query_x"] - sampler(4)[0]["query_x"]).max() > 0


def test_a_quarter_turn_is_of_the_whole_task():
    slight = NOTHING._replace(turn=0.01)
    options = {"way": 3, "shot": 1, "query": 1, "tasks": 8, "seed": 3, "alterations": slight}
    straight, _ = Copies(drawings(), "train", **options)(0)
    turned, _ = Copies(drawings(), "train", **options, rotations=True)(0)
    seen = set()
    for task in range(8):
        fits = {
            turn
            for turn in range(4)
            if np.allclose(
                np.rot90(straight["support_x"][task], turn, (1, 2)),
                turned["support_x"][task],
                atol=0.02,
            )
        }
        assert len(fits) == 1
        seen |= fits
    assert len(seen) > 1


def test_a_turn_and_a_move_by_hand():
    """With one angle and one way to go, what was in the middle is there, and turned."""
    x = np.zeros([400, 9, 9, 1], np.float32)
    x[:, 4, 4:8] = 1.0  # an arm to the right
    turned = alter(tf.constant(x), tf.constant([0, 1]), NOTHING._replace(turn=90.0), 0.0).numpy()
    assert np.allclose(turned[:, 4, 4], 1.0, atol=1e-4)  # the centre stays
    weight = turned[..., 0].sum(axis=(1, 2))
    assert abs(weight.mean() - 4) < 0.4  # ink is kept
    left = (turned[:, :, :4, 0].sum(axis=(1, 2)) > 0.5).mean()
    assert left < 0.02  # 90 degrees to either side never turn it around
    up, down = turned[:, :4].sum(axis=(1, 2, 3)), turned[:, 5:].sum(axis=(1, 2, 3))
    assert 0.4 < (up > down).mean() < 0.6

    moved = alter(tf.constant(x), tf.constant([0, 1]), NOTHING._replace(shift=0.2), 0.0).numpy()
    rows = (moved[..., 0].sum(axis=2) * np.arange(9)).sum(axis=1)
    rows /= np.maximum(moved[..., 0].sum(axis=(1, 2)), 1e-6)
    assert 4 - 1.9 < rows.min() < 3 and 5 < rows.max() < 4 + 1.9


def test_strokes_become_thicker_and_thinner():
    x = np.zeros([200, 11, 11, 1], np.float32)
    x[:, 4:7, 2:9] = 1.0
    most = NOTHING._replace(thickness=1.0)
    ink = alter(tf.constant(x), tf.constant([1, 2]), most, 0.0).numpy().sum(axis=(1, 2, 3))
    assert 5 <= ink.min() < 10 and 40 < ink.max() <= 45  # 1 x 5, 3 x 7 and 5 x 9 pixels
    paper = alter(tf.constant(1 - x), tf.constant([1, 2]), most, 1.0).numpy()
    np.testing.assert_allclose((1 - paper).sum(axis=(1, 2, 3)), ink, rtol=1e-4)


def test_hues_turn_and_grey_stays():
    only = NOTHING._replace(colour=1.0)
    x = np.zeros([300, 1, 2, 3], np.float32)
    x[:, 0, 0] = 0.4  # grey
    x[:, 0, 1] = 0.5, 0.35, 0.35  # a weak red, whose turned colours need no clipping
    found = alter(tf.constant(x), tf.constant([2, 3]), only, 1.0).numpy()
    np.testing.assert_allclose(found[:, 0, 0], 0.4, atol=2e-3)
    red = found[:, 0, 1]
    largest = np.bincount(red.argmax(axis=1), minlength=3)
    assert largest.min() > 50  # every hue is reached
    brightness = red @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(brightness, 0.3949, atol=2e-3)  # 0.35 + 0.299 x 0.15
    spread = red.max(axis=1) - red.min(axis=1)
    assert spread.min() < 0.11 and spread.max() > 0.22  # paler and stronger


def test_a_square_is_erased_in_half_of_the_pictures():
    x = np.ones([600, 20, 20, 1], np.float32)
    found = alter(tf.constant(x), tf.constant([1, 2]), NOTHING._replace(erase=0.4), 0.0).numpy()
    lost = 400 - found.sum(axis=(1, 2, 3))
    assert 0.4 < (lost > 0).mean() < 0.6 and lost.max() <= 64


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"way": 21}, "has 20 pictures, but a task of 21 classes"),
        ({"query": 0}, "must all be at least 1"),
        ({"alterations": NOTHING}, "a query could be its support copy unchanged"),
        ({"alterations": NOTHING._replace(erase=0.3)}, "only by squares that half of them lose"),
        ({"alterations": NOTHING._replace(colour=0.3)}, "are grey: there are no colours"),
    ],
)
def test_what_does_not_fit_is_one_sentence(options, sentence):
    with pytest.raises(DataError, match=sentence):
        Copies(drawings(), "train", **{"way": 3, "shot": 1, "query": 1, **options})

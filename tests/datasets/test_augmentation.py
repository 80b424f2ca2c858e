"""Altered training pictures: what stays, what moves, and that a seed means the same picture."""

import numpy as np
import pytest
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.tasks import augmentation
from datasets.tasks.augmentation import Augmented, move_and_zoom
from datasets.tasks.episodes import EpisodeSampler

SEED = tf.constant([3, 4])


def arrows(way=4, tasks=2):
    """Tasks of pictures that are dark on the left: mirrored, they are dark on the right."""
    items = np.full([24, 16, 16, 3], 255, np.uint8)
    items[:, :, :8] = 0
    item_class = np.repeat(np.arange(6), 4).astype(np.int32)
    names = tuple("abcdef")
    data = Dataset("arrows", items, item_class, names, {"train": np.arange(6)})
    return EpisodeSampler(data, "train", way, 1, 3, tasks=tasks, seed=5)


@pytest.fixture
def still(monkeypatch):
    """Nothing moves and nothing is zoomed."""
    monkeypatch.setattr(augmentation, "ZOOM", 0.0)
    monkeypatch.setattr(augmentation, "SHIFT", 0.0)


def is_mirrored(x):
    return x[..., :8, :].mean(axis=(-3, -2, -1)) > x[..., 8:, :].mean(axis=(-3, -2, -1))


def test_support_and_queries_of_a_class_are_mirrored_alike(still):
    found = []
    for index in range(20):
        inputs, query_y = Augmented(arrows(), 1.0)(index)
        support, query = is_mirrored(inputs["support_x"].numpy()), is_mirrored(
            inputs["query_x"].numpy()
        )  # fmt: skip
        for task in range(2):
            np.testing.assert_array_equal(query[task], support[task][query_y[task].numpy()])
        found.append(support)
    assert 0.3 < np.mean(found) < 0.7  # half of the classes


def test_a_window_of_the_whole_picture_changes_nothing(still):
    x = np.random.default_rng(0).random([5, 12, 12, 1]).astype(np.float32)
    np.testing.assert_allclose(move_and_zoom(tf.constant(x), SEED, 1.0), x, atol=1e-6)


@pytest.mark.parametrize("ground", [0.0, 1.0])
def test_what_comes_in_from_outside_is_ground(ground, monkeypatch):
    """A window of twice the size shows the picture in the middle of ground."""
    monkeypatch.setattr(augmentation, "ZOOM", 0.0)
    monkeypatch.setattr(augmentation, "SHIFT", 0.0)
    monkeypatch.setattr(tf.random, "stateless_uniform", lambda shape, seed, low, high: (
        tf.fill(shape, 2.0 if high == 1.0 else 0.0)
    ))  # fmt: skip
    x = tf.fill([1, 16, 16, 1], 0.5)
    seen = move_and_zoom(x, SEED, ground).numpy()[0, :, :, 0]
    assert (seen[0] == ground).all() and (seen[:, -1] == ground).all()
    np.testing.assert_allclose(seen[6:10, 6:10], 0.5)


def test_pictures_move_by_an_eighth_at_most_and_each_on_its_own():
    """The centre of mass of a dot, over many windows."""
    x = np.zeros([400, 33, 33, 1], np.float32)
    x[:, 15:18, 15:18] = 1
    seen = move_and_zoom(tf.constant(x), SEED, 0.0).numpy()[..., 0]
    rows = (seen.sum(axis=2) * np.arange(33)).sum(axis=1) / seen.sum(axis=(1, 2))
    moved = np.abs(rows - 16) / 33
    # A window of 0.8 shows a shift of 1/8 as one of 0.125 / 0.8.
    assert 0.1 < moved.max() < 0.125 / 0.8 + 0.02
    assert len(np.unique(rows.round(3))) > 200


def test_the_same_seed_and_index_give_the_same_pictures_eager_or_not():
    sampler = Augmented(arrows(), 1.0)
    first, again, other = sampler(3), sampler(3), sampler(4)
    np.testing.assert_array_equal(first[0]["support_x"], again[0]["support_x"])
    assert np.abs(first[0]["support_x"] - other[0]["support_x"]).max() > 0
    in_graph = tf.function(sampler)(tf.constant(3))
    np.testing.assert_allclose(in_graph[0]["query_x"], first[0]["query_x"], atol=1e-6)
    np.testing.assert_array_equal(in_graph[1], first[1])


def test_what_wraps_it_finds_the_sizes_of_a_task():
    plain, altered = arrows(), Augmented(arrows(), 1.0)
    for name in ("way", "shot", "query", "tasks", "seed"):
        assert getattr(altered, name) == getattr(plain, name)


def test_an_episode_has_the_pictures_of_the_call():
    sampler = Augmented(arrows(), 1.0)
    inputs, query_y = sampler(3)
    episode = sampler.episode(3)
    np.testing.assert_array_equal(episode.support_x, inputs["support_x"])
    np.testing.assert_array_equal(episode.query_x, inputs["query_x"])
    np.testing.assert_array_equal(episode.query_y, query_y)
    np.testing.assert_array_equal(episode.class_ids, arrows().episode(3).class_ids)


def test_labels_and_shapes_stay():
    plain, altered = arrows()(2), Augmented(arrows(), 1.0)(2)
    np.testing.assert_array_equal(plain[1], altered[1])
    np.testing.assert_array_equal(plain[0]["support_y"], altered[0]["support_y"])
    assert plain[0]["query_x"].shape == altered[0]["query_x"].shape
    assert altered[0]["query_x"].numpy().min() >= 0 and altered[0]["query_x"].numpy().max() <= 1


def test_the_hues_of_a_class_turn_alike_and_grey_stays(still):
    """Support and query of a class have one colour before, so they have one afterwards."""
    items = np.zeros([12, 4, 4, 3], np.uint8)
    items[:6] = [200, 100, 50]
    items[6:] = [90, 90, 90]
    data = Dataset("plain", items, np.repeat([0, 1], 6).astype(np.int32), ("a", "b"),
                   {"train": np.arange(2)})  # fmt: skip
    sampler = Augmented(EpisodeSampler(data, "train", 2, 2, 3, seed=1), 1.0, recolour=True)
    episode = sampler.episode(0)
    seen = set()
    for index in range(5):
        inputs, query_y = sampler(index)
        ids = sampler.sampler.episode(index).class_ids[0].numpy()
        for label, k in enumerate(ids):
            support = inputs["support_x"][0].numpy()[inputs["support_y"][0].numpy() == label]
            query = inputs["query_x"][0].numpy()[query_y[0].numpy() == label]
            both = np.concatenate([support, query]).reshape(-1, 3)
            np.testing.assert_allclose(both, np.broadcast_to(both[:1], both.shape), atol=1e-5)
            if k == 1:
                np.testing.assert_allclose(both, 90 / 255, atol=1e-5)
            else:
                seen.add(tuple(np.round(both[0], 3)))
    assert len(seen) == 5 and episode.support_x.shape == (1, 4, 4, 4, 3)

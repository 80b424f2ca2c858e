"""Damaged pictures: a function of seed and index, nested, and the same for every learner."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical import robustness
from chapters.ch03_prototypical.damage import Damaged, damage, fortunes
from chapters.ch03_prototypical.gaussian import GaussianPrototypicalNetwork, get_gaussians
from chapters.engine.evaluation import Evaluator
from chapters.experiments.options import Column
from datasets.dataset import Dataset
from datasets.tasks.episodes import EpisodeSampler


def noise(size=16, channels=1, classes=6, items=8):
    """Classes of random pictures."""
    pictures = np.random.default_rng(0).integers(
        0, 256, [classes * items, size, size, channels], dtype=np.uint8
    )
    return Dataset(
        name="noise",
        items=pictures,
        item_class=np.arange(classes).repeat(items),
        class_names=[str(k) for k in range(classes)],
        splits={"train": np.arange(classes)},
    )


def sampler(tasks=2, seed=3, **options):
    """5-way 3-shot tasks of noise with 4 queries per class."""
    return EpisodeSampler(noise(**options), "train", 5, 3, 4, tasks=tasks, seed=seed)


@pytest.mark.parametrize(("size", "shrink"), [(28, 4), (28, 7), (30, 4), (16, 4), (16, 512)])
def test_a_damaged_picture_keeps_its_shape_and_loses_its_detail(size, shrink):
    x = tf.constant(np.random.default_rng(1).random([2, 3, size, size, 3]), tf.float32)
    y = damage(x, shrink)
    assert y.shape == x.shape and y.dtype == x.dtype
    detail, left = (np.abs(np.diff(z, axis=3)).mean() for z in (x, y))
    assert left < 0.25 * detail
    assert float(tf.reduce_min(y)) >= 0.0 and float(tf.reduce_max(y)) <= 1.0
    means = [tf.reduce_mean(z, axis=[2, 3]) for z in (x, y)]
    np.testing.assert_allclose(*means, atol=0.05)  # as bright as before


def test_a_picture_is_shrunk_to_the_means_of_its_blocks():
    x = np.random.default_rng(2).random([1, 28, 28, 1]).astype(np.float32)
    blocks = np.zeros([7, 7])
    for row, column in np.ndindex(7, 7):
        blocks[row, column] = x[0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].mean()
    back = tf.image.resize(blocks[None, :, :, None], [28, 28])
    np.testing.assert_allclose(damage(tf.constant(x)), back, atol=1e-6)
    flat = np.full([1, 28, 28, 1], 0.25, np.float32)
    np.testing.assert_allclose(damage(tf.constant(flat)), flat, atol=1e-6)


def test_a_share_of_zero_changes_no_bit():
    whole, untouched = (tasks.episode(4) for tasks in (sampler(), Damaged(sampler(), 0.0, 0.0)))
    for one, other in zip(whole, untouched, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_share_of_one_damages_every_picture():
    whole, tasks = sampler().episode(4), Damaged(sampler(), 1.0, 1.0)
    for name in ("support_x", "query_x"):
        np.testing.assert_array_equal(getattr(tasks.episode(4), name), damage(getattr(whole, name)))
    assert all(tf.reduce_all(hit) for hit in tasks.hit(4))


def test_examples_and_queries_have_shares_of_their_own():
    whole, broken = sampler().episode(0), Damaged(sampler(), 1.0, 0.0).episode(0)
    np.testing.assert_array_equal(broken.query_x, whole.query_x)
    assert not np.array_equal(broken.support_x, whole.support_x)
    inputs, query_y = Damaged(sampler(), 1.0)(0)
    np.testing.assert_array_equal(inputs["support_x"], broken.support_x)
    np.testing.assert_array_equal(query_y, whole.query_y)


def test_the_same_seed_and_index_damage_the_same_pictures():
    first, again = (Damaged(sampler(), 0.5, 0.5).episode(7) for _ in range(2))
    np.testing.assert_array_equal(first.support_x, again.support_x)
    graph = tf.function(Damaged(sampler(), 0.5, 0.5).episode)(tf.constant(7))
    np.testing.assert_array_equal(first.query_x, graph.query_x)
    hits = [
        np.concatenate([np.ravel(hit) for hit in Damaged(sampler(seed=seed), 0.5, 0.5).hit(index)])
        for seed, index in ((3, 7), (3, 8), (4, 7))
    ]
    assert not np.array_equal(hits[0], hits[1]) and not np.array_equal(hits[0], hits[2])


def test_which_pictures_are_hit_is_the_same_under_xla():
    tasks = sampler()
    eager = fortunes(tasks, 5)
    compiled = tf.function(lambda index: fortunes(tasks, index), jit_compile=True)(tf.constant(5))
    for one, other in zip(eager, compiled, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_hit_at_a_share_is_hit_at_every_larger_one():
    hits = [
        np.concatenate([np.ravel(h) for i in range(40) for h in Damaged(sampler(), s, s).hit(i)])
        for s in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    for fewer, more in zip(hits, hits[1:], strict=False):
        assert (fewer <= more).all()
    np.testing.assert_allclose([h.mean() for h in hits], [0, 0.25, 0.5, 0.75, 1], atol=0.03)


def test_support_and_queries_are_hit_apart():
    tasks = EpisodeSampler(noise(), "train", 5, 4, 4, tasks=2, seed=3)
    support, queries = fortunes(tasks, 0)
    assert not np.array_equal(support, queries)


def test_pictures_in_colour_are_damaged_channel_by_channel():
    tasks = Damaged(sampler(size=32, channels=3), 1.0)
    x = sampler(size=32, channels=3).episode(0).support_x
    broken = tasks.episode(0).support_x
    for channel in range(3):
        one = slice(channel, channel + 1)
        np.testing.assert_allclose(broken[..., one], damage(x[..., one]), atol=1e-6)


@pytest.fixture(scope="module")
def learner():
    """An untrained network with precisions that differ."""
    return GaussianPrototypicalNetwork(get_gaussians((16, 16, 1), 4, 4))


def test_all_shares_at_once_equal_one_test_for_each(learner):
    found = robustness.accuracies(learner, sampler(), 6, 4)
    assert set(found) == set(robustness.CONDITIONS)
    for (what, share), values in found.items():
        tasks = Damaged(sampler(), share, share if what == "all" else 0.0)
        score = Evaluator(learner, tasks, 6)()
        assert len(values) == score.episodes == 6
        np.testing.assert_allclose(values.mean(), score.mean, atol=1e-6)


def test_the_accuracy_of_every_episode_is_kept(learner, tmp_path):
    from chapters.ch03_prototypical.presets import GaussianConfig
    from chapters.engine.runs import RunFolder

    found = {Column(5, 3): robustness.accuracies(learner, sampler(), 4, 4)}
    robustness.write(RunFolder(tmp_path, GaussianConfig(), "a.script"), found)
    kept = robustness.read(tmp_path)
    assert list(kept) == [Column(5, 3)]
    for condition, values in found[Column(5, 3)].items():
        np.testing.assert_allclose(kept[Column(5, 3)][condition], values, atol=1e-6)

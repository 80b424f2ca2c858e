"""Evaluation: statistics against NumPy, the two ends of the scale, seeds and named regimes."""

from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.evaluation import (
    BATCHES_PER_CALL,
    Evaluator,
    Score,
    accuracy,
    interval95,
)
from datasets.dataset import Dataset
from datasets.tasks.episodes import EpisodeSampler


class Known(keras.Model):
    """Returns its input: the sampler decides the prediction."""

    def call(self, inputs, training=False):
        """Anything to itself."""
        return inputs


class KnownSampler(NamedTuple):
    """Episode ``index`` has accuracy ``right[index]`` of 4 queries."""

    right: tuple[int, ...]
    tasks: int = 1
    seed: int = 7

    def __call__(self, index):
        place = index * self.tasks + tf.range(self.tasks)
        right = tf.gather(tf.constant(self.right), place)  # [task]
        label = tf.cast(tf.range(4)[None] >= right[:, None], tf.int32)  # [task, query]
        return tf.one_hot(label, 3), tf.zeros([self.tasks, 4], tf.int32)


class NearestMean(keras.Model):
    """Prototypes of the raw items [task, item, dim]."""

    def call(self, inputs, training=False):
        """Logits [task, query, way]."""
        member = tf.one_hot(inputs["support_y"], 5)  # [task, support, way]
        total = tf.einsum("tsw,tsd->twd", member, inputs["support_x"])
        mean = total / tf.reduce_sum(member, axis=1)[..., None]  # [task, way, dim]
        return -tf.norm(inputs["query_x"][:, :, None] - mean[:, None], axis=-1)


class WithBatchNorm(NearestMean):
    """Items pass batch normalisation first."""

    def __init__(self):
        super().__init__()
        self.norm = keras.layers.BatchNormalization()

    def call(self, inputs, training=False):
        """Logits [task, query, way]."""
        normal = {
            key: self.norm(inputs[key], training=training) for key in ("query_x", "support_x")
        }
        return super().call({**inputs, **normal})


def embedded(noise: float) -> Dataset:
    """20 classes of 8 points: one corner each, plus noise."""
    rng = np.random.default_rng(1)
    corners = np.repeat(np.eye(20), 8, axis=0) if noise < 1 else np.zeros([160, 20])
    items = (corners + noise * rng.normal(size=corners.shape)).astype(np.float32)
    item_class = np.repeat(np.arange(20), 8).astype(np.int32)
    names = tuple(f"c{k}" for k in range(20))
    return Dataset("points", items[..., None], item_class, names, {"test": np.arange(20)})


class Flat(EpisodeSampler):
    """Items without their last axis: [task, item, dim]."""

    def __call__(self, index):
        inputs, query_y = super().__call__(index)
        return {k: v[..., 0] if k.endswith("x") else v for k, v in inputs.items()}, query_y


def sampler(noise, **options):
    return Flat(embedded(noise), "test", way=5, shot=1, query=4, **options)


@pytest.mark.parametrize("tasks", [1, 5])
def test_mean_and_interval_equal_numpy(tasks):
    right = tuple(np.random.default_rng(2).integers(0, 5, size=60))
    assert len(right) > BATCHES_PER_CALL  # more than one call of the graph when tasks is 1
    score = Evaluator(Known(), KnownSampler(right, tasks), episodes=60)()
    values = np.array(right) / 4
    spread = np.sqrt(np.sum((values - np.mean(values)) ** 2) / 59)
    assert score.mean == pytest.approx(np.mean(values), abs=1e-7)
    assert score.interval == pytest.approx(1.96 * spread / np.sqrt(60), abs=1e-7)
    assert (score.episodes, score.seed, score.batch_norm) == (60, 7, "stored")


def test_interval_of_known_values():
    assert interval95([1.0, 2.0, 3.0]) == pytest.approx(1.96 * 1.0 / np.sqrt(3))
    assert interval95([4.0, 4.0, 4.0]) == 0.0
    assert interval95([0.5]) == 0.0  # nothing is known about the spread


def test_accuracy_counts_the_largest_logit():
    query_y = tf.constant([[0, 1, 2], [2, 2, 0]])
    logits = tf.one_hot([[0, 1, 1], [2, 2, 0]], 3)
    np.testing.assert_allclose(accuracy(query_y, logits), [2 / 3, 1.0])
    many = tf.one_hot([0] * 99, 100)[None] + tf.one_hot([99] * 99, 100)[None] * 2.0
    assert accuracy(tf.fill([1, 99], 99), many).numpy() == 1.0


def test_perfect_embeddings_score_100_percent():
    score = Evaluator(NearestMean(), sampler(noise=0.0), episodes=30)()
    assert (score.mean, score.interval) == (1.0, 0.0)


def test_random_embeddings_score_chance():
    score = Evaluator(NearestMean(), sampler(noise=1.0, tasks=10), episodes=600)()
    assert abs(score.mean - 1 / 5) < 3 * score.interval / 1.96  # within three standard errors
    assert 0.005 < score.interval < 0.02


def test_same_seed_same_number_other_seed_other_number():
    def mean(seed):
        return Evaluator(NearestMean(), sampler(0.5, seed=seed, tasks=5), episodes=50)().mean

    evaluator = Evaluator(NearestMean(), sampler(0.5, seed=3, tasks=5), episodes=50)
    assert evaluator() == evaluator()  # the second call sees the same episodes
    assert evaluator().mean == mean(3) != mean(4)


@pytest.mark.parametrize(("asked", "done"), [(1, 4), (4, 4), (9, 12), (101, 104)])
def test_episodes_are_rounded_up_to_whole_batches_and_reported(asked, done):
    assert Evaluator(NearestMean(), sampler(0.5, tasks=4), episodes=asked)().episodes == done


def test_transductive_evaluation_leaves_moving_averages_untouched_and_says_so():
    model, episodes = WithBatchNorm(), sampler(0.5, tasks=2)
    model(episodes(tf.constant(0))[0])
    model.norm.moving_mean.assign(np.random.default_rng(3).normal(size=20))
    before = [v.numpy() for v in model.variables]
    scores = {
        regime: Evaluator(model, episodes, 40, regime)() for regime in ("stored", "transductive")
    }
    for variable, kept in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, kept)
    assert {regime: score.batch_norm for regime, score in scores.items()} == {
        "stored": "stored",
        "transductive": "transductive",
    }
    assert scores["stored"].mean != scores["transductive"].mean


def test_transductive_statistics_are_those_of_the_task():
    """Two tasks in a batch may not share statistics only if the learner keeps them apart; a batch
    of one task is that task's, by hand."""
    model, episodes = WithBatchNorm(), sampler(0.5)
    inputs, query_y = episodes(tf.constant(0))
    model(inputs)
    normal = {}
    for key in ("support_x", "query_x"):
        x = inputs[key].numpy()
        mean, variance = x.mean((0, 1)), x.var((0, 1))
        normal[key] = tf.constant((x - mean) / np.sqrt(variance + 1e-3), tf.float32)
    expected = accuracy(query_y, NearestMean()({**inputs, **normal})).numpy().mean()
    assert Evaluator(model, episodes, 1, "transductive")().mean == pytest.approx(expected)


def test_a_plain_function_is_evaluated_like_a_model():
    """And does itself what the regime says, which is only passed on into the score."""
    episodes = sampler(0.5, tasks=5)
    of_model = Evaluator(NearestMean(), episodes, 50, "stored")()
    learner = NearestMean()
    of_function = Evaluator(lambda inputs: learner(inputs), episodes, 50, "support")()
    assert of_function == of_model._replace(batch_norm="support")


def test_a_measure_of_ones_own_is_averaged():
    def largest(query_y, prediction):
        return tf.reduce_max(prediction, axis=[1, 2])  # [task]

    right = tuple(range(5))
    score = Evaluator(lambda x: 3.0 * x, KnownSampler(right), 5, measure=largest)()
    assert (score.mean, score.interval) == (3.0, 0.0)


def test_an_unknown_regime_is_refused():
    with pytest.raises(ValueError, match="'local'.*stored.*transductive"):
        Evaluator(NearestMean(), sampler(0.5), 4, batch_norm="local")


def test_a_score_reads_as_percent():
    assert str(Score(0.98765, 0.00123, 600, 0, "stored")) == "98.77 +- 0.12 %"


def test_accuracy_is_that_of_the_largest_logit_and_of_a_single_one():
    y = tf.constant([[0, 1, 1], [1, 1, 0]])
    logits = tf.one_hot([[0, 1, 0], [1, 1, 0]], 2)
    np.testing.assert_allclose(accuracy(y, logits), [2 / 3, 1.0])
    one_logit = logits[..., 1:] - logits[..., :1]  # of the second class
    np.testing.assert_allclose(accuracy(y, one_logit), [2 / 3, 1.0])

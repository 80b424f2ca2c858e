"""Episodic evaluation: the mean of a measure over many tasks, with its 95 % interval."""

import functools
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from chapters.engine.errors import ConfigError
from chapters.engine.functional import call_with_weights
from chapters.engine.results import ENOUGH, interval95_of_runs

# How batch normalisation behaves at test. "stored": averages of training; "support": statistics of
# the support set; every query on its own in both. "transductive": statistics of the queries, so
# they learn from each other; a different, easier problem, to be named wherever it is used.
BATCH_NORM = ("stored", "support", "transductive")
BATCHES_PER_CALL = 25


class Score(NamedTuple):
    """Result of an evaluation; ``interval`` is half the width of the 95 % interval."""

    mean: float
    interval: float
    episodes: int | None  # None: all items at once
    seed: int
    batch_norm: str

    def __str__(self):
        return f"{100 * self.mean:.2f} +- {100 * self.interval:.2f} %"


class Conditions(NamedTuple):
    """What is asked of the evaluation of a trained model; None leaves it to its own protocol."""

    way: int | None = None
    shot: int | None = None
    query: int | None = None  # items per class
    episodes: int = ENOUGH
    seed: int = 0
    batch_norm: str | None = None  # one of ``BATCH_NORM``

    def check(self, reason: str, **allowed) -> None:
        """Refuse what does not apply: ``check("curves have no classes", way=())``.

        Raises:
            ConfigError: an option was given and is none of its allowed values.
        """
        for name, values in allowed.items():
            value = getattr(self, name)
            if value is not None and value not in values:
                flag = "--" + name.replace("_", "-")
                allows = f" (allowed: {', '.join(map(str, values))})" if values else ""
                raise ConfigError(f"{flag} {value} does not apply: {reason}{allows}.")


def accuracy(query_y, prediction):
    """Share of queries whose largest logit is their label's: [task, query(, way)] -> [task].

    A single logit is that of the second of two classes.
    """
    if prediction.shape[-1] == 1:
        prediction = tf.concat([tf.zeros_like(prediction), prediction], axis=-1)
    hit = tf.argmax(prediction, axis=-1, output_type=query_y.dtype) == query_y  # [task, query]
    return tf.reduce_mean(tf.cast(hit, tf.float32), axis=-1)  # [task]


def interval95(values) -> float:
    """Half the width of the 95 % interval of the mean: 1.96 s / sqrt(n); 0 for a single value."""
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return 0.0
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def interval95_over(values) -> float:
    """Half the width of the 95 % interval of a mean over seeds [seed, episode], by Student's t.

    Of a single seed it is that over its episodes.
    """
    values = np.asarray(values, np.float64)
    if len(values) == 1:
        return interval95(values[0])
    return interval95_of_runs(values.mean(axis=1))


class Evaluator:
    """Evaluates a learner on a fixed series of episodes, as often as it is called.

    Args:
        learner: Keras model, ``inputs -> prediction`` [task, query, ...]; or a function of the
            inputs that does what ``batch_norm`` says.
        sampler: index -> (inputs, query_y); its ``tasks`` and ``seed`` are read.
        episodes: at least this many tasks; rounded up to whole batches.
        batch_norm: one of ``BATCH_NORM``.
        measure: (query_y, prediction) -> [task].
    """

    def __init__(self, learner, sampler, episodes, batch_norm="stored", measure=accuracy):
        if batch_norm not in BATCH_NORM:
            raise ValueError(f"batch_norm is {batch_norm!r}; it must be one of {BATCH_NORM}")
        self.sampler, self.batch_norm = sampler, batch_norm
        if isinstance(learner, keras.Model):
            predict = functools.partial(_predict, learner, batch_norm == "transductive")
        else:
            predict = learner
        self.batches = -(-episodes // sampler.tasks)

        @tf.autograph.experimental.do_not_convert  # tracing takes a third of the time
        def one(index):
            inputs, query_y = sampler(index)
            return measure(query_y, predict(inputs))

        @tf.function(autograph=False)
        def several(first, count):
            indices = tf.range(first, first + count)
            return tf.map_fn(one, indices, fn_output_signature=tf.float32)  # [batch, task]

        self._several = several

    def values(self) -> np.ndarray:
        """The measure of every episode [episode]; the same episodes for every learner."""
        values = []
        for first in range(0, self.batches, BATCHES_PER_CALL):
            count = min(BATCHES_PER_CALL, self.batches - first)
            values.append(self._several(tf.constant(first), tf.constant(count)).numpy().ravel())
        return np.concatenate(values)

    def __call__(self) -> Score:
        values = self.values()
        return Score(
            mean=float(values.mean(dtype=np.float64)),
            interval=interval95(values),
            episodes=len(values),
            seed=self.sampler.seed,
            batch_norm=self.batch_norm,
        )


def _predict(learner, transductive, inputs):
    if transductive:  # moving averages stay untouched
        return call_with_weights(learner, learner.trainable_variables, inputs, training=True)
    return learner(inputs, training=False)

"""Outlier tasks: a sampler around a sampler that makes some tasks of every batch worthless.

Gradient agreement is meant to count a task less when the others pull elsewhere. Outliers put that
to the test; they belong into training only.
"""

import tensorflow as tf

from datasets.tasks import draws

SALT = 3_000_000  # apart from the seeds of the tasks themselves


class Outliers:
    """Gives the last ``count`` tasks of every batch targets that their inputs say nothing about.

    Each target of an outlier, of its support set and of its queries, is drawn from all targets of
    the batch: values of other curves at other places, or random labels. The other tasks are
    untouched. A pure function of (seed, index), as the sampler itself.

    Args:
        sampler: index -> (inputs, query_y), with ``tasks`` and ``seed``.
        count: outlier tasks per batch, at least 1 and less than ``tasks``.
    """

    def __init__(self, sampler, count: int):
        self.sampler, self.count = sampler, count
        self.tasks, self.seed = sampler.tasks, sampler.seed

    def __call__(self, index):
        """Batch number ``index`` (int or scalar tensor) as ``(inputs, query_y)``."""
        inputs, query_y = self.sampler(index)
        support = inputs["support_y"].shape[1]
        y = tf.concat([inputs["support_y"], query_y], axis=1)  # [task, support + query, ...]
        pool = tf.reshape(y, [-1, *y.shape[2:]])  # [task * (support + query), ...]
        seed = tf.stack([self.seed + SALT, tf.cast(index, tf.int32)])
        uniform = draws.uniform([self.count, y.shape[1]], seed)
        drawn = tf.cast(uniform * pool.shape[0], tf.int32)  # [outlier task, support + query]
        y = tf.concat([y[: -self.count], tf.gather(pool, drawn)], axis=0)
        return {**inputs, "support_y": y[:, :support]}, y[:, support:]

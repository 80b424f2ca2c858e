"""Damaged pictures: some lose their detail, so that not every example can be trusted alike.

A damaged picture is shrunk and stretched back, by Fort (2017) to a quarter of its side (28 x 28 to
7 x 7). Which pictures are hit is a function of (seed, index) alone, like the tasks
themselves, and nested: what is hit at a share of 25 % is hit at every larger one.
"""

import tensorflow as tf

from datasets.tasks import draws
from datasets.tasks.episodes import Episode

QUARTER = 4  # times smaller, as in the paper
DAMAGE = 4  # sets the random numbers apart from those that draw the tasks


def damage(x, shrink: int = QUARTER):
    """Shrink by means of blocks, and stretch back: [..., height, width, channel].

    Args:
        x: pictures; one whose side is no multiple of ``shrink`` has smaller blocks at its edge.
        shrink: side of a block that becomes one pixel.
    """
    height, width, channels = x.shape[-3:]
    flat = tf.reshape(x, [-1, height, width, channels])  # [item, height, width, channel]
    # [item, height / shrink, width / shrink, channel], rounded up
    small = tf.nn.avg_pool2d(flat, shrink, shrink, "SAME")
    blurred = tf.image.resize(small, [height, width], "bilinear")  # [item, height, width, channel]
    return tf.reshape(blurred, tf.shape(x))  # [..., height, width, channel]


class Damaged:
    """The tasks of a sampler with a share of their pictures damaged; a ``contracts.Sampler``.

    Every picture has the same chance, on its own.

    Args:
        sampler: an ``EpisodeSampler``.
        support, queries: chance of an example and of a query, 0 to 1.
        shrink: how much detail is lost, see ``damage``.
    """

    def __init__(self, sampler, support: float, queries: float = 0.0, shrink: int = QUARTER):
        self.sampler, self.shares, self.shrink = sampler, (support, queries), shrink
        self.tasks, self.seed = sampler.tasks, sampler.seed
        self.way, self.shot, self.query = sampler.way, sampler.shot, sampler.query

    def __call__(self, index):
        """Batch number ``index`` as ``(inputs, query_y)``."""
        episode = self.episode(index)
        return episode.inputs, episode.query_y

    def episode(self, index) -> Episode:
        """Batch number ``index`` (int or scalar tensor) as an Episode."""
        whole = self.sampler.episode(index)
        if not any(self.shares):  # nothing is hit
            return whole
        support_hit, query_hit = self.hit(index)
        return whole._replace(
            support_x=self._damaged(whole.support_x, support_hit),
            query_x=self._damaged(whole.query_x, query_hit),
        )

    def hit(self, index):
        """Which pictures of batch ``index`` are damaged: bool [task, support], [task, query]."""
        luck = fortunes(self.sampler, index)
        return [one < share for one, share in zip(luck, self.shares, strict=True)]

    def _damaged(self, x, hit):
        """Pictures [task, item, ...] of which those that are hit, [task, item], are damaged."""
        return tf.where(hit[:, :, None, None, None], damage(x, self.shrink), x)


def fortunes(sampler, index):
    """Numbers in [0, 1) of the pictures of a batch: one is hit where its number is below the share.

    Returns:
        [task, way * shot] and [task, way * query].
    """
    philox = {"alg": "philox"}  # the same numbers eager, in a graph and under XLA
    own = tf.constant([sampler.seed, DAMAGE])
    seed = tf.random.fold_in(own, tf.cast(index, tf.int32), **philox)
    seeds = tf.unstack(tf.random.split(seed, 2, **philox))
    shapes = ([sampler.tasks, sampler.way * count] for count in (sampler.shot, sampler.query))
    return [draws.uniform(shape, one) for shape, one in zip(shapes, seeds, strict=True)]

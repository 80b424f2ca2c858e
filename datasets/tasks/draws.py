"""Random numbers that are a function of a seed alone: eager, in a graph and under XLA.

``tf.random.stateless_uniform`` gives the same integers everywhere, but XLA turns them into floats
differently: the same seed would mean other tasks when a step is compiled. So the integers are drawn
there and turned into floats here.
"""

import math

import tensorflow as tf


def uniform(shape, seed):
    """float32 numbers in [0, 1), multiples of 2^-24; ``seed`` is an int32 tensor [2]."""
    bits = tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    # float32 has 24 bits: the upper ones fit without rounding, so 1.0 is never reached.
    return tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) * 2.0**-24


def distinct(scores, count, allowed=None):
    """``count`` distinct positions of the last axis, uniformly: the order of random scores.

    Args:
        scores: uniform numbers in [0, 1), [..., position].
        count: Python integer.
        allowed: bool, like ``scores``; at least ``count`` of each row.

    Returns:
        int32 [..., count].
    """
    if allowed is not None:
        scores = tf.where(allowed, scores, -1.0)
    return tf.math.top_k(scores, count).indices


def normal(shape, seed):
    """float32 standard normal numbers (Box and Muller); ``seed`` is an int32 tensor [2]."""
    radius, angle = tf.unstack(uniform([2, *shape], seed))
    # z = sqrt(-2 ln u) cos(2 pi v), with u in (0, 1]
    return tf.sqrt(-2 * tf.math.log(1 - radius)) * tf.cos(2 * math.pi * angle)

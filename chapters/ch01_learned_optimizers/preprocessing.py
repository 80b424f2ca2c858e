"""Gradients as inputs of a network: magnitudes from 1e-5 to 1e5 become numbers of order 1."""

import math

import tensorflow as tf


def log_sign(value, p: float = 10.0):
    """Logarithm and sign of each value: [...] -> [..., 2]; both are continuous in between.

    Andrychowicz et al. (2016), appendix A; Ravi and Larochelle (2017) for losses as well.

    Args:
        value: of any shape.
        p: below exp(-p) a value counts as small.
    """
    #     v -> (log|v| / p, sign v)   where |v| >= exp(-p),   (-1, exp(p) v)   elsewhere
    large = tf.abs(value) >= math.exp(-p)
    magnitude = tf.where(large, tf.abs(value), 1.0)  # of small ones no logarithm is taken
    logarithm = tf.where(large, tf.math.log(magnitude) / p, -1.0)
    direction = tf.where(large, tf.sign(value), math.exp(p) * value)
    return tf.stack([logarithm, direction], axis=-1)  # [..., 2]

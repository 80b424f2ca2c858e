"""Running a built Keras model with given tensors as its weights, and arithmetic on weight lists."""

import tensorflow as tf


def call_with_weights(model, weights, x, training: bool = False):
    """Output of ``model`` with ``weights`` in place of its trainable variables.

    Non-trainable variables keep their stored values, and what the call would write to them is
    dropped: a function of its arguments alone, as an inner loop needs.

    Args:
        model: a built Keras model.
        weights: tensors in the order and shapes of ``model.trainable_variables``.
        x: input of the model.
        training: passed on.
    """
    stored = model.non_trainable_variables
    return model.stateless_call(weights, stored, x, training=training)[0]


def add_scaled(weights, scale, directions):
    """``w + scale * d`` for each pair; the inner step is ``scale = -rate``."""
    return [w + scale * d for w, d in zip(weights, directions, strict=True)]


def interpolate(start, end, fraction):
    """``(1 - fraction) * start + fraction * end`` for each pair."""
    return [a + fraction * (b - a) for a, b in zip(start, end, strict=True)]


def as_tensors(variables) -> list[tf.Tensor]:
    """Present values of variables as tensors."""
    return [tf.convert_to_tensor(variable) for variable in variables]

"""Losses of tasks: the mean over a task's items, one value per task."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(__package__)
def cross_entropy(y, logits):
    """-log of the softmax probability of the label: [task, item], [task, item, way] -> [task]."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)  # [task, item]
    return tf.reduce_mean(losses, axis=-1)  # [task]


@keras.saving.register_keras_serializable(__package__)
def binary_cross_entropy(y, logits):
    """-(y log p + (1 - y) log(1 - p)) with p = sigmoid(logit): [task, item], [task, item, 1].

    Computed from the logit: log of a saturated sigmoid would be -inf (E6.13).
    """
    logits = logits[..., 0]  # [task, item]
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(y, logits.dtype), logits)
    return tf.reduce_mean(losses, axis=-1)  # [task]


@keras.saving.register_keras_serializable(__package__)
def squared_error(y, prediction):
    """Mean squared error: [task, item, out] both -> [task]."""
    return tf.reduce_mean((prediction - y) ** 2, axis=[1, 2])


@keras.saving.register_keras_serializable(__package__)
def absolute_error(y, prediction):
    """Mean absolute error: [task, item, out] both -> [task]."""
    return tf.reduce_mean(tf.abs(prediction - y), axis=[1, 2])


ERRORS = {"squared_error": squared_error, "absolute_error": absolute_error}
for error in ERRORS.values():
    error.output = "values"  # what the network predicts: numbers, not logits of classes

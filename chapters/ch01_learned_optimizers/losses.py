"""The loss of tasks: the mean over a task's items, one value per task."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(__package__)
def cross_entropy(y, logits):
    """-log of the softmax probability of the label: [task, item], [task, item, way] -> [task]."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)  # [task, item]
    return tf.reduce_mean(losses, axis=-1)  # [task]

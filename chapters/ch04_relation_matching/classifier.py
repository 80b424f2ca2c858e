"""An ordinary classifier, and its features as a few-shot learner: what episodes have to beat.

It learns to name all training classes at once, from minibatches. What it has learned to look at
serves for other classes as well: their items are compared by the cosine of their features
(Vinyals et al., 2016, table 1, "baseline classifier"; the book has none).
"""

import keras
import tensorflow as tf

from chapters.ch04_relation_matching.matching import cosine_similarity
from chapters.engine.metric import MetricLearner

# Cosines are at most 1: their bare softmax is nearly flat. Which class wins does not depend on it.
SCALE = 10.0


@keras.saving.register_keras_serializable(__package__)
class Classifier(keras.Model):
    """Encoder and a linear layer, with an output for each training class.

    Args:
        encoder: Keras model, [item, ...] -> [item, dim].
        classes: number of training classes.
    """

    def __init__(self, encoder, classes: int, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.classes = encoder, classes
        self.head = keras.layers.Dense(classes, name="head")
        self.head.build(encoder.output_shape)
        self.built = True

    def call(self, x, training=False):
        """Logits of the training classes: [item, ...] -> [item, class]."""
        return self.head(self.encoder(x, training=training))

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder, "classes": self.classes}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("encoder")), **config)


def cross_entropy(y, logits):
    """-log softmax(logits)_y, averaged: labels [item], logits [item, class]."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)  # [item]
    return tf.reduce_mean(losses)


def class_means(support_z, support_y, way):
    """Mean features of each class: [task, support, dim], labels [task, support] -> [.., way, dim].

    That of a class without support items is zero.
    """
    member = tf.one_hot(support_y, way, dtype=support_z.dtype)  # [task, support, way]
    total = tf.einsum("tsw,tsd->twd", member, support_z)  # [task, way, dim]
    return tf.math.divide_no_nan(total, tf.reduce_sum(member, axis=1)[..., None])


@keras.saving.register_keras_serializable(__package__)
class CosineClassifier(MetricLearner):
    """Few-shot classifier from features that were learned otherwise: the nearest class mean.

    Call it as every few-shot learner; it returns logits [task, query, way], scaled cosines. It is
    tested only: nothing is learned by episodes.

    Args:
        encoder: Keras model, [item, ...] -> [item, dim]; that of a ``Classifier``.
    """

    def __init__(self, encoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.built = True  # all weights are the encoder's

    def classify(self, support_z, support_y, query_z, training=False):
        """Logits of the queries [task, query, way], from features."""
        means = class_means(support_z, support_y, tf.reduce_max(support_y) + 1)  # [task, way, dim]
        return SCALE * cosine_similarity(query_z, means)  # [task, query, way]

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("encoder")), **config)

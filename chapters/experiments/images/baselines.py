"""What a network that compares pictures has to beat, without learning anything."""

import keras
import tensorflow as tf

from chapters.engine.learner import FewShotLearner


@keras.saving.register_keras_serializable(__package__)
class PixelNeighbour(FewShotLearner):
    """Nearest support image by the cosine between raw pixels; learns nothing.

    The logit of a class is the similarity of its nearest support image.

    Args:
        item_shape: height, width and channels of an image.
        options: of ``keras.Model``.
    """

    def __init__(self, item_shape, **options):
        super().__init__(**options)
        self.item_shape = tuple(item_shape)
        self.built = True  # nothing is learned

    def call(self, inputs, training=False):
        """Logits [task, query, way]."""
        way = tf.reduce_max(inputs["support_y"]) + 1
        support_x, query_x = _unit(inputs["support_x"]), _unit(inputs["query_x"])
        # cos(x, x_i) = x.x_i / (|x| |x_i|)
        similarity = tf.einsum("tqp,tsp->tqs", query_x, support_x)  # [task, query, support]
        # A support image of another class must not win: -10 is below every cosine.
        outside = tf.one_hot(inputs["support_y"], way, on_value=0.0, off_value=-10.0)
        of_class = similarity[..., None] + outside[:, None]  # [task, query, support, way]
        return tf.reduce_max(of_class, axis=2)  # [task, query, way]

    def get_config(self):
        return {**super().get_config(), "item_shape": self.item_shape}


def _unit(x):
    """Pixels as vectors of length one: [task, item, ...] -> [task, item, pixel].

    The small constant keeps an image of zeros finite.
    """
    x = tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[1], -1])
    return x * tf.math.rsqrt(tf.reduce_sum(x**2, axis=-1, keepdims=True) + 1e-8)

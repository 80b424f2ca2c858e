"""Zero-shot prototypical network (Snell, Swersky and Zemel, 2017, section 2.6; book section 3.1).

Nobody has seen an item of the class, but there is a description of it: attributes, or words. A
second network embeds descriptions where the first embeds items, and the embedded description is the
prototype.
"""

import keras
import tensorflow as tf
from keras import layers

from chapters.ch03_prototypical.models import squared_euclidean
from chapters.engine.layers import embed_tasks, item_shape_of
from chapters.engine.learner import FewShotLearner


def description_embedding(
    words: int, dim: int, hidden: int = 0, dropout: float = 0.0
) -> keras.Sequential:
    """g_theta: description [word] -> [dim]; linear as in the paper, or with a hidden layer.

    Args:
        words: length of a description.
        dim: of the image embedding.
        hidden: units of the hidden layer; 0 for none.
        dropout: share of the words that a training step leaves out.
    """
    chain = [layers.Input((words,)), layers.Dropout(dropout)]
    if hidden:
        chain += [layers.Dense(hidden, "relu"), layers.Dropout(0.5)]
    return keras.Sequential([*chain, layers.Dense(dim)], name="description_embedding")


@keras.saving.register_keras_serializable(__package__)
class ZeroShotPrototypicalNetwork(FewShotLearner):
    """Classifier of items into classes that are known by their descriptions alone.

    Call it with ``attributes`` [task, way, word] and ``query_x`` [task, query, ...]; it returns
    logits [task, query, way], the negative distances.

    Args:
        encoder: f_phi, Keras model, [item, ...] -> [item, dim].
        describer: g_theta, Keras model, [class, word] -> [class, dim].
        unit: prototypes have length one, as in the paper; otherwise they are what g says.
    """

    def __init__(self, encoder, describer, unit=True, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.describer, self.unit = encoder, describer, unit
        self.built = True  # all weights are those of the two

    @property
    def item_shape(self):
        """Shape of one item."""
        return item_shape_of(self.encoder)

    def input_shapes(self):
        """Descriptions of the classes, and queries; there is no support set."""
        return {"attributes": self.describer.input_shape[1:], "query_x": self.item_shape}

    def call(self, inputs, training=False):
        """Logits of the queries [task, query, way]."""
        # [task, way, dim]
        prototypes = self.prototypes(inputs["attributes"], training)
        z = embed_tasks(self.encoder, inputs["query_x"], training)  # [task, query, dim]
        # p(y = k | x) is the softmax over k of -d(f(x), c_k)                    equation 2
        return -squared_euclidean(z, prototypes)  # [task, query, way]

    def prototypes(self, attributes, training=False):
        """Embedded descriptions: [task, way, word] -> [task, way, dim]."""
        # c_k = g(v_k) / |g(v_k)|; queries keep their length, which sets how sure an answer is
        c = embed_tasks(self.describer, attributes, training)  # [task, way, dim]
        if not self.unit:
            return c
        return c * tf.math.rsqrt(tf.reduce_sum(c**2, axis=-1, keepdims=True) + 1e-8)

    def get_config(self):
        parts = {"encoder": self.encoder, "describer": self.describer}
        own = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **own, "unit": self.unit}

    @classmethod
    def from_config(cls, config):
        parts = ("encoder", "describer")
        own = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in parts}
        return cls(**own, **config)

"""Zero-shot relation network (Sung et al., 2018, section 3.4; section 4.3 of the book).

Nobody has seen an item of the class, but there is a description of it. Two embedding functions, one
of items and one of descriptions, lead to vectors of the same length, and the relation module judges
a pair of them.
"""

import keras
import tensorflow as tf
from keras import layers

from chapters.engine.layers import embed_tasks, item_shape_of
from chapters.engine.learner import FewShotLearner


def description_embedding(
    words: int, dim: int, hidden: int, dropout: float = 0.0
) -> keras.Sequential:
    """f_phi1: description [word] -> [dim], two dense layers with rectifiers, as the authors'.

    Args:
        words: length of a description.
        dim: of the image embedding.
        hidden: units of the first layer.
        dropout: share of the words that a training step leaves out.
    """
    return keras.Sequential(
        [
            layers.Input((words,)),
            layers.Dropout(dropout),
            layers.Dense(hidden, "relu"),
            layers.Dense(dim, "relu"),
        ],
        name="description_embedding",
    )


def relation_function(dim: int, hidden: int) -> keras.Sequential:
    """g_phi: a pair of embeddings [2 dim] -> the logit of their relation score [1]."""
    return keras.Sequential(
        [layers.Input((2 * dim,)), layers.Dense(hidden, "relu"), layers.Dense(1)],
        name="relation_function",
    )


@keras.saving.register_keras_serializable(__package__)
class ZeroShotRelationNetwork(FewShotLearner):
    """Classifier of items into classes that are known by their descriptions alone.

    Call it with ``attributes`` [task, way, word] and ``query_x`` [task, query, ...]; it returns the
    logits of the relation scores [task, query, way].

    Args:
        encoder: f_phi2, Keras model, [item, ...] -> [item, dim].
        describer: f_phi1, Keras model, [class, word] -> [class, dim].
        relation: g_phi, Keras model, [pair, 2 dim] -> [pair, 1].
    """

    def __init__(self, encoder, describer, relation, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.describer, self.relation = encoder, describer, relation
        self.built = True  # all weights are those of the three

    @property
    def item_shape(self):
        """Shape of one item."""
        return item_shape_of(self.encoder)

    def input_shapes(self):
        """Descriptions of the classes, and queries; there is no support set."""
        return {"attributes": self.describer.input_shape[1:], "query_x": self.item_shape}

    def call(self, inputs, training=False):
        """Logits of the relation scores [task, query, way]."""
        described = inputs["attributes"]
        way, queries = tf.shape(described)[1], tf.shape(inputs["query_x"])[1]
        c = embed_tasks(self.describer, described, training)  # [task, way, dim]
        z = embed_tasks(self.encoder, inputs["query_x"], training)  # [task, query, dim]
        # r_cj = g(Z(f1(v_c), f2(x_j))), Z the concatenation                      equation 3
        c = tf.repeat(c[:, None], queries, axis=1)  # [task, query, way, dim]
        z = tf.repeat(z[:, :, None], way, axis=2)  # [task, query, way, dim]
        pairs = tf.concat([c, z], axis=-1)  # [task, query, way, 2 dim]
        logits = self.relation(tf.reshape(pairs, [-1, pairs.shape[-1]]))  # [pair, 1]
        return tf.reshape(logits, tf.shape(pairs)[:-1])  # [task, query, way]

    def get_config(self):
        parts = {name: getattr(self, name) for name in ("encoder", "describer", "relation")}
        own = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        parts = ("encoder", "describer", "relation")
        own = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in parts}
        return cls(**own, **config)

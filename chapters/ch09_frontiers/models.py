"""Prototypical network (Snell, Swersky and Zemel, 2017; section 3.2 of the book).

A class is represented by the mean embedding of its support items, its prototype. A query belongs to
the class whose prototype is nearest. Learning means finding an embedding in which that is true.

The book's names in brackets: support set embedding and query set embedding come from one encoder
(``get_embeddings``), ``class_prototype`` is ``class_prototypes``, ``euclidean_distance`` is
``squared_euclidean``, ``predicted_probability`` keeps its name.
"""

import keras
import tensorflow as tf

from chapters.engine.metric import MetricLearner


def class_prototypes(support_z, support_y, way):
    """Mean embedding of each class.

    Labels drive: the order of the support set plays no role, and classes may differ in size.

    Args:
        support_z: embeddings [task, support, dim].
        support_y: labels [task, support] in [0, way).
        way: number of classes.

    Returns:
        Prototypes [task, way, dim]; that of a class without support items is zero.
    """
    member = tf.one_hot(support_y, way, dtype=support_z.dtype)  # [task, support, way]
    # c_k = 1 / |S_k| sum over S_k of f(x_i)                      equation 1; E3.1: S_k, not S
    total = tf.einsum("tsw,tsd->twd", member, support_z)  # [task, way, dim]
    count = tf.reduce_sum(member, axis=1)[..., None]  # [task, way, 1]
    return tf.math.divide_no_nan(total, count)


def squared_euclidean(query_z, prototypes):
    """d(f(x), c_k) = sum over dim of (f(x) - c_k)^2: [task, query, dim] -> [task, query, way].

    The sum, not the mean: dividing by the dimension would flatten the softmax (E3.8).
    """
    # ||x - c||^2 = ||x||^2 - 2 x.c + ||c||^2, one matrix product instead of all differences
    cross = tf.einsum("tqd,twd->tqw", query_z, prototypes)  # [task, query, way]
    query_square = tf.reduce_sum(query_z**2, axis=-1)[:, :, None]  # [task, query, 1]
    prototype_square = tf.reduce_sum(prototypes**2, axis=-1)[:, None, :]  # [task, 1, way]
    return tf.maximum(query_square - 2.0 * cross + prototype_square, 0.0)


def cosine_distance(query_z, prototypes):
    """1 - cos(f(x), c_k): [task, query, dim] -> [task, query, way], between 0 and 2."""
    return 1.0 - tf.einsum("tqd,twd->tqw", _unit(query_z), _unit(prototypes))


def _unit(x):
    """Vectors of length one; the small constant keeps value and gradient finite at zero."""
    return x * tf.math.rsqrt(tf.reduce_sum(x**2, axis=-1, keepdims=True) + 1e-8)


DISTANCES = {"euclidean": squared_euclidean, "cosine": cosine_distance}


@keras.saving.register_keras_serializable(__package__)
class PrototypicalNetwork(MetricLearner):
    """Few-shot classifier: adapting is averaging, so it happens in the forward pass.

    Call it with ``support_x`` [task, support, ...], ``support_y`` [task, support] and ``query_x``
    [task, query, ...]; it returns logits [task, query, way], the negative distances. The number of
    classes is the largest label plus one.

    Args:
        encoder: Keras model, [item, ...] -> [item, dim].
        distance: a key of ``DISTANCES``.
    """

    def __init__(self, encoder, distance: str = "euclidean", **kwargs):
        super().__init__(**kwargs)
        if distance not in DISTANCES:
            raise ValueError(f"distance is {distance!r}; it must be one of {', '.join(DISTANCES)}")
        self.encoder, self.distance = encoder, distance
        self.built = True  # all weights are the encoder's

    def classify(self, support_z, support_y, query_z, training=False):
        """Logits of the queries; their encoder is that of the support set (E3.6)."""
        way = tf.reduce_max(support_y) + 1
        prototypes = class_prototypes(support_z, support_y, way)  # [task, way, dim]
        # p(y = k | x) is the softmax over k of -d(f(x), c_k)      equation 2; E3.3: negative
        return -DISTANCES[self.distance](query_z, prototypes)  # [task, query, way]

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder, "distance": self.distance}

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        return cls(encoder, **config)


def predicted_probability(logits):
    """Softmax over classes, the last axis: [task, query, way]."""
    return tf.nn.softmax(logits, axis=-1)


def negative_log_likelihood(query_y, logits):
    """J(phi) = -log p(y = k | x), averaged over queries and tasks; ln(way) when nothing is known.

    Args:
        query_y: labels [task, query].
        logits: [task, query, way].
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(query_y, logits)  # [task, query]
    return tf.reduce_mean(losses)

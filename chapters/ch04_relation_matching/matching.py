"""Matching network (Vinyals et al., 2016; sections 4.6 to 4.9 of the book).

A query looks at every support item and takes over their labels, each weighed by the attention that
its item gets. There are no prototypes: five support items of a class are five places to look at.

The book's names: ``image_encoder``, ``cosine_similarity``, ``g``, ``f`` and ``processing_steps``
keep theirs; its class ``Matching_network`` is ``MatchingNetwork``.
"""

import math

import keras
import tensorflow as tf

from chapters.engine import tasks
from chapters.engine.learner import ABSENT
from chapters.engine.metric import MetricLearner

SCALES = ("none", "learned")
FIRST_SCALE = 40.0  # of a learned one; it hardly moves, and 10 trains more slowly


def cosine_similarity(target, support_set):
    """cos(f, g): [task, query, dim], [task, support, dim] -> [task, query, support], -1 to 1.

    A similarity: softmax of a distance would prefer the farthest item (E4.8).
    """
    # cos(f, g) = f.g / (|f| |g|), both lengths: with |g| alone, |f| would be a temperature (E4.14)
    return tf.einsum("tqd,tsd->tqs", _unit(target), _unit(support_set))


def _unit(x):
    """Vectors of length one; the small constant keeps value and gradient finite at zero."""
    return x * tf.math.rsqrt(tf.reduce_sum(x**2, axis=-1, keepdims=True) + 1e-8)


def attention(similarity):
    """a(x, x_i) = exp(s_i) / sum_j exp(s_j): a softmax over support items, [task, query, support].

    Args:
        similarity: [task, query, support].
    """
    return tf.nn.softmax(similarity, axis=-1)


def log_probability(similarity, support_y, way):
    """log p(y | x, S): of each class the attention of its items, summed.

    Args:
        similarity: [task, query, support].
        support_y: labels [task, support] in [0, way).
        way: number of classes.

    Returns:
        [task, query, way]; a class without support items has -1e9. A softmax changes nothing: these
        are logits too.
    """
    # p(y | x, S) = sum_i a(x, x_i) y_i                                               equation 1
    # so log p(k) = log sum_{i: y_i = k} exp(s_i) - log sum_i exp(s_i), without tiny quotients
    of_all = _log_sum_exp(similarity, axis=2)[..., None]  # [task, query, 1]
    return class_similarity(similarity, support_y, way) - of_all  # [task, query, way]


def class_similarity(similarity, support_y, way):
    """log sum_{i: y_i = k} exp(s_i): how like the items of each class queries are, before the
    attention is shared out.

    Arguments as for ``log_probability``.
    """
    outside = tf.one_hot(support_y, way, on_value=0.0, off_value=-ABSENT, dtype=similarity.dtype)
    # [task, query, support, way]
    of_class = similarity[..., None] + outside[:, None]
    return _log_sum_exp(of_class, axis=2)  # [task, query, way]


def _log_sum_exp(x, axis):
    """Written out: not every format of export has the operators of TensorFlow's own."""
    largest = tf.stop_gradient(tf.reduce_max(x, axis=axis, keepdims=True))
    total = tf.reduce_sum(tf.exp(x - largest), axis=axis)
    return tf.math.log(total) + tf.squeeze(largest, axis)


def negative_log_likelihood(query_y, log_p):
    """-log p(y | x, S), averaged over queries and tasks; ln(way) when nothing is known.

    ``log_p`` are logarithms of probabilities, and no second softmax is taken (E4.10).

    Args:
        query_y: labels [task, query].
        log_p: [task, query, way].
    """
    return -tf.reduce_mean(tf.gather(log_p, query_y, axis=-1, batch_dims=2))  # of [task, query]


@keras.saving.register_keras_serializable(__package__)
class MatchingNetwork(MetricLearner):
    """Few-shot classifier: adapting is looking at the support set, in the forward pass.

    Call it with ``support_x`` [task, support, ...], ``support_y`` [task, support] and ``query_x``
    [task, query, ...]; it returns log p(y | x, S) [task, query, way]. The number of classes is the
    largest label plus one.

    Args:
        image_encoder: Keras model, [item, ...] -> [item, dim]; f' and g' of the paper in one.
        scale: ``none`` for the paper's bare cosine, or ``learned``. Without one, e / 1 is the most
            that a softmax of cosines can tell two items apart, and the loss has a floor.
        context: ``context.FullContext``, or None without full context embeddings.
    """

    ENCODER = "image_encoder"

    def __init__(self, image_encoder, scale: str = "none", context=None, **kwargs):
        super().__init__(**kwargs)
        if scale not in SCALES:
            raise ValueError(f"scale is {scale!r}; it must be one of {', '.join(SCALES)}")
        self.image_encoder, self.scale, self.context = image_encoder, scale, context
        if scale == "learned":  # its logarithm: it stays positive, and steps are shares of it
            first = keras.initializers.Constant(math.log(FIRST_SCALE))
            self.log_scale = self.add_weight(shape=(), initializer=first, name="log_scale")
        self.built = True  # the other weights are those of encoder and context

    def classify(self, support_z, support_y, query_z, training=False):
        """log p(y | x, S) [task, query, way], from g'(x_i) and f'(x) of one encoder (E4.15)."""
        similarity = self.similarity(support_z, query_z)  # [task, query, support]
        return log_probability(similarity, support_y, tf.reduce_max(support_y) + 1)

    def compare(self, support_z, support_y, query_z, **others):
        """``classify``, and distances [task, query, way].

        A query that is like nothing shares out its attention as well as one that belongs: log p is
        no distance, what it is made of is.
        """
        similarity = self.similarity(support_z, query_z)  # [task, query, support]
        way = tf.reduce_max(support_y) + 1
        log_p = log_probability(similarity, support_y, way)
        # A bare cosine is too blunt for that: of 25 items, all but the nearest would decide.
        sharp = FIRST_SCALE * similarity if self.scale == "none" else similarity
        return log_p, -class_similarity(sharp, support_y, way)

    def predict_with_distance(self, inputs):
        """As ``compare``, from items."""
        inputs = tasks.checked_task(self, inputs)
        support_z, query_z = self.embed_task(inputs)
        return self.compare(support_z, inputs["support_y"], query_z)

    def similarity(self, support_z, query_z):
        """What the attention is a softmax of: cos(f(x, S), g(x_i, S)), scaled.

        Args:
            support_z, query_z: of ``embed_task``.

        Returns:
            [task, query, support]
        """
        if self.context is not None:
            g = self.context.g(support_z)  # [task, support, dim]
            support_z, query_z = g, self.context.f(query_z, g)
        cosine = cosine_similarity(query_z, support_z)  # [task, query, support]
        return cosine if self.scale == "none" else tf.exp(self.log_scale) * cosine

    def get_config(self):
        parts = {"image_encoder": self.image_encoder, "context": self.context}
        parts = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **parts, "scale": self.scale}

    @classmethod
    def from_config(cls, config):
        for name in ("image_encoder", "context"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)

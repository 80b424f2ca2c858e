"""Prototypical networks with unlabelled items (Ren et al., 2018; section 3.6 of the book).

"Semi-prototypical" is the book's name alone (E3.23); the paper's is semi-supervised. Every task
brings unlabelled items beside its support set, some of them of other classes, and they refine the
prototypes before the queries are compared with these.
"""

import math

import keras
import tensorflow as tf
from keras import layers

from chapters.ch03_prototypical import refinement
from chapters.ch03_prototypical.models import class_prototypes, squared_euclidean
from chapters.engine.layers import embed_tasks
from chapters.engine.metric import MetricLearner

METHODS = ("supervised", "soft", "cluster", "masked")
FIRST_RADIUS = 100.0  # of the distractor cluster
HIDDEN = 20  # units of the network of thresholds


def threshold_network() -> keras.Sequential:
    """Statistics of distances [item, 5] -> logarithm of threshold, its course, logarithm of slope.

    Its first weights are small: threshold and slope begin near 1, the mean distance.
    """
    small = [keras.initializers.RandomNormal(stddev=0.01) for _ in range(2)]
    return keras.Sequential(
        [
            layers.Input([refinement.STATISTICS]),
            layers.Dense(HIDDEN, activation="tanh", kernel_initializer=small[0]),
            layers.Dense(refinement.OUTPUTS, kernel_initializer=small[1]),
        ],
        name="thresholds",
    )


@keras.saving.register_keras_serializable(__package__)
class SemiSupervisedPrototypicalNetwork(MetricLearner):
    """Few-shot classifier whose prototypes are refined by ``unlabelled_x`` [task, unlabelled, ...].

    It may lack these: then it is a prototypical network. ``supervised`` is the method of a network
    that was trained without them; given some, it takes the step of ``soft``, which the paper calls
    semi-supervised inference.

    Args:
        encoder: Keras model, [item, ...] -> [item, dim].
        method: one of ``METHODS``.
        refinements: steps of k-means.
        options: of ``keras.Model``.
    """

    OPTIONAL = ("unlabelled_x",)

    def __init__(self, encoder, method: str = "masked", refinements: int = 1, **options):
        super().__init__(**options)
        if method not in METHODS:
            raise ValueError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
        self.encoder, self.method, self.refinements = encoder, method, refinements
        if method == "cluster":
            start = keras.initializers.Constant(math.log(FIRST_RADIUS))
            self.log_radius = self.add_weight(shape=(), initializer=start, name="log_radius")
        if method == "masked":
            self.thresholds = threshold_network()
        self.built = True

    def input_shapes(self):
        """Unlabelled items are items."""
        return {**super().input_shapes(), "unlabelled_x": self.item_shape}

    def call(self, inputs, training=False):
        """Logits of the queries [task, query, way]; one encoder and one pass for all items.

        In training of ``cluster`` there is a last one, of the distractor cluster.
        """
        given = [inputs["support_x"], inputs["query_x"]]
        given += [inputs["unlabelled_x"]] if "unlabelled_x" in inputs else []
        support, query = tf.shape(given[0])[1], tf.shape(given[1])[1]
        x = tf.concat(given, axis=1)  # [task, support + query + unlabelled, ...]
        z = embed_tasks(self.encoder, x, training)  # [task, support + query + unlabelled, dim]
        unlabelled_z = z[:, support + query :] if "unlabelled_x" in inputs else None
        query_z = z[:, support : support + query]  # [task, query, dim]
        return self.classify(z[:, :support], inputs["support_y"], query_z, training, unlabelled_z)

    def classify(self, support_z, support_y, query_z, training=False, unlabelled_z=None):
        """Logits of the queries [task, query, way], from embeddings."""
        prototypes, _ = self.prototypes(support_z, support_y, unlabelled_z)  # [task, way, dim]
        return self._logits(query_z, prototypes, training)

    def _logits(self, query_z, prototypes, training):
        """Of queries; in training of ``cluster`` the distractor cluster is one class more.

        Only so does the radius learn how near the items of a class are. No query is a distractor,
        so afterwards the cluster is left out.
        """
        if self.method != "cluster":
            # p(y = k | x) is the softmax over k of -||h(x) - p~_k||^2
            return -squared_euclidean(query_z, prototypes)  # [task, query, way]
        log_radius = tf.convert_to_tensor(self.log_radius)
        logits = refinement.cluster_logits(query_z, prototypes, log_radius)
        return logits if training else logits[..., :-1]  # [task, query, way (+ 1)]

    def prototypes(self, support_z, support_y, unlabelled_z=None):
        """Prototypes of embedded tasks, refined where there are unlabelled items.

        Args:
            support_z: embeddings [task, support, dim].
            support_y: labels [task, support].
            unlabelled_z: embeddings [task, unlabelled, dim], or None.

        Returns:
            Prototypes [task, way, dim], and the weights that the unlabelled items had in them
            [task, unlabelled, way], None without any.
        """
        way = tf.reduce_max(support_y) + 1
        plain = class_prototypes(support_z, support_y, way)  # [task, way, dim]
        if unlabelled_z is None:
            return plain, None
        member = tf.one_hot(support_y, way, dtype=support_z.dtype)  # [task, support, way]
        given = plain, support_z, member, unlabelled_z
        if self.method == "cluster":
            log_radius = tf.convert_to_tensor(self.log_radius)
            return refinement.soft_kmeans_with_distractors(*given, log_radius, self.refinements)
        if self.method == "masked":
            outputs = self._thresholds(squared_euclidean(unlabelled_z, plain))
            return refinement.masked_soft_kmeans(*given, outputs, self.refinements)
        return refinement.soft_kmeans(*given, self.refinements)

    def _thresholds(self, distance):
        """What the network makes of the distances to the supervised prototypes: [task, way, 3]."""
        statistics = refinement.distance_statistics(refinement.normalised(distance))
        flat = tf.reshape(statistics, [-1, refinement.STATISTICS])  # [task * way, 5]
        shape = tf.concat([tf.shape(statistics)[:2], [refinement.OUTPUTS]], axis=0)
        return tf.reshape(self.thresholds(flat), shape)  # [task, way, 3]

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        own = {"encoder": encoder, "method": self.method, "refinements": self.refinements}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        return cls(encoder, **config)

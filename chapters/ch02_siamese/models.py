"""Siamese network: two items, one encoder, one distance (sections 2.1 to 2.3 of the book).

    E_w(x1, x2) = || f_w(x1) - f_w(x2) ||

f_w is the encoder. It is one object, applied to both items: the twins of the picture in the book
share their weights by being the same network. Encoders for pictures and sounds are in ``faces`` and
``sounds``.
"""

import keras
import numpy as np
import tensorflow as tf

from chapters.engine.layers import embed_items, embed_tasks
from chapters.engine.metric import MetricLearner

FLOOR = 1e-7  # below it a squared distance counts as zero


def euclidean_distance(a, b):
    """|| a - b ||: [..., dim], [..., dim] -> [..., 1].

    The square root has an infinite slope at 0, which turns gradients into NaN (erratum E2.5). Equal
    embeddings get distance 0 and gradient 0: the root is taken of max(sum, 1e-7), never of 0.
    """
    square = tf.reduce_sum(tf.square(a - b), axis=-1, keepdims=True)  # [..., 1]
    return tf.where(square <= FLOOR, 0.0, tf.sqrt(tf.maximum(square, FLOOR)))


def cosine_distance(a, b):
    """1 - cos(a, b): [..., dim], [..., dim] -> [..., 1], between 0 and 2.

    An energy is small when items are alike; the cosine itself is large then (erratum E2.2).
    Computed as || a/|a| - b/|b| ||^2 / 2, which is the same and exactly 0 for equal embeddings.
    """
    return tf.reduce_sum(tf.square(_unit(a) - _unit(b)), axis=-1, keepdims=True) / 2.0


def _unit(x):
    """Vectors of length one; zero stays zero and has a finite gradient."""
    return x * tf.math.rsqrt(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True) + 1e-12)


ENERGIES = {"euclidean": euclidean_distance, "cosine": cosine_distance}


@keras.saving.register_keras_serializable(__package__)
class SiameseNetwork(keras.Model):
    """Distance of two items. Call it with ``a`` [pair, ...] and ``b`` [pair, ...]: -> [pair, 1].

    Args:
        encoder: Keras model, [item, ...] -> [item, dim].
        energy: a key of ``ENERGIES``.
    """

    def __init__(self, encoder, energy: str = "euclidean", **kwargs):
        super().__init__(**kwargs)
        if energy not in ENERGIES:
            raise ValueError(f"energy is {energy!r}; it must be one of {', '.join(ENERGIES)}")
        self.encoder, self.energy = encoder, energy
        self.built = True  # the encoder comes built, and a distance has no weights

    def call(self, inputs, training=False):
        """Distances of pairs [pair, 1]."""
        # Both twins in one pass: batch normalisation then sees one batch, not two.
        x = tf.concat([inputs["a"], inputs["b"]], axis=0)  # [2 * pair, ...]
        a, b = tf.split(self.encoder(x, training=training), 2)  # [pair, dim] each
        return ENERGIES[self.energy](a, b)  # [pair, 1]

    def embed(self, x):
        """Embeddings as the trained network sees them: [item, ...] -> [item, dim]."""
        return embed_items(self.encoder, x)

    def pair_distance(self, a, b):
        """Distances of pairs after training: [pair, ...], [pair, ...] -> [pair, 1]."""
        return self({"a": a, "b": b}, training=False)

    def distances_of(self, items, pairs):
        """Distances of listed pairs, every item embedded once: [pair, 1].

        Args:
            items: [item, ...].
            pairs: with positions ``first`` and ``second`` [pair] of items.
        """
        shown, place = np.unique(np.stack([pairs.first, pairs.second]), return_inverse=True)
        z = self.embed(items[shown])  # [shown, dim]
        first, second = place.reshape(2, -1)
        return ENERGIES[self.energy](tf.gather(z, first), tf.gather(z, second))

    def distances(self, x, y):
        """Every item of x with every item of y: [item, ...], [other, ...] -> [item, other]."""
        energy = ENERGIES[self.energy](self.embed(x)[:, None], self.embed(y)[None])
        return tf.squeeze(energy, axis=-1)

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder, "energy": self.energy}

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        return cls(encoder, **config)


@keras.saving.register_keras_serializable(__package__)
class NearestNeighbour(MetricLearner):
    """One-shot classifier made of a siamese network: a query is what its nearest support item is.

    Call it like every few-shot learner of this project, with ``support_x`` [task, support, ...],
    ``support_y`` [task, support] and ``query_x`` [task, query, ...]: -> logits [task, query, way].

    Args:
        siamese: trained SiameseNetwork.
        sharpness: logit = -sharpness * distance; ``measures.calibrate`` finds it on pairs.
        threshold: distance below which a pair is accepted; None where it was not looked for.
    """

    def __init__(self, siamese: SiameseNetwork, sharpness=1.0, threshold=None, **kwargs):
        super().__init__(**kwargs)
        self.siamese, self.sharpness, self.threshold = siamese, sharpness, threshold
        self.built = True  # no weights of its own

    @property
    def encoder(self):
        """Of the siamese network: [item, ...] -> [item, dim]."""
        return self.siamese.encoder

    def use_decision(self, decision):
        """Take ``threshold`` and ``sharpness`` as a run keeps them in ``decision.json``."""
        self.threshold, self.sharpness = decision["threshold"], decision["sharpness"]

    def load_weights(self, *arguments, **options):
        """Read the weights of a siamese network: this learner has no others."""
        self.siamese.load_weights(*arguments, **options)

    def embed_task(self, inputs, training=False):
        """Support set [task, support, dim] and queries [task, query, dim]; a pass for each."""
        x = inputs["support_x"], inputs["query_x"]
        return tuple(embed_tasks(self.encoder, items, training) for items in x)

    def classify(self, support_z, support_y, query_z, training=False):
        """Logits [task, query, way]; way is the largest support label plus one."""
        energy = ENERGIES[self.siamese.energy]
        distance = energy(query_z[:, :, None], support_z[:, None])  # [task, query, support, 1]
        distance = tf.squeeze(distance, axis=-1)
        return -self.sharpness * nearest_of_class(distance, support_y)

    def distances(self, prediction):
        """Distance to the nearest support item of each class: [..., way]."""
        return -prediction / self.sharpness

    def get_config(self):
        siamese = keras.saving.serialize_keras_object(self.siamese)
        own = {"siamese": siamese, "sharpness": self.sharpness, "threshold": self.threshold}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("siamese")), **config)


def nearest_of_class(distance, support_y):
    """Smallest distance to each class: [task, query, support], [task, support] -> [.., way].

    A class without support items is infinitely far away.
    """
    way = tf.reduce_max(support_y) + 1
    member = tf.one_hot(support_y, way, on_value=True, off_value=False)  # [task, support, way]
    far = tf.constant(float("inf"), distance.dtype)
    by_class = tf.where(member[:, None], distance[..., None], far)  # [task, query, support, way]
    return tf.reduce_min(by_class, axis=2)  # [task, query, way]

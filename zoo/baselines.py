"""What a model has to beat on a folder: the nearest class mean of what a file holds, unlearned."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from chapters.engine.metric import MetricLearner
from chapters.experiments.images import read_pictures
from datasets.readers.folder import read_sound
from zoo.loaded import function

PICTURE = (32, 32, 3)  # height, width, channels
SOUND = (20, 400)  # coefficients, frames
FLOOR = 1e-6  # of a deviation


class Baseline(NamedTuple):
    """A learner that learned nothing, and how it reads files."""

    name: str
    learner: Any
    read: Callable[[list], np.ndarray]  # files -> float32 [item, ...]


class Statistics(layers.Layer):
    """Mean and deviation of every coefficient over the frames that are sound, not padding."""

    def call(self, x):
        """[clip, coefficient, frame] -> [clip, 2 * coefficient]."""
        sound = tf.cast(tf.reduce_any(x != 0, axis=1, keepdims=True), x.dtype)  # [clip, 1, frame]
        frames = tf.maximum(tf.reduce_sum(sound, axis=-1), 1.0)  # [clip, 1]
        mean = tf.reduce_sum(x * sound, axis=-1) / frames  # [clip, coefficient]
        apart = (x - mean[..., None]) * sound
        deviation = tf.sqrt(tf.reduce_sum(apart**2, axis=-1) / frames)  # [clip, coefficient]
        return tf.concat([mean, deviation], axis=-1)


class NearestMean(MetricLearner):
    """A query belongs to the class whose mean is nearest.

    Args:
        encoder: Keras model, [item, ...] -> [item, dim].
        scaled: every number is taken in units of its deviation in the support set. Loudness is in
            the hundreds and would decide alone otherwise.
        options: of ``keras.Model``.
    """

    def __init__(self, encoder, scaled: bool, **options):
        super().__init__(**options)
        self.encoder, self.scaled = encoder, scaled
        self.built = True  # nothing is learned

    def classify(self, support_z, support_y, query_z, training=False):
        """Logits of the queries [task, query, way], the negative squared distances."""
        if self.scaled:
            deviation = tf.math.reduce_std(support_z, axis=1, keepdims=True)  # [task, 1, dim]
            deviation = tf.where(deviation > FLOOR, deviation, 1.0)
            support_z, query_z = support_z / deviation, query_z / deviation
        member = tf.one_hot(support_y, tf.reduce_max(support_y) + 1)  # [task, support, way]
        count = tf.reduce_sum(member, axis=1)[..., None]  # [task, way, 1]
        means = tf.einsum("tsw,tsd->twd", member, support_z) / count  # [task, way, dim]
        # ||x - c||^2 without ||x||^2, which all classes share
        cross = tf.einsum("tqd,twd->tqw", query_z, means)  # [task, query, way]
        return 2.0 * cross - tf.reduce_sum(means**2, axis=-1)[:, None]


def of(files: str) -> Baseline:
    """The baseline of a kind of files: ``image`` or ``sound``."""
    if files == "sound":
        encoder = keras.Sequential([layers.Input(SOUND), Statistics()])
        return Baseline("MFCC, nearest mean", NearestMean(encoder, scaled=True), _read_sounds)
    encoder = keras.Sequential([layers.Input(PICTURE), layers.Flatten()])
    read = functools.partial(read_pictures, shape=PICTURE, ink=False)
    return Baseline("pixels, nearest mean", NearestMean(encoder, scaled=False), read)


def backbone(encoder: str, weights: str) -> Baseline:
    """A network of pictures as it is, with nearest class means: a frozen one needs no training.

    Args:
        encoder, weights: as the options ``--encoder`` and ``--encoder-weights`` of chapter 3.

    Raises:
        ConfigError: no such network or weights.
    """
    learner = function("chapters.ch03_prototypical.train:build_frozen")(encoder, weights)
    read = functools.partial(read_pictures, shape=learner.item_shape, ink=False)
    return Baseline(encoder, learner, read)


def _read_sounds(paths) -> np.ndarray:
    return np.stack([read_sound(path) for path in paths])  # [clip, coefficient, frame]

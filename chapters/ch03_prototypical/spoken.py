"""Spoken words, and other sounds: what is learned from, and the encoder."""

from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from chapters.ch03_prototypical import own_sounds
from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.ch03_prototypical.models import PrototypicalNetwork
from chapters.ch03_prototypical.presets import SpokenConfig
from chapters.engine.layers import embed_items
from datasets.dataset import Dataset
from datasets.readers import logmel
from datasets.sets import spoken_digits, spoken_words
from datasets.sets.spoken_digits import Spoken
from datasets.standins import synth_words

BEGINNINGS = (-3, 0, 3, 6)  # frames that a clip begins later; chosen on two people

# --- data -----------------------------------------------------------------------------------------


def load(config: SpokenConfig) -> tuple[Dataset, SpokenConfig]:
    """Words to learn from, with the splits ``train`` and ``val``; options that fit a folder.

    Raises:
        ConfigError: neither a folder nor a known set, or options of a folder with a set.
        DataError: the program that speaks is missing, the cache cannot be written, or the folder
            has too few sounds.
    """
    own_sounds.check(config)
    if own_sounds.is_own(config):
        return own_sounds.load(config)
    if config.data == "synth_words":
        return synth_words.load(), config
    return spoken_words.load(words=config.words, clips=config.clips), config


def load_test(config: SpokenConfig, words: Dataset | None = None) -> Spoken:
    """Words to test on, and who says them.

    Args:
        config: options of the run.
        words: of ``load``; a folder is tested on classes of its own.

    Raises:
        DataError: the recordings are missing or broken.
    """
    if own_sounds.is_own(config):
        return own_sounds.tested(words, config)
    if config.data == "synth_words":
        return synth_words.load_spoken()
    return spoken_digits.load_spoken(config.data_root or None, config.offline)


def read(paths: Iterable[str | Path], config: SpokenConfig | None = None) -> np.ndarray:
    """Sound files as a network sees them: float32 [clip, band, frame, 1].

    Raises:
        DataError: a file is missing or broken.
    """
    return np.reshape([logmel.read_word(path) for path in paths], [-1, *logmel.SHAPE])


# --- network --------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(__package__)
class NormaliseClip(layers.Layer):
    """Mean 0 and deviation 1 over a clip: how much of it is sound does not show."""

    def call(self, x):
        """[clip, band, frame, 1] -> the same shape."""
        mean, variance = tf.nn.moments(x, axes=[1, 2, 3], keepdims=True)  # [clip, 1, 1, 1]
        return (x - mean) * tf.math.rsqrt(variance + 1e-5)


@keras.saving.register_keras_serializable(__package__)
class SeveralBeginnings(layers.Wrapper):
    """Mean embedding of a clip that begins a little earlier and a little later.

    Where a word begins is known to a few frames, and pooling keeps one place of sixteen, so a clip
    that begins a frame later has another embedding. In training a clip is seen once: ``hearing``
    moves it.
    """

    def call(self, x, training=False):
        """[clip, band, frame, 1] -> [clip, dim]."""
        if training:
            return self.layer(x, training=True)
        # [beginning * clip, band, frame, 1]
        x = tf.concat([later(x, frames) for frames in BEGINNINGS], axis=0)
        z = self.layer(x, training=False)  # [beginning * clip, dim]
        return tf.reduce_mean(tf.reshape(z, [len(BEGINNINGS), -1, z.shape[-1]]), axis=0)


def later(x, frames: int):
    """Clips that begin some frames later, or earlier: [clip, band, frame, 1] -> the same shape."""
    kept = x[:, :, max(-frames, 0) : x.shape[2] - max(frames, 0)]
    return tf.pad(kept, [[0, 0], [0, 0], [max(frames, 0), max(-frames, 0)], [0, 0]])


def build_encoder(config: SpokenConfig) -> keras.Sequential:
    """Conv-4 on clips of mean 0 and deviation 1, averaged: [band, frame, 1] -> [dim]."""
    blocks = get_embeddings(logmel.SHAPE, config.h_dim, config.z_dim, config.momentum)
    once = keras.Sequential([layers.Input(logmel.SHAPE), NormaliseClip(), blocks], name="once")
    return keras.Sequential([layers.Input(logmel.SHAPE), SeveralBeginnings(once)], name="encoder")


@keras.saving.register_keras_serializable(__package__)
class SpokenNetwork(PrototypicalNetwork):
    """Prototypical network of sounds; an exported one begins with the sound itself."""

    def picture(self, sound):
        """Clips as the encoder sees them: [clip, sample] -> [clip, band, frame, 1].

        Args:
            sound: ``logmel.RATE`` samples a second, filled up with zeros.
        """
        return logmel.picture(sound)

    def embed_once(self, x):
        """Embeddings of clips that begin where they do: [clip, band, frame, 1] -> [clip, dim]."""
        return embed_items(self.encoder.layers[-1].layer, x)

    def serving_sound(self, strict: bool = False):
        """``serving`` of a task of sounds: support_x [support, sample], query_x [query, sample]."""
        serve = self.serving(strict)

        def serve_sound(support_x, support_y, query_x):
            return serve(self.picture(support_x), support_y, self.picture(query_x))

        return serve_sound

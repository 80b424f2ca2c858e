"""Sounds, section 2.5 of the book: clips as MFCC, pairs of files, augmentation, encoders.

Axes: coefficient, frame. A frame that is zero in all coefficients is padding: the reader writes
zeros there, and no frame of sound is zero in all of them.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from chapters.ch02_siamese.models import NearestNeighbour, SiameseNetwork
from chapters.ch02_siamese.presets import SOUND_SETS, AudioConfig
from chapters.engine.errors import ConfigError
from chapters.experiments import folders
from datasets.errors import DataError
from datasets.readers.folder import read_sound
from datasets.readers.mfcc import Normaliser
from datasets.sets import sounds
from datasets.sets.sounds import Clips
from datasets.standins import synth_sounds
from datasets.tasks.pairs import Pairs, all_pairs_of, folder_pairs

ANCHOR, SAME, OTHER = "Dogs", "Sub_dogs", "Cats"  # genuine: Dogs, Sub_dogs; imposite: Dogs, Cats
CLIPS_OF_FOLD = 2  # of an own class: one more makes a genuine pair
COEFFICIENTS, FRAMES = 20, 400


# --- data -----------------------------------------------------------------------------------------


def check(config: AudioConfig) -> None:
    """ConfigError for data that are none, and where the book's encoder is to learn from parts."""
    folders.check(config.data, SOUND_SETS)
    if config.encoder == "book" and config.augment and config.crop != FRAMES:
        raise ConfigError(
            f"--encoder book takes {FRAMES} frames, but --augment trains on {config.crop}; add "
            "--no-augment."
        )


def audio2vector(file_path: str | Path, max_pad_len: int = FRAMES) -> np.ndarray:
    """MFCC of a sound, cut or zero-padded to ``max_pad_len`` frames: [20, 400] float32.

    The sound is resampled with a low-pass filter, where the book keeps every third sample and folds
    high tones onto low ones (erratum E2.15), and longer sounds are cut (E2.16).

    Raises:
        DataError: the file is missing or not a sound.
    """
    return read_sound(file_path, frames=max_pad_len)


def read(paths: Iterable[str | Path], config: AudioConfig | None = None) -> np.ndarray:
    """Sound files as a network hears them: float32 [clip, 20, 400].

    Raises:
        DataError: a file is missing or broken.
    """
    return np.reshape([audio2vector(path) for path in paths], [-1, COEFFICIENTS, FRAMES])


def load(config: AudioConfig) -> Clips:
    """The clips: features [clip, 20, 400], folder and number of frames of each.

    Raises:
        DataError: data missing or broken.
    """
    if is_own(config):
        return sounds.read_own(config.data)
    module = {"cats_dogs": sounds, "synth_sounds": synth_sounds}[config.data]
    return module.load_clips(root=config.data_root or None, offline=config.offline)


def is_own(config: AudioConfig) -> bool:
    """Whether the data are a folder, and no known set."""
    return config.data not in SOUND_SETS


def name_of(config: AudioConfig) -> str:
    """What the data are called: a known set, or the name of a folder."""
    return Path(config.data).resolve().name if is_own(config) else config.data


def fitted(config: AudioConfig, clips: Clips) -> AudioConfig:
    """Options with no more folds than the clips of a folder allow; says so where there are fewer.

    Raises:
        DataError: a class has too few clips for two folds with a genuine pair in each.
    """
    if not is_own(config):
        return config
    name, fewest = min(Counter(clips.folder.tolist()).items(), key=lambda item: item[1])
    if fewest < 2 * CLIPS_OF_FOLD:
        raise DataError(
            f"{config.data} has {fewest} sound(s) of the class {name!r}; every class needs "
            f"{2 * CLIPS_OF_FOLD} or more, half to learn from and half to test on."
        )
    fewer = dataclasses.replace(config, folds=min(config.folds, fewest // CLIPS_OF_FOLD))
    folders.tell_of_changes(config, fewer, f"has {fewest} sounds in its smallest class")
    return fewer


def get_data(clips: Clips, positions: np.ndarray) -> Pairs:
    """Pairs among some clips: Dogs x Sub_dogs (genuine), Dogs x Cats (imposite); all of own ones.

    The book draws 14 pairs and never uses most of the files (erratum E2.13).
    """
    if clips.class_of == sounds.CLASS_OF:
        return folder_pairs(clips.folder, positions, ANCHOR, SAME, OTHER)
    return all_pairs_of(clips.folder, positions)


def classes_of(clips: Clips) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the classes, and the number of each clip's [clip]."""
    names, number = np.unique(clips.class_name, return_inverse=True)
    return tuple(names.tolist()), number


def crop(x, frames: int, seed):
    """A random stretch of every clip.

    Args:
        x: [clip, coefficient, frame], padding only at the end.
        frames: length of the stretch; a shorter clip keeps all of its frames, and some padding.
        seed: int32 [2]; the same seed cuts in the same places.

    Returns:
        [clip, coefficient, frames]
    """
    valid = tf.reduce_sum(is_sound(x)[:, 0], axis=1)  # [clip]
    places = tf.maximum(valid - frames + 1.0, 1.0)
    u = tf.random.stateless_uniform(tf.shape(valid), seed, alg="philox")
    shown = tf.cast(u * places, tf.int32)[:, None] + tf.range(frames)  # [clip, frames]
    return tf.gather(x, tf.minimum(shown, x.shape[2] - 1), axis=2, batch_dims=1)


# --- encoders -------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(__package__)
class NormaliseFrames(layers.Layer):
    """Mean 0 and deviation 1 for each coefficient of the frames of training clips.

    Without it the loudness coefficient, about -360, drowns the others and distances begin in the
    hundreds (erratum E2.14). Padding stays zero. The numbers are weights, so that they are saved
    and exported with the network.
    """

    def build(self, input_shape):
        """Create mean and deviation [coefficient, 1], not trained."""
        shape = (input_shape[-2], 1)
        self.mean = self.add_weight(name="mean", shape=shape, trainable=False)
        self.deviation = self.add_weight(
            name="deviation", shape=shape, trainable=False, initializer="ones"
        )

    def fit(self, features: np.ndarray, valid: np.ndarray) -> None:
        """Measure training clips [clip, coefficient, frame] with ``valid`` [clip] frames each."""
        found = Normaliser.fit(features, valid)
        self.mean.assign(np.array(found.mean)[:, None])
        self.deviation.assign(np.array(found.deviation)[:, None])

    def call(self, x):
        """[clip, coefficient, frame] -> the same shape."""
        return (x - self.mean) / self.deviation * is_sound(x)


def is_sound(x):
    """1 where a frame is not padding: [clip, coefficient, frame] -> [clip, 1, frame]."""
    return tf.cast(tf.reduce_any(x != 0, axis=1, keepdims=True), x.dtype)


@keras.saving.register_keras_serializable(__package__)
class FindSound(layers.Layer):
    """``is_sound`` as a layer."""

    def call(self, x):
        """[clip, coefficient, frame] -> [clip, 1, frame]."""
        return is_sound(x)


def build_base_network(input_shape=(COEFFICIENTS, FRAMES)) -> keras.Sequential:
    """The book's encoder, 1,057,152 parameters, on normalised features: [20, 400] -> [128]."""
    return keras.Sequential(
        [
            layers.Input(input_shape),
            NormaliseFrames(name="normalise"),
            layers.Flatten(),  # [8000]
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(128, activation="relu"),
        ],
        name="book_encoder",
    )


@keras.saving.register_keras_serializable(__package__)
class PoolFrames(layers.Layer):
    """Weighted mean and deviation of features over the frames of a clip, padding left out.

    The weights are a softmax over frames of a small network's score: barks count, pauses do not.

    Args:
        units: hidden units of the score.
    """

    def __init__(self, units: int = 32, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = layers.Dense(units, activation="tanh")
        self.score = layers.Dense(1)

    def build(self, input_shape):
        """Build the score's layers."""
        features, _ = input_shape
        self.hidden.build(features)
        self.score.build((*features[:-1], self.units))

    def call(self, inputs):
        """Features [clip, frame, dim] and is-sound [clip, frame, 1] -> [clip, 2 * dim]."""
        x, sound = inputs
        score = self.score(self.hidden(x))  # [clip, frame, 1]
        weight = tf.nn.softmax(tf.where(sound > 0, score, score.dtype.min), axis=1)
        mean = tf.reduce_sum(weight * x, axis=1)  # [clip, dim]
        variance = tf.reduce_sum(weight * tf.square(x), axis=1) - tf.square(mean)
        # Floor: the root's slope is infinite at 0, and a single frame has no variance.
        return tf.concat([mean, tf.sqrt(tf.maximum(variance, 1e-4))], axis=-1)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def build_encoder(config: AudioConfig, frames: int | None = None) -> keras.Model:
    """The encoder that the options name; ours takes any number of frames by default."""
    if config.encoder == "book":
        return build_base_network()
    inputs = layers.Input((COEFFICIENTS, frames))
    x = NormaliseFrames(name="normalise")(inputs)
    x = layers.GaussianNoise(config.noise)(x)  # in training only, like dropout
    x = layers.Permute((2, 1))(x)  # [clip, frame, coefficient]
    for _ in range(2):
        x = layers.Conv1D(config.channels, 5, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.95)(x)
        x = layers.ReLU()(x)
        x = layers.Dropout(config.dropout / 2)(x)
    sound = layers.Permute((2, 1))(FindSound()(inputs))  # [clip, frame, 1]
    x = PoolFrames()([x, sound])  # [clip, 2 * channels]
    x = layers.Dropout(config.dropout)(x)
    x = layers.Dense(config.dim)(x)
    x = layers.UnitNormalization()(x)  # distances between 0 and 2, whatever the margin
    return keras.Model(inputs, x, name="encoder")


def build_learner(config: AudioConfig) -> NearestNeighbour:
    """One-shot learner of the options, not trained."""
    siamese = SiameseNetwork(build_encoder(config, FRAMES), config.energy)
    return NearestNeighbour(siamese)

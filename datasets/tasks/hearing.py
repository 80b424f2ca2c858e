"""Words as they might be heard elsewhere: by another microphone, in a noisy room, from others.

Alters pictures of ``readers.logmel``, where a band is a row and a neper of power ``1 / DEPTH``.
Like all sampling here this is a pure function of (seed, index).
"""

import tensorflow as tf

from datasets.readers.logmel import DEPTH

STRETCH, DELAY = 0.2, 0.06  # of the length: how much longer or shorter, earlier or later
THROAT, PITCH = 0.1, 0.04  # of the bands: how much wider or narrower, higher or lower
TILT = 0.25  # of the depth, from the lowest band to the highest
NOISE = (-0.5, 0.4)  # of the depth: how loud the room is; below 0 it is quiet
COLOUR = 0.1  # of the depth: how much louder the room is in one band than in another


class Heard:
    """A sampler of words whose clips are altered, each on its own.

    Args:
        sampler: ``EpisodeSampler`` of pictures of sounds.
    """

    def __init__(self, sampler):
        self.sampler = sampler
        self.way, self.shot, self.query = sampler.way, sampler.shot, sampler.query
        self.tasks, self.seed = sampler.tasks, sampler.seed

    def __call__(self, index):
        """Batch number ``index`` as ``(inputs, query_y)``."""
        inputs, query_y = self.sampler(index)
        seed = tf.random.fold_in(tf.constant([self.seed, 3]), tf.cast(index, tf.int32))
        seeds = tf.unstack(tf.random.split(seed))
        names = ("support_x", "query_x")
        heard = {name: _each(inputs[name], one) for name, one in zip(names, seeds, strict=True)}
        return {**inputs, **heard}, query_y


def _each(x, seed):
    """Clips [task, item, band, frame, 1]."""
    return tf.reshape(alter(tf.reshape(x, [-1, *x.shape[2:]]), seed), x.shape)


def alter(x, seed):
    """Another way to hear each clip: [clip, band, frame, 1], 0 to 1, to the same shape.

    Args:
        x: of ``logmel.picture``.
        seed: int32 [2].
    """
    moved, tilted, noisy = tf.unstack(tf.random.split(seed, 3))
    return in_noise(tilt(move(x, moved), tilted), noisy)


def move(x, seed):
    """Said faster or slower, earlier or later, by a longer or shorter throat."""
    clips, size = x.shape[0], x.shape[1:3]
    zoom, shift = tf.unstack(tf.random.split(seed))
    wide = tf.constant([THROAT, STRETCH])  # [band and frame]
    half = (1 + wide * _around(zoom, [clips, 2])) / 2
    centre = 0.5 + tf.constant([PITCH, DELAY]) * _around(shift, [clips, 2])
    window = tf.concat([centre - half, centre + half], axis=1)  # [clip, y x y x]
    return tf.image.crop_and_resize(x, window, tf.range(clips), size, extrapolation_value=0.0)


def tilt(x, seed):
    """A microphone that hears high bands better than low ones, or the reverse."""
    slope = TILT * _around(seed, [x.shape[0], 1, 1, 1])
    bands = tf.linspace(-0.5, 0.5, x.shape[1])[:, None, None]  # [band, 1, 1]
    return _from_peak(tf.where(x > 0, x + slope * bands, 0.0))


def in_noise(x, seed):
    """A room: power that is added, of some colour, and never the same twice."""
    level, colour, moment = tf.unstack(tf.random.split(seed, 3))
    clips, bands = x.shape[0], x.shape[1]
    loud = tf.random.stateless_uniform([clips, 1, 1, 1], level, *NOISE)
    loud += COLOUR * _around(colour, [clips, bands, 1, 1])
    # The power of noise in a window is about exponentially distributed: its logarithm flickers.
    flicker = -tf.math.log(tf.random.stateless_uniform(x.shape, moment, 1e-3, 1.0))
    room = loud + tf.math.log(flicker + 1e-3) / DEPTH
    return _from_peak(tf.math.log(tf.exp(DEPTH * x) + tf.exp(DEPTH * room)) / DEPTH)


def _from_peak(x):
    """1 is the loudest moment again, and 0 the depth below it."""
    return tf.clip_by_value(x + 1 - tf.reduce_max(x, axis=[1, 2, 3], keepdims=True), 0.0, 1.0)


def _around(seed, shape):
    """Numbers in [-1, 1)."""
    return tf.random.stateless_uniform(shape, seed, -1.0, 1.0)

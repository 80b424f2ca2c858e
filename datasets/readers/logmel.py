"""Sounds as pictures: how loud each band of the mel scale is, from the first sound on.

    [sample] --log_mel--> [frame, band] --picture--> [band, frame, 1], 0 to 1

All of it is TensorFlow, so that an exported model can begin with the sound itself. 1 is the loudest
moment of a clip and 0 is ``DEPTH`` below it: how near the microphone was does not show.
"""

import functools
from pathlib import Path

import numpy as np
import tensorflow as tf

from datasets.errors import tell
from datasets.readers.mfcc import load_audio

RATE = 8_000  # Hz
WINDOW, HOP = 256, 160  # samples: 32 ms, a frame every 20 ms
BANDS, LOWEST, HIGHEST = 40, 60.0, 3_900.0  # of the mel scale, Hz
FRAMES = 48  # 0.96 s
DEPTH = 8.0  # nepers of power, 35 dB
SILENCE = 7.0  # nepers below the loudest frame: what begins and ends so is trimmed
TINY = 1e-10  # of full scale, squared
SHAPE = (BANDS, FRAMES, 1)


def log_mel(sound):
    """Logarithm of the power in each band: [clip, sample] -> [clip, frame, band].

    Hann windows and Slaney's mel bands, as librosa has them, without padding before the sound;
    ``WINDOW`` zeros follow it.

    Args:
        sound: ``RATE`` samples a second, full scale 1.
    """
    sound = tf.pad(sound, [[0, 0], [0, WINDOW]])
    frames = tf.signal.frame(sound, WINDOW, HOP) * tf.signal.hann_window(WINDOW)
    power = tf.square(tf.abs(tf.signal.rfft(frames)))  # [clip, frame, bin]
    return tf.math.log(tf.maximum(power @ _bands(), TINY))


@functools.cache
def _bands() -> np.ndarray:
    """Share of each frequency in each band: [bin, band]."""
    import librosa

    bands = librosa.filters.mel(sr=RATE, n_fft=WINDOW, n_mels=BANDS, fmin=LOWEST, fmax=HIGHEST)
    return bands.T.astype(np.float32)


def span(loudness):
    """First and last frame that is not silence: [clip, frame, band] -> two of [clip]."""
    loudest = tf.reduce_max(loudness, axis=-1)  # [clip, frame]
    heard = loudest >= tf.reduce_max(loudest, axis=-1, keepdims=True) - SILENCE
    heard = tf.cast(heard, tf.int32)
    last = tf.shape(heard)[1] - 1 - tf.argmax(heard[:, ::-1], axis=-1, output_type=tf.int32)
    return tf.argmax(heard, axis=-1, output_type=tf.int32), last


def picture(sound):
    """A clip as a network sees it: [clip, sample] -> [clip, band, frame, 1], 0 to 1.

    Silence before and after is trimmed, so clips of other lengths can be filled up with zeros; what
    is longer than ``FRAMES`` is cut.
    """
    loudness = log_mel(sound)  # [clip, frame, band]
    first, last = span(loudness)
    shown = first[:, None] + tf.range(FRAMES)  # [clip, FRAMES]
    inside = shown <= last[:, None]
    shown = tf.minimum(shown, tf.shape(loudness)[1] - 1)
    cut = tf.gather(loudness, shown, batch_dims=1)  # [clip, FRAMES, band]
    cut -= tf.reduce_max(loudness, axis=[1, 2], keepdims=True)
    cut = tf.where(inside[..., None], cut, -DEPTH)
    cut = tf.clip_by_value(1 + cut / DEPTH, 0.0, 1.0)
    return tf.transpose(cut, [0, 2, 1])[..., None]


def read_word(path: str | Path) -> np.ndarray:
    """Read one sound as a picture; of what is longer, the first ``FRAMES`` frames.

    Returns:
        float32 ``[band, frame, 1]``

    Raises:
        DataError: see ``mfcc.load_audio``.
    """
    sound = load_audio(path, RATE)[None]
    first, last = span(log_mel(sound))
    lasts = (int(last[0]) - int(first[0]) + 1) * HOP / RATE
    if lasts > FRAMES * HOP / RATE:
        tell(f"{path} lasts {lasts:.1f} s; its first {FRAMES * HOP / RATE} s are used.")
    return picture(sound)[0].numpy()


def read_stored(path: str | Path) -> np.ndarray:
    """The same as bytes: uint8 [band, frame]."""
    return stored(read_word(path))


def stored(pictures) -> np.ndarray:
    """Pictures as bytes, for data sets: [..., band, frame, 1] -> uint8 [..., band, frame]."""
    return np.round(255 * np.asarray(pictures)[..., 0]).astype(np.uint8)


def pictures(sounds: list[np.ndarray], at_once: int = 64) -> np.ndarray:
    """Sounds [sample] of any lengths as bytes: uint8 [clip, band, frame]."""
    parts = []
    for start in range(0, len(sounds), at_once):
        several = sounds[start : start + at_once]
        longest = -(-max(map(len, several)) // RATE) * RATE  # whole seconds: few shapes
        filled = [np.pad(one, (0, longest - len(one))) for one in several]
        parts.append(stored(picture(np.stack(filled).astype(np.float32))))
    return np.concatenate(parts)

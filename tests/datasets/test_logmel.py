"""Sounds as pictures against librosa and by hand."""

import librosa
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from datasets.errors import DataError, DataNotice
from datasets.readers import logmel

RNG = np.random.default_rng(0)


def swelling(samples):
    """Noise that is loudest in the middle."""
    return (RNG.normal(size=samples) * np.hanning(samples)).astype(np.float32)


@pytest.mark.parametrize("samples", [100, 256, 5_000, 12_345])
def test_the_bands_are_those_of_librosa(samples):
    sound = swelling(samples)
    power = librosa.feature.melspectrogram(
        y=np.pad(sound, (0, logmel.WINDOW)), sr=logmel.RATE, n_fft=logmel.WINDOW,
        hop_length=logmel.HOP, center=False, n_mels=logmel.BANDS, fmin=logmel.LOWEST,
        fmax=logmel.HIGHEST, power=2.0,
    )  # fmt: skip
    expected = np.log(np.maximum(power, logmel.TINY)).T  # [frame, band]
    found = logmel.log_mel(sound[None])[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def tone(start, seconds, silence):
    """440 Hz after some silence and before some more."""
    time = np.arange(round(seconds * logmel.RATE)) / logmel.RATE
    before, after = (np.zeros(round(s * logmel.RATE)) for s in (start, silence))
    return np.concatenate([before, np.sin(2 * np.pi * 440 * time), after]).astype(np.float32)


def test_silence_around_a_sound_does_not_show():
    """But for the place of the frames, which is the same after a whole number of hops."""
    hop = logmel.HOP / logmel.RATE
    plain = logmel.picture(tone(0, 0.5, 0)[None])[0]
    for start, silence in ((10 * hop, 0), (50 * hop, 0.7), (0, 0.3)):
        other = logmel.picture(tone(start, 0.5, silence)[None])[0]
        # the first window after silence also holds the end of an empty one
        np.testing.assert_allclose(other[:, 2:22], plain[:, 2 - (start == 0) * 0 : 22], atol=0.2)
        assert (other[:, 30:] == 0).numpy().all()


def test_loudness_does_not_show():
    sound = swelling(6_000)
    pictures = [logmel.picture(gain * sound[None]) for gain in (1.0, 0.01)]
    np.testing.assert_allclose(*pictures, atol=1e-3)


def test_a_picture_is_from_0_to_1_and_the_loudest_is_1():
    found = logmel.picture(np.stack([swelling(9_000), tone(0.1, 0.8, 0.225)])).numpy()
    assert found.shape == (2, *logmel.SHAPE)
    assert found.min() == 0 and (found.max(axis=(1, 2, 3)) == 1).all()


def test_of_a_long_sound_the_beginning_is_shown():
    sound = tone(0, 3.0, 0)
    beginning = sound[: (logmel.FRAMES + 3) * logmel.HOP]
    found = [logmel.picture(one[None]).numpy() for one in (sound, beginning)]
    np.testing.assert_allclose(*found, atol=1e-4)


def test_sounds_of_any_lengths_are_as_one_by_one():
    sounds = [swelling(n) for n in (300, 7_000, 9_000, 20_000)]
    together = logmel.pictures(sounds, at_once=3)
    assert together.shape == (4, logmel.BANDS, logmel.FRAMES) and together.dtype == np.uint8
    for one, sound in zip(together, sounds, strict=True):
        alone = logmel.stored(logmel.picture(sound[None]))[0]
        assert np.abs(one.astype(int) - alone).max() <= 1


def test_silence_is_a_picture_without_an_error():
    found = logmel.picture(np.zeros([1, 4_000], np.float32)).numpy()
    assert np.isfinite(found).all() and np.ptp(found[..., :20, 0]) == 0


def test_a_file_of_another_rate_is_the_same_sound(tmp_path):
    sound = tone(0.1, 0.6, 0.1)
    for rate in (logmel.RATE, 44_100):
        other = librosa.resample(sound, orig_sr=logmel.RATE, target_sr=rate)
        soundfile.write(tmp_path / f"{rate}.wav", 0.5 * other, rate)
    one, two = (logmel.read_word(tmp_path / f"{rate}.wav") for rate in (logmel.RATE, 44_100))
    assert one.shape == logmel.SHAPE
    # the 8 kHz file cannot have what resampling adds far below the tone
    assert np.abs(one - two)[one > 0.4].max() < 0.1


def test_a_file_is_stored_as_bytes(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(0.1, 0.4, 0.1), logmel.RATE)
    bytes_ = logmel.read_stored(tmp_path / "a.wav")
    assert bytes_.dtype == np.uint8 and bytes_.shape == logmel.SHAPE[:2]
    read = logmel.read_word(tmp_path / "a.wav")[..., 0]
    np.testing.assert_allclose(bytes_ / 255, read, atol=0.5 / 255)


def test_what_is_left_out_is_told(tmp_path):
    soundfile.write(tmp_path / "long.wav", 0.5 * tone(0.1, 2.0, 0.1), logmel.RATE)
    with pytest.warns(DataNotice, match=r"long.wav lasts 2.0 s; its first 0.96 s are used"):
        logmel.read_word(tmp_path / "long.wav")
    with pytest.raises(DataError):
        logmel.read_word(tmp_path / "missing.wav")


def test_it_is_part_of_a_graph():
    traced = tf.function(
        logmel.picture, input_signature=[tf.TensorSpec([None, None], tf.float32)], autograph=False
    )
    sound = swelling(5_000)[None]
    np.testing.assert_allclose(traced(sound), logmel.picture(sound), atol=1e-5)

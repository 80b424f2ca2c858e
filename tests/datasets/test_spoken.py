"""Spoken words: who speaks, what is left out, and a program that may be missing."""

import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import datasets
from datasets.errors import DataError
from datasets.readers import logmel
from datasets.sets import spoken_digits, spoken_words
from datasets.standins import synth_words
from datasets.tasks import hearing
from datasets.tasks.episodes import EpisodeSampler

SPEAKS = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")


# --- words ----------------------------------------------------------------------------------------


def test_no_word_to_learn_from_is_a_digit_or_sounds_like_one():
    words = set(spoken_words.vocabulary())
    assert len(words) > 3000
    assert not words & {*spoken_digits.DIGITS, "ate", "for", "won", "too", "ones", "sixteen"}
    assert all(word.isalpha() and 3 <= len(word) <= 9 for word in words)


def test_every_clip_of_a_word_is_said_in_another_voice():
    said = spoken_words.sayings("apple", 3, 24)
    assert len({one.voice for one in said}) == 24
    assert said == spoken_words.sayings("apple", 3, 24) != spoken_words.sayings("apple", 4, 24)
    assert all(110 <= one.speed < 230 and 10 <= one.pitch < 90 for one in said)
    assert len(spoken_words.sayings("apple", 3, 300)) == 300  # more than there are voices


def fake(samples, returncode=0):
    """A program that writes a header and some samples."""
    content = b"R" * spoken_words.HEADER + np.asarray(samples, np.int16).tobytes()
    return lambda *_, **__: SimpleNamespace(stdout=content, returncode=returncode)


def test_what_the_program_writes_is_read_to_its_end(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    tone = 2**14 * np.sin(np.arange(22_050) / 5)
    monkeypatch.setattr(subprocess, "run", fake(tone))
    sound = spoken_words.speak(spoken_words.Said("apple", "en-gb+m1", 150, 50))
    assert len(sound) == logmel.RATE and sound.dtype == np.float32
    assert np.abs(sound).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("samples", "returncode"), [([], 0), ([0] * 500, 0), ([1] * 500, 1)])
def test_a_program_that_says_nothing_is_told(monkeypatch, samples, returncode):
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(subprocess, "run", fake(samples, returncode))
    with pytest.raises(DataError, match=r"does not say 'apple' in the voice en-gb\+m1"):
        spoken_words.speak(spoken_words.Said("apple", "en-gb+m1", 150, 50))


def test_without_the_program_there_is_one_sentence_and_nothing_half_done(monkeypatch, cache_folder):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        DataError, match="espeak-ng, which is not installed: `apt install espeak-ng"
    ):
        datasets.load("spoken_words", words=51, clips=8)
    assert not list((cache_folder / "generated").glob("spoken_words*51x8*"))


@pytest.mark.parametrize("words", [19, 4000])
def test_there_are_only_so_many_words(words):
    with pytest.raises(DataError, match=rf"{words} words are asked for; 20 to 3,\d\d\d can be had"):
        datasets.load("spoken_words", words=words)


@SPEAKS
def test_words_are_spoken_and_split():
    data = datasets.load("spoken_words", words=20, clips=2)
    assert data.items.shape == (40, logmel.BANDS, logmel.FRAMES) and data.generated
    assert [len(data.classes(split)) for split in ("train", "val", "test")] == [16, 2, 2]
    assert (data.items.reshape(40, -1).max(axis=1) == 255).all()
    assert datasets.load("spoken_words", words=20, clips=2).items.tobytes() == data.items.tobytes()


# --- recordings and the stand-in ------------------------------------------------------------------


@pytest.mark.real_data
def test_six_people_say_ten_digits_twenty_times():
    spoken = spoken_digits.load_spoken(offline=True)
    assert spoken.data.items.shape == (1200, logmel.BANDS, logmel.FRAMES)
    assert spoken.data.class_names == spoken_digits.DIGITS
    people, counts = np.unique(spoken.speaker, return_counts=True)
    assert people.tolist() == ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
    assert (counts == 200).all() and len(spoken.sounds) == 1200
    for k in range(10):
        assert set(spoken.speaker[spoken.data.items_of(k)]) == set(people)


def test_missing_recordings_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("METAZOO_DATA", str(tmp_path))
    with pytest.raises(DataError, match="'spoken_digits' is missing .* stand-in 'synth_words'"):
        datasets.load("spoken_digits", root=tmp_path, offline=True)


def test_the_stand_in_has_words_and_people_of_its_own():
    data, spoken = datasets.load("synth_words"), synth_words.load_spoken()
    assert [len(data.classes(split)) for split in ("train", "val", "test")] == [60, 20, 10]
    assert len(spoken.sounds) == len(spoken.speaker) == len(spoken.data.items) == 10 * 6 * 12
    tested = np.concatenate([data.items_of(k) for k in data.classes("test")])
    np.testing.assert_array_equal(data.items[tested], spoken.data.items)
    assert {len(set(spoken.speaker[spoken.data.items_of(k)])) for k in range(10)} == {6}


def test_the_stand_in_is_the_same_every_time(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    rng = [np.random.default_rng(5) for _ in range(2)]
    said = [synth_words.say(synth_words.draw_word(r), synth_words.draw_speaker(r), r) for r in rng]
    np.testing.assert_array_equal(*said)
    assert np.abs(said[0]).max() <= 1


# --- heard elsewhere ------------------------------------------------------------------------------


def some_words(count=4):
    data = datasets.load("synth_words")
    return tf.constant(data.items[:: len(data.items) // count][:count, ..., None] / 255, tf.float32)


def test_altered_clips_are_pictures_too_and_depend_on_the_seed():
    x = some_words()
    one, again, other = (hearing.alter(x, tf.constant(seed)) for seed in ([0, 1], [0, 1], [0, 2]))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1
    assert one.shape == x.shape and one.numpy().min() >= 0
    np.testing.assert_allclose(one.numpy().max(axis=(1, 2, 3)), 1.0, rtol=1e-5)


def test_a_tilt_is_a_straight_line_over_the_bands():
    x = tf.fill([1, 40, 6, 1], 0.5)
    found = hearing.tilt(x, tf.constant([3, 1]))[0, :, 0, 0].numpy()
    steps = np.diff(found)
    np.testing.assert_allclose(steps, steps[0], atol=1e-5)
    assert 0 < abs(steps[0]) * 39 <= hearing.TILT + 1e-5 and found.max() == pytest.approx(1)


def test_noise_adds_power_and_leaves_what_is_far_above_it(monkeypatch):
    monkeypatch.setattr(hearing, "NOISE", (-0.2, -0.199))
    monkeypatch.setattr(hearing, "COLOUR", 0.0)
    x = tf.concat([tf.ones([1, 40, 3, 1]), tf.zeros([1, 40, 3, 1])], axis=2)
    found = hearing.in_noise(x, tf.constant([1, 1]))[0, ..., 0].numpy()
    np.testing.assert_allclose(found[:, :3], 1.0, atol=1e-3)
    # exp(8 y) = exp(0) + exp(8 * -0.2) e with e of mean 1
    power = np.exp(logmel.DEPTH * found[:, 3:]).mean()
    assert power == pytest.approx(1 + np.exp(-0.2 * logmel.DEPTH), rel=0.1)


def test_a_sampler_alters_support_and_query_and_no_label():
    sampler = EpisodeSampler(datasets.load("synth_words"), "train", 3, 2, 2)
    heard = hearing.Heard(sampler)
    (plain, labels), (altered, same) = sampler(0), heard(0)
    np.testing.assert_array_equal(labels, same)
    np.testing.assert_array_equal(plain["support_y"], altered["support_y"])
    for name in ("support_x", "query_x"):
        assert altered[name].shape == plain[name].shape
        assert np.abs(altered[name] - plain[name]).max() > 0.1
    assert (heard.way, heard.shot, heard.query, heard.tasks) == (3, 2, 2, 1)

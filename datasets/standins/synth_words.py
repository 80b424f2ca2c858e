"""Synthesised words: the generated stand-in for speech, where neither espeak-ng nor recordings are.

A word is a row of two to four sounds, each with formants of its own, voiced or hissed. A speaker
has a pitch and a length of the throat, which moves all formants; no two clips are said alike. Ten
words are kept to test on, said by six people who say nothing else.
"""

from typing import NamedTuple

import numpy as np

from datasets.dataset import Dataset
from datasets.readers import logmel
from datasets.sets.spoken_digits import Spoken
from datasets.standins.standin import generated_folder
from datasets.standins.synth_sounds import coloured_noise, decibel, log_uniform, resonance

VERSION = 1  # part of the folder name: to be raised with every change that moves a sample
WORDS, VALIDATION, TESTS = 60, 20, 10  # words to learn from, to validate on, to test on
CLIPS = 12  # of a word, each by a speaker of its own
SPEAKERS, TIMES = 6, 12  # of the test: people, and how often each says a word
SOUND = ((300, 850), (850, 2300), (2400, 3400))  # formants, Hz
SECONDS = (0.08, 0.22)  # of a sound
PITCH, THROAT = (90, 260), (0.85, 1.2)  # of a speaker: Hz, and factor on the formants
STEPS = np.linspace(0, 1, 2)


class Word(NamedTuple):
    """What all clips of a word have in common, for each of its sounds."""

    formants: np.ndarray  # Hz [sound, formant]
    breath: np.ndarray  # share of noise [sound]
    seconds: np.ndarray  # [sound]


class Speaker(NamedTuple):
    """What all clips of a person have in common."""

    pitch: float  # Hz
    throat: float


def load(root=None, offline: bool = False, generator_seed: int = 0) -> Dataset:
    """The words as a data set, with the splits ``train``, ``val`` and ``test``.

    Args:
        root, offline: not needed (nothing is searched for or downloaded).
        generator_seed: another seed gives other words.

    Returns:
        Dataset with items uint8 [item, band, frame].
    """
    folder = _folder(generator_seed)
    words = WORDS + VALIDATION + TESTS
    sizes = np.repeat([CLIPS, SPEAKERS * TIMES], [WORDS + VALIDATION, TESTS])  # [word]
    train, val, test = np.split(np.arange(words), [WORDS, WORDS + VALIDATION])
    return Dataset(
        name="synth_words",
        items=np.concatenate([np.load(folder / f"{part}.npy") for part in ("learned", "tested")]),
        item_class=np.repeat(np.arange(words, dtype=np.int32), sizes),
        class_names=tuple(f"word {number + 1}" for number in range(words)),
        splits={"train": train, "val": val, "test": test, "all": np.arange(words)},
        generated=True,
        source=str(folder),
    )


def load_spoken(root=None, offline: bool = False, generator_seed: int = 0) -> Spoken:
    """The ten words of the test and who says them; arguments as for ``load``."""
    folder = _folder(generator_seed)
    with np.load(folder / "sounds.npz") as file:
        sounds = [file[f"arr_{i}"] for i in range(len(file.files))]
    data = Dataset(
        name="synth_words",
        items=np.load(folder / "tested.npy"),
        item_class=np.repeat(np.arange(TESTS, dtype=np.int32), SPEAKERS * TIMES),
        class_names=tuple(f"word {number + 1}" for number in range(TESTS)),
        splits={"all": np.arange(TESTS)},
        generated=True,
        source=str(folder),
    )
    people = np.repeat([f"person {number + 1}" for number in range(SPEAKERS)], TIMES)
    return Spoken(data, np.tile(people, TESTS), sounds)


def _folder(seed: int):
    name = f"synth_words-v{VERSION}-seed{seed}"
    return generated_folder(name, lambda part: write(part, seed))


def write(folder, seed: int = 0) -> None:
    """``learned.npy`` and ``tested.npy``, uint8 [item, band, frame]; ``sounds.npz`` of the test."""
    rng = np.random.default_rng(seed)
    words = [draw_word(rng) for _ in range(WORDS + VALIDATION + TESTS)]
    learned = [say(word, draw_speaker(rng), rng) for word in words[:-TESTS] for _ in range(CLIPS)]
    people = [draw_speaker(rng) for _ in range(SPEAKERS)]
    tested = [
        say(word, person, rng) for word in words[-TESTS:] for person in people for _ in range(TIMES)
    ]
    np.save(folder / "learned.npy", logmel.pictures(learned))
    np.save(folder / "tested.npy", logmel.pictures(tested))
    np.savez(folder / "sounds.npz", *tested)


def draw_word(rng: np.random.Generator) -> Word:
    """Two to four sounds."""
    count = rng.integers(2, 5)
    formants = np.array([[log_uniform(rng, span) for span in SOUND] for _ in range(count)])
    breath = np.where(rng.random(count) < 0.3, 0.9, 0.08)
    return Word(formants, breath, np.array([log_uniform(rng, SECONDS) for _ in range(count)]))


def draw_speaker(rng: np.random.Generator) -> Speaker:
    """A person."""
    return Speaker(log_uniform(rng, PITCH), log_uniform(rng, THROAT))


def say(word: Word, speaker: Speaker, rng: np.random.Generator) -> np.ndarray:
    """A clip, float32 [sample], ``logmel.RATE`` samples a second; full scale is 1."""
    pace = log_uniform(rng, (0.8, 1.25))
    pitch = speaker.pitch * 2 ** rng.normal(0, 0.08)
    parts = []
    for formants, breath, seconds in zip(*word, strict=True):
        count = round(pace * seconds * log_uniform(rng, (0.85, 1.18)) * logmel.RATE)
        moved = speaker.throat * formants * 2 ** rng.normal(0, 0.04, len(formants))
        parts.append(_sound(count, pitch, moved, breath, rng))
        pitch *= 2 ** rng.normal(-0.05, 0.05)
    clip = np.concatenate(parts)
    silence = [np.zeros(round(rng.uniform(0.02, 0.2) * logmel.RATE)) for _ in range(2)]
    clip = np.concatenate([silence[0], clip / clip.std(), silence[1]])
    noise = coloured_noise(len(clip), rng.uniform(0, 1), rng)
    clip += noise / noise.std() * decibel(-rng.uniform(20, 45))
    return (clip / np.abs(clip).max() * decibel(-rng.uniform(1, 15))).astype(np.float32)


def _sound(count: int, pitch: float, formants, breath: float, rng) -> np.ndarray:
    """Harmonics and noise, both shaped by formants: [sample]."""
    formants = formants[:, None]  # [formant, 1]
    harmonics = np.arange(1, logmel.RATE / 2 / pitch)[:, None]  # [harmonic, 1]
    loudness = resonance(harmonics * pitch, formants[..., None]) / harmonics**0.5
    turns = 2 * np.pi * pitch * np.arange(count) / logmel.RATE  # [sample]
    tone = np.sum(loudness * np.sin(harmonics * turns), axis=0)
    bins = np.fft.rfftfreq(count, 1 / logmel.RATE)  # [bin]
    hiss = np.fft.irfft(np.fft.rfft(rng.normal(size=count)) * resonance(bins, formants), count)
    sound = (1 - breath) * tone / tone.std() + breath * hiss / hiss.std()
    return sound * np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 0.3

"""Synthesised barks and meows: the generated stand-in for the recordings of cats and dogs.

A call is a source and a filter: harmonics of a gliding pitch mixed with noise, both shaped by
formants that move. Barks are short, noisy and low, meows are long, tonal and glide up and down, and
some of either come near the other. A clip holds the calls of one animal, with pauses and background
noise. Clips are written to disk as the recordings are (16 kHz, mono, 16 bit, in ``Dogs``,
``Sub_dogs`` and ``Cats``) and read by their reader. The lengths are spread alike in all three
folders, so that length reveals nothing.
"""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from datasets.dataset import Dataset
from datasets.sets import sounds, sources
from datasets.standins.standin import generated_folder

VERSION = 1  # part of the folder name: to be raised with every change that moves a sample
RATE = 16_000  # Hz
SHORTEST, LONGEST = 1.0, 6.0  # seconds
BANDWIDTH = 150.0  # Hz from the middle of a formant to where its amplitude is half
FORMANT_GAIN = 1.0, 0.7, 0.35


@dataclass(frozen=True)
class Species:
    """Range of everything that differs between calls or between animals."""

    seconds: tuple[float, float]  # of a call
    pause: tuple[float, float]  # seconds after it
    pitch: tuple[float, float]  # Hz
    glide: tuple[float, float]  # octaves up to the middle of the call and down again
    breath: tuple[float, float]  # share of noise
    attack: tuple[float, float]  # seconds to full loudness
    formants: tuple[tuple[float, float], ...]  # Hz
    opening: tuple[float, float]  # octaves by which the formants move as the mouth opens


DOG = Species(
    seconds=(0.08, 0.4),
    pause=(0.05, 1.0),
    pitch=(180, 560),
    glide=(-0.1, 0.5),
    breath=(0.15, 0.8),
    attack=(0.005, 0.03),
    formants=((450, 800), (1000, 1900), (2200, 3200)),
    opening=(0.0, 0.5),
)
CAT = Species(
    seconds=(0.2, 1.0),
    pause=(0.2, 1.5),
    pitch=(320, 800),
    glide=(0.0, 0.7),
    breath=(0.05, 0.45),
    attack=(0.03, 0.15),
    formants=((550, 1000), (1200, 2200), (2400, 3600)),
    opening=(0.1, 0.8),
)


def load_clips(
    root=None, offline: bool = False, generator_seed: int = 0, **options
) -> sounds.Clips:
    """Synthesised clips, written on the first call and read from the cache folder afterwards.

    Args:
        root, offline: not needed (nothing is searched for or downloaded); accepted because
            all loaders are called alike.
        generator_seed: another seed gives other clips.
        **options: sample rate, window and so on, passed to ``datasets.readers.mfcc.read_sound``.

    Raises:
        DataError: the cache folder cannot be written or what it holds cannot be read.
    """
    name = f"synth_sounds-v{VERSION}-seed{generator_seed}"
    folder = generated_folder(name, lambda part: write(part, generator_seed))
    return sounds.read_clips(folder / "audio_cats_dogs", generated=True, **options)


def load(root=None, offline: bool = False, generator_seed: int = 0, **options) -> Dataset:
    """The clips as a data set of the classes cat and dog; arguments as for ``load_clips``."""
    return sounds.to_dataset("synth_sounds", load_clips(root, offline, generator_seed, **options))


def write(folder: Path, seed: int = 0) -> None:
    """Write ``audio_cats_dogs/{Cats,Dogs,Sub_dogs}/*.wav`` below a folder."""
    import soundfile

    for folder_name, names in groupby(sources.CLIP_NAMES, lambda name: name.split("/")[0]):
        place = folder / "audio_cats_dogs" / folder_name
        place.mkdir(parents=True)
        names = list(names)
        species = CAT if sounds.CLASS_OF[folder_name] == "cat" else DOG
        rng = np.random.default_rng([seed, *folder_name.encode()])
        # One clip from each of as many equal spans between the shortest and the longest.
        shares = (rng.permutation(len(names)) + rng.uniform(size=len(names))) / len(names)
        for name, share in zip(names, shares, strict=True):
            clip = synthesise(species, SHORTEST + share * (LONGEST - SHORTEST), rng)
            soundfile.write(place / Path(name).name, clip, RATE, "PCM_16")


def synthesise(species: Species, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A clip ``[sample]`` of the calls of one animal in background noise; full scale is 1."""
    clip = np.zeros(round(seconds * RATE))
    pitch = log_uniform(rng, species.pitch)
    formants = np.array([log_uniform(rng, span) for span in species.formants])
    breath = rng.uniform(*species.breath)
    start = round(rng.uniform(0, 0.3) * RATE)
    while start < len(clip) - RATE // 10:
        sound = call(species, pitch * 2 ** rng.normal(0, 0.1), formants, breath, rng)
        sound = sound[: len(clip) - start]
        clip[start : start + len(sound)] += sound
        start += len(sound) + round(log_uniform(rng, species.pause) * RATE)
    noise = coloured_noise(len(clip), rng.uniform(0, 1.5), rng)
    clip = clip / np.std(clip) + noise / np.std(noise) * decibel(-rng.uniform(3, 35))
    return clip / np.abs(clip).max() * decibel(-rng.uniform(1, 20))


def call(
    species: Species, pitch: float, formants: np.ndarray, breath: float, rng: np.random.Generator
) -> np.ndarray:
    """One bark or meow ``[sample]``."""
    count = round(log_uniform(rng, species.seconds) * RATE)
    time = np.linspace(0, 1, count)
    arch = np.sin(np.pi * time ** rng.uniform(0.6, 1.4))  # 0 at the ends, 1 near the middle
    drift = np.cumsum(rng.normal(0, 0.15 / np.sqrt(count), count))  # octaves
    glide = pitch * 2 ** (rng.uniform(*species.glide) * arch + drift)  # [sample] Hz
    moved = formants[:, np.newaxis] * 2 ** (
        rng.uniform(*species.opening) * arch
    )  # [formant, sample]

    harmonics = np.arange(1, RATE / 2 / glide.min())[:, np.newaxis]  # [harmonic, 1]
    frequency = harmonics * glide  # [harmonic, sample]
    loudness = resonance(frequency, moved) * (frequency < RATE / 2) / harmonics**0.5
    phase = 2 * np.pi * np.cumsum(glide) / RATE  # [sample]
    tone = np.sum(loudness * np.sin(harmonics * phase), axis=0)  # [sample]

    bins = np.fft.rfftfreq(count, 1 / RATE)  # [bin]
    middle = moved.mean(axis=1, keepdims=True)  # [formant, 1]
    hiss = np.fft.irfft(np.fft.rfft(rng.normal(size=count)) * resonance(bins, middle), count)

    attack = rng.uniform(*species.attack) * RATE
    envelope = np.minimum(np.arange(count) / attack, 1) * (1 - time) ** rng.uniform(0.4, 1.2)
    sound = (1 - breath) * tone / np.std(tone) + breath * hiss / np.std(hiss)
    return sound * envelope * decibel(rng.normal(0, 2))


def resonance(frequency: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """Amplitude that formants ``[formant, ...]`` give to frequencies ``[..., sample or bin]``."""
    total = np.full(frequency.shape, 0.03)
    for gain, formant in zip(FORMANT_GAIN, formants, strict=True):
        total = total + gain / (1 + ((frequency - formant) / BANDWIDTH) ** 2)
    return total


def coloured_noise(count: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise whose amplitude falls with the power ``slope`` of the frequency, from 50 Hz on."""
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 50)
    return np.fft.irfft(np.fft.rfft(rng.normal(size=count)) * frequency**-slope, count)


def log_uniform(rng: np.random.Generator, span: tuple[float, float]) -> float:
    """A number of the span whose logarithm is uniform."""
    return np.exp(rng.uniform(*np.log(span)))


def decibel(level: float) -> float:
    """Factor on the amplitude."""
    return 10 ** (level / 20)

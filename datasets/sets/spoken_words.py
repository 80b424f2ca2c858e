"""Spoken words: English words that the program espeak-ng says, in many voices.

Words are those of the emoji's names and keywords. Accents, voices, pitch and speed differ from clip
to clip. Digits, and what sounds like them, are left out: recordings of digits are the test.
"""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.readers import logmel
from datasets.sets import emoji
from datasets.sets.spoken_digits import DIGITS
from datasets.splits import random_split
from datasets.standins.standin import generated_folder

VERSION = 1  # part of the folder name: to be raised with every change that moves a sample
SPOKEN_RATE = 22_050  # Hz, of espeak-ng
HEADER = 44  # bytes; its length field is wrong where the sound goes to a pipe
ACCENTS = (
    "en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029",
)  # fmt: skip
VOICES = (
    *(f"m{number}" for number in range(1, 9)),
    *(f"f{number}" for number in range(1, 6)),
    "klatt", "klatt2", "klatt3", "klatt4", "croak", "whisper", "whisperf",
)  # fmt: skip
SPEED, PITCH = (110, 230), (10, 90)  # words a minute, and espeak-ng's own scale
LETTERS = (3, 9)  # of a word
SOUNDS_LIKE_DIGITS = {
    "ate", "fife", "for", "fore", "forth", "knight", "night", "nil", "nought", "oh", "sicks",
    "sects", "sex", "tate", "thee", "tree", "tow", "too", "wan", "won",
}  # fmt: skip
HELD_OUT = 0.1  # of the words, to validate on, and as many to test on
AT_ONCE = 4  # programs that speak; they take less time than what is done with their sounds


class Said(NamedTuple):
    """How a word is said."""

    word: str
    voice: str
    speed: int
    pitch: int


def load(root=None, offline: bool = False, words: int = 1000, clips: int = 24) -> Dataset:
    """Words that are spoken on the first call and read from the cache folder afterwards.

    Args:
        root, offline: not needed (nothing is searched for or downloaded).
        words: how many different ones.
        clips: of each word.

    Returns:
        Dataset with items uint8 [item, band, frame] and the splits ``train``, ``val``, ``test``.

    Raises:
        DataError: espeak-ng is not installed, or not so many words are known.
    """
    chosen = vocabulary()
    if not 20 <= words <= len(chosen):
        raise DataError(f"{words} words are asked for; 20 to {len(chosen):,} can be had.")
    chosen = sorted(np.random.default_rng(0).permutation(chosen)[:words])
    name = f"spoken_words-v{VERSION}-{words}x{clips}"
    folder = generated_folder(name, lambda part: _write(part, chosen, clips))
    items = np.load(folder / "items.npy")  # [item, band, frame]
    held_out = {split: round(HELD_OUT * words) for split in ("test", "val")}
    return Dataset(
        name="spoken_words",
        items=items,
        item_class=np.repeat(np.arange(words, dtype=np.int32), clips),
        class_names=tuple(str(word) for word in chosen),
        splits=random_split(words, held_out, seed=0),
        generated=True,
        source=str(folder),
    )


def vocabulary() -> list[str]:
    """Words of the emoji's names and keywords, sorted; none that is or sounds like a digit."""
    table = emoji.TABLE.read_text(encoding="utf-8").lower()
    low, high = LETTERS
    found = set(re.findall(rf"\b[a-z]{{{low},{high}}}\b", table))
    digits = {word for word in found if any(digit in word for digit in DIGITS)}
    return sorted(found - digits - SOUNDS_LIKE_DIGITS)


def sayings(word: str, number: int, clips: int) -> list[Said]:
    """How each clip of a word is said; voices of a word differ as long as there are enough."""
    rng = np.random.default_rng([number, 7])
    places = rng.permutation(len(ACCENTS) * len(VOICES))[:clips]
    while len(places) < clips:
        places = np.concatenate([places, rng.permutation(len(ACCENTS) * len(VOICES))])[:clips]
    return [
        Said(
            word,
            f"{ACCENTS[place // len(VOICES)]}+{VOICES[place % len(VOICES)]}",
            int(rng.integers(*SPEED)),
            int(rng.integers(*PITCH)),
        )
        for place in places
    ]


def speak(said: Said) -> np.ndarray:
    """A word as espeak-ng says it: float32 [sample], ``logmel.RATE`` samples a second.

    Raises:
        DataError: the program is not installed, or says nothing.
    """
    import librosa

    program = shutil.which("espeak-ng")
    if not program:
        raise DataError(
            "The words are spoken by the program espeak-ng, which is not installed: "
            "`apt install espeak-ng`, `brew install espeak-ng`, or an installer from its page; or "
            "use the generated stand-in 'synth_words'."
        )
    options = ["-v", said.voice, "-s", str(said.speed), "-p", str(said.pitch), "--stdout"]
    done = subprocess.run([program, *options, said.word], capture_output=True, check=False)
    sound = np.frombuffer(done.stdout[HEADER:][: (len(done.stdout) - HEADER) // 2 * 2], np.int16)
    if done.returncode or not sound.any():
        raise DataError(f"espeak-ng does not say {said.word!r} in the voice {said.voice}.")
    sound = sound.astype(np.float32) / 2**15
    return librosa.resample(sound, orig_sr=SPOKEN_RATE, target_sr=logmel.RATE, res_type="soxr_hq")


def _write(folder, words: list[str], clips: int) -> None:
    """``items.npy``, uint8 [word * clip, band, frame]."""
    asked = [said for number, word in enumerate(words) for said in sayings(word, number, clips)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sounds = list(pool.map(speak, asked))
    np.save(folder / "items.npy", logmel.pictures(sounds))

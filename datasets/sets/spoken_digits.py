"""Spoken digits: six people say zero to nine, 20 times each (Free Spoken Digit Dataset).

Recordings to test on: nothing is trained on them. They become pictures by ``readers.logmel``.
"""

import re
from typing import NamedTuple

import numpy as np

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.readers import logmel
from datasets.readers.files import numeric_order
from datasets.readers.mfcc import load_audio
from datasets.sets import sources

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NAME = re.compile(r"(?P<digit>[0-9])_(?P<speaker>[a-z]+)_(?P<number>[0-9]+)\.wav")
CHOSEN_ON = ("george", "lucas")  # people on whom settings were chosen: they do not ask


class Spoken(NamedTuple):
    """Words, and who said them."""

    data: Dataset
    speaker: np.ndarray  # str [item]
    sounds: list[np.ndarray]  # float32 [sample] of each item, ``logmel.RATE`` samples a second


def load(root=None, offline: bool = False, **options) -> Dataset:
    """The recordings as a data set; arguments as for ``load_spoken``.

    Returns:
        Dataset with items uint8 [1200, band, frame] and the split ``all``.
    """
    return load_spoken(root, offline, **options).data


def load_spoken(root=None, offline: bool = False) -> Spoken:
    """The 1,200 recordings, digit by digit.

    Args:
        root: data folder searched first (see ``datasets.home``).
        offline: never download.

    Raises:
        DataError: the data cannot be found or fetched, a recording is broken or missing.
    """
    folder = sources.locate("spoken_digits", root, offline)
    found = [(NAME.fullmatch(path.name), path) for path in folder.glob("*.wav")]
    known = sorted((path for match, path in found if match), key=lambda p: numeric_order(p.name))
    if len(known) != len(sources.DIGIT_NAMES):
        raise DataError(
            f"{folder} holds {len(known)} recordings; expected {len(sources.DIGIT_NAMES)}: move it "
            "away and run `python -m datasets get spoken_digits`."
        )
    names = [NAME.fullmatch(path.name) for path in known]
    sounds = [load_audio(path, logmel.RATE) for path in known]
    data = Dataset(
        name="spoken_digits",
        items=logmel.pictures(sounds),  # [item, band, frame]
        item_class=np.array([int(name["digit"]) for name in names], np.int32),
        class_names=DIGITS,
        splits={"all": np.arange(len(DIGITS))},
        source=str(folder),
    )
    return Spoken(data, np.array([name["speaker"] for name in names]), sounds)

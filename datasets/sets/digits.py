"""Handwritten digits: 1,797 pictures of 8 x 8 pixels that come with scikit-learn; no download.

Each digit is described by the segments that light up for it on a seven-segment display, whose names
are a (top), b and c (right), d (bottom), e and f (left), g (middle).
"""

import numpy as np
from PIL import Image

from datasets.dataset import Dataset

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SEGMENTS = (
    "abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg",
)  # fmt: skip
WORDS = tuple(
    (name, *(f"segment-{segment}" for segment in lit))
    for name, lit in zip(NAMES, SEGMENTS, strict=True)
)
BRIGHTEST = 16  # of scikit-learn's values


def load(root=None, offline: bool = False, size: int = 16) -> Dataset:
    """The ten digits with their segments as words.

    Args:
        root, offline: taken as by other sets; the pictures are installed with scikit-learn.
        size: height and width in pixels of the returned images.

    Returns:
        Dataset with items uint8 [1797, size, size], bright ink; words such as
        ``("one", "segment-b", "segment-c")``; the split ``all``.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.argsort(digits.target, kind="stable")
    bright = np.rint(digits.images[order] * (255 / BRIGHTEST)).astype(np.uint8)
    return Dataset(
        name="digits",
        items=np.stack([_resize(image, size) for image in bright]),
        item_class=digits.target[order].astype(np.int32),
        class_names=NAMES,
        splits={"all": np.arange(len(NAMES))},
        source="scikit-learn",
        words=WORDS,
    )


def _resize(image: np.ndarray, size: int) -> np.ndarray:
    """[8, 8] -> [size, size]"""
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))

"""Painted signs and stroke characters together: the generated stand-in for Emoji and Omniglot."""

from datasets.dataset import Dataset
from datasets.sets.emoji_omniglot import on_paper, together
from datasets.standins import painted_signs, strokes


def load(root=None, offline: bool = False, size: int = 32) -> Dataset:
    """The classes of both stand-ins, signs first.

    Args:
        root, offline, size: as for ``painted_signs.load`` and ``strokes.load``.

    Returns:
        Dataset with items uint8 [8648, size, size, 3] and the splits of ``together``.

    Raises:
        DataError: the cache folder cannot be written or what it holds cannot be read.
    """
    characters = on_paper(strokes.load(size=size))
    return together("signs_strokes", [painted_signs.load(size=size), characters])

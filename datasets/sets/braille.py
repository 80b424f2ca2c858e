"""Braille: the 26 letters of that alphabet in Omniglot, 20 drawings each, described by their dots.

A cell has six places, numbered down the left column (1, 2, 3) and down the right one (4, 5, 6).
Omniglot's characters 1 to 26 are the letters a to z.
"""

import numpy as np

from datasets.dataset import Dataset
from datasets.sets import omniglot

DOTS = {
    "a": "1", "b": "12", "c": "14", "d": "145", "e": "15", "f": "124", "g": "1245", "h": "125",
    "i": "24", "j": "245", "k": "13", "l": "123", "m": "134", "n": "1345", "o": "135",
    "p": "1234", "q": "12345", "r": "1235", "s": "234", "t": "2345", "u": "136", "v": "1236",
    "w": "2456", "x": "1346", "y": "13456", "z": "1356",
}  # fmt: skip
WORDS = tuple((letter, *(f"dot-{place}" for place in dots)) for letter, dots in DOTS.items())


def load(root=None, offline: bool = False, size: int = 28) -> Dataset:
    """The letters with their dots as words.

    Args:
        root, offline, size: as for ``omniglot.load``.

    Returns:
        Dataset with items uint8 [520, size, size], bright ink; words such as
        ``("c", "dot-1", "dot-4")``; the split ``all``.

    Raises:
        DataError: Omniglot cannot be found or fetched, or a file of it is broken.
    """
    data = omniglot.load(root, offline, size)
    letters = [k for k, name in enumerate(data.class_names) if name.startswith("Braille/")]
    items = np.concatenate([data.items_of(k) for k in letters])
    return Dataset(
        name="braille",
        items=data.items[items],
        item_class=np.repeat(np.arange(len(DOTS), dtype=np.int32), omniglot.DRAWINGS),
        class_names=tuple(DOTS),
        splits={"all": np.arange(len(DOTS))},
        source=data.source,
        words=WORDS,
    )

"""Emoji and Omniglot together: signs in colour, and characters as a pen leaves them on paper.

Omniglot's bright ink becomes black on white, as a file of such a character has it: a network of
both sets sees every file as it is.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from datasets.dataset import Dataset
from datasets.sets import emoji, omniglot


def load(root=None, offline: bool = False, size: int = 32) -> Dataset:
    """The classes of both sets, those of the emoji first.

    Args:
        root, offline, size: as for ``emoji.load`` and ``omniglot.load``.

    Returns:
        Dataset with items uint8 [44038, size, size, 3] and the splits of ``together``.

    Raises:
        DataError: one of the sets cannot be found or fetched, or a file of it is broken.
    """
    characters = on_paper(omniglot.load(root, offline, size))
    return together("emoji_omniglot", [emoji.load(root, offline, size), characters])


def on_paper(characters: Dataset) -> Dataset:
    """Bright ink as black on white, in three channels: uint8 [item, height, width, 3]."""
    items = np.repeat(255 - characters.items[..., None], 3, axis=-1)
    return dataclasses.replace(characters, items=items)


def together(name: str, parts: Sequence[Dataset]) -> Dataset:
    """Sets of items of one shape, one after the other.

    A split that all parts have is theirs together, ``test``, and of each part alone,
    ``omniglot/test``.

    Args:
        name: of the whole.
        parts: the sets; their class names differ.
    """
    sizes = [len(part.class_names) for part in parts]
    firsts = np.cumsum([0, *sizes[:-1]])  # [part], index of the first class
    shared = set.intersection(*(set(part.splits) for part in parts))
    alone = {
        f"{part.name}/{split}": first + part.classes(split)
        for part, first in zip(parts, firsts, strict=True)
        for split in sorted(shared)
    }
    both = {
        split: np.concatenate([alone[f"{part.name}/{split}"] for part in parts])
        for split in sorted(shared)
    }
    item_class = [part.item_class + first for part, first in zip(parts, firsts, strict=True)]
    return Dataset(
        name=name,
        items=np.concatenate([part.items for part in parts]),
        item_class=np.concatenate(item_class).astype(np.int32),
        class_names=tuple(label for part in parts for label in part.class_names),
        splits=both | alone,
        generated=any(part.generated for part in parts),
        source=" and ".join(part.source for part in parts),
    )

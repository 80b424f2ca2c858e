"""What every loader returns: items grouped by class, and splits that are disjoint by class."""

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from datasets.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """Items of several classes, in memory.

    Attributes:
        name: name in the catalogue, such as ``omniglot``.
        items: uint8 images ``[item, height, width]`` or ``[item, height, width, channel]``
            (0 to 255), or float32 features ``[item, coefficient, frame]``.
        item_class: int32 ``[item]``, index into ``class_names``, ascending.
        class_names: one name per class.
        splits: split name to class indices; no class is in two of the base splits.
        generated: true for a generated stand-in; results on it are labelled as such.
        source: folder or archive the items were read from.
        words: for each class its name in words and what else describes it, such as
            ``("grinning face", "happy", "smile")``; empty for a set without words.
    """

    name: str
    items: np.ndarray
    item_class: np.ndarray
    class_names: tuple[str, ...]
    splits: dict[str, np.ndarray] = field(default_factory=dict)
    generated: bool = False
    source: str = ""
    words: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self):
        if len(self.items) != len(self.item_class):
            raise ValueError(f"{len(self.items)} items but {len(self.item_class)} class indices")
        if np.any(np.diff(self.item_class) < 0):
            raise ValueError("items must be sorted by class")
        if self.words and len(self.words) != len(self.class_names):
            raise ValueError(f"{len(self.class_names)} classes but words for {len(self.words)}")

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one item as a network sees it; grey images get a channel axis."""
        shape = self.items.shape[1:]
        return (*shape, 1) if self.items.dtype == np.uint8 and len(shape) == 2 else shape

    def classes(self, split: str) -> np.ndarray:
        """Class indices of a split; DataError names the splits there are."""
        if split not in self.splits:
            raise DataError(
                f"{self.name} has no split {split!r}; it has {', '.join(sorted(self.splits))}."
            )
        return self.splits[split]

    def items_of(self, class_index: int) -> np.ndarray:
        """Positions in ``items`` of one class."""
        start, stop = np.searchsorted(self.item_class, [class_index, class_index + 1])
        return np.arange(start, stop)

    def with_least(self, items: int) -> "Dataset":
        """The same set, whose splits leave out every class of fewer items.

        Episodes need ``shot + query`` items of each class. Items, class names and class indices
        stay as they are, so what is known of a class by its index still fits.

        Raises:
            DataError: no class has so many.
        """
        counts = np.bincount(self.item_class, minlength=len(self.class_names))
        if not (counts >= items).any():
            raise DataError(
                f"No class of {self.name} has {items} items; the largest has {counts.max()}."
            )
        splits = {name: of[counts[of] >= items] for name, of in self.splits.items()}
        return dataclasses.replace(self, splits=splits)

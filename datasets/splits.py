"""The one rule by which sets without an official split are split by class."""

from collections.abc import Mapping

import numpy as np

from datasets.errors import DataError


def random_split(
    n_classes: int, held_out: Mapping[str, int], seed: int, fold: int = 0
) -> dict[str, np.ndarray]:
    """Class indices of each split; no class is in two of them, but all are in ``all``.

    The rule: classes are shuffled with the seed; the first go to the first held-out split, the next
    to the second and so on; the rest is ``train``. Within a split they are in ascending order.

    Args:
        n_classes: number of classes.
        held_out: split name to number of classes, such as ``{"test": 10, "val": 5}``.
        seed: of the shuffle.
        fold: which block of the shuffled classes goes to the first held-out split; those of several
            folds share no class.

    Raises:
        DataError: nothing would be left for training, or there are not as many blocks.
    """
    counts = list(held_out.values())
    if min(counts) < 0 or sum(counts) >= n_classes:
        raise DataError(
            f"Cannot hold out {' and '.join(f'{n} for {name}' for name, n in held_out.items())} "
            f"of {n_classes} classes; at least one has to be left for training."
        )
    # NumPy has frozen the stream of RandomState: a seed means the same split in every version.
    shuffled = np.random.RandomState(seed).permutation(n_classes)
    if fold:
        most = n_classes // max(counts[0], 1)
        if not 0 <= fold < most:
            raise DataError(
                f"There is no block {fold} of {counts[0]} classes: {n_classes} classes have blocks "
                f"0 to {most - 1}."
            )
        shuffled = np.roll(shuffled, -fold * counts[0])
    *parts, rest = np.split(shuffled, np.cumsum(counts))
    splits = dict(zip(held_out, parts, strict=True)) | {"train": rest, "all": shuffled}
    return {name: np.sort(classes) for name, classes in splits.items()}

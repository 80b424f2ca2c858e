"""Pairs: genuine (two items of one class) and "imposite", the book's word (of two classes).

Pairs are drawn within one split, after the classes, people or clips have been split. Splitting the
pairs instead leaves every item on both sides (errata E2.4 and E2.13). As with episodes, drawing is
a pure function of (seed, index).
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.episodes import to_float


class Pairs(NamedTuple):
    """A list of pairs of items, each unordered pair once."""

    first: np.ndarray  # [pair], position in dataset.items
    second: np.ndarray  # [pair]
    genuine: np.ndarray  # [pair] bool; false is imposite

    def check(self, name: str) -> "Pairs":
        """The same pairs; DataError when one of the two kinds is missing."""
        genuine, imposite = int(self.genuine.sum()), int((~self.genuine).sum())
        if min(genuine, imposite) < 1:
            raise DataError(
                f"{name} allows {genuine} genuine and {imposite} imposite pairs, but at least one "
                "of each is needed: two classes, one of them with two items."
            )
        return self


def all_pairs(dataset: Dataset, split: str) -> Pairs:
    """Every pair of two different items of a split: what a verification is evaluated on.

    Raises:
        DataError: no genuine or no imposite pair exists.
    """
    pairs = all_pairs_of(dataset.item_class, items_of_split(dataset, split))
    return pairs.check(f"{dataset.name}/{split}")


def all_pairs_of(item_class: np.ndarray, positions: np.ndarray) -> Pairs:
    """Every pair of two different items among ``positions``; ``item_class`` [item] of any kind."""
    first, second = np.triu_indices(len(positions), k=1)
    first, second = positions[first], positions[second]
    return Pairs(first, second, item_class[first] == item_class[second])


def folder_pairs(
    folder: np.ndarray, positions: np.ndarray, anchor: str, same: str, other: str
) -> Pairs:
    """All pairs anchor x same (genuine) and anchor x other (imposite) among ``positions``.

    The book pairs folders of sounds: Dogs with Sub_dogs, and Dogs with Cats. Files are split
    before: the pairs of one side of a split never name a file of the other.

    Args:
        folder: [item], name of each item's folder.
        positions: items of one side of a split.
        anchor, same, other: folder names.

    Raises:
        DataError: a folder has no file among ``positions``.
    """
    positions = np.asarray(positions)
    files = {name: positions[folder[positions] == name] for name in (anchor, same, other)}
    for name, found in files.items():
        if not len(found):
            raise DataError(
                f"None of {len(positions)} files is in folder {name!r}; pairs need at least one."
            )
    first, second, genuine = [], [], []
    for name in (same, other):
        a, b = np.meshgrid(files[anchor], files[name], indexing="ij")  # [anchor, other]
        first.append(a.ravel())
        second.append(b.ravel())
        genuine.append(np.full(a.size, name == same))
    return Pairs(np.concatenate(first), np.concatenate(second), np.concatenate(genuine))


def folder_folds(folder: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Cross-validation of files: number of the fold in which each is tested, [item].

    Every folder is dealt out evenly, in an order shuffled with the seed.

    Raises:
        DataError: a folder has fewer files than there are folds.
    """
    random = np.random.RandomState(seed)  # its stream is frozen: a seed means the same folds
    fold = np.zeros(len(folder), np.int32)
    for name in np.unique(folder).tolist():
        files = np.flatnonzero(folder == name)
        if len(files) < folds or folds < 2:
            raise DataError(
                f"Folder {name!r} has {len(files)} files, which {folds} folds cannot share; "
                "use 2 folds or more, and no more than files."
            )
        fold[random.permutation(files)] = np.arange(len(files)) % folds
    return fold


def items_of_split(dataset: Dataset, split: str) -> np.ndarray:
    """Positions of all items of a split, class by class."""
    return np.concatenate([dataset.items_of(index) for index in dataset.classes(split)])


class PairSampler:
    """Draws pairs, uniformly over all genuine and all imposite pairs of a split.

    Calling the sampler gives ``({"a": x, "b": x}, label)`` with x [pair, ...] and label [pair, 1],
    1 genuine and 0 imposite, in turn: so each device of a distributed run gets both kinds.

    Args:
        dataset: items grouped by class.
        split: name of a split of ``dataset``.
        pairs: pairs per batch, half of them genuine.
        seed: the same seed and index give the same pairs.

    Raises:
        DataError: ``pairs`` is odd, or the split allows no genuine or no imposite pair.
    """

    def __init__(self, dataset: Dataset, split: str, pairs: int, seed: int = 0):
        _check_even(pairs)
        self.name, self.pairs, self.seed = f"{dataset.name}/{split}", pairs, seed
        classes = dataset.classes(split)
        counts = np.bincount(dataset.item_class, minlength=len(dataset.class_names))[classes]
        if len(classes) < 2 or counts.max(initial=0) < 2:
            raise DataError(
                f"{self.name} has {len(classes)} classes of at most {counts.max(initial=0)} items; "
                "pairs need 2 classes and a class with 2 items."
            )
        # The items of the split, class after class, in a ring: item i of a class that begins at
        # start and has count items. Its genuine partners are the others of start ... start + count,
        # its imposite partners are all that follow the class around the ring.
        self._positions = tf.constant(items_of_split(dataset, split), tf.int64)
        self._start = tf.constant(np.repeat(np.cumsum(counts) - counts, counts), tf.int64)  # [item]
        self._count = tf.constant(np.repeat(counts, counts), tf.int64)  # [item]
        self._total = int(counts.sum())
        self._items = tf.constant(dataset.items.reshape(-1, *dataset.image_shape))

    def __call__(self, index):
        """Batch number ``index`` as ``({"a", "b"}, label)``."""
        first, second, label = self.positions(index)
        a, b = tf.gather(self._items, first), tf.gather(self._items, second)
        return {"a": to_float(a), "b": to_float(b)}, label

    def positions(self, index):
        """Positions of both items in ``dataset.items`` [pair], [pair], and label [pair, 1]."""
        seed = tf.random.fold_in(tf.constant([self.seed, 1]), tf.cast(index, tf.int32))
        seeds = tf.unstack(tf.random.split(seed))
        first, offset = self._ordered_pair(seeds[0], self._count - 1)
        start, count = tf.gather(self._start, first), tf.gather(self._count, first)
        genuine = first, start + (first - start + 1 + offset) % count

        first, offset = self._ordered_pair(seeds[1], self._total - self._count)
        end = tf.gather(self._start, first) + tf.gather(self._count, first)
        imposite = first, (end + offset) % self._total

        first, second = (
            tf.gather(self._positions, _in_turn(*kinds))
            for kinds in zip(genuine, imposite, strict=True)
        )
        return first, second, _labels(self.pairs)

    def _ordered_pair(self, seed, partners):
        """First item [pair / 2], and which of its partners is the second.

        All ordered pairs are numbered item by item and one number is drawn: every pair is equally
        likely, also when classes differ in size.
        """
        end = tf.cumsum(partners)  # [item]
        number = tf.random.stateless_uniform(
            [self.pairs // 2], seed, maxval=end[-1], dtype=tf.int64, minval=0, alg="philox"
        )
        first = tf.searchsorted(end, number, side="right")
        first = tf.cast(first, tf.int64)
        return first, number - (tf.gather(end, first) - tf.gather(partners, first))


class ListedPairs:
    """Batches of a fixed list of pairs.

    With ``epochs`` the whole list is gone through in a new order each time, as ``fit`` does; the
    last batch of an epoch is filled up from its beginning. Otherwise each batch is drawn afresh,
    half genuine and half imposite, which the list itself need not be.

    Args:
        items: [item, ...] as stored, uint8 images with a channel axis.
        pairs: the list.
        batch: pairs per batch.
        seed: the same seed and index give the same batch.
        epochs: go through the list in order of epochs.
    """

    def __init__(
        self, items: np.ndarray, pairs: Pairs, batch: int, seed: int = 0, epochs: bool = False
    ):
        pairs.check("The list of pairs")
        if not epochs:
            _check_even(batch)
        self.batch, self.seed, self.epochs, self.count = batch, seed, epochs, len(pairs.first)
        self._items = tf.constant(items)
        self._first = tf.constant(pairs.first, tf.int64)
        self._second = tf.constant(pairs.second, tf.int64)
        self._label = tf.constant(pairs.genuine[:, None], tf.float32)  # [pair, 1]
        self._kinds = [
            tf.constant(np.flatnonzero(pairs.genuine == kind), tf.int64) for kind in (True, False)
        ]

    @property
    def batches_per_epoch(self) -> int:
        """Batches that hold every pair at least once."""
        return -(-self.count // self.batch)

    def __call__(self, index):
        """Batch number ``index`` as ``({"a", "b"}, label)``."""
        chosen = self.chosen(index)
        a = tf.gather(self._items, tf.gather(self._first, chosen))
        b = tf.gather(self._items, tf.gather(self._second, chosen))
        return {"a": to_float(a), "b": to_float(b)}, tf.gather(self._label, chosen)

    def chosen(self, index):
        """Numbers of the batch's pairs in the list, [batch]."""
        index, seed = tf.cast(index, tf.int32), tf.constant([self.seed, 2])
        if self.epochs:
            epoch, part = index // self.batches_per_epoch, index % self.batches_per_epoch
            scores = tf.random.stateless_uniform(
                [self.count], tf.random.fold_in(seed, epoch), alg="philox"
            )
            order = tf.argsort(scores, stable=True)
            return tf.gather(order, (part * self.batch + tf.range(self.batch)) % self.count)
        seeds = tf.unstack(tf.random.split(tf.random.fold_in(seed, index)))
        drawn = []
        for kind, seed in zip(self._kinds, seeds, strict=True):
            number = tf.random.stateless_uniform(
                [self.batch // 2], seed, maxval=len(kind), dtype=tf.int32, minval=0, alg="philox"
            )
            drawn.append(tf.gather(kind, number))
        return _in_turn(*drawn)


def _check_even(pairs: int) -> None:
    if pairs < 2 or pairs % 2:
        raise DataError(
            f"A batch of {pairs} pairs has no equal halves; use an even number above 0."
        )


def _labels(pairs: int):
    """[pair, 1]: 1, 0, 1, 0, ... Never [pair]: beside distances [pair, 1] it would broadcast."""
    return tf.tile(tf.constant([[1.0], [0.0]]), [pairs // 2, 1])


def _in_turn(genuine, imposite):
    """Two vectors [pair / 2] -> one [pair]: genuine, imposite, genuine, ..."""
    return tf.reshape(tf.stack([genuine, imposite], axis=1), [-1])

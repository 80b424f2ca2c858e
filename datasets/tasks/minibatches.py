"""Minibatches: items of one split and which of its classes they are of, as ordinary training takes.

There are no episodes here: a class has one number throughout. As with episodes, drawing is a pure
function of (seed, index).
"""

import numpy as np
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.episodes import rotate, to_float
from datasets.tasks.pairs import items_of_split


class Minibatches:
    """Draws items, each equally likely and with replacement, in every batch anew.

    Calling the sampler gives ``(x, y)``: items [item, height, width, channel] and the numbers of
    their classes [item], 0 to ``classes`` - 1.

    Args:
        dataset: items grouped by class.
        split: name of a split of ``dataset``.
        batch: items per batch.
        seed: the same seed and index give the same batch.
        rotations: every class counts four times, turned by 0, 90, 180 and 270 degrees.

    Raises:
        DataError: an empty batch, fewer than two classes, or rotations of items that are not
            square.
    """

    def __init__(
        self, dataset: Dataset, split: str, batch: int, seed: int = 0, rotations: bool = False
    ):
        classes = dataset.classes(split)
        self.name, self.batch, self.seed = f"{dataset.name}/{split}", batch, seed
        self.turns = 4 if rotations else 1
        self.classes = self.turns * len(classes)
        if batch < 1:
            raise DataError(f"A batch has {batch} items; it must have at least 1.")
        if len(classes) < 2:
            raise DataError(f"{self.name} has {len(classes)} class(es); telling apart needs two.")
        height, width = dataset.items.shape[1:3]
        if rotations and height != width:
            raise DataError(
                f"Rotations as classes need square images; {self.name} has {height} x {width}."
            )
        positions = items_of_split(dataset, split)
        number = np.full(len(dataset.class_names), -1)
        number[classes] = np.arange(len(classes))
        self._positions = tf.constant(positions, tf.int32)  # [item of the split]
        self._number = tf.constant(number[dataset.item_class[positions]], tf.int32)  # the same
        self._items = tf.constant(dataset.items.reshape(-1, *dataset.image_shape))

    def __call__(self, index):
        """Batch number ``index`` (int or scalar tensor) as ``(x, y)``."""
        seed = tf.random.fold_in(tf.constant([self.seed, 3]), tf.cast(index, tf.int32))
        count = self._positions.shape[0]
        drawn = tf.random.stateless_uniform(
            [self.batch], seed, minval=0, maxval=count * self.turns, dtype=tf.int32, alg="philox"
        )
        item, turn = drawn % count, drawn // count  # [item]
        # [item, height, width, channel]
        x = tf.gather(self._items, tf.gather(self._positions, item))
        if self.turns > 1:
            x = rotate(x[None, :, None], turn[None])[0, :, 0]
        known = self.classes // self.turns
        return to_float(x), tf.gather(self._number, item) + turn * known

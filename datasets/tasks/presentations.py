"""Classification as a sequence: pictures of a few classes, one after the other, with their labels.

Santoro et al. (2016), section 4: labels are bound to classes anew in every episode, and a network
is told the label of a picture one step after it. So the first picture of a class can only be
guessed, and all later ones can be known by a memory that binds what it saw to what it was told.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError, at_least_one
from datasets.tasks import draws
from datasets.tasks.episodes import rotate, to_float

LETTERS = 5  # of a string label, each one of as many letters
LABELS = ("one_hot", "string")


class Presentation(NamedTuple):
    """A batch of episodes."""

    images: tf.Tensor  # [batch, time, height, width, channel], in [0, 1]
    label: tf.Tensor  # [batch, time], one_hot: 0 to way - 1; string: letters [batch, time, 5]
    shown: tf.Tensor  # [batch, time, output], the label as zeros and ones
    class_of: tf.Tensor  # [batch, time], which class of the episode a picture shows, 0 to way - 1


class Presentations:
    """Draws classes, an order of their pictures, and a binding of labels to classes.

    A pure function of (seed, index), like ``datasets.tasks.episodes``.

    Args:
        dataset: images grouped by class.
        split: name of a split of ``dataset``.
        way: classes of an episode.
        length: pictures of an episode, drawn from all of its classes without replacement: each
            class is shown ``length / way`` times on average, as in the paper.
        batch: episodes per batch.
        seed: the same seed and index give the same episodes.
        rotations: every class counts four times, turned by quarter turns.
        labels: ``one_hot``, one of ``way``; or ``string``, five letters of five.
        jitter: pictures are moved by up to this many pixels, each on its own.

    Raises:
        DataError: too few classes or pictures, an unknown kind of label, or rotations of pictures
            that are not square.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        way: int = 5,
        length: int = 50,
        batch: int = 16,
        seed: int = 0,
        rotations: bool = False,
        labels: str = "one_hot",
        jitter: int = 0,
    ):
        if labels not in LABELS:
            raise DataError(f"labels is {labels!r}; it must be one of {', '.join(LABELS)}.")
        at_least_one(way=way, length=length, batch=batch)
        if jitter < 0:
            raise DataError(f"jitter is {jitter}; it must be at least 0.")
        self.name, self.way, self.time = f"{dataset.name}/{split}", way, length
        self.batch, self.seed, self.rotations = batch, seed, rotations
        self.labels, self.jitter = labels, jitter
        self.outputs = way if labels == "one_hot" else LETTERS * LETTERS
        self.bindings = way if labels == "one_hot" else LETTERS**LETTERS  # labels there can be
        classes = dataset.classes(split)
        counts = np.bincount(dataset.item_class, minlength=len(dataset.class_names))[classes]
        available = np.sort(np.repeat(counts, 4 if rotations else 1))  # pictures of each class
        if len(available) < way:
            raise DataError(
                f"{self.name} has {len(available)} classes, but an episode needs {way}; use fewer."
            )
        fewest = available[:way].sum()
        if fewest < length:
            raise DataError(
                f"{way} classes of {self.name} may have only {fewest} pictures, but an episode "
                f"shows {length}; use shorter episodes or more classes."
            )
        height, width = dataset.items.shape[1:3]
        if rotations and height != width:
            raise DataError(
                f"Rotations as classes need square pictures; {self.name} has {height} x {width}."
            )
        self._first = tf.constant(np.searchsorted(dataset.item_class, classes), tf.int32)
        self._counts = tf.constant(counts, tf.int32)
        self._most = int(counts.max())
        self._items = tf.constant(dataset.items.reshape(-1, *dataset.image_shape))

    def __call__(self, index) -> Presentation:
        """Batch number ``index`` (int or scalar tensor)."""
        # By default XLA and TensorFlow's own kernels differ in what they make of a negative seed.
        philox = {"alg": "philox"}
        seed = tf.random.fold_in(tf.constant([self.seed, 7]), tf.cast(index, tf.int32), **philox)
        seeds = tf.unstack(tf.random.split(seed, 4, **philox))
        known = self._first.shape[0]
        turned = known * (4 if self.rotations else 1)
        drawn = draws.distinct(draws.uniform([self.batch, turned], seeds[0]), self.way)
        position, turn = drawn % known, drawn // known  # [batch, way]

        # All pictures of all classes of an episode in a random order, of which it has the first.
        exists = tf.range(self._most) < tf.gather(self._counts, position)[..., None]
        exists = tf.reshape(exists, [self.batch, -1])  # [batch, way * most]
        # [batch, time]
        order = draws.distinct(draws.uniform(exists.shape, seeds[1]), self.time, exists)
        class_of = order // self._most  # [batch, time]
        chosen = tf.gather(tf.gather(self._first, position), class_of, batch_dims=1)
        chosen += order % self._most  # [batch, time]
        images = to_float(tf.gather(self._items, chosen))  # [batch, time, height, width, channel]
        if self.rotations:
            turn = tf.gather(turn, class_of, batch_dims=1)  # [batch, time]
            images = rotate(images[:, :, None], turn)[:, :, 0]  # each step has one picture
        if self.jitter:
            images = _moved(images, self.jitter, seeds[3])
        binding = self._binding(seeds[2])  # [batch, way] or [batch, way, letter]
        label = tf.gather(binding, class_of, batch_dims=1)
        return Presentation(images, label, self._numbers(label), class_of)

    def _binding(self, seed):
        """The label of each class of an episode; no two classes share one."""
        if self.labels == "one_hot":
            return draws.distinct(draws.uniform([self.batch, self.way], seed), self.way)
        # [batch, way]
        number = draws.distinct(draws.uniform([self.batch, LETTERS**LETTERS], seed), self.way)
        return tf.stack([number // LETTERS**k % LETTERS for k in range(LETTERS)], axis=-1)

    def _numbers(self, label):
        numbers = tf.one_hot(label, self.way if self.labels == "one_hot" else LETTERS)
        return tf.reshape(numbers, [self.batch, self.time, self.outputs])  # [batch, time, output]


def presentation_number(class_of):
    """How often the class of a step has been shown, this time included: [batch, time] from 1."""
    class_of = np.asarray(class_of)
    same = class_of[:, :, None] == class_of[:, None]  # [batch, time, earlier]
    return np.tril(same).sum(axis=2)


def _moved(images, reach, seed):
    """Every image moved by -reach to reach pixels along both axes; what comes in is empty."""
    batch, time, height, width, _ = images.shape
    moves = tf.cast(draws.uniform([2, batch, time], seed) * (2 * reach + 1), tf.int32) - reach
    rows = tf.range(height) - moves[0][..., None]  # [batch, time, height]
    columns = tf.range(width) - moves[1][..., None]  # [batch, time, width]
    # A picture times a matrix of zeros and ones is a picture with moved rows; a row from outside
    # has no one.
    down = tf.one_hot(rows, height)  # [batch, time, height, height]
    across = tf.one_hot(columns, width)
    return tf.einsum("btij,btjkc,btlk->btilc", down, images, across)

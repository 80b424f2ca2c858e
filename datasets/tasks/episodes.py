"""Episodes: small classification tasks drawn from the classes of one split.

Sampling is a pure function of (seed, index). Episode 1000 needs no episodes 0 to 999, so a resumed
run continues with exactly the data that an unbroken one would have seen, and every worker of a
distributed run can draw the same batch and take its own share.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError, at_least_one
from datasets.tasks import draws


class Episode(NamedTuple):
    """A batch of tasks; ``support_y`` and ``query_y`` are in [0, way)."""

    support_x: tf.Tensor  # [task, way * shot, height, width, channel]
    support_y: tf.Tensor  # [task, way * shot]
    query_x: tf.Tensor  # [task, way * query, height, width, channel]
    query_y: tf.Tensor  # [task, way * query]
    class_ids: tf.Tensor  # [task, way], index into dataset.class_names (+ rotation * classes)

    @property
    def inputs(self) -> dict[str, tf.Tensor]:
        """What a learner is called with."""
        return {
            "support_x": self.support_x,
            "support_y": self.support_y,
            "query_x": self.query_x,
        }


class EpisodeSampler:
    """Draws ``way`` classes, then ``shot`` support and ``query`` query items of each.

    Classes of a task are distinct, and so are the items of a class: support and query never share
    one. Calling the sampler gives ``(inputs, query_y)``, the form that ``fit`` and the training
    loop take; ``episode`` also tells which classes were drawn.

    Args:
        dataset: items grouped by class.
        split: name of a split of ``dataset``.
        way, shot, query: classes per task, support and query items per class.
        tasks: tasks per batch.
        seed: the same seed and index give the same episode.
        rotations: every class counts four times, turned by 0, 90, 180 and 270 degrees.

    Raises:
        DataError: the split has too few classes or a class has too few items.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        way: int,
        shot: int,
        query: int,
        tasks: int = 1,
        seed: int = 0,
        rotations: bool = False,
    ):
        classes = dataset.classes(split)
        counts = np.bincount(dataset.item_class, minlength=len(dataset.class_names))[classes]
        self.name = f"{dataset.name}/{split}"
        self.way, self.shot, self.query, self.tasks = way, shot, query, tasks
        self.seed, self.rotations = seed, rotations
        self._check(dataset, classes, counts)
        kept = np.isin(dataset.item_class, classes)  # [item]; a copy of all would be large
        first = np.searchsorted(dataset.item_class[kept], classes)
        self._class_count = len(dataset.class_names)
        self._classes = tf.constant(classes, tf.int32)
        self._first = tf.constant(first, tf.int32)
        self._counts = tf.constant(counts, tf.int32)
        self._most = int(counts.max())
        self._items = tf.constant(dataset.items[kept].reshape(-1, *dataset.image_shape))

    def _check(self, dataset, classes, counts):
        at_least_one(way=self.way, shot=self.shot, query=self.query, tasks=self.tasks)
        available = len(classes) * (4 if self.rotations else 1)
        if available < self.way:
            raise DataError(
                f"{self.name} has {available} classes, but {self.way}-way tasks need {self.way}; "
                "use a smaller way or more classes."
            )
        needed = self.shot + self.query
        if counts.min() < needed:
            name = dataset.class_names[classes[counts.argmin()]]
            raise DataError(
                f"Class {name} of {self.name} has {counts.min()} items, but shot {self.shot} + "
                f"query {self.query} need {needed}; use fewer or add items."
            )
        height, width = dataset.items.shape[1:3]
        if self.rotations and height != width:
            raise DataError(
                f"Rotations as classes need square images; {self.name} has {height} x {width}."
            )

    def __call__(self, index):
        """Batch number ``index`` as ``(inputs, query_y)``."""
        episode = self.episode(index)
        return episode.inputs, episode.query_y

    def episode(self, index) -> Episode:
        """Batch number ``index`` (int or scalar tensor) as an Episode."""
        seed = tf.random.fold_in(tf.constant([self.seed, 0]), tf.cast(index, tf.int32))
        class_seed, item_seed = tf.unstack(tf.random.split(seed))
        drawn = self._draw_classes(class_seed, self.way)  # [task, way]
        per_class = self.shot + self.query
        chosen = self._draw_items(item_seed, drawn, per_class)  # [task, way, shot + query]
        x = self._look_up(drawn, chosen)  # [task, way, shot + query, height, width, channel]
        return divided(x, self.shot, self._class_ids(drawn))

    def _draw_classes(self, seed, count: int):
        """Distinct classes, turned ones counted: [task, count]."""
        turned = len(self._classes) * (4 if self.rotations else 1)
        return draws.distinct(_uniform([self.tasks, turned], seed), count)

    def _draw_items(self, seed, drawn, count: int, allowed=None):
        """Distinct items of each drawn class, by their place in it: [task, class, count].

        Args:
            seed: int32 [2].
            drawn: classes [task, class].
            count: Python integer.
            allowed: bool [task, class, place]; all items of a class when None.
        """
        if allowed is None:
            allowed = self._exists(drawn)
        return draws.distinct(_uniform([*drawn.shape, self._most], seed), count, allowed)

    def _exists(self, drawn):
        """Places below a class's own count; the others are never drawn: [task, class, place]."""
        return tf.range(self._most) < tf.gather(self._counts, self._position(drawn))[..., None]

    def _look_up(self, drawn, chosen):
        """Images as a network sees them: [task, class, item, height, width, channel]."""
        chosen += tf.gather(self._first, self._position(drawn))[..., None]
        x = tf.gather(self._items, chosen)
        if self.rotations:
            x = rotate(x, drawn // len(self._classes))
        return to_float(x)

    def _labels(self, classes: int, count: int):
        """Numbers of the classes of a task: [task, class, count]."""
        return tf.tile(tf.range(classes)[None, :, None], [self.tasks, 1, count])

    def _position(self, drawn):
        """Which class of the split, whatever its rotation."""
        return drawn % len(self._classes)

    def _class_ids(self, drawn):
        rotation = drawn // len(self._classes)
        return tf.gather(self._classes, self._position(drawn)) + rotation * self._class_count


def episodes(
    dataset, split, way, shot, query, tasks=1, seed=0, *, rotations=False, start=0
) -> tf.data.Dataset:
    """Endless ``tf.data.Dataset`` of ``(inputs, query_y)``; ``start`` skips without drawing."""
    sampler = EpisodeSampler(dataset, split, way, shot, query, tasks, seed, rotations)
    numbers = tf.data.Dataset.range(start, np.iinfo(np.int32).max)
    return numbers.map(sampler).prefetch(tf.data.AUTOTUNE)


def to_float(items):
    """Stored items to network input: uint8 images to [0, 1]."""
    # Times 1 / 255, as a graph computes a division by 255: eager and graph agree to the last bit.
    return tf.cast(items, tf.float32) * (1 / 255) if items.dtype == tf.uint8 else items


def _uniform(shape, seed):
    """Numbers in [0, 1); under XLA others than in a graph, unlike ``draws.uniform``."""
    return tf.random.stateless_uniform(shape, seed, alg="philox")


def rotate(x, rotation):
    """Turn the images of class (task, way) by ``rotation`` quarter turns, counter-clockwise.

    Args:
        x: [task, way, item, height, width, channel].
        rotation: [task, way], 0 to 3.
    """
    quarter = tf.reverse(tf.transpose(x, [0, 1, 2, 4, 3, 5]), [3])
    turns = [x, quarter, tf.reverse(x, [3, 4]), tf.reverse(quarter, [3, 4])]
    rotation = rotation[:, :, None, None, None, None]
    for number in (1, 2, 3):
        x = tf.where(rotation == number, turns[number], x)
    return x


def turn_tasks(x, seed):
    """Turn each task as a whole by 0 to 3 quarter turns: [task, way, item, height, width, channel].

    Where no labels are known, classes cannot count four times; but a task looks as real turned.
    """
    turn = tf.random.stateless_uniform(x.shape[:1], seed, 0, 4, tf.int32, alg="philox")
    return rotate(x, tf.tile(turn[:, None], [1, x.shape[1]]))


def divided(x, shot: int, class_ids) -> Episode:
    """Items [task, way, item, ...] as an episode: the first ``shot`` of each class are support."""
    tasks, way, count = x.shape[:3]
    y = tf.tile(tf.range(way)[None, :, None], [tasks, 1, count])  # [task, way, item]
    return Episode(
        support_x=merge_way(x[:, :, :shot]),
        support_y=merge_way(y[:, :, :shot]),
        query_x=merge_way(x[:, :, shot:]),
        query_y=merge_way(y[:, :, shot:]),
        class_ids=class_ids,
    )


def merge_way(x):
    """[task, way, item, ...] -> [task, way * item, ...]"""
    return tf.reshape(x, [x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:]])

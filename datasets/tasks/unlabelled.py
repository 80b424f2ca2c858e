"""Episodes with unlabelled items, some of them of classes that the task does not ask about.

Ren et al. (2018), section 3: the items of each class are split once into a labelled and an
unlabelled part. Support and query come from the first, what is given without labels from the other,
and as much of each distractor class.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.episodes import EpisodeSampler, merge_way


class UnlabelledEpisode(NamedTuple):
    """A batch of tasks; ``support_y`` and ``query_y`` are in [0, way)."""

    support_x: tf.Tensor  # [task, way * shot, height, width, channel]
    support_y: tf.Tensor  # [task, way * shot]
    query_x: tf.Tensor  # [task, way * query, height, width, channel]
    query_y: tf.Tensor  # [task, way * query]
    class_ids: tf.Tensor  # [task, way + distractors], those of distractors last
    unlabelled_x: tf.Tensor  # [task, (way + distractors) * unlabelled, height, width, channel]
    unlabelled_y: tf.Tensor  # [task, (way + distractors) * unlabelled], way and above: distractors

    @property
    def inputs(self) -> dict[str, tf.Tensor]:
        """What a learner is called with: no ``unlabelled_x`` where there are no such items."""
        inputs = {
            "support_x": self.support_x,
            "support_y": self.support_y,
            "query_x": self.query_x,
        }
        return inputs | ({"unlabelled_x": self.unlabelled_x} if self.unlabelled_x.shape[1] else {})


class UnlabelledSampler(EpisodeSampler):
    """Draws the classes, supports and queries of a task, then unlabelled items.

    The unlabelled items of the task's classes and of ``distractors`` others are drawn with seeds of
    their own, so that tasks with and without them ask the same.

    Args:
        dataset: items grouped by class.
        split: name of a split of ``dataset``.
        way, shot, query: classes per task, support and query items per class.
        unlabelled: unlabelled items per class; 0 for none.
        distractors: classes beside those of the task of which there are unlabelled items.
        labelled: share of each class's items that have labels, rounded down, the same in every
            rotation; None when any item may be drawn with or without, but never as both.
        label_split: seed of the labelled part; the same for every ``seed``.
        tasks, seed, rotations: as for ``EpisodeSampler``.

    Raises:
        DataError: the split has too few classes, or a class has too few items in a part.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        way: int,
        shot: int,
        query: int,
        unlabelled: int,
        distractors: int = 0,
        labelled: float | None = None,
        label_split: int = 0,
        tasks: int = 1,
        seed: int = 0,
        rotations: bool = False,
    ):
        self.unlabelled, self.distractors = unlabelled, distractors
        self.labelled = labelled
        super().__init__(dataset, split, way, shot, query, tasks, seed, rotations)
        part = labelled_part(dataset, 1.0 if labelled is None else labelled, label_split)
        self._labelled = tf.constant(part[dataset.classes(split)])  # [class, place]

    def _check(self, dataset, classes, counts):
        super()._check(dataset, classes, counts)
        if min(self.unlabelled, self.distractors) < 0:
            raise DataError(
                f"unlabelled {self.unlabelled} and distractors {self.distractors} must be at least "
                "0."
            )
        available = len(classes) * (4 if self.rotations else 1)
        if available < self.way + self.distractors:
            raise DataError(
                f"{self.name} has {available} classes, but way {self.way} + distractors "
                f"{self.distractors} need {self.way + self.distractors}; use fewer or more classes."
            )
        names = [dataset.class_names[k] for k in classes]
        check = self._check_whole if self.labelled is None else self._check_parts
        check(names, counts)

    def _check_whole(self, names, counts):
        """Every class has enough items for support, query and unlabelled together."""
        needed = self.shot + self.query + self.unlabelled
        if counts.min() < needed:
            raise DataError(
                f"Class {names[counts.argmin()]} of {self.name} has {counts.min()} items, but shot "
                f"{self.shot} + query {self.query} + unlabelled {self.unlabelled} need {needed}; "
                "use fewer or add items."
            )

    def _check_parts(self, names, counts):
        """Every class has enough items with a label, and enough without."""
        labelled = np.array([labelled_count(count, self.labelled) for count in counts])
        smallest, needed = labelled.argmin(), self.shot + self.query
        if labelled[smallest] < needed:
            raise DataError(
                f"Class {names[smallest]} of {self.name} has {labelled[smallest]} labelled items "
                f"({self.labelled:.0%} of {counts[smallest]}), but shot {self.shot} + query "
                f"{self.query} need {needed}; use fewer, or label a larger share."
            )
        left = counts - labelled
        smallest = left.argmin()
        if left[smallest] < self.unlabelled:
            raise DataError(
                f"Class {names[smallest]} of {self.name} has {left[smallest]} unlabelled items "
                f"({1 - self.labelled:.0%} of {counts[smallest]}), but {self.unlabelled} are asked "
                "for; use fewer, or label a smaller share."
            )

    def episode(self, index) -> UnlabelledEpisode:
        """Batch number ``index`` (int or scalar tensor) as an UnlabelledEpisode."""
        seed = tf.random.fold_in(tf.constant([self.seed, 0]), tf.cast(index, tf.int32))
        class_seed, item_seed = tf.unstack(tf.random.split(seed))
        # The first of more classes are those of fewer, so distractors change no task.
        drawn = self._draw_classes(class_seed, self.way + self.distractors)  # [task, class]
        own, others = drawn[:, : self.way], drawn[:, self.way :]

        per_class = self.shot + self.query
        labels = self._with_label(own)  # [task, way, place]
        chosen = self._draw_items(item_seed, own, per_class, labels)  # [task, way, shot + query]
        x = self._look_up(own, chosen)  # [task, way, shot + query, height, width, channel]
        y = self._labels(self.way, per_class)  # [task, way, shot + query]

        own_seed, other_seed = tf.unstack(tf.random.split(tf.random.fold_in(seed, 1)))
        free = self._exists(own) & ~self._taken(own, chosen)  # [task, way, place]
        rest = self._exists(others) & ~self._taken(others)  # [task, distractor, place]
        chosen = [
            self._draw_items(own_seed, own, self.unlabelled, free),
            self._draw_items(other_seed, others, self.unlabelled, rest),
        ]
        # [task, way + distractors, unlabelled, height, width, channel]
        unlabelled = self._look_up(drawn, tf.concat(chosen, axis=1))
        return UnlabelledEpisode(
            support_x=merge_way(x[:, :, : self.shot]),
            support_y=merge_way(y[:, :, : self.shot]),
            query_x=merge_way(x[:, :, self.shot :]),
            query_y=merge_way(y[:, :, self.shot :]),
            class_ids=self._class_ids(drawn),
            unlabelled_x=merge_way(unlabelled),
            unlabelled_y=merge_way(self._labels(self.way + self.distractors, self.unlabelled)),
        )

    def _with_label(self, drawn):
        """Places with a label: [task, class, place]."""
        return tf.gather(self._labelled, self._position(drawn))

    def _taken(self, drawn, chosen=None):
        """Places that no unlabelled item may be of: the labelled part, or what was drawn of it."""
        if self.labelled is not None:
            return self._with_label(drawn)
        if chosen is None:  # a class of which nothing was drawn
            return tf.zeros([*drawn.shape, self._most], tf.bool)
        return tf.reduce_any(tf.one_hot(chosen, self._most, True, False, dtype=tf.bool), axis=2)


def labelled_count(count: int, share: float) -> int:
    """How many of a class's items have labels: rounded down, as the authors' code does."""
    return int(count * share + 1e-9)  # 0.29 * 100 is a little less than 29


def labelled_part(dataset: Dataset, share: float, seed: int) -> np.ndarray:
    """Which items have labels: bool [class, place], a function of the seed alone."""
    counts = np.bincount(dataset.item_class, minlength=len(dataset.class_names))
    part = np.zeros([len(counts), counts.max()], bool)
    # NumPy has frozen the stream of RandomState: a seed means the same part in every version.
    random = np.random.RandomState(seed)
    for row, count in zip(part, counts, strict=True):
        row[random.permutation(count)[: labelled_count(count, share)]] = True
    return part

"""Items with labels: tasks of several classes, as pictures, faces and sounds have them."""

import dataclasses

import numpy as np

import datasets
from datasets.errors import DataError
from datasets.tasks.episodes import EpisodeSampler
from zoo import pictures
from zoo.classifying import classify
from zoo.kinds.base import Kind, Task, first

WAYS = range(2, 21)
ROWS = 3  # queries of a model's picture


class Labelled(Kind):
    """Items of classes, told apart from a few examples of each.

    Attributes:
        scale: of the values of an item.
        stand_in: the generated set that is drawn: pictures need no download and show nobody's face.
        shown_way: classes of that picture, where the model takes any number.
    """

    labels = (
        "whole numbers 0 to way - 1; others end in an error in Python and in a SavedModel, and in "
        "answers of NaN in ONNX and LiteRT"
    )
    scale = 1.0
    stand_in = ""
    shown_way = 5

    def options(self, loaded) -> dict:
        """Of ``datasets.load``, so that items are as the network sees them."""
        return {}

    def stand_in_of(self, loaded) -> str:
        """The generated set for a model."""
        return self.stand_in

    def fixed_input(self, loaded):
        """One task of random items: two classes of two, and two queries."""
        rng = np.random.RandomState(0)  # its stream is frozen: the same in every version of NumPy
        x = rng.uniform(size=[6, *loaded.item_shape]).astype(np.float32)
        labels = np.array([[0, 1, 0, 1]], np.int32)
        return {"support_x": x[None, :4], "support_y": labels, "query_x": x[None, 4:]}

    def random_tasks(self, loaded):
        """A task for each way that the model allows: every class is a pattern of blocks, its items
        are noisy copies, and one query lies between two classes.
        """
        rng = np.random.default_rng(0)
        return [self._random_task(rng, way, loaded) for way in _ways(loaded)]

    def _random_task(self, rng, way: int, loaded) -> Task:
        support_y = rng.permutation(np.repeat(np.arange(way, dtype=np.int32), _shot(way)))
        patterns = self.scale * _blocks(rng, way, loaded.item_shape)
        query_y = rng.integers(0, way, 1 + way % 5)
        task = {"support_x": _noisy(rng, patterns[support_y]), "support_y": support_y}
        query_x = _noisy(rng, patterns[query_y])
        between = _noisy(rng, _between(*patterns[:2]))
        # The most doubtful of them too: answers near 0 and 1 hide differences of logits.
        chances = classify(loaded.learner, **task, query_x=between).max(axis=1)
        doubtful = between[[chances.argmin()]]
        return {**task, "query_x": np.concatenate([query_x, doubtful])}

    def real_tasks(self, loaded):
        """A task for each way of the set that the model knows, or of its stand-in."""
        data = self.data(loaded)
        if data is None or data.image_shape != loaded.item_shape:
            return {}
        data = dataclasses.replace(data, splits={"all": np.arange(len(data.class_names))})
        ways = [way for way in _ways(loaded) if way <= len(data.class_names)]
        most = int(np.bincount(data.item_class).min()) - 1  # one item of each class is a query
        shots = [min(_shot(way), most) for way in ways]
        samplers = [
            EpisodeSampler(data, "all", way, shot, query=1)
            for way, shot in zip(ways, shots, strict=True)
            if shot
        ]
        return {data.name: [first(sampler(0)[0]) for sampler in samplers]}

    def data(self, loaded):
        """The set of the training, where it lies on this machine, or its stand-in."""
        name = loaded.config.data
        if name not in datasets.LOADERS:
            return None
        for candidate in (name, self.stand_in_of(loaded)):
            try:
                return datasets.load(candidate, offline=True, **self.options(loaded))
            except DataError:  # not on this machine
                continue
        return None

    def picture(self, loaded, width):
        """Queries of the stand-in, each beside an example of every class."""
        data = datasets.load(self.stand_in_of(loaded), **self.options(loaded))
        way = loaded.way or self.shown_way
        split = "test" if "test" in data.splits else "all"
        task = EpisodeSampler(data, split, way, shot=1, query=1, seed=3).episode(0)
        support, labels, query = (x[0].numpy() for x in task[:3])
        names = [f"class {k}" for k in range(way)]
        asked = [f"query:\n{name}" for name in names[:ROWS]]
        probabilities = classify(loaded.learner, support, labels, query[:ROWS])
        truth = labels[:ROWS]  # one query of each class
        return pictures.answers(
            loaded, query[:ROWS], support, names, probabilities, asked, truth, width
        )


def _ways(loaded) -> list[int]:
    return [way for way in WAYS if not loaded.way or way <= loaded.way]


def _shot(way: int) -> int:
    return 1 + way % 3


def _blocks(rng, count: int, shape) -> np.ndarray:
    """Black and white blocks of 7 x 7: [count, height, width, ...]."""
    height, width, *channels = shape
    coarse = rng.random([count, -(-height // 7), -(-width // 7), *channels]) < 0.4
    return coarse.repeat(7, axis=1).repeat(7, axis=2)[:, :height, :width]


def _between(one, other, steps: int = 17) -> np.ndarray:
    """From one item to another: [step, ...]."""
    share = np.linspace(0, 1, steps).reshape([-1] + [1] * one.ndim)
    return (1 - share) * one + share * other


def _noisy(rng, x) -> np.ndarray:
    return (x + 0.1 * rng.uniform(size=x.shape)).astype(np.float32)

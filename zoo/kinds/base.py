"""What the zoo has to know of an input: how it is described, tried out, drawn and checked."""

import numpy as np

from zoo.loaded import Loaded

Task = dict[str, np.ndarray]  # name of an input -> value, without a task axis


class Kind:
    """What a model takes. A subclass says how; its file ends in ``KIND``, its only instance.

    Attributes:
        takes: in the plural, such as "pictures".
        task: what models of this kind do, in a sentence.
        labels: what has to be given beside the items, and what becomes of wrong ones.
        files: as ``datasets.readers.folder`` calls its files; empty where files are not taken.
        inverts: whether light strokes on dark can be meant where dark ones on light are known.
        formula: whether tasks come from a formula, so that no set of data stands behind them.
        cell: inches of an item with the words above it, in pictures of answers.
    """

    takes = ""
    task = ""
    labels = "none"
    files = ""
    inverts = False
    formula = False
    cell = (1.0, 1.0)

    def sizes(self, learner) -> tuple[int | None, tuple[int, ...]]:
        """Number of classes, None for any; and the shape of an item, empty for a sequence."""
        return learner.way, learner.item_shape

    def preprocessing(self, loaded: Loaded) -> str:
        """What happens to a file before the network sees it."""
        return "none"

    def fixed_input(self, loaded: Loaded):
        """An input that is the same everywhere, for the output on the card."""
        raise NotImplementedError

    def random_tasks(self, loaded: Loaded) -> list[Task]:
        """Tasks of random items, on which an exported file is compared with Python."""
        raise NotImplementedError

    def real_tasks(self, loaded: Loaded) -> dict[str, list[Task]]:
        """Tasks of the data that a model was trained on, or of their stand-in: name -> tasks.

        Empty where they are not known here.
        """
        return {}

    def picture(self, loaded: Loaded, width: float):
        """A figure of what a model does, on generated data, at most ``width`` inches wide.

        None where there is nothing to show.
        """
        return

    def show(self, axis, item, loaded: Loaded) -> None:
        """Draw one item as the network sees it."""
        raise NotImplementedError


def first(inputs) -> Task:
    """The first task of a batch, without the task axis."""
    return {name: np.asarray(x[0]) for name, x in inputs.items()}

"""A model of the zoo as it is handed about: learner, kind, options, card."""

import dataclasses
import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from datasets.readers.folder import class_files
from zoo.errors import ZooError


class Loaded(NamedTuple):
    """A model of the zoo, ready to use.

    ``learner`` is a Keras model, {"support_x", "support_y", "query_x"} -> logits [task, query, way]
    or, for curves, values [task, query, 1].
    """

    name: str
    learner: Any
    kind: Any  # ``zoo.kinds.Kind``: what it takes
    config: Any  # options of the run that trained it
    card: dict
    way: int | None  # number of classes, when the network has an output for each; None: any
    item_shape: tuple[int, ...]  # of one item as the network sees it
    read: Callable[[Iterable[str | Path]], np.ndarray] | None  # files -> float32 [item, ...]
    describe: Callable[[Iterable[str]], np.ndarray] | None = None  # texts -> float32 [class, word]
    picture: str = ""  # a chapter's own, see ``configuration.Model``

    def on(self, data: str) -> "Loaded":
        """The same model, with the folder of data where it lies on this machine.

        Raises:
            ZooError: it is missing for a model that was trained on a folder of the user's own, or
                given for another.
        """
        trained_on = getattr(self.config, "data", "")
        own = trained_on.endswith("/")
        if own and not data:
            raise ZooError(
                f"{self.name} was trained on a folder {trained_on}; give it with --data."
            )
        if data and not own:
            raise ZooError(
                f"{self.name} is tested on {trained_on or self.card['data']['name']}; --data is "
                "for models trained on a folder of your own."
            )
        if not own:
            return self
        if not Path(data).is_dir():
            raise ZooError(f"--data {data} is no folder; give the folder of class folders.")
        trained = {name for names in self.card.get("classes", {}).values() for name in names}
        others = sorted(trained ^ set(class_files(data, self.kind.files))) if trained else []
        if others:
            raise ZooError(
                f"{data} has other classes than {self.name} was trained with ({others[0]}, ...): "
                "its test classes would be others too, and the model may know them. Give the "
                "folder as it was."
            )
        # Absolute, so that it is never taken for a known set of the same name.
        config = dataclasses.replace(self.config, data=str(Path(data).resolve()))
        return self._replace(config=config)

    def draw(self, width: float):
        """A figure of what it does, at most ``width`` inches wide; None where there is none."""
        if self.picture:
            return function(self.picture)(self.learner, self.config, width)
        return self.kind.picture(self, width)


def function(path: str) -> Callable:
    """``"module:function"`` as a chapter declares it."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)

"""From a name to a learner with its published weights."""

import importlib
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo import catalogue, store
from zoo.errors import ZooError


class Loaded(NamedTuple):
    """A model of the zoo, ready to use.

    ``learner`` is a Keras model, {"support_x", "support_y", "query_x"} -> logits [task, query, way]
    or, for curves, values [task, query, 1].
    """

    name: str
    learner: Any
    items: str  # "image", "face", "sound", "number", "sequence"
    config: Any  # options of the run that trained it
    card: dict
    way: int | None  # number of classes, when the network has an output for each; None: any
    item_shape: tuple[int, ...]  # of one item as the network sees it
    read: Callable[[Iterable[str | Path]], np.ndarray] | None  # files -> float32 [item, ...]


def load(name: str) -> Loaded:
    """A model of the zoo with its published weights.

    Raises:
        ZooError: unknown name, or weights that are missing or not to be trusted.
    """
    entry = catalogue.find(name)
    folder = entry.folder
    if not entry.published:
        raise ZooError(f"{name} has no weights yet; train it and publish the run.")
    values, card = (
        json.loads((folder / f"{part}.json").read_text()) for part in ("config", "card")
    )
    values.pop("script")
    config = entry.options().config(**values)
    decision = folder / store.DECISION
    decision = json.loads(decision.read_text()) if decision.exists() else None
    learner = _function(entry.model.build)(config, decision)
    learner.load_weights(folder / store.WEIGHTS)
    network = getattr(learner, "network", None)  # adapted by gradient steps: an output per class
    shape = (network or learner.encoder).input_shape[1:]
    labels = network is not None and entry.model.items != "number"
    return Loaded(
        name=name,
        learner=learner,
        items=entry.model.items,
        config=config,
        card=card,
        way=network.output_shape[-1] if labels else None,
        item_shape=tuple(shape),
        read=partial(_read, entry.model.read, config) if entry.model.read else None,
    )


def _read(function: str, config, paths) -> np.ndarray:
    return _function(function)(paths, config)


def _function(path: str) -> Callable:
    """``"module:function"`` of a chapter's declaration."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)

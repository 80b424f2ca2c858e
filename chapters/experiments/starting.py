"""Going on from a trained network: ``--init``.

A few classes of one's own are soon learned by heart. A network that knows many other classes has
already learned what classes of such things have in common.
"""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

from chapters.engine.errors import ConfigError
from chapters.experiments.folders import tell_of_changes
from datasets.errors import tell

PUBLISHED = Path(__file__).parents[2] / "zoo" / "weights"
WEIGHTS, CONFIG = "model.weights.h5", "config.json"
SLOWER = 0.1  # of the usual rate: at that, a few classes make a network forget the others
FEW = 20  # classes below which a network that begins at random is no match for one that does not


def folder_of(init: str) -> Path:
    """Folder of a published model, or of a finished run.

    Raises:
        ConfigError: it is neither.
    """
    for folder in (PUBLISHED / init, Path(init)):
        if all((folder / name).is_file() for name in (WEIGHTS, CONFIG)):
            return folder
    raise ConfigError(
        f"--init {init!r} is neither a model of the zoo (python -m zoo list) nor the folder of a "
        "finished run."
    )


def options_of(init: str) -> dict:
    """Name -> value of the options that a network was trained with.

    Raises:
        ConfigError: no such network.
    """
    return json.loads((folder_of(init) / CONFIG).read_text(encoding="utf-8"))


def fitted(config, shared: Iterable[str], **changes):
    """The options with what a network shares with the one that it goes on from, and a rate at which
    that is not forgotten.

    Args:
        config: options of the run.
        shared: names of options that weights, or what they are shown, depend on.
        **changes: other options that the network gone on from decides.

    Raises:
        ConfigError: no such network.
    """
    known = options_of(config.init)
    changes |= {name: known[name] for name in shared if name in known and hasattr(config, name)}
    if config.learning_rate == type(config).learning_rate:  # nothing else was asked for
        changes["learning_rate"] = SLOWER * config.learning_rate
    found = dataclasses.replace(config, **changes)
    tell_of_changes(config, found, f"goes on from {config.init}")
    return found


def load(learner, config) -> None:
    """Give a learner the weights that it goes on from; nothing without ``--init``.

    Raises:
        ConfigError: they are of another network.
    """
    init = getattr(config, "init", "")
    if not init:
        return
    try:
        learner.load_weights(folder_of(init) / WEIGHTS)
    except (ValueError, KeyError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"--init {init} does not fit this network ({reason}).") from error


def as_it_was(config) -> str:
    """What tables call the network that is gone on from; empty without ``--init``."""
    init = getattr(config, "init", "")
    return f"{init}, as it was" if init else ""


def propose(config, classes: int, name: str) -> None:
    """Say what would do better where classes are few.

    Args:
        config: options of the run.
        classes: to learn from.
        name: of a published network that knows such things.
    """
    if classes >= FEW or config.init:
        return
    tell(
        f"{config.data} has {classes} classes to learn from, which a network soon knows by heart: "
        f"--init {name} goes on from one that knows hundreds, and python -m zoo choose "
        f"{config.data} tries all of them without any training."
    )

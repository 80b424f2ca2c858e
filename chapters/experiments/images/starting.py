"""Going on from a trained network: ``--init``.

A few classes of one's own are soon learned by heart. A network that knows many other classes has
already learned what classes of pictures have in common.
"""

import dataclasses
import json
from pathlib import Path

from chapters.engine.errors import ConfigError
from chapters.experiments.images.own_folder import tell_of_changes
from chapters.experiments.images.sets import SETS
from chapters.experiments.options import FolderOptions
from datasets.errors import tell

PUBLISHED = Path(__file__).parents[3] / "zoo" / "weights"
WEIGHTS, CONFIG = "model.weights.h5", "config.json"
SHAPE = ("image_size", "h_dim", "z_dim", "distance", "fit")  # what weights depend on, or pictures
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


def fitted(config: FolderOptions) -> FolderOptions:
    """The options with the shape of the network that is gone on from, with its pictures, and a
    rate at which it is not forgotten.

    Raises:
        ConfigError: no such network.
    """
    known = json.loads((folder_of(config.init) / CONFIG).read_text(encoding="utf-8"))
    changes = {name: known[name] for name in SHAPE if name in known and hasattr(config, name)}
    if config.data not in SETS:
        source = SETS.get(known.get("data"))
        changes["channels"] = source.channels if source else known.get("channels", 1)
        changes["invert"] = source.ink if source else bool(known.get("invert"))
    if config.learning_rate == FolderOptions.learning_rate:  # nothing else was asked for
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


def propose(config, classes: int) -> None:
    """Say what would do better where classes are few."""
    if classes >= FEW or not isinstance(config, FolderOptions) or config.init:
        return
    name = "prototypical-emoji" if config.channels == 3 else "prototypical-omniglot-1shot"
    tell(
        f"{config.data} has {classes} classes to learn from, which a network soon knows by heart: "
        f"--init {name} goes on from one that knows hundreds, and python -m zoo choose "
        f"{config.data} tries all of them without any training."
    )

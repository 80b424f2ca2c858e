"""From a name to a learner with its published weights."""

import contextlib
import dataclasses
import functools
import tempfile
from pathlib import Path

import keras
import numpy as np

from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from zoo import catalogue, kinds
from zoo.catalogue import Entry
from zoo.errors import ZooError
from zoo.loaded import Loaded, function
from zoo.records import cards, safety, store

DECIDES_BY = {"threshold", "sharpness"}


def load(name: str) -> Loaded:
    """A model of the zoo with its published weights.

    Raises:
        ZooError: unknown name, or files that are missing or not to be trusted.
    """
    entry = catalogue.published(name)
    cards.read(entry.folder)  # refuses a broken one before anything is built
    return from_folder(entry, entry.folder)


def from_folder(entry: Entry, folder: Path) -> Loaded:
    """The same from another folder, such as one that is about to be published."""
    card = safety.read_json(folder / "card.json")
    config = options(entry, folder / "config.json")
    decision = _decision(folder / store.DECISION)
    weights = safety.read_weights(folder / store.WEIGHTS, card.get("sha256", ""))
    with _float32():
        learner = function(entry.model.build)(config)
    _assign(learner, weights, folder)
    if decision:
        learner.use_decision(decision)
    learner.temperature = card.get("calibration", {}).get("temperature", 1.0)
    kind = kinds.find(entry.model.items)
    way, item_shape = kind.sizes(learner)
    read = entry.model.read and functools.partial(_call, entry.model.read, config)
    describe = entry.model.describe and functools.partial(_call, entry.model.describe, config)
    return Loaded(
        name=entry.name,
        learner=learner,
        kind=kind,
        config=config,
        card=card,
        way=way,
        item_shape=item_shape,
        read=read or None,
        describe=describe or None,
        picture=entry.model.picture,
    )


def of_run(entry: Entry, run: Path):
    """The learner of a finished run that is not published.

    Raises:
        ZooError: files that are missing or do not fit each other.
    """
    config = options(entry, run / store.CONFIG)
    weights = safety.read_weights(run / store.WEIGHTS, None)
    with _float32():
        learner = function(entry.model.build)(config)
    _assign(learner, weights, run)
    return learner


@contextlib.contextmanager
def _float32():
    """Keras' settings under which all models were trained, whatever the process is set to."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def options(entry: Entry, path: Path):
    """The options in ``config.json``: known names, values of the right type and in range."""
    values = safety.read_json(path)
    script = values.pop("script", None)
    if script != entry.script:
        raise ZooError(f"{path} is of {script!r}, but {entry.name} was made by {entry.script}.")
    kinds = {field.name: type(field.default) for field in dataclasses.fields(entry.options.config)}
    for option, value in values.items():
        kind = kinds.get(option)  # an unknown name is told below
        if kind and type(value) is not kind and not (kind is float and type(value) is int):
            raise ZooError(f"{path} has {option} = {value!r}; expected {kind.__name__}.")
    try:
        return configuration.build(entry.options, values.get("preset", ""), values)
    except ConfigError as error:
        raise ZooError(f"{path} does not fit {entry.script}: {error}") from error


def _decision(path: Path) -> dict[str, float] | None:
    """What a verification model decides by; None for others, which have no such file."""
    if not path.exists():
        return None
    values = safety.read_json(path)
    numbers = all(type(value) in (int, float) and value > 0 for value in values.values())
    if set(values) != DECIDES_BY or not numbers:
        raise ZooError(
            f"{path} holds {values}; expected positive numbers, {' and '.join(sorted(DECIDES_BY))}."
        )
    return values


def _assign(learner, weights: bytes, folder: Path) -> None:
    """Load what was checked, not what the file may have become since."""
    with tempfile.TemporaryDirectory() as checked:
        path = Path(checked, store.WEIGHTS)
        path.write_bytes(weights)
        try:
            learner.load_weights(path)
        except (ValueError, KeyError, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise ZooError(
                f"{folder / store.WEIGHTS} does not fit the model of config.json ({reason})."
            ) from error


def _call(path: str, config, given) -> np.ndarray:
    """A chapter's function of files or texts."""
    return function(path)(given, config)

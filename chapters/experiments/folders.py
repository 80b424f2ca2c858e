"""A folder of the user's own as a data set: splits, and options that fit its size."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from chapters.engine.configuration import flag_of, suggest
from chapters.engine.errors import ConfigError
from chapters.engine.results import ENOUGH
from chapters.experiments.options import Column, parse_columns
from datasets.dataset import Dataset
from datasets.errors import DataError, tell
from datasets.readers.folder import load_folder

LEAST = 2  # classes of an own folder in each split: a task needs two
FEW = 10  # test classes below which an interval over episodes misleads


def blocks(folder: str) -> int:
    """How many folds there are: blocks of classes to test on that share none."""
    classes = _classes(folder)
    return classes // max(round(_share(classes) * classes), 1)


def has_classes(folder: str) -> bool:
    """Whether there are folders in it, which are classes; otherwise its files are of none."""
    return any(map(_is_class, Path(folder).iterdir()))


def _classes(folder: str) -> int:
    return sum(map(_is_class, Path(folder).iterdir()))


def _is_class(entry: Path) -> bool:
    return entry.is_dir() and entry.name[0] != "."


def _share(classes: int) -> float:
    """Of the classes that validate, and of those that test: a fifth, and at least two."""
    return max(0.2, LEAST / max(classes, 1))


def check(data: str, sets: Iterable[str]) -> None:
    """ConfigError where ``--data`` is neither a folder nor a known set."""
    if data not in sets and not Path(data).is_dir():
        raise ConfigError(
            f"--data {data!r} is neither a folder nor one of {', '.join(sets)}"
            f"{suggest(data, sets)}."
        )


def refuse_with_set(config, flags: dict[str, bool]) -> None:
    """ConfigError for the first flag that is given though the data are no folder."""
    for flag in (flag for flag, given in flags.items() if given):
        raise ConfigError(
            f"{flag} is for a folder and has no effect with --data {config.data}; leave one of "
            "them out."
        )


def load_own(config, kind: str, **options) -> Dataset:
    """A folder of the user's own, its classes split in three.

    Args:
        config: options of the run: ``data``, ``seed`` and ``fold``.
        kind, **options: as for ``load_folder``.

    Raises:
        DataError: too few classes, and whatever ``load_folder`` refuses.
    """
    classes = _classes(config.data)
    share = _share(classes)
    if 0 < classes < 3 * LEAST:
        raise DataError(
            f"{config.data} has {classes} class folder(s); {3 * LEAST} are needed, {LEAST} each to "
            "train on, to validate on and to test on."
        )
    return load_folder(
        config.data,
        kind,
        seed=config.seed,
        fold=config.fold,
        val_fraction=share,
        test_fraction=share,
        **options,
    )


def classes_by_split(data: Dataset) -> dict[str, list[str]]:
    """Split -> names of its classes, which a trained network's card keeps."""
    return {
        split: [data.class_names[k] for k in data.classes(split)]
        for split in ("train", "val", "test")
    }


def fit_options(config, data: Dataset, items: str, **changes):
    """Shrink way, shot and query to what a folder holds; own data is rarely 60 classes of 20.

    Args:
        config: options of the run, with ``columns`` and ``test_query``.
        data: the folder.
        items: what a file is called, such as ``picture(s)``.
        **changes: other options that a folder changes.
    """
    fewest = int(np.bincount(data.item_class).min())
    smallest = len(data.classes("test"))
    columns = [
        Column(min(column.way, smallest), min(column.shot, max(fewest - 1, 1)))
        for column in parse_columns(config.columns)
    ]
    shot = min(config.shot, max(fewest - 1, 1))
    fitted = dataclasses.replace(
        config,
        way=min(config.way, len(data.classes("train"))),
        shot=shot,
        query=max(min(config.query, fewest - shot), 1),
        test_query=max(min(config.test_query, fewest - max(c.shot for c in columns)), 1),
        columns=",".join(dict.fromkeys(map(str, columns))),
        test_episodes=max(config.test_episodes, ENOUGH),
        **changes,
    )
    reason = f"has {fewest} {items} in its smallest class and {smallest} classes to test on"
    tell_of_changes(config, fitted, reason)
    if smallest < FEW:
        tell(
            f"The test is on {smallest} classes of one split. Its interval is over episodes of "
            "these and says nothing of other classes; python -m chapters.over_splits trains and "
            "tests on several splits."
        )
    return fitted


def _change(name: str, before, after) -> str:
    """``--way 20 becomes 6``, ``--rotations becomes --no-rotations``."""
    if isinstance(after, bool):
        flags = [flag_of(name if value else f"no_{name}") for value in (before, after)]
        return " becomes ".join(flags)
    return f"{flag_of(name)} {before} becomes {after}"


def tell_of_changes(config, fitted, reason: str) -> None:
    """Say which options a folder has changed, and why."""
    changes = [
        _change(field.name, getattr(config, field.name), getattr(fitted, field.name))
        for field in dataclasses.fields(config)
        if getattr(config, field.name) != getattr(fitted, field.name)
    ]
    if changes:
        tell(f"{config.data} {reason}: {', '.join(changes)}.")

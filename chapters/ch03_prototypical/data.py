"""Which items and episodes chapter 3 trains, validates and tests on."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np

import datasets
from chapters.ch03_prototypical.presets import TrainConfig
from chapters.engine.configuration import suggest
from chapters.engine.errors import ConfigError
from datasets.dataset import Dataset
from datasets.episodes import Episode, EpisodeSampler
from datasets.errors import DataError
from datasets.folder import load_folder

SETS = ("omniglot", "strokes")
LEAST = 2  # classes of an own folder in each split: a task needs two


class Column(NamedTuple):
    """A test: ``5w1s`` is way 5, shot 1."""

    way: int
    shot: int

    def __str__(self):
        return f"{self.way}w{self.shot}s"


def parse_columns(text: str) -> list[Column]:
    """``5w1s,20w5s`` -> columns; ConfigError names the part that does not fit."""
    columns = []
    for part in text.split(","):
        way, _, shot = part.strip().removesuffix("s").partition("w")
        if not (part.strip().endswith("s") and way.isdigit() and shot.isdigit()):
            raise ConfigError(
                f"--columns has {part.strip()!r}; expected <way>w<shot>s such as 5w1s, with commas "
                "between."
            )
        columns.append(Column(int(way), int(shot)))
    return columns


def load(config: TrainConfig) -> tuple[Dataset, TrainConfig]:
    """The data set, and the options adapted to it when it is a folder of the user's own.

    Raises:
        ConfigError: neither a known set nor a folder.
        DataError: data missing or broken.
    """
    if config.data in SETS:
        options = {"root": config.data_root or None, "offline": config.offline}
        return datasets.load(config.data, size=config.image_size, **options), config
    if not Path(config.data).is_dir():
        raise ConfigError(
            f"--data {config.data!r} is neither a folder nor one of {', '.join(SETS)}"
            f"{suggest(config.data, SETS)}."
        )
    data = _load_folder(config)
    return data, _fit_to_folder(config, data)


def samplers(data: Dataset, config: TrainConfig):
    """Training, validation and test episodes; tests as a dict Column -> sampler.

    Raises:
        DataError: a split has too few classes or items.
    """
    training = EpisodeSampler(
        data, config.train_split, config.way, config.shot, config.query,
        tasks=config.tasks, seed=config.seed, rotations=config.rotations,
    )  # fmt: skip
    shown = {"rotations": config.rotations, "seed": config.seed}
    way = min(20, available(data, "val", config.rotations))
    validation = EpisodeSampler(data, "val", way, 1, config.query, tasks=5, **shown)
    tests = {
        column: EpisodeSampler(
            data, "test", column.way, column.shot, config.test_query, tasks=5, **shown
        )
        for column in parse_columns(config.columns)
    }
    return training, validation, tests


def example(data: Dataset, config: TrainConfig, query: int) -> Episode:
    """One test task of the first column with at most ``query`` queries per class, to draw."""
    way, shot = parse_columns(config.columns)[0]
    query = min(query, config.test_query)
    options = {"seed": config.seed, "rotations": config.rotations}
    return EpisodeSampler(data, "test", way, shot, query, **options).episode(0)


def available(data: Dataset, split: str, rotations: bool) -> int:
    """Classes of a split, turned ones counted."""
    return len(data.classes(split)) * (4 if rotations else 1)


def _load_folder(config: TrainConfig) -> Dataset:
    """A folder of the user's own; a fifth of the classes, and at least two, validate and test."""
    classes = sum(entry.is_dir() and entry.name[0] != "." for entry in Path(config.data).iterdir())
    share = max(0.2, LEAST / max(classes, 1))
    if 0 < classes < 3 * LEAST:
        raise DataError(
            f"{config.data} has {classes} class folder(s); {3 * LEAST} are needed, {LEAST} each to "
            "train on, to validate on and to test on."
        )
    return load_folder(
        config.data,
        kind="image",
        seed=config.seed,
        val_fraction=share,
        test_fraction=share,
        size=(config.image_size, config.image_size),
        channels=config.channels,
        invert=config.invert,
    )


def _fit_to_folder(config: TrainConfig, data: Dataset) -> TrainConfig:
    """Shrink way, shot and query to what a folder holds; own data is rarely 60 classes of 20.

    Pictures are not turned: what stands on its head is rarely another class.
    """
    fewest = int(np.bincount(data.item_class).min())
    shot = min(config.shot, max(fewest - 1, 1))
    smallest = len(data.classes("test"))
    columns = [
        column
        for column in parse_columns(config.columns)
        if column.way <= smallest and column.shot < fewest
    ] or [Column(smallest, 1)]
    return dataclasses.replace(
        config,
        rotations=False,
        way=min(config.way, len(data.classes("train"))),
        shot=shot,
        query=max(min(config.query, fewest - shot), 1),
        test_query=max(min(config.test_query, fewest - max(c.shot for c in columns)), 1),
        columns=",".join(map(str, columns)),
    )

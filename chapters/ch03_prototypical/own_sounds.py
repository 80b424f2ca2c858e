"""A folder of the user's own sounds: classes to learn from, and others that are tested on."""

import dataclasses

import numpy as np

from chapters.ch03_prototypical.presets import SPOKEN_SETS, SpokenConfig
from chapters.experiments import folders, starting
from datasets.dataset import Dataset
from datasets.readers import logmel
from datasets.readers.folder import class_files
from datasets.readers.mfcc import load_audio
from datasets.sets.spoken_digits import Spoken

SHARED = ("h_dim", "z_dim")  # what weights depend on
KNOWN = "prototypical-words"  # knows hundreds of words


def is_own(config: SpokenConfig) -> bool:
    """Whether the data are a folder, and no known set."""
    return config.data not in SPOKEN_SETS


def check(config: SpokenConfig) -> None:
    """Refuse data that are neither a folder nor a known set, and options of a folder with a set.

    Raises:
        ConfigError: they are.
    """
    folders.check(config.data, SPOKEN_SETS)
    if not is_own(config):
        flags = {
            f"--fold {config.fold}": config.fold,
            f"--columns {config.columns}": config.columns != SpokenConfig.columns,
            f"--test-query {config.test_query}": config.test_query != SpokenConfig.test_query,
        }
        folders.refuse_with_set(config, flags)


def fitted(config: SpokenConfig) -> SpokenConfig:
    """The options with the shape of the network that is gone on from, where there is one.

    Raises:
        ConfigError: no such network.
    """
    return starting.fitted(config, SHARED) if config.init else config


def seen(data: Dataset, config: SpokenConfig) -> dict:
    """What ``metrics.json`` keeps of a folder: which class was in which split."""
    return {"classes": folders.classes_by_split(data)} if is_own(config) else {}


def load(config: SpokenConfig) -> tuple[Dataset, SpokenConfig]:
    """The folder, its classes split in three, and options that fit it.

    Raises:
        DataError: too few classes or sounds, or a sound that cannot be read.
    """
    data = folders.load_own(config, "sound", read=logmel.read_stored)
    starting.propose(config, len(data.classes("train")), KNOWN)
    return data, folders.fit_options(config, data, "sound(s)")


def tested(data: Dataset, config: SpokenConfig) -> Spoken:
    """The classes of the split ``test`` with their sounds; who makes them is not known."""
    classes = data.classes("test")
    groups = [data.items_of(k) for k in classes]
    names = tuple(data.class_names[k] for k in classes)
    files = class_files(config.data, "sound")
    paths = [path for name in names for path in files[name]]
    part = dataclasses.replace(
        data,
        items=data.items[np.concatenate(groups)],
        item_class=np.repeat(np.arange(len(names), dtype=np.int32), list(map(len, groups))),
        class_names=names,
        splits={"all": np.arange(len(names))},
    )
    sounds = [load_audio(path, logmel.RATE) for path in paths]
    return Spoken(part, np.full(len(paths), "anybody"), sounds)

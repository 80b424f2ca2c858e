"""Two sets for one training: few-shot tasks, and pictures with labels of their own from elsewhere.

Characters of training are halved by alphabet: one half makes tasks, of the other half the labels
are concepts. Emoji and digits come from further away.
"""

import dataclasses

import numpy as np

import datasets
from chapters.engine.errors import ConfigError
from chapters.experiments import images
from chapters.experiments.folders import tell_of_changes
from chapters.experiments.options import ImageOptions
from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.sets.emoji import TABLE, read_table
from datasets.tasks.episodes import EpisodeSampler
from datasets.tasks.minibatches import Minibatches

CONCEPTS = "external"  # name of a split
GREY = np.array([0.299, 0.587, 0.114])  # shares of red, green and blue in brightness
WORDS = {
    "alphabets": "characters of other alphabets",
    "emoji": "emoji, a concept each",
    "subgroups": "emoji, their subgroups as concepts",
    "digits": "handwritten digits",
}


class WithConcepts:
    """Draws tasks and external pictures: index -> ((inputs, query_y), (x, y)).

    Args:
        episodes: sampler of tasks.
        pictures: sampler of external pictures.
    """

    def __init__(self, episodes: EpisodeSampler, pictures: Minibatches):
        self.episodes, self.pictures = episodes, pictures
        self.tasks, self.seed = episodes.tasks, episodes.seed

    def __call__(self, index):
        """Batch number ``index``."""
        return self.episodes(index), self.pictures(index)


def load(config) -> tuple[Dataset, Dataset, ImageOptions]:
    """The set of the tasks, the external set with its split ``external``, and fitting options.

    Raises:
        ConfigError, DataError: options or data that do not fit.
    """
    data, config = images.load(config)
    if config.external == "alphabets":
        own, other = halves(data, config.seed)
        data = dataclasses.replace(data, splits={**data.splits, "train": own, CONCEPTS: other})
        external = data
    else:
        if not images.is_ink(config) or images.item_shape(config)[2] != 1:
            raise ConfigError(
                f"--external {config.external} becomes grey ink, which suits characters; "
                f"{config.data} has other pictures. Take --external alphabets, half of its own "
                "classes."
            )
        external = _foreign(config)
    _check_apart(data, external)
    return data, external, config if config.data in images.SETS else _fit_ways(data, config)


def _fit_ways(data: Dataset, config):
    """Ways that a folder has classes for; a head that has outputs has one way for all."""
    way, columns = min(config.way, len(data.classes("train"))), config.columns
    if config.head != "prototypical":
        way = min(way, *(len(data.classes(split)) for split in ("val", "test")))
        columns = f"{way}w{config.shot}s"
    fitted = dataclasses.replace(config, way=way, columns=columns)
    tell_of_changes(config, fitted, "gives classes to tasks and to concepts, none to both")
    return fitted


def halves(data: Dataset, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training classes in two halves that share no alphabet; of classes without, no class."""
    classes = data.classes("train")
    alphabet = np.array([data.class_names[k].split("/")[0] for k in classes])
    names = np.unique(alphabet)
    if len(names) < 4:
        raise DataError(
            f"{data.name} has {len(classes)} classes to train on, too few for two halves; four are "
            "needed."
        )
    chosen = np.random.RandomState(seed).permutation(names)[: len(names) // 2]
    own = np.isin(alphabet, chosen)
    return classes[own], classes[~own]


def pictures(external: Dataset, config) -> Minibatches:
    """Minibatches of the external set."""
    turned = config.rotations and config.external == "alphabets"
    return Minibatches(external, CONCEPTS, config.batch, config.seed, rotations=turned)


def _foreign(config) -> Dataset:
    """Emoji or digits, as the network sees characters: grey, ink bright."""
    name = "digits" if config.external == "digits" else _emoji(config)
    options = {"root": config.data_root or None, "offline": config.offline}
    data = datasets.load(name, size=config.image_size, **options)
    if name == "digits":
        return dataclasses.replace(data, splits={CONCEPTS: data.classes("all")})
    ink = 255 - np.rint(data.items @ GREY).astype(np.uint8)  # [item, height, width]
    data = dataclasses.replace(data, items=ink, splits={CONCEPTS: data.classes("all")})
    return _by_subgroup(data) if config.external == "subgroups" else data


def _emoji(config) -> str:
    """The signs, or generated ones beside generated characters."""
    if config.data == "omniglot":
        return "emoji"
    if config.external == "subgroups":
        raise ConfigError(
            "--external subgroups are of emoji, and generated signs have none; take --external "
            "emoji with --data strokes."
        )
    return "painted_signs"


def _by_subgroup(data: Dataset) -> Dataset:
    """The same pictures, a class for every subgroup of signs."""
    subgroup = np.array([sign.subgroup for sign in read_table(TABLE)])
    names, number = np.unique(subgroup, return_inverse=True)
    label = number[data.item_class]
    order = np.argsort(label, kind="stable")
    return Dataset(
        name="emoji by subgroup",
        items=data.items[order],
        item_class=label[order].astype(np.int32),
        class_names=tuple(names),
        splits={CONCEPTS: np.arange(len(names))},
        source=data.source,
    )


def _check_apart(data: Dataset, external: Dataset) -> None:
    """External classes must be no classes of the test: they would not be new."""
    if external is data:
        shared = np.intersect1d(external.classes(CONCEPTS), data.classes("test"))
        if len(shared):
            raise DataError(f"{len(shared)} classes are in the external set and in the test.")

"""Tasks of classes that are known by words alone: data, unseen classes, samplers."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

import datasets
from chapters.experiments.images import read_pictures
from chapters.experiments.options import ZeroShotOptions, numbers
from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.sets import braille, emoji
from datasets.splits import random_split
from datasets.tasks.augmentation import Augmented
from datasets.tasks.descriptions import DescribedSampler, Descriptions

FEW = ("digits", "braille")  # sets of few classes, which are split several times
INK = FEW
VALIDATION_WAY = 20


class Split(NamedTuple):
    """Classes to learn from and classes that nothing is learned of, with their descriptions."""

    data: Dataset  # splits ``train``, ``test``, and ``val`` where there are enough
    described: np.ndarray  # [class, word]
    number: int


def load(config: ZeroShotOptions) -> Dataset:
    """The data set of the options.

    Raises:
        DataError: it cannot be found or fetched.
    """
    options = {"root": config.data_root or None, "offline": config.offline}
    if config.data not in FEW:
        options["black"] = config.black
    return datasets.load(config.data, size=config.image_size, **options)


def splits(config: ZeroShotOptions) -> int:
    """How often unseen classes are drawn; sets of many classes have a split of their own."""
    return config.splits if config.data in FEW else 1


def split(data: Dataset, config: ZeroShotOptions, number: int) -> Split:
    """Unseen classes number ``number``: other ones for every number, drawn by the seed."""
    if config.data in FEW:
        drawn = _drawn(config, len(data.class_names), number)
        data = dataclasses.replace(data, splits=drawn)
    return Split(data, descriptions(data)(data.words), number)


def _drawn(config: ZeroShotOptions, classes: int, number: int) -> dict[str, np.ndarray]:
    return random_split(classes, {"test": config.unseen}, config.seed + number)


def descriptions(data: Dataset) -> Descriptions:
    """What turns words into vectors, made of the words of the seen classes."""
    return Descriptions([data.words[k] for k in data.classes("train")], _least(data.name))


def _least(name: str) -> int:
    """Seen classes that a word must describe: the name of a digit says nothing of others."""
    return 2 if name in FEW else 1


def item_shape(config: ZeroShotOptions) -> tuple[int, int, int]:
    """Height, width and channels of a picture."""
    return config.image_size, config.image_size, 1 if config.data in INK else 3


def samplers(drawn: Split, config: ZeroShotOptions):
    """Training tasks, and those of validation: None without classes for it."""
    data, described = drawn.data, drawn.described
    way = min(config.way, len(data.classes("train")))
    training = DescribedSampler(
        data, "train", described, way, config.query, config.tasks, config.seed
    )
    if config.augment:
        training = Augmented(training, ground=0.0 if config.data in INK else 1.0)
    validation = None
    if "val" in data.splits:
        way = min(VALIDATION_WAY, len(data.classes("val")))
        validation = DescribedSampler(data, "val", described, way, config.query, 5, config.seed)
    return training, validation


def unseen_tasks(data: Dataset, described: np.ndarray, config: ZeroShotOptions) -> dict:
    """Way -> tasks of unseen classes, the same ones for every form of description."""
    return {
        way: DescribedSampler(data, "test", described, way, config.test_query, 5, config.seed)
        for way in ways(data, config)
    }


def describe(draws: list[Split], config: ZeroShotOptions) -> str:
    """What is trained on what, before it starts."""
    data, described, _ = draws[0]
    kind = "generated stand-in" if data.generated else data.source
    sizes = ", ".join(
        f"{name} {len(data.classes(name))}" for name in ("train", "val", "test")
        if name in data.splits
    )  # fmt: skip
    drawn = f"; the unseen ones are drawn {len(draws)} times" if len(draws) > 1 else ""
    return (
        f"Data: {data.name} ({kind}); classes: {sizes}{drawn}; {described.shape[1]} words describe "
        f"seen ones.\nTraining: {config.feature_steps} steps for image features, then "
        f"{config.steps} of descriptions and images, {config.query} pictures of each class."
    )


def example(drawn: Split) -> dict:
    """One task of unseen classes without its task axis, for an exported model."""
    way = min(5, len(drawn.data.classes("test")))
    inputs, _ = DescribedSampler(drawn.data, "test", drawn.described, way, query=2)(0)
    return {name: x[0] for name, x in inputs.items()}


def known_words(config: ZeroShotOptions) -> Descriptions:
    """What turns words into vectors for a trained network: of its first draw, without pictures."""
    if config.data == "emoji":  # the table is part of the project, the pictures are not
        signs = emoji.read_table(emoji.TABLE)
        seen = [emoji.words(sign) for sign in signs if sign.split == "train"]
        return Descriptions(seen)
    if config.data == "braille":
        seen = _drawn(config, len(braille.WORDS), 0)["train"]
        return Descriptions([braille.WORDS[k] for k in seen], _least(config.data))
    return descriptions(split(load(config), config, 0).data)


def ways(data: Dataset, config: ZeroShotOptions) -> list[int]:
    """Ways of the episodes of a test, as far as there are as many unseen classes."""
    unseen = len(data.classes("test"))
    return [way for way in numbers(config.ways, "--ways", least=2) if way < unseen]


def read(paths: Iterable[str | Path], config: ZeroShotOptions) -> np.ndarray:
    """Picture files as the network sees them: float32 [item, height, width, channel], 0 to 1.

    Raises:
        DataError: a file is missing or broken.
    """
    return read_pictures(paths, item_shape(config), config.data in INK)


def embed_words(texts: Iterable[str], config: ZeroShotOptions) -> np.ndarray:
    """Descriptions that somebody typed as a trained network sees them: float32 [class, word].

    Raises:
        DataError: no word of a description is known.
    """
    texts = list(texts)
    described = known_words(config)([(text,) for text in texts])
    for text, vector in zip(texts, described, strict=True):
        if not vector.any():
            raise DataError(
                f"No word of {text[:60]!r} describes a class that was learned from; use other "
                "words."
            )
    return described

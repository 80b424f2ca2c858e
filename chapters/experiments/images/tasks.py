"""Few-shot tasks of images: data sets, samplers, and what a network sees of a picture."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import datasets
from chapters.engine.evaluation import Conditions
from chapters.experiments import folders
from chapters.experiments.folders import tell_of_changes
from chapters.experiments.images.own_folder import (
    fit_options,
    fit_start,
    load_own,
    propose_start,
)
from chapters.experiments.images.sets import SETS, is_ink
from chapters.experiments.options import ITEMS, Column, ImageOptions, parse_columns
from datasets.dataset import Dataset
from datasets.readers.folder import read_image
from datasets.tasks.augmentation import Augmented
from datasets.tasks.episodes import Episode, EpisodeSampler, to_float

WITH_BLACK = ("emoji", "painted_signs")
# Classes to learn from -> classes of the test. The publisher's sets share no alphabet.
TEST_SPLIT = {"train": "test", "trainval": "test", "background": "evaluation"}


def load(config: ImageOptions) -> tuple[Dataset, ImageOptions]:
    """The data set, and the options adapted to it when it is a folder of the user's own.

    Raises:
        ConfigError: neither a known set nor a folder, or options of a folder with a known set.
        DataError: data missing or broken.
    """
    if getattr(config, "init", ""):
        config = fit_start(config)
    folders.check(config.data, SETS)
    if config.data in SETS:
        _check_no_folder(config)
        options = {"root": config.data_root or None, "offline": config.offline}
        if config.data in WITH_BLACK:
            options["black"] = config.black
        data = datasets.load(config.data, size=config.image_size, **options)
        return data, _fit_to_set(config)
    data = load_own(config)
    propose_start(config, len(data.classes("train")))
    return data, fit_options(config, data)


def samplers(data: Dataset, config: ImageOptions, validation_way: int, tasks: int = 1):
    """Training, validation and test episodes; tests as a dict Column -> sampler.

    Args:
        data: the data set.
        config: options of the run.
        validation_way: classes of a validation episode, fewer when there are not as many.
        tasks: tasks of a batch at validation and test; changes speed only.

    Raises:
        DataError: a split has too few classes or items.
    """
    enlarge = getattr(config, "enlarge", "none")
    training = EpisodeSampler(
        data, config.train_split, config.way, config.shot, config.query,
        tasks=config.tasks, seed=config.seed, rotations=config.rotations or enlarge == "any",
    )  # fmt: skip
    if config.augment or enlarge != "none":
        ground, colours = 0.0 if is_ink(config) else 1.0, data.image_shape[-1] == 3
        training = Augmented(training, ground, recolour=enlarge != "none" and colours)
    shown = {"rotations": config.rotations, "seed": config.seed, "tasks": tasks}
    way = min(validation_way, available(data, "val", config.rotations))
    columns = test_columns(config)
    validation = EpisodeSampler(data, "val", way, columns[0].shot, config.query, **shown)
    tests = {column: test_sampler(data, config, column, tasks) for column in columns}
    return training, validation, tests


def test_columns(config: ImageOptions) -> list[Column]:
    """The tests of a run: the columns asked for, of each part of data that have parts."""
    parts = SETS[config.data].parts if config.data in SETS else ()
    columns = parse_columns(config.columns)
    return [column._replace(part=part) for part in parts or ("",) for column in columns]


def test_split(config: ImageOptions, column: Column) -> str:
    """Name of the split that a column is drawn from."""
    split = TEST_SPLIT[config.train_split]
    return f"{column.part}/{split}" if column.part else split


def test_turned(config: ImageOptions, column: Column) -> bool:
    """Whether turned classes count in a column: of a part as where it is the only set."""
    return SETS[column.part].turned if column.part else config.rotations


def test_sampler(
    data: Dataset, config: ImageOptions, column: Column, tasks: int = 1
) -> EpisodeSampler:
    """Test episodes of one column; arguments as for ``samplers``.

    Where classes differ in size, those too small for the shot and one query are left out.
    """
    query = queries(data, config, column)
    if not even(config):
        data = data.with_least(column.shot + query)
    return EpisodeSampler(
        data, test_split(config, column), column.way, column.shot, query,
        tasks=tasks, seed=config.seed, rotations=test_turned(config, column),
    )  # fmt: skip


def queries(data: Dataset, config: ImageOptions, column: Column) -> int:
    """Queries per class of a test: as many as its smallest class has beside the shot."""
    if even(config):
        return config.test_query
    classes = data.with_least(column.shot + 1).classes(test_split(config, column))
    counts = np.bincount(data.item_class)[classes]
    return min(config.test_query, int(counts.min(initial=ITEMS)) - column.shot)


def even(config: ImageOptions) -> bool:
    """Whether classes are of one size; options of a folder fit its smallest class already."""
    return config.data not in SETS or SETS[config.data].even


def under_conditions(
    config: ImageOptions, given: Conditions
) -> tuple[Dataset, ImageOptions, Column]:
    """Data, options and the one column of a test that is asked for."""
    data, config = load(config)  # with the seed of the training, which split an own folder
    usual = parse_columns(config.columns)[0]
    column = Column(given.way or usual.way, given.shot or usual.shot)
    query = given.query or config.test_query
    return data, dataclasses.replace(config, seed=given.seed, test_query=query), column


def example(data: Dataset, config: ImageOptions, query: int) -> Episode:
    """One test task of the first column with at most ``query`` queries per class, to draw."""
    shown = dataclasses.replace(config, test_query=min(query, config.test_query))
    return test_sampler(data, shown, parse_columns(config.columns)[0]).episode(0)


def item_shape(config: ImageOptions) -> tuple[int, int, int]:
    """Height, width and channels of a picture as the network sees it."""
    channels = SETS[config.data].channels if config.data in SETS else config.channels
    return config.image_size, config.image_size, channels


def read(paths: Iterable[str | Path], config: ImageOptions) -> np.ndarray:
    """Picture files as the network sees them: float32 [item, height, width, channel], 0 to 1.

    Ink is bright where the network was trained on characters.

    Raises:
        DataError: a file is missing or broken.
    """
    fit = getattr(config, "fit", "auto")
    return read_pictures(paths, item_shape(config), is_ink(config), fit)


def read_pictures(
    paths: Iterable[str | Path], shape: tuple[int, int, int], ink: bool, fit: str = "auto"
) -> np.ndarray:
    """Picture files in the shape of a network: float32 [item, height, width, channel], 0 to 1.

    Args:
        paths: files.
        shape: height, width and channels.
        ink: dark strokes on white become bright.
        fit: a key of ``datasets.readers.folder.FITS``.

    Raises:
        DataError: a file is missing or broken.
    """
    height, width, channels = shape
    pictures = [read_image(path, (height, width), channels, ink, fit) for path in paths]
    return to_float(np.reshape(pictures, [-1, *shape])).numpy()


def class_names(data: Dataset, config: ImageOptions, task: Episode) -> list[str]:
    """Names of the classes of the first task; numbers for characters, which have none."""
    ids = task.class_ids[0].numpy()
    if config.data in SETS and SETS[config.data].turned:
        return [f"class {k}" for k in range(len(ids))]
    return [data.class_names[k] for k in ids]


def available(data: Dataset, split: str, rotations: bool) -> int:
    """Classes of a split, turned ones counted."""
    return len(data.classes(split)) * (4 if rotations else 1)


def describe(data: Dataset, config: ImageOptions) -> str:
    """What is trained on what, before it starts."""
    return (
        f"{describe_data(data, config)}\n"
        f"Training: {config.steps} steps of {config.tasks} episode(s), {config.way}-way "
        f"{config.shot}-shot, {config.query} queries per class."
    )


def describe_data(data: Dataset, config: ImageOptions) -> str:
    """Which classes there are to train, to validate and to test on."""
    kind = "generated stand-in" if data.generated else data.source
    sizes = ", ".join(
        f"{split} {available(data, split, config.rotations)}"
        for split in (config.train_split, "val", TEST_SPLIT[config.train_split])
    )
    turned = " (each in four rotations)" if config.rotations else ""
    return f"Data: {data.name} ({kind}); classes{turned}: {sizes}."


def _fit_to_set(config: ImageOptions) -> ImageOptions:
    """Options that suit a known set: what has an upright is not turned."""
    turned = config.rotations and SETS[config.data].turned
    fitted = dataclasses.replace(config, rotations=turned)
    tell_of_changes(config, fitted, "has pictures whose turned copies are no other classes")
    return fitted


def _check_no_folder(config: ImageOptions) -> None:
    """Refuse what only the pictures of a folder can be read as."""
    flags = {
        f"--channels {config.channels}": config.channels != 1,
        "--invert": config.invert,
        f"--fit {config.fit}": config.fit != "auto",
        f"--fold {config.fold}": config.fold,
    }
    folders.refuse_with_set(config, flags)

"""Few-shot classification of images: data, episodes, tests, tables.

The protocol is the same for every chapter: classes are split first, tasks are drawn from one split
each, validation classes choose the weights, test classes are looked at once.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import datasets
from chapters.engine.configuration import flag_of, suggest
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Asked, Evaluator, Score
from chapters.experiments.options import Column, ImageOptions, parse_columns
from datasets.dataset import Dataset
from datasets.errors import DataError, tell
from datasets.readers.folder import load_folder, read_image
from datasets.tasks.episodes import Episode, EpisodeSampler, to_float

SETS = ("omniglot", "strokes")
# Classes to learn from -> classes of the test. The publisher's sets share no alphabet.
TEST_SPLIT = {"train": "test", "trainval": "test", "background": "evaluation"}
LEAST = 2  # classes of an own folder in each split: a task needs two
EPISODES = 600  # of the test on an own folder, at least: its pictures are few
FEW = 10  # test classes below which an interval over episodes misleads
REGIME = {
    "stored": "batch norm with stored averages",
    "support": "batch norm with the support set's statistics: honest",
    "transductive": "batch norm with the queries' own statistics: transductive",
}


def load(config: ImageOptions) -> tuple[Dataset, ImageOptions]:
    """The data set, and the options adapted to it when it is a folder of the user's own.

    Raises:
        ConfigError: neither a known set nor a folder, or options of a folder with a known set.
        DataError: data missing or broken.
    """
    if config.data in SETS:
        _check_no_folder(config)
        options = {"root": config.data_root or None, "offline": config.offline}
        return datasets.load(config.data, size=config.image_size, **options), config
    if not Path(config.data).is_dir():
        raise ConfigError(
            f"--data {config.data!r} is neither a folder nor one of {', '.join(SETS)}"
            f"{suggest(config.data, SETS)}."
        )
    data = _load_folder(config)
    return data, _fit_to_folder(config, data)


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
    training = EpisodeSampler(
        data, config.train_split, config.way, config.shot, config.query,
        tasks=config.tasks, seed=config.seed, rotations=config.rotations,
    )  # fmt: skip
    shown = {"rotations": config.rotations, "seed": config.seed, "tasks": tasks}
    way = min(validation_way, available(data, "val", config.rotations))
    columns = parse_columns(config.columns)
    validation = EpisodeSampler(data, "val", way, columns[0].shot, config.query, **shown)
    tests = {column: test_sampler(data, config, column, tasks) for column in columns}
    return training, validation, tests


def test_sampler(
    data: Dataset, config: ImageOptions, column: Column, tasks: int = 1
) -> EpisodeSampler:
    """Test episodes of one column; arguments as for ``samplers``."""
    return EpisodeSampler(
        data, TEST_SPLIT[config.train_split], column.way, column.shot, config.test_query,
        tasks=tasks, seed=config.seed, rotations=config.rotations,
    )  # fmt: skip


def evaluate(learner, config: ImageOptions, asked: Asked) -> list[dict]:
    """Rows of a metric learner's test, as asked: without questions as in its training script.

    Raises:
        ConfigError, DataError: what is asked does not fit the learner or the data.
    """
    asked.check("it has seen nothing but stored averages", batch_norm=("stored", "transductive"))
    data, config, column = as_asked(config, asked)
    items = column.way * (column.shot + config.test_query)
    # As in training scripts, unless that would take much memory.
    sampler = test_sampler(data, config, column, tasks=5 if items <= 400 else 1)
    score = Evaluator(learner, sampler, asked.episodes, asked.batch_norm or "stored")()
    return rows({"": {column: score}}, {}, data, config)


def as_asked(config: ImageOptions, asked: Asked) -> tuple[Dataset, ImageOptions, Column]:
    """Data, options and the one column of a test that is asked for."""
    data, config = load(config)  # with the seed of the training, which split an own folder
    usual = parse_columns(config.columns)[0]
    column = Column(asked.way or usual.way, asked.shot or usual.shot)
    query = asked.query or config.test_query
    return data, dataclasses.replace(config, seed=asked.seed, test_query=query), column


def example(data: Dataset, config: ImageOptions, query: int) -> Episode:
    """One test task of the first column with at most ``query`` queries per class, to draw."""
    way, shot = parse_columns(config.columns)[0]
    query = min(query, config.test_query)
    options = {"seed": config.seed, "rotations": config.rotations}
    split = TEST_SPLIT[config.train_split]
    return EpisodeSampler(data, split, way, shot, query, **options).episode(0)


def item_shape(config: ImageOptions) -> tuple[int, int, int]:
    """Height, width and channels of a picture as the network sees it."""
    channels = 1 if config.data in SETS else config.channels
    return config.image_size, config.image_size, channels


def read(paths: Iterable[str | Path], config: ImageOptions) -> np.ndarray:
    """Picture files as the network sees them: float32 [item, height, width, channel], 0 to 1.

    Ink is bright where the network was trained on characters.

    Raises:
        DataError: a file is missing or broken.
    """
    height, width, channels = item_shape(config)
    pictures = [read_image(path, (height, width), channels, is_ink(config)) for path in paths]
    return to_float(np.reshape(pictures, [-1, height, width, channels])).numpy()


def is_ink(config) -> bool:
    """Whether bright is ink: dark strokes on white were inverted when they were read."""
    return config.data in SETS or bool(getattr(config, "invert", False))


def class_names(data: Dataset, config: ImageOptions, task: Episode) -> list[str]:
    """Names of the classes of the first task: of the folders, and numbers for known sets."""
    ids = task.class_ids[0].numpy()
    if config.data in SETS:
        return [f"class {k}" for k in range(len(ids))]
    return [data.class_names[k] for k in ids]  # an own folder is not turned


def curve_names(config: ImageOptions, validation: Column | EpisodeSampler) -> dict[str, str]:
    """What the two lines of a learning curve are measured on: 20-way is harder than 5-way."""
    return {
        "training": f"training, {_size(config)}",
        "held_out": f"validation, unseen classes, {_size(validation)}",
    }


def progress_names(config: ImageOptions, validation: Column | EpisodeSampler) -> dict[str, str]:
    """Metric -> how a line of progress calls it."""
    return {
        "accuracy": f"accuracy {_size(config)}",
        "val_accuracy": f"val_accuracy {_size(validation)}",
    }


def _size(task: ImageOptions | Column | EpisodeSampler) -> str:
    return f"{task.way}-way {task.shot}-shot"


def available(data: Dataset, split: str, rotations: bool) -> int:
    """Classes of a split, turned ones counted."""
    return len(data.classes(split)) * (4 if rotations else 1)


def describe(data: Dataset, config: ImageOptions) -> str:
    """What is trained on what, before it starts."""
    kind = "generated stand-in" if data.generated else data.source
    sizes = ", ".join(
        f"{split} {available(data, split, config.rotations)}"
        for split in (config.train_split, "val", TEST_SPLIT[config.train_split])
    )
    turned = " (each in four rotations)" if config.rotations else ""
    return (
        f"Data: {data.name} ({kind}); classes{turned}: {sizes}.\n"
        f"Training: {config.steps} steps of {config.tasks} episode(s), {config.way}-way "
        f"{config.shot}-shot, {config.query} queries per class."
    )


Scores = dict[str, dict[Column, Score]]


def table(scores: Scores, published: dict[str, dict], data: Dataset, config: ImageOptions) -> str:
    """The results of one batch-norm regime as text, accuracy in % with 95 % intervals.

    Args:
        scores: name -> column -> Score.
        published: name of a paper -> column as text -> its figure in %.
        data: what they were measured on.
        config: options of the run.
    """
    columns = list(next(iter(scores.values())))
    regime = next(iter(next(iter(scores.values())).values())).batch_norm
    classes = available(data, TEST_SPLIT[config.train_split], config.rotations)
    width = max(map(len, [*scores, *published])) + 2
    head = "".join(f"{column.way}-way {column.shot}-shot".rjust(17) for column in columns)
    lines = [
        f"\nAccuracy in % on {classes} classes never seen "
        f"({data.name}{', generated stand-in' if data.generated else ''}), "
        f"{config.test_episodes} episodes, {config.test_query} queries per class,\n"
        f"95 % interval, {REGIME[regime]}:\n",
        " " * width + head,
    ]
    for name, by_column in scores.items():
        cells = [f"{100 * s.mean:.2f} +- {100 * s.interval:.2f}" for s in by_column.values()]
        lines.append(name.ljust(width) + "".join(cell.rjust(17) for cell in cells))
    for paper, figures in published.items():
        cells = [str(figures.get(str(column), "-")) for column in columns]
        lines.append(paper.ljust(width) + "".join(cell.rjust(17) for cell in cells))
    return "\n".join(lines) + "\n"


def rows(scores: Scores, published: dict[str, dict], data: Dataset, config: ImageOptions) -> list:
    """Rows of ``metrics.json``: every score with the conditions under which it was measured.

    Args:
        scores: name -> column -> Score.
        published: name of a method -> column as text -> the paper's figure in %, where it measured
            the same thing.
        data: what they were measured on.
        config: options of the run.
    """
    return [
        {
            "method": name,
            "data": data.name,
            "generated": data.generated,
            "split": TEST_SPLIT[config.train_split],
            "measure": "accuracy",
            "way": column.way,
            "shot": column.shot,
            "query": config.test_query,
            "mean": score.mean,
            "interval": score.interval,
            "episodes": score.episodes,
            "seed": score.seed,
            "batch_norm": score.batch_norm,
            "published": published.get(name, {}).get(str(column)),
        }
        for name, by_column in scores.items()
        for column, score in by_column.items()
    ]


def _check_no_folder(config: ImageOptions) -> None:
    """Refuse what only the pictures of a folder can be read as."""
    for flag, given in ((f"--channels {config.channels}", config.channels != 1),
                        ("--invert", config.invert)):  # fmt: skip
        if given:
            raise ConfigError(
                f"{flag} is for a folder and has no effect with --data {config.data}; leave one of "
                "them away."
            )


def _load_folder(config: ImageOptions) -> Dataset:
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


def _fit_to_folder(config: ImageOptions, data: Dataset) -> ImageOptions:
    """Shrink way, shot and query to what a folder holds; own data is rarely 60 classes of 20.

    Pictures are not turned: what stands on its head is rarely another class.
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
        rotations=False,
        way=min(config.way, len(data.classes("train"))),
        shot=shot,
        query=max(min(config.query, fewest - shot), 1),
        test_query=max(min(config.test_query, fewest - max(c.shot for c in columns)), 1),
        columns=",".join(dict.fromkeys(map(str, columns))),
        test_episodes=max(config.test_episodes, EPISODES),
    )
    _tell_of_changes(config, fitted, fewest, smallest)
    return fitted


def _tell_of_changes(config: ImageOptions, fitted: ImageOptions, fewest: int, classes: int) -> None:
    """What the folder made of the options, and what its test cannot tell."""
    changes = [
        f"{flag_of(field.name)} {getattr(config, field.name)} becomes {getattr(fitted, field.name)}"
        for field in dataclasses.fields(config)
        if getattr(config, field.name) != getattr(fitted, field.name)
    ]
    if changes:
        tell(
            f"{config.data} has {fewest} picture(s) in its smallest class and {classes} classes to "
            f"test on: {', '.join(changes)}."
        )
    if classes < FEW:
        tell(
            f"The test is on {classes} classes of one split. Its interval is over episodes of "
            "these and says nothing of other classes; repeat the run with --seed 1, 2, ... to see "
            "how far apart splits are."
        )

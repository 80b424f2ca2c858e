"""Pictures without labels: what is read, and the tasks that are made of them.

Labels of training pictures are in the data of a test of methods, but nothing here looks at them:
tasks are copies of pictures or clusters of embeddings. Only the test asks for true classes; a
folder of pictures without any is tested on copies of pictures that were held back.
"""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from chapters.ch09_frontiers import clustering
from chapters.ch09_frontiers.clustering import Clusters
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions, Evaluator
from chapters.engine.results import ENOUGH
from chapters.experiments import images
from chapters.experiments.folders import has_classes, tell_of_changes
from chapters.experiments.options import Column
from datasets.dataset import Dataset
from datasets.readers.folder import load_unlabelled
from datasets.tasks.copies import Alterations, Copies
from datasets.tasks.episodes import Episode, EpisodeSampler
from datasets.tasks.pairs import items_of_split
from datasets.tasks.partitions import ClusterTasks

COPY_QUERIES = 5  # of a class of a test on copies
WORDS = {"copies": "copies", "clusters": "clusters", "true": "true labels"}


class Tasks(NamedTuple):
    """Samplers of a run."""

    training: Copies | ClusterTasks | EpisodeSampler
    validation: Copies | ClusterTasks | EpisodeSampler  # the same of pictures of other classes
    tests: dict[Column, Copies | EpisodeSampler]
    clusters: Clusters | None  # where tasks are made of them

    @property
    def seconds(self) -> float:
        """Of training before there were any tasks."""
        return self.clusters.seconds if self.clusters else 0.0


def load(config) -> tuple[Dataset, object]:
    """The data set, and options that fit it.

    Raises:
        ConfigError, DataError: see ``images.load``; a folder without classes that labels are asked
            of, or of too few pictures.
    """
    if is_loose(config):
        data = _read_loose(config)
        return data, _fit_loose(config, data)
    if config.data in images.SETS or config.labels == "true":
        return images.load(config)
    # Classes limit the test, not what is trained on: of pictures there are more.
    data, fitted = images.load(dataclasses.replace(config, way=2, shot=1, query=1))
    pictures = len(items_of_split(data, config.train_split))
    own = {name: getattr(config, name) for name in ("shot", "query")}
    fitted = dataclasses.replace(fitted, way=min(config.way, pictures), **own)
    tell_of_changes(
        dataclasses.replace(fitted, way=config.way), fitted, f"has {pictures} pictures to train on"
    )
    return data, fitted


def is_loose(config) -> bool:
    """Whether the data are a folder of pictures without class folders."""
    folder = config.data
    return folder not in images.SETS and Path(folder).is_dir() and not has_classes(folder)


def samplers(data: Dataset, config, run, way: int, tasks: int) -> Tasks:
    """Tasks of training, validation and test.

    Args:
        data: what they are drawn from.
        config: options of the run.
        run: its folder, which keeps clusters.
        way: of validation tasks at most.
        tasks: of a batch at validation and test; changes speed only.
    """
    if config.labels == "true":
        return Tasks(*images.samplers(data, config, way, tasks), None)
    tests = {
        column: test_sampler(data, config, column, tasks)
        for column in images.parse_columns(config.columns)
    }
    make = _of_clusters if config.labels == "clusters" else _of_copies
    training, validation, clusters = make(data, config, run, way, tasks)
    return Tasks(training, validation, tests, clusters)


def test_sampler(data: Dataset, config, column: Column, tasks: int = 1, query: int = COPY_QUERIES):
    """Test tasks of true classes; of a folder without any, copies of pictures held back."""
    if not is_loose(config):
        return images.test_sampler(data, config, column, tasks)
    sizes = {"way": column.way, "shot": column.shot, "query": min(query, config.test_query)}
    return copies(data, config, "test", tasks=tasks, **sizes)


def copies(data: Dataset, config, split: str, **sizes) -> Copies:
    """Tasks of altered copies of the pictures of a split."""
    options = {name: getattr(config, name) for name in Alterations._fields}
    return Copies(
        data, split, seed=config.seed, alterations=Alterations(**options),
        ground=0.0 if images.is_ink(config) else 1.0, rotations=config.rotations, **sizes,
    )  # fmt: skip


def _of_copies(data, config, run, way, tasks):
    size = {"shot": config.shot, "query": config.query}
    training = copies(data, config, config.train_split, way=config.way, tasks=config.tasks, **size)
    way = min(way, len(items_of_split(data, "val")))
    return training, copies(data, config, "val", way=way, tasks=tasks, **size), None


def _of_clusters(data, config, run, way, tasks):
    found = clustering.find(data, config, run)
    size = {
        "shot": config.shot,
        "query": config.query,
        "seed": config.seed,
        "rotations": config.rotations,
    }
    training = ClusterTasks(
        data, *found.training, way=config.way, tasks=config.tasks, **size
    )  # fmt: skip
    way = min(way, clustering.usable(found.validation.partitions, config.shot + config.query))
    return training, ClusterTasks(data, *found.validation, way=way, tasks=tasks, **size), found


def example(data: Dataset, config) -> Episode:
    """One test task of the first column with few queries, to draw."""
    if not is_loose(config):
        return images.example(data, config, query=5)
    return test_sampler(data, config, images.parse_columns(config.columns)[0]).episode(0)


def describe(data: Dataset, config) -> str:
    """What is trained on what, before it starts."""
    pictures = len(items_of_split(data, config.train_split))
    what = {
        "copies": "labels unknown: every picture is a class of altered copies",
        "clusters": f"labels unknown: {config.partitions} partitions into {config.clusters} "
        "clusters stand for them",
        "true": "with their labels",
    }[config.labels]
    lines = [images.describe(data, config), f"{pictures} training pictures, {what}."]
    if is_loose(config):
        lines.append(
            "Test: a folder without classes has no labels to test with, so the test is on "
            "copies of pictures that were held back, each picture a class."
        )
    return "\n".join(lines)


def rows(results: list[dict], config) -> list[dict]:
    """Rows of ``metrics.json``; those of a folder without classes say what was asked."""
    if not is_loose(config):
        return results
    return [
        {**row, "measure": f"{row['measure']}_on_copies", "label": f"{row['label']}, of copies"}
        for row in results
    ]


def seen(data: Dataset, config) -> dict:
    """What ``metrics.json`` keeps of an own folder; single pictures are too many to name."""
    return {} if is_loose(config) else images.seen(data, config)


def evaluate(learner, config, given: Conditions) -> list[dict]:
    """Rows of the test, as asked: of true classes, or of copies where there are none.

    Raises:
        ConfigError, DataError: what is asked does not fit the learner or the data.
    """
    if not is_loose(config):
        return images.evaluate(learner, dataclasses.replace(config, way=2, shot=1, query=1), given)
    given.check("it has seen nothing but stored averages", batch_norm=("stored", "transductive"))
    data, config = load(config)
    usual = images.parse_columns(config.columns)[0]
    column = Column(given.way or usual.way, given.shot or usual.shot)
    asked = dataclasses.replace(config, seed=given.seed)
    sampler = test_sampler(data, asked, column, query=given.query or COPY_QUERIES)
    score = Evaluator(learner, sampler, given.episodes, given.batch_norm or "stored")()
    return rows(images.rows({"": {column: score}}, {}, data, asked), config)


def _read_loose(config) -> Dataset:
    if config.labels == "true":
        raise ConfigError(
            f"--labels true needs class folders, and {config.data} has none; take copies or "
            "clusters, or sort the pictures into folders."
        )
    size = (config.image_size, config.image_size)
    return load_unlabelled(
        config.data, seed=config.seed, size=size, channels=config.channels, invert=config.invert
    )


def _fit_loose(config, data: Dataset):
    """Options that fit the number of pictures; a network of ``way`` outputs is tested with it."""
    smallest = len(data.classes("test"))
    way = min(config.way, len(data.classes("train")))
    columns = images.parse_columns(config.columns)
    if hasattr(config, "inner_steps"):  # as many outputs in a test as in training
        way = min(way, smallest)
        columns = [Column(way, column.shot) for column in columns]
    columns = [Column(min(column.way, smallest), column.shot) for column in columns]
    fitted = dataclasses.replace(
        config,
        rotations=False,
        way=way,
        test_query=min(config.test_query, COPY_QUERIES),
        columns=",".join(dict.fromkeys(map(str, columns))),
        test_episodes=max(config.test_episodes, ENOUGH),
    )
    tell_of_changes(config, fitted, f"has {len(data.items)} pictures, {smallest} of them held back")
    return fitted

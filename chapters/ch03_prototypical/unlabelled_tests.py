"""Tasks with unlabelled items: what a network is trained, validated and tested on, and the tables.

As in the authors' code the split into labelled and unlabelled items is one of the training classes:
in validation and test any item of a class may be support, query or unlabelled, never two of these.
"""

import dataclasses
import itertools
import math
from typing import NamedTuple

import numpy as np

from chapters.ch03_prototypical.presets import PUBLISHED_SEMI, SemiSupervisedConfig
from chapters.engine.evaluation import Conditions, Evaluator, Score
from chapters.engine.results import Measure, Result, figure, interval95_of_runs, share
from chapters.experiments import images
from chapters.experiments.folders import tell_of_changes
from chapters.experiments.images.metric import TASKS_AT_ONCE
from chapters.experiments.options import ITEMS
from datasets.dataset import Dataset
from datasets.tasks.unlabelled import UnlabelledSampler, labelled_count

NAMES = {
    "supervised": "supervised",
    "soft": "soft k-means",
    "cluster": "soft k-means + cluster",
    "masked": "masked soft k-means",
}
INFERENCE = "semi-supervised inference"
IGNORED = "unlabelled items ignored"


class Setting(NamedTuple):
    """A test: way and shot, and how many distractor classes there are among the unlabelled."""

    way: int
    shot: int
    distractors: int

    @property
    def measure(self) -> Measure:
        """How its accuracy is called."""
        among = f"{self.distractors} distractor classes" if self.distractors else "no distractors"
        name = "accuracy_with_distractors" if self.distractors else "accuracy_with_unlabelled"
        return share(name, f"{self.way}-way {self.shot}-shot, {among}")


Scores = dict[str, dict[Setting, Score]]


def load(config: SemiSupervisedConfig) -> tuple[Dataset, SemiSupervisedConfig]:
    """The data set, and the options adapted to it when it is a folder of the user's own.

    Raises:
        ConfigError, DataError: as ``images.load``.
    """
    data, config = images.load(config)
    return (data, config) if config.data in images.SETS else (data, _fit(config, data))


def _fit(config: SemiSupervisedConfig, data: Dataset) -> SemiSupervisedConfig:
    """Shares and numbers that a folder can serve: something of each class in every part."""
    fewest = int(np.bincount(data.item_class).min())
    shot = min(config.shot, max(fewest - 2, 1))  # beside it a query and an unlabelled item
    with_label = min(max(labelled_count(fewest, config.labelled), shot + 1), fewest - 1)
    spare = {split: len(data.classes(split)) for split in ("train", "test")}
    fitted = dataclasses.replace(
        config,
        shot=shot,
        query=max(min(config.query, with_label - shot), 1),
        labelled=max(config.labelled, math.ceil(1000 * with_label / fewest) / 1000),
        unlabelled=max(min(config.unlabelled, fewest - with_label), 1),
        distractors=min(config.distractors, spare["train"] - config.way),
        test_unlabelled=max(min(config.test_unlabelled, fewest - shot - 1), 1),
        test_distractors=min(config.test_distractors, spare["test"] - _first(config).way),
    )
    reason = f"has {fewest} picture(s) in its smallest class"
    tell_of_changes(config, fitted, f"{reason} and {spare['test']} classes to test on")
    return fitted


def describe(config: SemiSupervisedConfig) -> str:
    """What is given without labels, in words."""
    labels = f"Labels: {config.labelled:.0%} of the items of a training class."
    if config.method == "supervised":
        return f"{labels} No unlabelled items in training."
    return (
        f"{labels} Unlabelled: {config.unlabelled} of each class of a task and of "
        f"{config.distractors} distractor classes."
    )


def samplers(data: Dataset, config: SemiSupervisedConfig):
    """Training, validation and test tasks; tests as a dict Setting -> sampler.

    Raises:
        DataError: a split has too few classes, or a class too few items in one of its parts.
    """
    trained_with = config.unlabelled if config.method != "supervised" else 0
    tested_with = config.test_unlabelled if trained_with else 0
    training = UnlabelledSampler(
        data, config.train_split, config.way, config.shot, config.query, trained_with,
        distractors=config.distractors if trained_with else 0,
        labelled=config.labelled, label_split=config.label_split,
        tasks=config.tasks, seed=config.seed, rotations=config.rotations,
    )  # fmt: skip
    there = images.available(data, "val", config.rotations)
    way = min(config.way, there)
    distractors = min(config.distractors, there - way) if trained_with else 0
    setting = Setting(way, config.shot, distractors)
    validation = _whole_classes(data, "val", config, setting, tested_with)
    tests = {setting: test_sampler(data, config, setting) for setting in settings(config)}
    return training, validation, tests


def settings(config: SemiSupervisedConfig) -> list[Setting]:
    """Tests without and with distractors, of the way and shot of the first column."""
    first, numbers = _first(config), dict.fromkeys((0, config.test_distractors))
    return [Setting(first.way, first.shot, number) for number in numbers]


def _first(config) -> images.Column:
    return images.parse_columns(config.columns)[0]


def test_sampler(data: Dataset, config: SemiSupervisedConfig, setting: Setting):
    """Test tasks of a setting."""
    split = images.TEST_SPLIT[config.train_split]
    return _whole_classes(data, split, config, setting, config.test_unlabelled)


def _whole_classes(data: Dataset, split: str, config, setting: Setting, unlabelled: int):
    """Tasks of any items of a class; those too small are left out where classes differ in size."""
    others = setting.shot + unlabelled  # beside the queries
    if not images.even(config):
        data = data.with_least(others + 1)
    smallest = np.bincount(data.item_class)[data.classes(split)].min(initial=ITEMS)
    query = max(min(config.test_query, int(smallest) - others), 1)
    return UnlabelledSampler(
        data, split, setting.way, setting.shot, query, unlabelled, setting.distractors,
        tasks=TASKS_AT_ONCE, seed=config.seed, rotations=config.rotations,
    )  # fmt: skip


def ordinary_tests(data: Dataset, config: SemiSupervisedConfig) -> dict:
    """Tests without unlabelled items, as of any network that compares pictures."""
    columns = images.parse_columns(config.columns)
    return {column: images.test_sampler(data, config, column, TASKS_AT_ONCE) for column in columns}


def contenders(learner, method: str) -> dict:
    """Name in tables -> what is tested: the method, then the same network otherwise used."""

    def alone(inputs):
        kept = {name: x for name, x in inputs.items() if name != "unlabelled_x"}
        return learner(kept, training=False)

    if method == "supervised":
        return {NAMES[method]: alone, INFERENCE: learner}
    return {NAMES[method]: learner, IGNORED: alone}


def test(learner, tests: dict, config: SemiSupervisedConfig) -> Scores:
    """Scores of a trained network, see ``contenders``."""
    return {
        name: {
            setting: Evaluator(model, sampler, config.test_episodes)()
            for setting, sampler in tests.items()
        }
        for name, model in contenders(learner, config.method).items()
    }


def rows(found: list[Scores], tests: dict, data: Dataset, config) -> list[dict]:
    """Rows of ``metrics.json``: of one network, or means over those of several label splits.

    Args:
        found: scores of each network.
        tests: Setting -> sampler.
        data: what they were measured on.
        config: options of the run.
    """
    method, split = NAMES[config.method], images.TEST_SPLIT[config.train_split]
    papers = PUBLISHED_SEMI if data.name == "omniglot" and split == "test" else {}
    stands = next((setting for setting in tests if _as_trained(config, setting)), min(tests))
    measured = []
    for name, setting in itertools.product(found[0], tests):
        paper = papers.get(name, {}) if _as_trained(config, setting) else {}
        result = Result(
            method=name,
            measure=setting.measure,
            data=data.name,
            generated=data.generated,
            split=split,
            way=setting.way,
            shot=setting.shot,
            query=tests[setting].query,
            published=paper.get(setting.distractors),
            headline=name == method and setting == stands,
            rival=name != INFERENCE,
            **found[0][name][setting]._asdict(),
        )
        measured.append(_over_networks(result, [scores[name][setting].mean for scores in found]))
    return measured


def _over_networks(result: Result, means: list[float]) -> dict:
    """The row of a single network as it is; the mean of several, with the interval over them."""
    if len(means) == 1:
        return result.row()
    mean, interval = float(np.mean(means)), interval95_of_runs(means)
    pooled = result._replace(mean=mean, interval=interval, runs=len(means))
    return {**pooled.row(), "values": means}


def _as_trained(config: SemiSupervisedConfig, setting: Setting) -> bool:
    """Whether a test is as the training was, as each one in the paper is."""
    trained = config.way, config.shot, config.distractors
    if config.method == "supervised":  # has seen no distractors, and both tests are for it
        return setting[:2] == trained[:2]
    return setting == trained


def table(rows: list[dict], config: SemiSupervisedConfig) -> str:
    """The rows as text, accuracy in %."""
    cells: dict[str, dict[str, str]] = {}
    for row in rows:
        text = f"{figure(row, 'mean')} +- {figure(row, 'interval')}"
        cells.setdefault(row["method"], {})[row["label"]] = text
        if row["published"]:
            name = f"{row['method']}, published"
            cells.setdefault(name, {})[row["label"]] = f"{row['published']:.2f}"
    labels, first = list(dict.fromkeys(row["label"] for row in rows)), rows[0]
    over = f"{first['runs']} label splits (Student's t)" if first["runs"] else "episodes"
    lines = [
        f"\nAccuracy in % with {config.test_unlabelled} unlabelled items of each class "
        f"({first['data']}{', generated stand-in' if first['generated'] else ''}),\n"
        f"{first['episodes']} episodes, {first['query']} queries per class, 95 % interval over "
        f"{over}:\n"
    ]
    width, column = max(map(len, cells)) + 2, max(map(len, labels)) + 3
    for name, by_label in {"": dict(zip(labels, labels, strict=True)), **cells}.items():
        found = (by_label.get(label, "-").rjust(column) for label in labels)
        lines.append(name.ljust(width) + "".join(found))
    return "\n".join(lines) + "\n"


def evaluate(learner, config: SemiSupervisedConfig, given: Conditions) -> list[dict]:
    """Rows of the test, as asked: without questions as in the training script.

    Raises:
        ConfigError, DataError: what is asked does not fit the learner or the data.
    """
    given.check("it has seen nothing but stored averages", batch_norm=("stored",))
    data, config, column = images.under_conditions(config, given)
    config = dataclasses.replace(config, columns=str(column), test_episodes=given.episodes)
    tests = {setting: test_sampler(data, config, setting) for setting in settings(config)}
    found = rows([test(learner, tests, config)], tests, data, config)
    return [row for row in found if row["method"] == NAMES[config.method]]

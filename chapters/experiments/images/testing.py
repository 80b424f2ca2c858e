"""Tests of image learners: tables, rows of ``metrics.json``, and the same for the zoo."""

import dataclasses

from chapters.engine.evaluation import Conditions, Evaluator, Score
from chapters.engine.results import Result, share
from chapters.experiments.folders import classes_by_split
from chapters.experiments.images.tasks import (
    SETS,
    TEST_SPLIT,
    available,
    queries,
    test_columns,
    test_sampler,
    test_split,
    test_turned,
    under_conditions,
)
from chapters.experiments.options import Column, ImageOptions
from datasets.dataset import Dataset
from datasets.tasks.episodes import EpisodeSampler

REGIME = {
    "stored": "batch norm with stored averages",
    "support": "batch norm with the support set's statistics: honest",
    "transductive": "batch norm with the queries' own statistics: transductive",
}
Scores = dict[str, dict[Column, Score]]


def evaluate(learner, config: ImageOptions, given: Conditions) -> list[dict]:
    """Rows of a metric learner's test, as asked: without questions as in its training script.

    Raises:
        ConfigError, DataError: what is asked does not fit the learner or the data.
    """
    given.check("it has seen nothing but stored averages", batch_norm=("stored", "transductive"))
    data, config, asked = under_conditions(config, given)
    scores = {}
    for column in test_columns(dataclasses.replace(config, columns=str(asked))):
        items = column.way * (column.shot + queries(data, config, column))
        # As in training scripts, unless that would take much memory.
        sampler = test_sampler(data, config, column, tasks=5 if items <= 400 else 1)
        regime = given.batch_norm or "stored"
        scores[column] = Evaluator(learner, sampler, given.episodes, regime)()
    return rows({"": scores}, {}, data, config)


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


def seen(data: Dataset, config: ImageOptions) -> dict:
    """What ``metrics.json`` keeps of an own folder: which class was in which split."""
    return {} if config.data in SETS else {"classes": classes_by_split(data)}


def table(scores: Scores, published: dict[str, dict], data: Dataset, config: ImageOptions) -> str:
    """The results of one batch-norm regime as text, accuracy in % with 95 % intervals.

    Args:
        scores: name -> column -> Score.
        published: name of a paper -> column as text -> its figure in %.
        data: what they were measured on; each part has a table of its own.
        config: options of the run.
    """
    tables = []
    for part in dict.fromkeys(column.part for column in next(iter(scores.values()))):
        of_part = {
            name: {column: score for column, score in by_column.items() if column.part == part}
            for name, by_column in scores.items()
        }
        tables.append(_table(of_part, published, data, config))
    return "".join(tables)


def _table(scores: Scores, published: dict[str, dict], data: Dataset, config: ImageOptions) -> str:
    """The same of columns of one part."""
    columns = list(next(iter(scores.values())))
    regime = next(iter(next(iter(scores.values())).values())).batch_norm
    classes = available(data, test_split(config, columns[0]), test_turned(config, columns[0]))
    width = max(map(len, [*scores, *published])) + 2
    head = "".join(f"{column.way}-way {column.shot}-shot".rjust(17) for column in columns)
    lines = [
        f"\nAccuracy in % on {classes} classes never seen "
        f"({_tested(data, columns[0])}{', generated stand-in' if data.generated else ''}), "
        f"{config.test_episodes} episodes, {_asked(data, config, columns)} per class,\n"
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


def _tested(data: Dataset, column: Column) -> str:
    """Name of the set whose classes a column is drawn from."""
    return column.part or data.name


def _asked(data: Dataset, config: ImageOptions, columns: list[Column]) -> str:
    """Queries of a class in words: ``15 queries``, ``4 or 1 queries`` where columns differ."""
    counts = dict.fromkeys(str(queries(data, config, column)) for column in columns)
    return f"{' or '.join(counts)} {'query' if list(counts) == ['1'] else 'queries'}"


def rows(
    scores: Scores, published: dict[str, dict], data: Dataset, config: ImageOptions, headline=True
) -> list[dict]:
    """Rows of ``metrics.json``: every score with the conditions under which it was measured.

    Args:
        scores: name -> column -> Score.
        published: name of a method -> column as text -> the paper's figure in %, where it measured
            the same thing.
        data: what they were measured on.
        config: options of the run.
        headline: whether the first column stands for its method.
    """
    first = next(iter(next(iter(scores.values()))))
    return [
        Result(
            method=name,
            measure=share("accuracy", column.label),
            data=_tested(data, column),
            generated=data.generated,
            split=TEST_SPLIT[config.train_split],
            way=column.way,
            shot=column.shot,
            query=queries(data, config, column),
            published=published.get(name, {}).get(str(column)),
            headline=headline and column == first,
            **score._asdict(),
        ).row()
        for name, by_column in scores.items()
        for column, score in by_column.items()
    ]

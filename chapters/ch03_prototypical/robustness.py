"""Accuracy against the share of damaged pictures, on the same tasks for every share and learner.

Batch norm has its stored averages, so a picture has one embedding whatever surrounds it. Each is
embedded twice, whole and damaged, and every share picks from the two: ten tests for the price of
two. The accuracy of every episode is kept, so that two learners can be compared in pairs.
"""

import itertools
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from chapters.ch03_prototypical.damage import damage, fortunes
from chapters.engine.evaluation import accuracy, interval95
from chapters.engine.layers import embed_tasks
from chapters.engine.results import Result, share
from chapters.experiments import images
from chapters.experiments.images.metric import TASKS_AT_ONCE

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
HIT = {"support": "examples damaged", "all": "all images damaged"}
CONDITIONS = tuple(itertools.product(HIT, SHARES))
FILE = "damaged.json"
Found = dict[images.Column, dict[tuple[str, float], np.ndarray]]


def samplers(data, config) -> dict:
    """Test tasks of the columns in which a class has several examples; of all if none has."""
    columns = images.parse_columns(config.columns)
    chosen = [column for column in columns if column.shot > 1] or columns
    return {column: images.test_sampler(data, config, column, TASKS_AT_ONCE) for column in chosen}


def accuracies(learner, sampler, episodes: int, shrink: int) -> dict[tuple[str, float], np.ndarray]:
    """(what is hit, share) -> accuracy of each episode [episode], with stored averages.

    Args:
        learner: GaussianPrototypicalNetwork.
        sampler: an ``EpisodeSampler``; its seed decides what is hit too.
        episodes: at least this many; rounded up to whole batches.
        shrink: how much detail is lost, see ``damage``.
    """

    def broken(x):
        return damage(x, shrink)

    def one(index):
        task, luck = sampler.episode(index), fortunes(sampler, index)
        pictures = task.support_x, task.query_x
        whole_z, broken_z = (
            [embed_tasks(learner.encoder, change(x), False) for x in pictures]
            for change in (tf.identity, broken)
        )
        found = []
        for what, rate in CONDITIONS:
            rates = rate, rate if what == "all" else 0.0
            support_z, query_z = (
                tf.where((number < limit)[..., None], b, w)
                for number, limit, b, w in zip(luck, rates, broken_z, whole_z, strict=True)
            )
            logits = learner.classify(support_z, task.support_y, query_z)  # [task, query, way]
            found.append(accuracy(task.query_y, logits))
        return tf.stack(found)  # [condition, task]

    batch = tf.function(tf.autograph.experimental.do_not_convert(one), autograph=False)
    count = -(-episodes // sampler.tasks)
    values = [batch(tf.constant(index)).numpy() for index in range(count)]
    values = np.concatenate(values, axis=1)  # [condition, episode]
    return dict(zip(CONDITIONS, values, strict=True))


def table(name: str, found: Found) -> str:
    """Accuracy in % against the share of damaged pictures as text.

    Args:
        name: of the method.
        found: column -> what ``accuracies`` returned.
    """
    lines = [f"Accuracy in % of the {name}, by share of damaged images:\n", head()]
    for column, values in found.items():
        for what in HIT:
            cells = [_cell(values[what, rate]) for rate in SHARES]
            lines.append(line(f"{column.way}-way {column.shot}-shot, {HIT[what]}", cells))
    return "\n".join(lines) + "\n"


def head() -> str:
    """The first line of a table by share."""
    return line("", [f"{rate:.0%}" for rate in SHARES])


def line(title: str, cells: list[str]) -> str:
    """One line of a table by share."""
    return title.ljust(36) + "".join(cell.rjust(17) for cell in cells)


def _cell(values) -> str:
    return f"{100 * values.mean():.2f} +- {100 * interval95(values):.2f}"


def rows(name: str, found: Found, tested: dict, data, config) -> list[dict]:
    """Rows of ``metrics.json``; those without damage are there already.

    Args:
        name: of the method.
        found: column -> what ``accuracies`` returned.
        tested: column -> sampler.
        data: what they are drawn from.
        config: options of the run.
    """
    return [
        result(f"{name}, {rate:.0%} of {HIT[what]}", column, tested[column], data, config)
        ._replace(mean=float(values.mean(dtype=np.float64)), interval=interval95(values))
        .row()
        for column, by_condition in found.items()
        for (what, rate), values in by_condition.items()
        if rate > 0
    ]


def result(method: str, column, sampler, data, config) -> Result:
    """A result of a test with damaged pictures, its figure still to be filled in."""
    return Result(
        method=method,
        measure=share("accuracy", f"{column.way}-way {column.shot}-shot"),
        mean=0.0,
        interval=None,
        data=data.name,
        seed=sampler.seed,
        generated=data.generated,
        split=images.TEST_SPLIT[config.train_split],
        way=column.way,
        shot=column.shot,
        query=sampler.query,
        episodes=-(-config.test_episodes // sampler.tasks) * sampler.tasks,
        batch_norm="stored",
        rival=False,  # of harder tests, or of other runs
    )


def write(run, found: Found) -> None:
    """Keep the accuracy of every episode in the run's folder."""
    lists = {
        str(column): {
            what: [np.round(values[what, rate].astype(float), 6).tolist() for rate in SHARES]
            for what in HIT
        }
        for column, values in found.items()
    }
    run.json(FILE, lists)


def read(folder: Path) -> Found:
    """What ``write`` has kept."""
    lists = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return {
        images.parse_columns(column)[0]: {
            (what, rate): np.array(values)
            for what, by_share in by_what.items()
            for rate, values in zip(SHARES, by_share, strict=True)
        }
        for column, by_what in lists.items()
    }

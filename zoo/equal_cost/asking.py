"""What a finished training has to tell: its course, and its answers to the tasks of the test."""

import dataclasses
from pathlib import Path

import numpy as np

from chapters.engine import results
from chapters.engine.evaluation import Evaluator
from chapters.experiments import images
from chapters.experiments.images import adaptation
from zoo import catalogue, loading
from zoo.equal_cost.records import Training
from zoo.reproducing.speed import read_log

TEST_SEED = 0  # of the tasks, whatever the seed of the training
NAME = "equal-cost"  # of an entry that is never published


def training_of(words: list[str], run: Path) -> Training:
    """A finished run.

    Args:
        words: of its command, behind ``python -m``.
        run: its folder.

    Raises:
        ZooError: files that are missing or broken.
        RunError: its results cannot be read.
    """
    entry = catalogue.of_run(NAME, words[0])
    learner, config = loading.of_run(entry, run), loading.options(entry, run / "config.json")
    log = read_log(run / "log.csv")
    course = {
        "tasks": np.array([config.tasks * row["step"] for row in log]),
        "seconds": np.array([row["seconds"] for row in log]),
        "accuracy": np.array([row["val_accuracy"] for row in log]),
    }
    seconds = results.read(run / "metrics.json")["train_seconds"]
    command = f"python -m {' '.join(words)}"
    return Training(command, config.steps * config.tasks, seconds, course, answers(learner, config))


def answers(learner, config) -> dict[str, np.ndarray]:
    """``"5w1s support"`` -> accuracy of each test task [task].

    Learners that adapt are asked in both batch-norm regimes, others with stored averages.
    """
    data, config = images.load(config)
    config = dataclasses.replace(config, seed=TEST_SEED)
    found = {}
    for column in images.parse_columns(config.columns):
        sampler = images.test_sampler(data, config, column)
        if hasattr(learner, "adapt"):
            for regime in adaptation.REGIMES:
                asked = adaptation.evaluator(learner, sampler, config.test_episodes, regime)
                found[f"{column} {regime}"] = asked.values()
        else:
            found[f"{column} stored"] = Evaluator(learner, sampler, config.test_episodes).values()
    return found

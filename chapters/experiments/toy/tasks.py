"""Hyperplanes to tell apart, or the book's coin flips."""

import functools

from chapters.experiments.options import ToyOptions
from datasets.tasks.hyperplanes import HyperplaneTasks

DIM = 50
VALIDATION, TEST = 1_000_000, 2_000_000  # seeds of fresh tasks
QUERY, TASKS_PER_BATCH = 100, 100


def samplers(config: ToyOptions) -> tuple[HyperplaneTasks, HyperplaneTasks, HyperplaneTasks]:
    """Tasks of training, validation and test."""
    printed = {"dim": DIM, "as_printed": config.as_printed}
    fresh = functools.partial(HyperplaneTasks, config.shot, QUERY, TASKS_PER_BATCH, **printed)
    return (
        HyperplaneTasks(config.shot, config.query, config.tasks, config.seed, **printed),
        fresh(seed=config.seed + VALIDATION),
        fresh(seed=config.seed + TEST),
    )


def describe(config: ToyOptions) -> str:
    """What is trained on what, before it starts."""
    kind = "labels as printed: coin flips" if config.as_printed else "labels from hyperplanes"
    return f"{config.tasks} tasks of {config.shot} + {config.query} points, {kind}."

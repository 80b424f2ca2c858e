"""Curves to train on, to choose by and to test on, from the families of five papers."""

import functools
import math

from chapters.experiments.options import SineOptions
from datasets.tasks.sinusoid import SineTasks

FULL = (0.0, 2 * math.pi)
FAMILIES = {
    "maml": {},
    "meta_sgd": {"frequency": (0.8, 1.2)},
    # The authors train on all 50 points of a grid and test on the same; of 100, 50 are left over.
    "reptile": {"phase": FULL, "grid": 100},
    "book": {"grid": 100, "replacement": True},
    "full_circle": {"phase": FULL},
    "blog": {
        "amplitude": (1.0, 1.0),
        "phases": (0.0, math.pi),
        "x_range": (-2 * math.pi, 2 * math.pi),
    },
    "blog_between": {"amplitude": (1.0, 1.0), "x_range": (-2 * math.pi, 2 * math.pi)},
}
VALIDATION_TASKS, TEST_QUERY, TASKS_PER_BATCH = 200, 40, 100
# Curves of validation and test come from seeds of their own.
VALIDATION, TEST = 1_000_000, 2_000_000


def sampler(config: SineOptions, seed: int, shot: int, query: int, tasks: int) -> SineTasks:
    """Curves of the family of ``--curves``; ``seed`` keeps training, validation and test apart."""
    return SineTasks(shot, query, tasks, config.seed + seed, **FAMILIES[config.curves])


def samplers(config: SineOptions) -> tuple[SineTasks, SineTasks, SineTasks]:
    """Curves of training, validation and test."""
    held_out = functools.partial(sampler, config, shot=config.test_shot, query=TEST_QUERY)
    return (
        sampler(config, 0, config.shot, config.query, config.tasks),
        held_out(VALIDATION, tasks=TASKS_PER_BATCH),
        held_out(TEST, tasks=TASKS_PER_BATCH),
    )


def describe(config: SineOptions) -> str:
    """What is trained on what, before it starts."""
    return (
        f"Curves: {config.curves}. Training: {config.steps} steps of {config.tasks} curve(s), "
        f"{config.shot} support and {config.query} query points, {config.inner_steps} inner "
        f"step(s)."
    )

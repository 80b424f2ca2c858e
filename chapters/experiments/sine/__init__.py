"""Sine regression: curves to train on, the test on curves never seen, tables and pictures.

A learner's error after 0, 1, 5, 10 inner steps stands beside that of two networks of the same shape
that were not meta-learned: one trained jointly on all curves, one with random weights.
"""

from chapters.experiments.sine.fine_tuning import JOINT, RANDOM, FineTuning, baselines, choose_rate
from chapters.experiments.sine.pictures import draw
from chapters.experiments.sine.tasks import (
    FAMILIES,
    TEST,
    TEST_QUERY,
    VALIDATION,
    describe,
    sampler,
    samplers,
)
from chapters.experiments.sine.testing import (
    ZERO,
    Scores,
    difference,
    error_after,
    evaluate,
    rows,
    table,
    test,
)
from chapters.experiments.sine.training import loop, mapping, outer_optimizer

__all__ = [
    "FAMILIES",
    "FineTuning",
    "JOINT",
    "RANDOM",
    "Scores",
    "TEST",
    "TEST_QUERY",
    "VALIDATION",
    "ZERO",
    "baselines",
    "choose_rate",
    "describe",
    "difference",
    "draw",
    "error_after",
    "evaluate",
    "loop",
    "mapping",
    "outer_optimizer",
    "rows",
    "sampler",
    "samplers",
    "table",
    "test",
]

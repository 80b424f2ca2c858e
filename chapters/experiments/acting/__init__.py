"""Acting: policies, trajectories made inside the graph, and what they are worth.

The protocol is the same for every chapter: goals of training, validation and test are never the
same; a policy acts, adapts to what it has seen, and acts again after every step.
"""

from chapters.experiments.acting import pictures, regret
from chapters.experiments.acting.serving import AdaptivePolicy
from chapters.experiments.acting.tasks import (
    Tasks,
    describe,
    joint,
    make_policy,
    make_world,
    outer_optimizer,
    samplers,
)
from chapters.experiments.acting.testing import (
    JOINT,
    ORACLE,
    RANDOM,
    RETURN,
    adapted_returns,
    evaluate,
    rows,
    table,
    test,
)
from chapters.experiments.acting.training import loop

__all__ = [
    "AdaptivePolicy",
    "JOINT",
    "ORACLE",
    "RANDOM",
    "RETURN",
    "Tasks",
    "adapted_returns",
    "describe",
    "evaluate",
    "joint",
    "loop",
    "make_policy",
    "make_world",
    "outer_optimizer",
    "pictures",
    "regret",
    "rows",
    "samplers",
    "table",
    "test",
]

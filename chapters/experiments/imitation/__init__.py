"""Imitation: an arm shows which colour to touch, and a policy does it with other targets.

Training, validation and test have colours of their own; a policy is judged by what it touches, and
learns without any reward.
"""

from chapters.experiments.imitation import pictures
from chapters.experiments.imitation.tasks import (
    KNOWN,
    TEST,
    TRAINING,
    VALIDATION,
    describe,
    make_worlds,
    sampler,
    samplers,
)
from chapters.experiments.imitation.testing import (
    about,
    answers,
    evaluate,
    outcome,
    questions,
)
from chapters.experiments.imitation.training import loop

__all__ = [
    "KNOWN",
    "TEST",
    "TRAINING",
    "VALIDATION",
    "about",
    "answers",
    "describe",
    "evaluate",
    "loop",
    "make_worlds",
    "outcome",
    "pictures",
    "questions",
    "sampler",
    "samplers",
]

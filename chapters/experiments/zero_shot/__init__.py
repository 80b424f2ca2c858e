"""Classes that are known by words alone: data, unseen classes, image features, tests, pictures.

Classes are split first. Words are those that describe seen classes, image features are learned from
seen classes, and unseen ones are looked at in the test.
"""

from chapters.experiments.zero_shot.tasks import (
    Split,
    describe,
    descriptions,
    embed_words,
    example,
    item_shape,
    known_words,
    load,
    read,
    samplers,
    split,
    splits,
)
from chapters.experiments.zero_shot.testing import (
    Scores,
    answers,
    evaluate,
    rows,
    table,
    tell,
    test,
)
from chapters.experiments.zero_shot.training import loop, make_optimizer

__all__ = [
    "Scores",
    "Split",
    "answers",
    "describe",
    "descriptions",
    "embed_words",
    "evaluate",
    "example",
    "item_shape",
    "known_words",
    "load",
    "loop",
    "make_optimizer",
    "read",
    "rows",
    "samplers",
    "split",
    "splits",
    "table",
    "tell",
    "test",
]

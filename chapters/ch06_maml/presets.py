"""Options and presets of chapter 6; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Script, option
from chapters.experiments.options import AdaptationOptions

# Finn et al. (2017), table 1: Omniglot, batch norm with the queries' statistics.
PUBLISHED = {
    "MAML": {"transductive": {"5w1s": 98.7, "5w5s": 99.9, "20w1s": 95.8, "20w5s": 98.9}},
    # Nichol et al. (2018), table 2, their own run of first-order MAML.
    "FOMAML": {"transductive": {"5w1s": 98.3, "5w5s": 99.2, "20w1s": 89.4, "20w5s": 97.9}},
    "MAML, dense": {"transductive": {"5w1s": 89.7, "5w5s": 97.5}},
}

METHODS = ("maml", "adml", "caml")


@dataclass(frozen=True)
class OmniglotConfig(AdaptationOptions):
    """Options of ``chapters.ch06_maml.train_omniglot``."""

    method: str = option("maml", "learner", choices=METHODS)
    epsilon: float = option(0.1, "adml: largest change of a pixel in training", minimum=0.0)
    pairing: str = option(
        "crossed",
        "adml: which weights meet which queries; crossed as the paper, parallel as the book",
        choices=("crossed", "parallel"),
    )
    context: int = option(100, "caml: number of context parameters", minimum=1)


FIVE_WAY = {"way": 5, "shot": 1, "query": 5, "columns": "5w1s,5w5s", "schedule": "cosine"}
# Five inner steps at 0.1, as the paper for 20-way; two tasks per step where the paper has 16.
TWENTY_WAY = {
    "way": 20,
    "shot": 1,
    "query": 2,
    "columns": "20w1s,20w5s",
    "schedule": "cosine",
    "test_query": 5,
}

OMNIGLOT = {
    # No network and no downloads: characters of random strokes.
    "quick": {
        "data": "strokes",
        "tasks": 4,
        "filters": 32,
        "steps": 600,
        "schedule": "cosine",
        "steps_per_epoch": 100,
        "validation_episodes": 50,
        "columns": "5w1s",
        "test_episodes": 100,
    },
    "maml_5way": {**FIVE_WAY, "steps": 20000},
    "fomaml_5way": {**FIVE_WAY, "first_order": True, "steps": 6000},
    "adml_5way": {**FIVE_WAY, "method": "adml", "steps": 4000},
    "caml_5way": {**FIVE_WAY, "method": "caml", "inner_rate": 1.0, "steps": 6000},
}

SCRIPTS = {
    "train_omniglot": Script(
        "MAML and its variants on Omniglot: adapt to characters never seen by gradient steps.",
        OmniglotConfig,
        OMNIGLOT,
    ),
}

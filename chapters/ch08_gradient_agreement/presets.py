"""Options and presets of chapter 8; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Model, Script, System, option
from chapters.experiments.options import (
    NO_DATA,
    ONE_DEVICE,
    TASKS,
    AdaptationOptions,
    SineOptions,
    ToyOptions,
)


@dataclass(frozen=True)
class AgreementOptions:
    """What gradient agreement has beyond the options of an experiment."""

    base: str = option("maml", "whose outer step is weighted", choices=("maml", "reptile"))
    first_order: bool = option(
        False, "maml: leave out second derivatives; reptile has none", only=("base", "maml")
    )
    agreement: bool = option(True, "weight tasks by agreement; without, each counts 1/n")
    outliers: int = option(
        0,
        "tasks of each training batch whose targets are random; never at test",
        minimum=0,
        maximum=TASKS,
    )


@dataclass(frozen=True)
class SineConfig(AgreementOptions, SineOptions):
    """Options of ``chapters.ch08_gradient_agreement.train_sine``."""

    compare: bool = option(
        False,
        "train the same without agreement as well, and show the paired difference",
        only=("agreement", True),
    )


# MAML's curves and network. Weights whose absolute values add up to 1 often cancel, so the step is
# shorter than a mean's; the outer rate was chosen on validation curves, for both.
GA_SINE = {"tasks": 10, "learning_rate": 0.003, "schedule": "cosine"}

SINE = {
    # One outlier task in ten, with and without agreement: one to two minutes on two cores.
    "quick": {**GA_SINE, "outliers": 1, "steps": 10000, "compare": True},
    "ga_maml": {**GA_SINE, "compare": True},
    "ga_maml_outliers": {**GA_SINE, "outliers": 1, "compare": True},
    "maml_outliers": {**GA_SINE, "outliers": 1, "agreement": False},
    "ga_reptile": {
        **GA_SINE,
        "base": "reptile",
        "inner_rate": 0.01,
        "inner_steps": 8,
        "compare": True,
    },
}


@dataclass(frozen=True)
class OmniglotConfig(AgreementOptions, AdaptationOptions):
    """Options of ``chapters.ch08_gradient_agreement.train_omniglot``."""


GA_OMNIGLOT = {"schedule": "cosine", "steps": 3000, "steps_per_epoch": 250}

OMNIGLOT = {
    # No network and no downloads: characters of random strokes.
    "quick": {
        "data": "strokes",
        "tasks": 4,
        "filters": 32,
        "steps": 500,
        "schedule": "cosine",
        "steps_per_epoch": 100,
        "validation_episodes": 50,
        "columns": "5w1s",
        "test_episodes": 100,
    },
    "ga_maml_5way": {**GA_OMNIGLOT, "columns": "5w1s,5w5s"},
    "ga_maml_20way": {
        **GA_OMNIGLOT,
        "way": 20,
        "query": 2,
        "tasks": 4,
        "columns": "20w1s,20w5s",
        "test_query": 5,
    },
}


@dataclass(frozen=True)
class ToyConfig(AgreementOptions, ToyOptions):
    """Options of ``chapters.ch08_gradient_agreement.train_toy``."""


TOY = {
    "quick": {"steps": 500, "steps_per_epoch": 50},  # ten tasks: two cannot disagree (E8.8)
    # The book's sizes (2 tasks of 10 points, a line every tenth part) with rates and a length that
    # move something: its own are 1e-4 and 100 epochs.
    "book": {"tasks": 2, "steps": 1000, "steps_per_epoch": 100},
}

SCRIPTS = {
    "train_toy": Script(
        "The book's toy problem of section 8.4, with tasks that can be learned.",
        ToyConfig,
        TOY,
        without=ONE_DEVICE | NO_DATA,
    ),
    "train_sine": Script(
        "MAML and Reptile with gradient agreement on sine curves, with outlier tasks or without.",
        SineConfig,
        SINE,
        without=NO_DATA,
    ),
    "train_omniglot": Script(
        "MAML and Reptile with gradient agreement on Omniglot: characters never seen.",
        OmniglotConfig,
        OMNIGLOT,
    ),
}

CHARACTERS = Model(
    script="train_omniglot",
    build="chapters.ch08_gradient_agreement.train_omniglot:build_learner",
    items="image",
    evaluate="chapters.experiments.images.adaptation:evaluate",
    read="chapters.experiments.images:read",
)
CURVES = Model(
    script="train_sine",
    build="chapters.ch08_gradient_agreement.train_sine:build_learner",
    items="number",
    evaluate="chapters.experiments.sine:evaluate",
)

SYSTEMS = (
    System("gradient agreement", "weights tasks by how much they agree", "ga-maml-omniglot-5way"),
)
MODELS = {
    "ga-maml-omniglot-5way": CHARACTERS,
    "ga-maml-sine": CURVES,
    "ga-maml-outliers-sine": CURVES,
    "maml-outliers-sine": CURVES,
    "ga-reptile-sine": CURVES,
}

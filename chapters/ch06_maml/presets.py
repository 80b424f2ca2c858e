"""Options and presets of chapter 6; data only."""

from argparse import ArgumentTypeError
from dataclasses import dataclass

from chapters.engine.configuration import (
    Model,
    RunConfig,
    Script,
    System,
    changed,
    number,
    option,
    shorten,
)
from chapters.engine.errors import ConfigError
from chapters.experiments.options import (
    EPISODES,
    NO_DATA,
    ONE_DEVICE,
    UNITS,
    ActingOptions,
    AdaptationOptions,
    SineOptions,
    ToyOptions,
)

# Finn et al. (2017), table 1: Omniglot, batch norm with the queries' statistics.
PUBLISHED = {
    "MAML": {"transductive": {"5w1s": 98.7, "5w5s": 99.9, "20w1s": 95.8, "20w5s": 98.9}},
    # Nichol et al. (2018), table 2, their own run of first-order MAML.
    "FOMAML": {"transductive": {"5w1s": 98.3, "5w5s": 99.2, "20w1s": 89.4, "20w5s": 97.9}},
    # Raghu et al. (2020), table 2.
    "ANIL": {"transductive": {"20w1s": 96.2, "20w5s": 98.0}},
    "MAML, dense": {"transductive": {"5w1s": 89.7, "5w5s": 97.5}},
}

# Finn et al. (2017), appendix, table 2: 5-shot mean squared error after inner steps.
PUBLISHED_SINE = {
    "maml_5shot": {"MAML, published": {"1": 0.67, "5": 0.38, "10": 0.35}},
}

METHODS = ("maml", "anil", "adml", "caml")


@dataclass(frozen=True)
class OmniglotConfig(AdaptationOptions):
    """Options of ``chapters.ch06_maml.train_omniglot``."""

    method: str = option("maml", "learner", choices=METHODS)
    network: str = option(
        "conv4",
        "maml, anil, adml: four strided convolutions, or four dense layers",
        choices=("conv4", "dense4"),
        only=("method", "maml", "anil", "adml"),
    )
    warm_start: float = option(
        0.0,
        "maml: share of the steps that are first-order; these come first",
        minimum=0.0,
        maximum=1.0,
        only=[("method", "maml"), ("first_order", False)],
    )
    zero_head: bool = option(
        False,
        "anil: the last layer begins at zero in every task, and not at learned weights",
        only=("method", "anil"),
    )
    epsilon: float = option(
        0.1,
        "adml: largest change of a pixel in training",
        minimum=0.0,
        maximum=1.0,
        only=("method", "adml"),
    )
    pairing: str = option(
        "crossed",
        "adml: which weights meet which queries; crossed as in the paper, parallel as in the book",
        choices=("crossed", "parallel"),
        only=("method", "adml"),
    )
    context: int = option(
        100,
        "caml: number of context parameters",
        minimum=1,
        maximum=UNITS,
        only=("method", "caml"),
    )


FIVE_WAY = {
    "way": 5,
    "shot": 1,
    "query": 5,
    "schedule": "cosine",
    "columns": "5w1s,5w5s",
    "test_episodes": 600,
}
# Five inner steps at 0.1, as the paper for 20-way; two tasks per step where the paper has 16.
TWENTY_WAY = {
    "way": 20,
    "shot": 1,
    "query": 2,
    "tasks": 2,
    "inner_rate": 0.1,
    "inner_steps": 5,
    "test_steps": 5,
    "schedule": "cosine",
    "columns": "20w1s,20w5s",
    "test_query": 5,
    "test_episodes": 600,
}
# The head needs far larger inner rates than MAML's. After 600 steps of two 20-way tasks, on
# validation classes and transductive, five steps at 4 had come to 74 %, one step at 5, 20 and 60 to
# 61, 67 and 56 %; a learned head to 70 % in five steps at 4, and to 15 % at MAML's 0.1. The rate
# goes with the number of classes: the loss is a mean over the support set.
ZERO_HEAD = {"method": "anil", "zero_head": True, "inner_steps": 5, "test_steps": 5}

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
    # The paper has 60,000 steps of 32 tasks; these lengths are what two cores do in a while.
    # This one learns from the validation classes too, and keeps its last weights.
    "maml_5way": {
        **FIVE_WAY,
        "train_split": "trainval",
        "steps": 24000,
        "test_episodes": 1000,
    },
    "fomaml_5way": {**FIVE_WAY, "first_order": True, "steps": 5000},
    "anil_5way": {**FIVE_WAY, **ZERO_HEAD, "inner_rate": 1.0, "steps": 24000},
    "adml_5way": {**FIVE_WAY, "method": "adml", "steps": 3000},
    "caml_5way": {**FIVE_WAY, "method": "caml", "inner_rate": 1.0, "steps": 2000},
    "maml_20way": {**TWENTY_WAY, "steps": 1500},
    "anil_20way": {**TWENTY_WAY, **ZERO_HEAD, "tasks": 4, "inner_rate": 4.0, "steps": 25000},
    # As maml_20way but for the first third, so that the two can be compared.
    "maml_20way_warm": {**TWENTY_WAY, "warm_start": 0.33, "steps": 1500},
    "fomaml_20way": {**TWENTY_WAY, "first_order": True, "steps": 1500},
}


@dataclass(frozen=True)
class SineConfig(SineOptions):
    """Options of ``chapters.ch06_maml.train_sine``."""

    method: str = option("maml", "learner", choices=("maml", "caml"))
    context: int = option(
        5,
        "caml: number of context parameters",
        minimum=1,
        maximum=UNITS,
        only=("method", "caml"),
    )


SINE = {
    # The paper's experiment, a third of its length: a minute on two cores.
    "quick": {},
    "maml_5shot": {"shot": 5, "query": 5, "test_shot": 5, "steps": 70000},
    "maml_10shot": {"steps": 70000},
    "caml": {"method": "caml", "inner_rate": 1.0, "test_steps": 1, "steps": 50000},
    # The README "MAML in raw numpy": ten points of a curve, half of them for the inner step. It
    # leaves rates and widths open; these are the paper's.
    "raw_numpy": {"shot": 5, "query": 5, "steps": 10000},
    # The blog "Meta Learning in PyTorch": one task per step, plain gradient descent outside.
    "blog": {
        "curves": "blog",
        "tasks": 1,
        "shot": 4,
        "query": 4,
        "test_shot": 4,
        "hidden": "32,32",
        "init": "blog",
        "objective": "absolute_error",
        "inner_rate": 0.03,
        "inner_steps": 5,
        "test_steps": 5,
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "steps": 275000,
        "steps_per_epoch": 5000,
        "shown_steps": "0,1,5",
    },
}


@dataclass(frozen=True)
class ToyConfig(ToyOptions):
    """Options of ``chapters.ch06_maml.train_toy``."""

    method: str = option("maml", "learner", choices=("maml", "adml"))
    epsilon: float = changed(
        OmniglotConfig, "epsilon", 0.2, "adml: largest change of an input in training"
    )
    pairing: str = changed(OmniglotConfig, "pairing", "crossed")


TOY = {
    "quick": {"steps": 3000, "steps_per_epoch": 300},
    # The book's sizes (10 tasks of 10 points, 10,000 epochs, a line every 1000) with rates that
    # move something; its own are 1e-4 (E6.8).
    "book": {},
    "book_adml": {"method": "adml", "tasks": 2, "steps_per_epoch": 1000},
}


ACTING = {
    # The paper's experiment, a quarter of its length: two minutes on two cores.
    "quick": {"steps": 25, "steps_per_epoch": 5},
    "navigation": {"steps": 100, "seeds": 3},
    # Rewards as in the paper's text: far goals weigh more.
    "navigation_squared": {"steps": 100, "seeds": 3, "reward": "squared"},
    # The log-likelihood of the paper, whose second derivative is biased.
    "paper": {"steps": 100, "inner": "log_likelihood", "tasks": 40, "inner_rate": 0.5},
    # The book's example: machines of five arms, each with chances of its own.
    "bandits": {
        "world": "bandits",
        "horizon": 10,
        "inner_rate": 1.0,
        "hidden": "32",
        "steps": 100,
        "seeds": 3,
    },
    # The paper's other world, a tenth of its tasks in a step: needs MuJoCo.
    "cheetah": {
        "world": "cheetah",
        "horizon": 200,
        "tasks": 4,
        "steps": 200,
        "seeds": 2,
    },
}


def strengths(text: str, flag: str = "--epsilons") -> list[float]:
    """``0,0.05,0.1`` -> numbers; ConfigError when one is not in [0, 1]."""
    try:
        found = [number(part.strip()) for part in text.split(",")]
    except ArgumentTypeError:
        found = []
    if not found or not all(0 <= epsilon <= 1 for epsilon in found):
        raise ConfigError(
            f"{flag} is {shorten(text)!r}; expected numbers in [0, 1] such as 0,0.05,0.1."
        )
    return found


@dataclass(frozen=True)
class AttackConfig(RunConfig):
    """Options of ``chapters.ch06_maml.attack``."""

    maml: str = option("zoo/weights/maml-omniglot-5way", "run folder of MAML")
    adml: str = option("zoo/weights/adml-omniglot-5way", "run folder of ADML")
    epsilons: str = option(
        "0,0.02,0.05,0.1,0.15,0.2,0.3", "strengths of the attack", check=strengths
    )
    shown_epsilon: float = option(
        0.1, "strength in the picture of attacked images", minimum=0.0, maximum=1.0
    )
    episodes: int = option(100, "test episodes of each figure", minimum=2, maximum=EPISODES)


ATTACK = {
    "quick": {"epsilons": "0,0.05,0.1,0.2", "episodes": 20},
    "published": {},  # on Omniglot, with the networks of the zoo
}

SCRIPTS = {
    "attack": Script(
        "Accuracy of MAML and ADML on clean and on attacked queries, by strength of the attack.",
        AttackConfig,
        ATTACK,
        without={
            **dict.fromkeys(
                ("strategy", "export", "resume", "tensorboard"), "which trains nothing"
            ),
            "seed": "whose tasks are those of the runs",
        },
    ),
    "train_toy": Script(
        "The book's toy problem of sections 6.5 and 6.7, with tasks that can be learned.",
        ToyConfig,
        TOY,
        without=ONE_DEVICE | NO_DATA,
    ),
    "train_sine": Script(
        "MAML and CAML on sine curves: fit a curve from a few points after a few steps.",
        SineConfig,
        SINE,
        without=NO_DATA,
    ),
    "train_acting": Script(
        "MAML for reinforcement learning: a policy finds a goal it cannot see after one step.",
        ActingOptions,
        ACTING,
        without=ONE_DEVICE | NO_DATA | {"export": "whose policies are exported by the zoo"},
    ),
    "train_omniglot": Script(
        "MAML and its variants on Omniglot: adapt to characters never seen by gradient steps.",
        OmniglotConfig,
        OMNIGLOT,
    ),
}

CHARACTERS = Model(
    script="train_omniglot",
    build="chapters.ch06_maml.train_omniglot:build_learner",
    items="image",
    evaluate="chapters.experiments.images.adaptation:evaluate",
    read="chapters.experiments.images:read",
)
CURVES = Model(
    script="train_sine",
    build="chapters.ch06_maml.train_sine:build_learner",
    items="number",
    evaluate="chapters.experiments.sine:evaluate",
)

POLICY = Model(
    script="train_acting",
    build="chapters.ch06_maml.train_acting:build_learner",
    items="trajectories",
    evaluate="chapters.experiments.acting:evaluate",
    picture="chapters.experiments.acting.pictures:picture",
)

SYSTEMS = (
    System("MAML", "learns first weights that a few gradient steps adapt", "maml-omniglot-5way"),
    System(
        "first-order MAML", "the same without the gradient of a gradient", "fomaml-omniglot-5way"
    ),
    System("ANIL", "adapts the last layer alone", "anil-omniglot-20way"),
    System("ADML", "adapts on attacked pictures", "adml-omniglot-5way"),
    System("CAML", "adapts a handful of numbers", "caml-sine"),
    System("MAML, acting", "adapts a policy to a new goal", "maml-navigation"),
)
MODELS = {
    "maml-omniglot-5way": CHARACTERS,
    "maml-omniglot-20way": CHARACTERS,
    "maml-omniglot-20way-warm": CHARACTERS,
    "anil-omniglot-5way": CHARACTERS,
    "anil-omniglot-20way": CHARACTERS,
    "fomaml-omniglot-5way": CHARACTERS,
    "adml-omniglot-5way": CHARACTERS,
    "maml-sine-5shot": CURVES,
    "maml-sine-10shot": CURVES,
    "maml-sine-raw-numpy": CURVES,
    "maml-sine-blog": CURVES,
    "caml-sine": CURVES,
    "maml-navigation": POLICY,
    "maml-bandits": POLICY,
}

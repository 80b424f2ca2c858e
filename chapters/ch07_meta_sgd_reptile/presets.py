"""Options and presets of chapter 7; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Model, Script, System, changed, option
from chapters.experiments.options import (
    ITEMS,
    NO_DATA,
    ONE_DEVICE,
    STEPS,
    ActingOptions,
    AdaptationOptions,
    SineOptions,
    ToyOptions,
)

# Omniglot, accuracy in %. Nichol et al. (2018), table 2, both ways, with one query per class.
PUBLISHED_REPTILE = {
    "support": {"5w1s": 95.39, "5w5s": 98.90, "20w1s": 88.14, "20w5s": 96.65},
    "transductive": {"5w1s": 97.68, "5w5s": 99.48, "20w1s": 89.43, "20w5s": 97.12},
}
# Li et al. (2017), table 2: batch norm with the queries' statistics.
PUBLISHED = {
    "Meta-SGD": {"transductive": {"5w1s": 99.53, "5w5s": 99.93, "20w1s": 95.93, "20w5s": 98.97}},
    "Reptile": PUBLISHED_REPTILE,
    "Reptile, kept moments": PUBLISHED_REPTILE,
}

# Li et al. (2017), table 1, same shot in training and test: mean squared error after one step.
PUBLISHED_SINE = {
    "meta_sgd_5shot": {"Meta-SGD, published": {"1": 0.90}, "MAML, published": {"1": 1.13}},
    "meta_sgd_10shot": {"Meta-SGD, published": {"1": 0.53}, "MAML, published": {"1": 0.77}},
    "meta_sgd_20shot": {"Meta-SGD, published": {"1": 0.31}, "MAML, published": {"1": 0.48}},
}


INNER_RATE = "reptile: inner learning rate; meta_sgd learns its own, see --rate"


@dataclass(frozen=True)
class MethodOptions:
    """What the methods of this chapter have beyond the options of an experiment."""

    method: str = option(
        "meta_sgd",
        "learner; the presets have the settings of each",
        choices=("meta_sgd", "reptile"),
    )
    rate: float = option(
        0.0,
        "meta_sgd: where all rates start; 0 draws it from 0.005 to 0.1, as in the paper",
        minimum=0.0,
        only=("method", "meta_sgd"),
    )
    first_order: bool = option(
        False,
        "meta_sgd: leave out second derivatives; reptile has none",
        only=("method", "meta_sgd"),
    )
    inner_batch: int = option(
        0,
        "reptile: items of an inner minibatch; 0 for the whole support set",
        minimum=0,
        maximum=ITEMS,
        only=("method", "reptile"),
    )
    inner_optimizer: str = option(
        "sgd",
        "reptile: inner optimizer; adam has beta1 = 0",
        choices=("sgd", "adam"),
        only=("method", "reptile"),
    )
    keep_moments: bool = option(
        False,
        "reptile: adam's second moments pass from task to task, as in the authors' code",
        only=[("method", "reptile"), ("inner_optimizer", "adam")],
    )
    test_steps: int = option(1, "inner steps at test", minimum=0, maximum=STEPS)
    test_batch: int = option(
        0,
        "reptile: items of a minibatch at test; 0 for the whole support set",
        minimum=0,
        maximum=ITEMS,
        only=("method", "reptile"),
    )


@dataclass(frozen=True)
class SineConfig(MethodOptions, SineOptions):
    """Options of ``chapters.ch07_meta_sgd_reptile.train_sine``."""

    inner_rate: float = changed(
        SineOptions, "inner_rate", 0.01, INNER_RATE, only=("method", "reptile")
    )


# One step, 40-40 ReLU, Adam at 0.001: the paper's settings. Its curves differ in frequency too.
META_SGD = {"tasks": 4, "shown_steps": "0,1"}
META_SGD_PAPER = {**META_SGD, "curves": "meta_sgd", "steps": 60000, "steps_per_epoch": 2000}

SINE = {
    # MAML's curves, ten points, one step: less than a minute on two cores.
    "quick": {**META_SGD, "steps": 20000},
    "meta_sgd_5shot": {**META_SGD_PAPER, "shot": 5, "query": 5, "test_shot": 5},
    "meta_sgd_10shot": META_SGD_PAPER,
    "meta_sgd_20shot": {**META_SGD_PAPER, "shot": 20, "query": 20, "test_shot": 20},
    # The authors' published script: one epoch over 50 points of a curve in minibatches of 10, from
    # PyTorch's first weights (Keras' zero biases end at several times the error).
    "reptile": {
        "method": "reptile",
        "curves": "reptile",
        "tasks": 1,
        "shot": 50,
        "query": 50,  # for joint training, which it is compared with
        "hidden": "64,64",
        "activation": "tanh",
        "init": "pytorch",
        "inner_rate": 0.02,
        "inner_steps": 5,
        "inner_batch": 10,
        "test_steps": 32,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "schedule": "linear",
        "steps": 30000,
        "shown_steps": "0,1,5,10,32",
    },
    # Section 7.7, mended. The book stops after 100 epochs, far too early (E7.18): --steps 100.
    "book_reptile": {
        "method": "reptile",
        "curves": "book",
        "tasks": 2,
        "shot": 50,
        "query": 50,
        "hidden": "64",
        "activation": "tanh",
        "inner_rate": 0.01,
        "inner_optimizer": "adam",
        "inner_steps": 10,
        "inner_batch": 10,
        "test_steps": 32,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "steps": 30000,
        "shown_steps": "0,1,5,10,32",
    },
}


@dataclass(frozen=True)
class OmniglotConfig(MethodOptions, AdaptationOptions):
    """Options of ``chapters.ch07_meta_sgd_reptile.train_omniglot``."""

    inner_rate: float = changed(
        AdaptationOptions, "inner_rate", 0.4, INNER_RATE, only=("method", "reptile")
    )


QUICK = {
    "data": "strokes",
    "filters": 32,
    "steps_per_epoch": 100,
    "validation_episodes": 50,
    "columns": "5w1s",
    "test_episodes": 100,
}
META_SGD_OMNIGLOT = {
    "schedule": "cosine",
    "steps": 3000,
    "steps_per_epoch": 500,
    "test_episodes": 600,
}
# The authors' settings: Adam with beta1 = 0 inside, epsilon from 1 to 0 outside.
REPTILE = {
    "method": "reptile",
    "tasks": 5,
    "shot": 10,
    "inner_optimizer": "adam",
    "test_steps": 50,
    "test_episodes": 600,
    "learning_rate": 1.0,
    "schedule": "linear",
}
REPTILE_5WAY = {"inner_rate": 1e-3, "inner_steps": 5, "inner_batch": 10, "test_batch": 5}
REPTILE_20WAY = {"inner_rate": 5e-4, "inner_steps": 10, "inner_batch": 20, "test_batch": 10}

OMNIGLOT = {
    # No network and no downloads: characters of random strokes.
    "quick": {**QUICK, "tasks": 4, "steps": 600, "schedule": "cosine"},
    "quick_reptile": {**REPTILE, **REPTILE_5WAY, **QUICK, "steps": 400},
    "meta_sgd_5way": {**META_SGD_OMNIGLOT, "columns": "5w1s,5w5s"},
    "meta_sgd_20way": {
        **META_SGD_OMNIGLOT,
        "way": 20,
        "query": 2,
        "tasks": 4,
        "columns": "20w1s,20w5s",
        "test_query": 5,
    },
    "reptile_5way": {**REPTILE, **REPTILE_5WAY, "steps": 2500, "columns": "5w1s,5w5s"},
    # Adam's moments as the authors have them, else as above: the two are to be compared.
    "reptile_5way_kept": {
        **REPTILE,
        **REPTILE_5WAY,
        "keep_moments": True,
        "steps": 2500,
        "columns": "5w1s,5w5s",
    },
    "reptile_20way": {
        **REPTILE,
        **REPTILE_20WAY,
        "way": 20,
        "query": 2,
        "steps": 3000,
        "columns": "20w1s,20w5s",
        "test_query": 5,
    },
}


@dataclass(frozen=True)
class ToyConfig(MethodOptions, ToyOptions):
    """Options of ``chapters.ch07_meta_sgd_reptile.train_toy``."""

    inner_rate: float = changed(
        ToyOptions, "inner_rate", 1.0, INNER_RATE, only=("method", "reptile")
    )
    query: int = changed(
        ToyOptions,
        "query",
        10,
        "meta_sgd: query points; reptile trains on its support set alone",
        only=("method", "meta_sgd"),
    )


TOY = {
    "quick": {"rate": 1.0, "steps": 3000, "steps_per_epoch": 300},
    # The book's sizes (2 tasks of 10 points, 10,000 epochs, a line every 1000) with rates that
    # move something; its own are 1e-4 (E6.8).
    "book": {"tasks": 2, "rate": 1.0},
}


@dataclass(frozen=True)
class ActingConfig(ActingOptions):
    """Options of ``chapters.ch07_meta_sgd_reptile.train_acting``."""

    inner_rate: float = changed(
        ActingOptions, "inner_rate", 0.1, "where all rates start; 0 draws it from 0.005 to 0.1"
    )


ACTING = {
    # A quarter of the paper's length: two minutes on two cores.
    "quick": {"steps": 25, "steps_per_epoch": 5},
    "navigation": {"steps": 100, "seeds": 3},
    "navigation_squared": {"steps": 100, "seeds": 3, "reward": "squared"},
    "bandits": {
        "world": "bandits",
        "horizon": 10,
        "inner_rate": 1.0,
        "hidden": "32",
        "steps": 100,
        "seeds": 3,
    },
}

SCRIPTS = {
    "train_acting": Script(
        "Meta-SGD for reinforcement learning: a policy with a learned rate for each weight.",
        ActingConfig,
        ACTING,
        without=ONE_DEVICE | NO_DATA | {"export": "whose policies are exported by the zoo"},
    ),
    "train_toy": Script(
        "The book's toy problem of section 7.4, with tasks that can be learned.",
        ToyConfig,
        TOY,
        without=ONE_DEVICE | NO_DATA,
    ),
    "train_sine": Script(
        "Meta-SGD and Reptile on sine curves: fit a curve from a few points after a few steps.",
        SineConfig,
        SINE,
        without=NO_DATA,
    ),
    "train_omniglot": Script(
        "Meta-SGD and Reptile on Omniglot: adapt to characters never seen by gradient steps.",
        OmniglotConfig,
        OMNIGLOT,
    ),
}

CHARACTERS = Model(
    script="train_omniglot",
    build="chapters.ch07_meta_sgd_reptile.train_omniglot:build_learner",
    items="image",
    evaluate="chapters.experiments.images.adaptation:evaluate",
    read="chapters.experiments.images:read",
)
CURVES = Model(
    script="train_sine",
    build="chapters.ch07_meta_sgd_reptile.train_sine:build_learner",
    items="number",
    evaluate="chapters.experiments.sine:evaluate",
)

POLICY = Model(
    script="train_acting",
    build="chapters.ch07_meta_sgd_reptile.train_acting:build_learner",
    items="trajectories",
    evaluate="chapters.experiments.acting:evaluate",
    picture="chapters.experiments.acting.pictures:picture",
)

SYSTEMS = (
    System("Meta-SGD", "learns a rate for every weight too", "meta-sgd-omniglot-5way"),
    System("Reptile", "moves towards weights that were trained", "reptile-omniglot-5way"),
    System("Meta-SGD, acting", "adapts a policy by learned rates", "meta-sgd-navigation"),
)
MODELS = {
    "meta-sgd-omniglot-5way": CHARACTERS,
    "reptile-omniglot-5way": CHARACTERS,
    "reptile-omniglot-5way-kept": CHARACTERS,
    "meta-sgd-sine-5shot": CURVES,
    "meta-sgd-sine-10shot": CURVES,
    "reptile-sine": CURVES,
    "meta-sgd-navigation": POLICY,
    "meta-sgd-bandits": POLICY,
}

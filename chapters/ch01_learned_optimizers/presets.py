"""Options and presets of chapter 1; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Model, RunConfig, Script, System, changed, option
from chapters.experiments.options import (
    EPISODES,
    ITEMS,
    NO_DATA,
    ONE_DEVICE,
    TASKS,
    UNITS,
    AdaptationOptions,
    counts,
    rates,
)

# --- one episode ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class TourConfig(RunConfig):
    """Options of ``chapters.ch01_learned_optimizers.tour``."""

    data: str = option(
        "strokes",
        "strokes (generated characters), omniglot, emoji or painted_signs (generated, in colour)",
        choices=("strokes", "omniglot", "emoji", "painted_signs"),
    )
    way: int = option(5, "classes of the episode", minimum=2, maximum=50)
    shot: int = option(1, "support items per class", minimum=1, maximum=ITEMS)
    query: int = option(3, "query items per class", minimum=1, maximum=ITEMS)


# --- learned optimizers ---------------------------------------------------------------------------

LSTM = ("method", "lstm")
MOST = 100_000  # steps of a run


@dataclass(frozen=True)
class LearnedConfig(RunConfig):
    """Options of ``chapters.ch01_learned_optimizers.train``."""

    problem: str = option(
        "quadratics",
        "what is optimized: random quadratics of 10 dimensions, or small networks on digits",
        choices=("quadratics", "digits"),
    )
    method: str = option(
        "lstm",
        "the coordinate-wise LSTM of Andrychowicz et al., or RNNprop of Lv et al.",
        choices=("lstm", "rnnprop"),
    )
    units: int = option(20, "units of each LSTM layer", minimum=1, maximum=UNITS)
    depth: int = option(2, "LSTM layers", minimum=1, maximum=16)
    preprocessing: str = option(
        "log_sign",
        "what the LSTM sees of a gradient: logarithm and sign, or the gradient as it is",
        choices=("log_sign", "none"),
        only=LSTM,
    )
    scale: float = option(0.1, "factor of the LSTM's output", minimum=0.0, only=LSTM)
    meta_loss: str = option(
        "sum",
        "what is minimised: the sum of the losses after all steps of an unrolling, the sum of "
        "their logarithms, or the final loss",
        choices=("sum", "log", "final"),
    )
    run_steps: int = option(100, "steps of a training run", minimum=1, maximum=MOST)
    unroll: int = option(
        20, "steps that are differentiated through at once", minimum=1, maximum=MOST
    )
    units_spread: float = option(
        0.0,
        "training problems in other units: every coordinate has a factor from exp(-x) to exp(x)",
        minimum=0.0,
        maximum=10.0,
    )
    problems: int = option(64, "problems of a training run", minimum=1, maximum=TASKS)
    steps: int = option(1000, "training runs, each on new problems", minimum=1)
    steps_per_epoch: int = option(100, "runs between validations", minimum=1)
    steps_per_call: int = option(10, "runs in one graph call; changes speed only", minimum=1)
    learning_rate: float = option(3e-3, "Adam's rate at the start; falls to zero", minimum=0.0)
    clip: float = option(1.0, "largest norm of the gradient; 0 does not clip", minimum=0.0)
    seeds: int = option(1, "optimizers to train, with consecutive seeds", minimum=1, maximum=1000)
    restarts: int = option(
        1,
        "trainings of every optimizer, from other first weights; the best on validation is kept",
        minimum=1,
        maximum=100,
    )
    rates: str = option(
        "0.0001,0.0003,0.001,0.003,0.01,0.03,0.1,0.3,1,3,10,30",
        "rates to try, of which every hand-made rule gets its best: seven or more, with commas "
        "between",
        check=rates,
    )
    search_problems: int = option(64, "training problems of that search", minimum=2, maximum=ITEMS)
    validation_problems: int = option(64, "problems of a validation", minimum=2, maximum=ITEMS)
    test_problems: int = option(600, "fresh problems of each test", minimum=2, maximum=ITEMS)
    test_steps: str = option(
        "100,500",
        "steps of the tests, with commas between; the first gives the main figure",
        check=counts,
    )


# Gradients of quadratics have one size: as in the authors' code they go in as they are.
PLAIN = {"preprocessing": "none", "scale": 1.0}
DIGITS = {
    "problem": "digits",
    "problems": 1,
    "search_problems": 32,
    "steps_per_epoch": 50,
    "test_problems": 100,  # of every seed
}
LEARNED = {
    # Random quadratics, no downloads: a minute on two cores.
    "quick": {**PLAIN, "meta_loss": "log", "test_steps": "100"},
    # Runs as long as the longer test. With logarithms every problem counts alike, the easy ones
    # too; sums are those of the hardest problems.
    "quadratics": {
        **PLAIN,
        "meta_loss": "log",
        "run_steps": 500,
        "steps": 700,
        "seeds": 3,
        "restarts": 3,
    },
    # The paper's training: 10,000 runs of 100 steps, the sum of the losses.
    "paper": {**PLAIN, "steps": 10000, "steps_per_epoch": 500},
    # One network at a time: it has 1,510 coordinates.
    "digits": {**DIGITS, "method": "rnnprop", "units_spread": 3.0, "steps": 300, "seeds": 5},
    # The paper's rule on the same networks, with the authors' scale of the output.
    "digits_lstm": {**DIGITS, "scale": 0.01, "steps": 1000, "seeds": 3},
}

# --- meta-LSTM ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MetaLSTMConfig(AdaptationOptions):
    """Options of ``chapters.ch01_learned_optimizers.train_meta_lstm``."""

    tasks: int = changed(AdaptationOptions, "tasks", 1)
    filters: int = changed(AdaptationOptions, "filters", 32, only=())
    query: int = changed(AdaptationOptions, "query", 15)
    inner_steps: int = changed(
        AdaptationOptions, "inner_steps", 12, "steps of the cell on a support set in training"
    )
    test_steps: int = changed(
        AdaptationOptions, "test_steps", 12, "the same in tests; ordinary optimizers take as many"
    )
    units: int = option(
        20, "units of the LSTM that reads gradients and losses", minimum=1, maximum=UNITS
    )
    batch_norm: str = changed(
        AdaptationOptions, "batch_norm", "support", "statistics of the support set"
    )
    clip: float = option(0.25, "largest norm of the gradient; 0 does not clip", minimum=0.0)
    learning_rate: float = changed(AdaptationOptions, "learning_rate", 5e-3)
    schedule: str = changed(AdaptationOptions, "schedule", "cosine")
    columns: str = changed(AdaptationOptions, "columns", "5w1s,5w5s")
    pretraining: int = option(
        4000, "training steps of the classifier from which ordinary optimizers may start", minimum=0
    )
    rates: str = option(
        "0.001,0.003,0.01,0.03,0.1,0.3,1",
        "rates to try, of which every ordinary optimizer gets its best: seven or more, with commas "
        "between",
        check=rates,
    )
    tuning_episodes: int = option(
        100, "validation episodes on which rates are chosen", minimum=2, maximum=EPISODES
    )


META_LSTM = {
    # No network and no downloads: characters of random strokes.
    "quick": {
        "data": "strokes",
        "inner_steps": 5,
        "test_steps": 5,
        "filters": 16,
        "query": 5,
        "steps": 600,
        "steps_per_epoch": 100,
        "validation_episodes": 50,
        "columns": "5w1s",
        "pretraining": 300,
        "tuning_episodes": 20,
        "test_episodes": 100,
    },
    # Steps as in the paper, on another set: 12 of one picture per class, 8 of five.
    "omniglot_1shot": {"steps": 16000, "pretraining": 40000},
    "omniglot_5shot": {
        "shot": 5,
        "inner_steps": 8,
        "test_steps": 8,
        "steps": 12000,
        "columns": "5w5s,5w1s",  # the first one validates
        "pretraining": 40000,
    },
}

SCRIPTS = {
    "tour": Script(
        "One episode, its shapes and its words, and the three families of meta-learning.",
        TourConfig,
        {"quick": {}},
        {
            **ONE_DEVICE,
            **dict.fromkeys(("export", "tensorboard"), "which trains nothing"),
            "resume": "which ends at once",
        },
    ),
    "train": Script(
        "Learned optimizers, trained by gradient descent, against tuned hand-made ones.",
        LearnedConfig,
        LEARNED,
        ONE_DEVICE | NO_DATA,
    ),
    "train_meta_lstm": Script(
        "Meta-LSTM: first weights and update rule of a network, learned together.",
        MetaLSTMConfig,
        META_LSTM,
        {
            "inner_rate": "whose rates are the input gates",
            "first_order": "whose gradients are constants",
            "network": "whose network is four convolutions",
            "batch_norm": "which uses the statistics of support sets",
        },
    ),
}

RULE = Model(
    script="train",
    build="chapters.ch01_learned_optimizers.train:build_learner",
    items="gradient",
    evaluate="chapters.ch01_learned_optimizers.testing:evaluate",
    picture="chapters.ch01_learned_optimizers.testing:picture",
)

CHARACTERS = Model(
    script="train_meta_lstm",
    build="chapters.ch01_learned_optimizers.train_meta_lstm:build_learner",
    items="image",
    evaluate="chapters.experiments.images.adaptation:evaluate",
    read="chapters.experiments.images:read",
)

SYSTEMS = (
    System("learned optimizer", "an LSTM that turns gradients into steps", "l2l-quadratics"),
    System("RNNprop", "the same, given what Adam knows", "rnnprop-digits"),
    System(
        "meta-LSTM",
        "an LSTM whose state is a network that learns a task",
        "meta-lstm-omniglot-5way",
    ),
)
MODELS = {
    "l2l-quadratics": RULE,
    "rnnprop-digits": RULE,
    "meta-lstm-omniglot-5way": CHARACTERS,
    "meta-lstm-omniglot-5way-5shot": CHARACTERS,
}

"""Options and presets of chapter 4; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import RunConfig, Script, changed, option
from chapters.experiments.options import (
    EPISODES,
    ITEMS,
    NO_DATA,
    ONE_DEVICE,
    UNITS,
    MetricOptions,
)

# --- relation network -----------------------------------------------------------------------------

# Batch-norm regime -> column -> accuracy in %. Sung et al. (2018), table 1: one network for each
# column, trained with its way and shot. The authors' code normalises every test batch by itself.
RELATION_PUBLISHED = {
    "transductive": {"5w1s": 99.6, "5w5s": 99.8, "20w1s": 97.6, "20w5s": 99.1},
}


@dataclass(frozen=True)
class RelationConfig(MetricOptions):
    """Options of ``chapters.ch04_relation_matching.train_relation``."""

    way: int = changed(MetricOptions, "way", 20)
    columns: str = changed(MetricOptions, "columns", "5w1s,20w1s,5w5s,20w5s")
    momentum: float = changed(MetricOptions, "momentum", 0.95)
    r_dim: int = option(
        64, "channels of the relation function's convolutions", minimum=1, maximum=UNITS
    )
    hidden: int = option(
        8, "units of the relation function's dense layer", minimum=1, maximum=UNITS
    )
    shots: str = option(
        "sum",
        "feature map of a class: the sum over its support items, or their mean, with which a test "
        "may have another shot than the training",
        choices=("sum", "mean"),
    )
    objective: str = option(
        "squared_error",
        "scores against 1 and 0, as the paper; or cross-entropy of the classes",
        choices=("squared_error", "cross_entropy"),
    )
    clip: float = option(
        0.5,
        "longest gradient of each of the two functions; 0 leaves gradients as they are",
        minimum=0.0,
    )


RELATION = {
    "quick": {"data": "strokes"},
}

# --- the book's toy -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ToyConfig(RunConfig):
    """Options of ``chapters.ch04_relation_matching.train_toy``."""

    as_printed: bool = option(
        False, "the book's pairs: halves of one record, of classes that do not differ"
    )
    records: int = option(1000, "records of each class", minimum=1, maximum=ITEMS)
    noise: float = option(0.05, "standard deviation of what is added in every episode", minimum=0.0)
    activation: str = option(
        "tanh",
        "of all layers but the last; with the book's relu many networks are dead from the start",
        choices=("tanh", "relu"),
    )
    learning_rate: float = option(0.03, "Adam's rate", minimum=0.0)
    steps: int = option(1000, "episodes, each with all pairs", minimum=1)
    steps_per_epoch: int = option(100, "episodes between printed lines", minimum=1)
    test_batches: int = option(100, "batches of the test", minimum=2, maximum=EPISODES)


TOY = {
    # The book's network, but for tanh and Adam at 0.03 instead of ReLU at 0.1: with either of the
    # book's about half of all first weights end at 0.25.
    "quick": {},
    # What is printed, with the errors of the network mended (E4.4 to E4.6).
    "book": {"as_printed": True, "learning_rate": 0.1},
}

SCRIPTS = {
    "train_relation": Script(
        "Relation network on Omniglot: the comparison of two items is learned too.",
        RelationConfig,
        RELATION,
    ),
    "train_toy": Script(
        "The book's toy relation network: are two records of the same class?",
        ToyConfig,
        TOY,
        without=ONE_DEVICE | NO_DATA,
    ),
}

MODELS = {}

"""Options and presets of chapter 4; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Model, Script, changed, option
from chapters.experiments.options import UNITS, MetricOptions

# --- relation network -----------------------------------------------------------------------------

# Batch-norm regime -> column -> accuracy in %. Sung et al. (2018), table 1: one network for each
# column, trained with its way and shot. The authors' code normalises every test batch by itself.
PUBLISHED_RELATION = {
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

SCRIPTS = {
    "train_relation": Script(
        "Relation network on Omniglot: the comparison of two items is learned too.",
        RelationConfig,
        RELATION,
    ),
}

MODELS = {}

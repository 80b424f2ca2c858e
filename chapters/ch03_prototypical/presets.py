"""Options and presets of chapter 3; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Model, Script, option
from chapters.experiments.options import MetricOptions

# Batch-norm regime -> column -> accuracy in %. Snell et al. (2017), table 1: trained 60-way with
# the shot of the test.
PUBLISHED = {"stored": {"5w1s": 98.8, "5w5s": 99.7, "20w1s": 96.0, "20w5s": 98.9}}


@dataclass(frozen=True)
class TrainConfig(MetricOptions):
    """Options of ``chapters.ch03_prototypical.train``."""

    distance: str = option("euclidean", "distance to a prototype", choices=("euclidean", "cosine"))


TRAIN = {
    # No network and no downloads: characters of random strokes, a minute on two cores.
    "quick": {
        "data": "strokes",
        "way": 20,
        "momentum": 0.9,  # a short run: averages over the last ten steps, not the last hundred
        "steps": 500,
        "halve_every": 200,
        "steps_per_epoch": 100,
        "validation_episodes": 10,  # of 320 images each
        "columns": "5w1s,5w5s,20w1s",
        "test_episodes": 60,
    },
    # The book: 20 epochs of 100 episodes, 50-way 5-shot, Adam at its default rate, a line of loss
    # and accuracy every 20 episodes.
    "book": {
        "way": 50,
        "shot": 5,
        "steps": 2000,
        "halve_every": 0,
        "steps_per_epoch": 100,
        "steps_per_call": 20,
        "validation_episodes": 50,
    },
    # The paper: 60-way, Adam halved every 2000 episodes.
    "paper_1shot": {"shot": 1},
    "paper_5shot": {"shot": 5, "steps": 8000},  # a step has 600 images instead of 360
    # For alphabets never seen: nothing of the 20 evaluation alphabets, whose characters the split
    # above puts on both sides.
    "background": {"train_split": "background", "steps": 8000, "halve_every": 1000},
}

# Gaussian prototypical networks (sections 3.4 and 3.5).


@dataclass(frozen=True)
class GaussianConfig(MetricOptions):
    """Options of ``chapters.ch03_prototypical.train_gaussian``."""

    plain: bool = option(
        False,
        "trust all items alike and use every channel as embedding: a plain prototypical network "
        "with as many parameters, to compare with",
    )
    component: str = option(
        "radius",
        "precision of an item: one number, or one for each dimension of the embedding",
        choices=("radius", "diagonal"),
    )
    inverse_transform_type: str = option(
        "softplus",
        "how raw precisions become positive: above 1, 1 to 2, 1 to 5, or trained",
        choices=("softplus", "sigmoid", "sigmoid_2", "other"),
        only=("plain", False),
    )
    distance: str = option(
        "root", "distance to a prototype, or its square", choices=("root", "squared")
    )
    damaged_support: float = option(
        0.0, "share of the examples that lose their detail in training", minimum=0.0, maximum=1.0
    )
    damaged_queries: float = option(
        0.0, "share of the queries that lose their detail in training", minimum=0.0, maximum=1.0
    )
    shrink: int = option(
        4,
        "how many times smaller a damaged image is made before it is stretched back",
        minimum=2,
        maximum=512,
    )


# Three quarters of the examples cannot be read (28 x 28 become 2 x 2 pixels), queries are whole:
# whom to trust matters, and can be learned.
DAMAGED = {
    "shot": 5,
    "damaged_support": 0.75,
    "shrink": 14,
    "columns": "5w5s,20w5s,5w1s,20w1s",
}

GAUSSIAN = {
    # No network and no downloads: characters of random strokes.
    "quick": {
        **DAMAGED,
        "data": "strokes",
        "way": 10,
        "momentum": 0.9,
        "steps": 400,
        "halve_every": 150,
        "steps_per_epoch": 100,
        "validation_episodes": 10,
        "columns": "5w5s,20w5s",
        "test_episodes": 60,
        "test_query": 5,
    },
    # As the prototypical network of ``paper_1shot``, with a radius: 60-way, nothing damaged.
    "paper": {"shot": 1},
    "damaged": {
        **DAMAGED,
        "way": 20,
        "steps": 6000,
        "halve_every": 1500,
        "test_episodes": 600,
    },
    # The paper's damage: 7 x 7 pixels, of three quarters of all images.
    "paper_damaged": {
        **DAMAGED,
        "damaged_queries": 0.75,
        "shrink": 4,
        "way": 20,
        "steps": 6000,
        "halve_every": 1500,
        "test_episodes": 600,
    },
    # Signs in colour; their classes have 5 to 9 drawings.
    "emoji": {
        "data": "emoji",
        "image_size": 32,
        "rotations": False,
        "way": 40,
        "query": 4,
        "steps": 4000,
        "halve_every": 1000,
        "columns": "5w1s,20w1s,5w5s,20w5s",
    },
}


@dataclass(frozen=True)
class CompareConfig(GaussianConfig):
    """Options of ``chapters.ch03_prototypical.compare_gaussian``."""

    seeds: int = option(3, "pairs of networks, each from a seed of its own", minimum=1, maximum=100)


COMPARE = {
    "quick": {**GAUSSIAN["quick"], "seeds": 1},
    "damaged": GAUSSIAN["damaged"],
    "paper_damaged": GAUSSIAN["paper_damaged"],
}
BOTH = {
    "plain": "which trains both networks",
    "export": "whose networks have run folders of their own",
    "strategy": "whose networks are small enough for one device",
}

SCRIPTS = {
    "train": Script(
        "Prototypical network on Omniglot: classify characters never seen in training.",
        TrainConfig,
        TRAIN,
    ),
    "train_gaussian": Script(
        "Gaussian prototypical network on Omniglot: learns which examples can be trusted.",
        GaussianConfig,
        GAUSSIAN,
    ),
    "compare_gaussian": Script(
        "Gaussian and plain prototypical networks of equal size, trained and tested in pairs.",
        CompareConfig,
        COMPARE,
        without=BOTH,
    ),
}

CHARACTERS = Model(
    script="train",
    build="chapters.ch03_prototypical.train:build_learner",
    items="image",
    evaluate="chapters.experiments.images:evaluate",
    read="chapters.experiments.images:read",
)
GAUSSIAN_CHARACTERS = CHARACTERS._replace(
    script="train_gaussian", build="chapters.ch03_prototypical.train_gaussian:build_learner"
)

MODELS = {
    "prototypical-omniglot-1shot": CHARACTERS,
    "prototypical-omniglot-5shot": CHARACTERS,
    # For alphabets never seen: trained on the publisher's 30 background alphabets alone.
    "prototypical-omniglot-background": CHARACTERS,
    "gaussian-omniglot": GAUSSIAN_CHARACTERS,
    # Trained where three quarters of the examples are damaged.
    "gaussian-omniglot-damaged": GAUSSIAN_CHARACTERS,
    "gaussian-emoji": GAUSSIAN_CHARACTERS,
}

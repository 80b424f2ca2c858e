"""Options and presets of chapter 3; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import Model, Script, option
from chapters.experiments.options import ONE_DEVICE, MetricOptions, ZeroShotOptions

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
    # Pictures in colour, 5 to 9 of each of 952 signs: altered ones, or they are learned by heart.
    "emoji": {
        "data": "emoji",
        "image_size": 32,
        "rotations": False,
        "augment": True,
        "way": 40,
        "query": 4,
        "steps": 25000,
        "schedule": "cosine",
        "steps_per_epoch": 1000,
        "columns": "5w1s,20w1s,5w5s,20w5s",
    },
    # For alphabets never seen: nothing of the 20 evaluation alphabets, whose characters the split
    # above puts on both sides.
    "background": {"train_split": "background", "steps": 8000, "halve_every": 1000},
}


@dataclass(frozen=True)
class ZeroShotConfig(ZeroShotOptions):
    """Options of ``chapters.ch03_prototypical.train_zero_shot``."""


ZERO_SHOT = {
    # Digits that come with scikit-learn, described by the segments of a display: three of them
    # unseen, ten times.
    "quick": {},
    # Letters of Omniglot described by their dots: six of 26 unseen, ten times.
    "braille": {"data": "braille", "image_size": 28, "unseen": 6, "way": 20},
    # Signs described by name and keywords: 357 unseen ones of other subgroups.
    "emoji": {
        "data": "emoji",
        "image_size": 32,
        "augment": True,
        "feature_steps": 10000,
        "steps": 5000,
        "steps_per_epoch": 500,
        "way": 100,
        "query": 2,
        "word_dropout": 0.2,
    },
}

SCRIPTS = {
    "train_zero_shot": Script(
        "Zero-shot prototypical network: name what nobody has shown, by its description.",
        ZeroShotConfig,
        ZERO_SHOT,
        without=ONE_DEVICE,
    ),
    "train": Script(
        "Prototypical network on Omniglot: classify characters never seen in training.",
        TrainConfig,
        TRAIN,
    ),
}

CHARACTERS = Model(
    script="train",
    build="chapters.ch03_prototypical.train:build_learner",
    items="image",
    evaluate="chapters.experiments.images:evaluate",
    read="chapters.experiments.images:read",
)

DESCRIBED = Model(
    script="train_zero_shot",
    build="chapters.ch03_prototypical.train_zero_shot:build_learner",
    items="described",
    evaluate="chapters.experiments.zero_shot:evaluate",
    read="chapters.experiments.zero_shot:read",
    describe="chapters.experiments.zero_shot:embed_words",
)

MODELS = {
    "zero-shot-prototypical-emoji": DESCRIBED,
    "zero-shot-prototypical-braille": DESCRIBED,
    "prototypical-omniglot-1shot": CHARACTERS,
    "prototypical-omniglot-5shot": CHARACTERS,
    # For alphabets never seen: trained on the publisher's 30 background alphabets alone.
    "prototypical-omniglot-background": CHARACTERS,
}

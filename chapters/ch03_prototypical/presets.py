"""Options and presets of chapter 3; data only."""

from dataclasses import dataclass

from chapters.engine.configuration import RunConfig, Script, option

# Snell et al. (2017), table 1; trained 60-way with the shot of the test.
PUBLISHED = {"5w1s": 98.8, "5w5s": 99.7, "20w1s": 96.0, "20w5s": 98.9}


@dataclass(frozen=True)
class TrainConfig(RunConfig):
    """Options of ``chapters.ch03_prototypical.train``."""

    data: str = option("omniglot", "omniglot, strokes (generated), or a folder of class folders")
    rotations: bool = option(
        True, "count every class four times, turned by quarter turns; not for a folder"
    )
    train_split: str = option(
        "train",
        "classes to learn from; trainval adds those used for validation",
        choices=("train", "trainval"),
    )
    way: int = option(60, "classes per training episode", minimum=2)
    shot: int = option(1, "support items per class", minimum=1)
    query: int = option(5, "query items per class", minimum=1)
    tasks: int = option(1, "episodes per step", minimum=1)
    distance: str = option("euclidean", "distance to a prototype", choices=("euclidean", "cosine"))
    h_dim: int = option(64, "channels of the first three convolutions", minimum=1)
    z_dim: int = option(64, "channels of the last convolution", minimum=1)
    momentum: float = option(
        0.99, "share of batch norm's stored averages that a step keeps", minimum=0.0
    )
    image_size: int = option(28, "height and width in pixels", minimum=16)
    channels: int = option(1, "for a folder: 1 reads pictures as grey, 3 in colour", choices=(1, 3))
    invert: bool = option(False, "for a folder: dark strokes on white become bright ink")
    steps: int = option(16000, "training steps", minimum=1)
    learning_rate: float = option(1e-3, "Adam's rate at the start", minimum=0.0)
    halve_every: int = option(2000, "steps after which the rate is halved; 0 keeps it", minimum=0)
    steps_per_epoch: int = option(500, "steps between validations", minimum=1)
    steps_per_call: int = option(10, "steps in one graph call; changes speed only", minimum=1)
    patience: int = option(0, "epochs without progress before stopping; 0 never", minimum=0)
    validation_episodes: int = option(200, "episodes of a validation", minimum=2)
    columns: str = option("5w1s,5w5s,20w1s,20w5s", "tests, as <way>w<shot>s with commas between")
    test_episodes: int = option(1000, "episodes of each test", minimum=2)
    test_query: int = option(15, "query items per class at test", minimum=1)


TRAIN = {
    # No network and no downloads: characters of random strokes, a minute on two cores.
    "quick": {
        "data": "strokes",
        "way": 20,
        "momentum": 0.9,  # a short run: averages over the last ten steps, not the last hundred
        "steps": 500,
        "halve_every": 200,
        "steps_per_epoch": 50,
        "validation_episodes": 50,
        "columns": "5w1s,5w5s,20w1s",
        "test_episodes": 200,
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
}

SCRIPTS = {
    "train": Script(
        "Prototypical network on Omniglot: classify characters never seen in training.",
        TrainConfig,
        TRAIN,
    ),
}

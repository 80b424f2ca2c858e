"""Options of the experiments that several chapters run; data only."""

import math
import re
from argparse import ArgumentTypeError
from dataclasses import dataclass
from typing import NamedTuple

from chapters.engine.configuration import RunConfig, changed, number, option, shorten
from chapters.engine.errors import ConfigError

CLASSES, ITEMS, TASKS = 10_000, 10_000, 10_000  # most ways, shots or queries, tasks of a batch
EPISODES = 10**7
# Options of every script that do not apply to some: why.
ONE_DEVICE = {"strategy": "whose steps are one compiled program for one device"}
NO_DATA = {"data_root": "which makes its data up"}
LEAST_RATES = 7  # of a search: with fewer the best one may lie anywhere between them
UNITS, STEPS = 4096, 1000  # most units of a layer, inner steps (a graph has a copy of each)


class Column(NamedTuple):
    """A test: ``5w1s`` is way 5, shot 1."""

    way: int
    shot: int
    part: str = ""  # of the data, whose classes alone are tested on; empty for all

    def __str__(self):
        return f"{self.way}w{self.shot}s"

    @property
    def label(self) -> str:
        """In headings: ``5-way 1-shot``, and of which part."""
        size = f"{self.way}-way {self.shot}-shot"
        return f"{size}, {self.part}" if self.part else size


def parse_columns(text: str, flag: str = "--columns") -> list[Column]:
    """``5w1s,20w5s`` -> columns; ConfigError names the part that does not fit."""
    columns = []
    for part in (part.strip() for part in text.split(",")):
        found = re.fullmatch(r"([0-9]{1,5})w([0-9]{1,5})s", part)
        if not found or not (2 <= int(found[1]) <= CLASSES and 1 <= int(found[2]) <= ITEMS):
            raise ConfigError(
                f"{flag} has {shorten(part)!r}; expected <way>w<shot>s such as 5w1s, with a way "
                "of 2 or more and commas between."
            )
        columns.append(Column(int(found[1]), int(found[2])))
    return columns


def numbers(text: str, flag: str, least: int = 0, most: int = STEPS) -> list[int]:
    """``0,1,5,10`` -> numbers; ConfigError names the option ``flag`` that does not fit."""
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch("[0-9]{1,9}", part) and least <= int(part) <= most for part in parts):
        raise ConfigError(
            f"{flag} is {shorten(text)!r}; expected whole numbers of {least} to {most:,} with "
            "commas between."
        )
    return [int(part) for part in parts]


def counts(text: str, flag: str) -> list[int]:
    """``10,20,50`` -> lengths or repeats, each at least 1; ConfigError names the option."""
    return numbers(text, flag, least=1, most=ITEMS)


def widths(text: str, flag: str) -> list[int]:
    """``40,40`` -> units of the hidden layers; ConfigError names the option."""
    return numbers(text, flag, least=1, most=UNITS)


def rates(text: str, flag: str) -> list[float]:
    """``0.001,0.01,0.1`` -> rates in order; ConfigError where they are too few to choose from."""
    try:
        found = sorted({number(part.strip()) for part in text.split(",") if part.strip()})
    except ArgumentTypeError as error:
        raise ConfigError(
            f"{flag} is {shorten(text)!r}; expected positive numbers with commas between."
        ) from error
    if len(found) < LEAST_RATES or not all(0 < rate < math.inf for rate in found):
        raise ConfigError(
            f"{flag} is {shorten(text)!r}, {len(found)} different rates; give at least "
            f"{LEAST_RATES} positive ones with commas between, so that one of them suits."
        )
    return found


@dataclass(frozen=True)
class ImageOptions(RunConfig):
    """Few-shot classification of images: which images, which tasks, which tests."""

    data: str = option(
        "omniglot",
        "omniglot or strokes (generated characters), emoji or painted_signs (generated signs in "
        "colour), emoji_omniglot or signs_strokes (both), or a folder of class folders",
    )
    rotations: bool = option(
        True, "characters: count every class four times, turned by quarter turns"
    )
    train_split: str = option(
        "train",
        "classes to learn from; trainval adds those used for validation; background is the "
        "publisher's 30 alphabets, tested on the 20 others",
        choices=("train", "trainval", "background"),
    )
    image_size: int = option(28, "height and width in pixels", minimum=16, maximum=512)
    channels: int = option(1, "for a folder: 1 reads pictures as grey, 3 in colour", choices=(1, 3))
    black: bool = option(
        True,
        "for emoji: with the two sets that are the outlines of other sets in black",
        only=("data", "emoji", "painted_signs"),
    )
    invert: bool = option(False, "for a folder: dark strokes on white become bright ink")
    fit: str = option(
        "auto",
        "for a folder: pictures of other proportions are cropped, padded with the colour of their "
        "border, or stretched; auto stretches them a little and pads beyond",
        choices=("auto", "crop", "pad", "stretch"),
    )
    fold: int = option(
        0,
        "for a folder: which block of its shuffled classes is tested on",
        minimum=0,
        maximum=CLASSES,
    )
    augment: bool = option(
        False, "training pictures are mirrored, class by class, and each is moved and zoomed"
    )
    way: int = option(5, "classes per training episode", minimum=2, maximum=CLASSES)
    shot: int = option(1, "support items per class", minimum=1, maximum=ITEMS)
    query: int = option(5, "query items per class", minimum=1, maximum=ITEMS)
    tasks: int = option(1, "episodes per step", minimum=1, maximum=TASKS)
    steps: int = option(10000, "training steps", minimum=1)
    steps_per_epoch: int = option(500, "steps between validations", minimum=1)
    steps_per_call: int = option(10, "steps in one graph call; changes speed only", minimum=1)
    patience: int = option(
        0,
        "epochs without progress on validation classes after which training stops; 0: never",
        minimum=0,
        only=("train_split", "train"),
    )
    validation_episodes: int = option(200, "episodes of a validation", minimum=2, maximum=EPISODES)
    columns: str = option(
        "5w1s,5w5s", "tests, as <way>w<shot>s with commas between", check=parse_columns
    )
    test_episodes: int = option(1000, "episodes of each test", minimum=2, maximum=EPISODES)
    test_query: int = option(15, "query items per class at test", minimum=1, maximum=ITEMS)


@dataclass(frozen=True)
class MetricOptions(ImageOptions):
    """Learners that compare images: Conv-4, and how it is trained."""

    way: int = changed(ImageOptions, "way", 60)
    steps: int = changed(ImageOptions, "steps", 16000)
    columns: str = changed(ImageOptions, "columns", "5w1s,5w5s,20w1s,20w5s")
    h_dim: int = option(64, "channels of the first three convolutions", minimum=1, maximum=UNITS)
    z_dim: int = option(64, "channels of the last convolution", minimum=1, maximum=UNITS)
    momentum: float = option(
        0.99, "share of batch norm's stored averages that a step keeps", minimum=0.0, maximum=1.0
    )
    learning_rate: float = option(1e-3, "Adam's rate at the start", minimum=0.0)
    schedule: str = option(
        "halving",
        "course of the rate: halved every --halve-every steps, or a cosine to zero",
        choices=("halving", "cosine"),
    )
    halve_every: int = option(
        2000,
        "steps after which the rate is halved; 0 keeps it",
        minimum=0,
        only=("schedule", "halving"),
    )


@dataclass(frozen=True)
class FolderOptions(MetricOptions):
    """Learners that may begin where another one ended, and make few classes more."""

    init: str = option(
        "",
        "go on from the weights of a published model, such as prototypical-emoji, or of the "
        "folder of a run",
    )
    enlarge: str = option(
        "none",
        "more classes to learn from, of altered pictures: upright, mirrored and recoloured ones; "
        "any, turned ones too; none, where a side or a colour makes a class",
        choices=("none", "upright", "any"),
    )


@dataclass(frozen=True)
class ZeroShotOptions(RunConfig):
    """Classes that are known by words alone: which, and how their descriptions are embedded."""

    data: str = option(
        "digits",
        "digits (of scikit-learn, described by the segments of a display) or braille (of Omniglot, "
        "by its dots), some classes unseen; emoji or painted_signs (generated), by name and "
        "keywords",
        choices=("digits", "braille", "emoji", "painted_signs"),
    )
    image_size: int = option(16, "height and width in pixels", minimum=16, maximum=512)
    black: bool = changed(ImageOptions, "black", True)
    augment: bool = changed(ImageOptions, "augment", False)
    unseen: int = option(
        3,
        "classes that are not learned from",
        minimum=2,
        maximum=24,
        only=("data", "digits", "braille"),
    )
    splits: int = option(
        10,
        "draws of the unseen classes, with a training each",
        minimum=1,
        maximum=1000,
        only=("data", "digits", "braille"),
    )
    way: int = changed(ImageOptions, "way", 7)
    query: int = option(10, "pictures per class of a training episode", minimum=2, maximum=ITEMS)
    tasks: int = changed(ImageOptions, "tasks", 1)
    feature_steps: int = option(
        200, "steps for image features, on episodes of seen classes; 0: none", minimum=0
    )
    feature_rate: float = option(
        1e-3, "Adam's rate in these steps at the start; falls to zero", minimum=0.0
    )
    steps: int = option(300, "training steps", minimum=1)
    steps_per_epoch: int = changed(ImageOptions, "steps_per_epoch", 100)
    steps_per_call: int = changed(ImageOptions, "steps_per_call", 10)
    hidden: int = option(
        0, "units of the hidden layer for descriptions; 0: none", minimum=0, maximum=UNITS
    )
    word_dropout: float = option(
        0.0, "share of a description's words left out in training", minimum=0.0, maximum=0.95
    )
    h_dim: int = changed(MetricOptions, "h_dim", 64)
    z_dim: int = changed(MetricOptions, "z_dim", 64)
    momentum: float = changed(MetricOptions, "momentum", 0.9)
    learning_rate: float = option(1e-3, "Adam's rate at the start; falls to zero", minimum=0.0)
    weight_decay: float = option(
        0.0, "share of the weights taken off at each step, times the rate", minimum=0.0, maximum=1.0
    )
    validation_episodes: int = changed(ImageOptions, "validation_episodes", 200)
    ways: str = option(
        "5,20", "classes of test episodes, beside a test of all that are unseen", check=counts
    )
    test_episodes: int = changed(ImageOptions, "test_episodes", 1000)
    test_query: int = option(4, "pictures per class of a test", minimum=2, maximum=ITEMS)


@dataclass(frozen=True)
class InnerLoopOptions(RunConfig):
    """Learners that adapt by gradient steps: inner and outer loop."""

    tasks: int = option(25, "tasks per outer step", minimum=1, maximum=TASKS)
    inner_rate: float = option(0.01, "inner learning rate alpha", minimum=0.0)
    inner_steps: int = option(
        1, "inner steps in training; 0 is joint training", minimum=0, maximum=STEPS
    )
    test_steps: int = option(10, "inner steps at test", minimum=0, maximum=STEPS)
    first_order: bool = option(False, "leave out second derivatives where a method has them")
    learning_rate: float = option(1e-3, "outer learning rate beta at the start", minimum=0.0)
    schedule: str = option(
        "constant",
        "course of the outer rate over the run; linear and cosine end at zero",
        choices=("constant", "linear", "cosine"),
    )
    mapping: str = option(
        "auto",
        "tasks one after the other, in the memory of a few, or all at once; auto: the faster way",
        choices=("auto", "sequential", "batched"),
    )


def outer_rate(config: InnerLoopOptions):
    """The outer learning rate, or its Keras schedule."""
    import keras

    schedules = keras.optimizers.schedules
    rate, steps = config.learning_rate, config.steps
    if config.schedule == "linear":
        return schedules.PolynomialDecay(rate, steps, end_learning_rate=0.0)
    return schedules.CosineDecay(rate, steps) if config.schedule == "cosine" else rate


@dataclass(frozen=True)
class SineOptions(InnerLoopOptions):
    """Regression of sine curves from a few points."""

    curves: str = option(
        "maml",
        "family of curves: ranges of amplitude, phase, frequency and inputs of a paper",
        choices=("maml", "meta_sgd", "reptile", "book", "full_circle", "blog", "blog_between"),
    )
    shot: int = option(10, "support points in training", minimum=1, maximum=ITEMS)
    query: int = option(10, "query points in training", minimum=1, maximum=ITEMS)
    hidden: str = option("40,40", "units of the hidden layers, with commas between", check=widths)
    activation: str = option("relu", "activation of the hidden layers", choices=("relu", "tanh"))
    init: str = option(
        "glorot",
        "first weights: glorot, as in Keras; pytorch, uniform within 1/sqrt(inputs of the layer), "
        "biases too; blog, the same with biases of zero",
        choices=("glorot", "pytorch", "blog"),
    )
    objective: str = option(
        "squared_error", "loss of a task", choices=("squared_error", "absolute_error")
    )
    optimizer: str = option("adam", "outer optimizer", choices=("adam", "sgd"))
    steps: int = option(20000, "outer steps", minimum=1)
    steps_per_epoch: int = option(1000, "steps between validations", minimum=1)
    steps_per_call: int = option(100, "steps in one graph call; changes speed only", minimum=1)
    xla: bool = option(True, "compile the steps into one program; not with several devices")
    test_shot: int = option(10, "support points at test", minimum=1, maximum=ITEMS)
    test_tasks: int = option(1000, "curves of the test", minimum=2, maximum=EPISODES)
    shown_steps: str = option(
        "0,1,5,10", "inner steps after which the error is reported", check=numbers
    )


@dataclass(frozen=True)
class ActingOptions(RunConfig):
    """Policies that adapt to a task by what they have seen in it."""

    world: str = option(
        "navigation",
        "navigation: a point finds a goal it cannot see; bandits: slot machines, with other arms "
        "in every task; cheetah: MuJoCo's, paid for running forwards or backwards",
        choices=("navigation", "bandits", "cheetah"),
    )
    horizon: int = option(100, "steps of a trajectory", minimum=1, maximum=ITEMS)
    reward: str = option(
        "distance",
        "minus the distance from the goal, as in the code of the paper, or minus its square, as in "
        "its text",
        choices=("distance", "squared"),
        only=("world", "navigation"),
    )
    arms: int = option(
        5, "arms of a slot machine", minimum=2, maximum=UNITS, only=("world", "bandits")
    )
    tasks: int = changed(InnerLoopOptions, "tasks", 20)
    trajectories: int = option(
        20, "trajectories of a task before each inner step, and after the last", minimum=2,
        maximum=ITEMS,
    )  # fmt: skip
    inner_rate: float = changed(InnerLoopOptions, "inner_rate", 0.1)
    inner_steps: int = option(
        1, "inner steps in training, with new trajectories after each", minimum=0, maximum=STEPS
    )
    first_order: bool = changed(InnerLoopOptions, "first_order", False)
    inner: str = option(
        "likelihood_ratio",
        "surrogate loss of the inner step; that of the paper, log_likelihood, has a biased second "
        "derivative",
        choices=("likelihood_ratio", "log_likelihood"),
    )
    outer: str = option(
        "trpo",
        "outer step: a trust region (TRPO), as in the paper, or a plain policy gradient",
        choices=("trpo", "gradient"),
    )
    bound: float = option(
        0.01, "largest mean divergence of an outer step", minimum=0.0, only=("outer", "trpo")
    )
    learning_rate: float = option(
        1e-3, "rate of the outer step (Adam)", minimum=0.0, only=("outer", "gradient")
    )
    discount: float = option(0.99, "discount of later rewards", minimum=0.0, maximum=1.0)
    hidden: str = changed(SineOptions, "hidden", "100,100")
    steps: int = option(100, "outer steps", minimum=1)
    steps_per_epoch: int = option(10, "steps between validations", minimum=1)
    steps_per_call: int = changed(SineOptions, "steps_per_call", 1)
    seeds: int = option(1, "policies to train, with consecutive seeds", minimum=1, maximum=1000)
    test_tasks: int = option(40, "tasks of a test", minimum=2, maximum=TASKS)
    test_trajectories: int = option(
        40,
        "trajectories of a test task before each inner step, and after the last",
        minimum=2,
        maximum=ITEMS,
    )
    shown_steps: str = option(
        "0,1,2,3", "inner steps after which returns are reported", check=numbers
    )


@dataclass(frozen=True)
class ImitationOptions(RunConfig):
    """Policies that do what a demonstration shows."""

    sight: str = option(
        "numbers",
        "what a policy sees beside its joints: places and colours of targets as numbers, or "
        "pictures",
        choices=("numbers", "pictures"),
    )
    side: int = option(
        24, "height and width of pictures", minimum=8, maximum=128, only=("sight", "pictures")
    )
    filters: int = option(
        16, "filters of a convolution", minimum=1, maximum=UNITS, only=("sight", "pictures")
    )
    eyes: str = option(
        "places",
        "how pictures are read: places, a linear convolution and the sum of each feature times its "
        "places; keypoints, two convolutions and the mean place of each feature; or strided, three "
        "convolutions and all features",
        choices=("places", "keypoints", "strided"),
        only=("sight", "pictures"),
    )
    shown_by: str = option(
        "robot",
        "who demonstrates: the robot, with its actions; or another arm that is only watched",
        choices=("robot", "other"),
        only=("sight", "pictures"),
    )
    horizon: int = option(
        25, "steps of a demonstration and of a trajectory", minimum=2, maximum=200
    )
    shot: int = option(1, "demonstrations of a task", minimum=1, maximum=100)
    query: int = option(
        5, "other demonstrations, for the outer loss; some steps of each", minimum=1, maximum=200
    )
    tasks: int = changed(InnerLoopOptions, "tasks", 25)
    among: int = option(
        0,
        "tasks to learn from, drawn again and again; 0 for new ones every time",
        minimum=0,
        maximum=TASKS,
    )
    hidden: str = changed(SineOptions, "hidden", "100,100,100")
    learning_rate: float = option(2e-3, "outer rate at the start (Adam)", minimum=0.0)
    schedule: str = changed(InnerLoopOptions, "schedule", "cosine")
    steps: int = option(10000, "outer steps", minimum=1)
    steps_per_epoch: int = option(1000, "steps between validations", minimum=1)
    steps_per_call: int = changed(SineOptions, "steps_per_call", 100)
    validation_tasks: int = option(50, "tasks of a validation", minimum=1, maximum=TASKS)
    validation_trajectories: int = option(
        4, "trajectories of each validation task", minimum=1, maximum=ITEMS
    )
    test_tasks: int = option(300, "tasks of the test", minimum=2, maximum=TASKS)
    test_trajectories: int = option(5, "trajectories of each test task", minimum=1, maximum=ITEMS)


@dataclass(frozen=True)
class ToyOptions(InnerLoopOptions):
    """The book's toy: points in 50 dimensions, labels 0 and 1, one layer."""

    as_printed: bool = option(
        False, "the book's generator: labels are coin flips, and a task has no identity"
    )
    shot: int = option(10, "support points (num_samples)", minimum=1, maximum=ITEMS)
    query: int = option(10, "query points", minimum=1, maximum=ITEMS)
    tasks: int = changed(InnerLoopOptions, "tasks", 10, "tasks per outer step (num_tasks)")
    inner_rate: float = changed(InnerLoopOptions, "inner_rate", 1.0)
    learning_rate: float = changed(InnerLoopOptions, "learning_rate", 0.01)
    steps: int = option(10000, "outer steps (epochs)", minimum=1)
    steps_per_epoch: int = option(1000, "outer steps between printed lines", minimum=1)
    test_steps: int = changed(InnerLoopOptions, "test_steps", 1)
    test_tasks: int = option(1000, "tasks of the test", minimum=2, maximum=EPISODES)
    shown_steps: str = option(
        "0,1,5,10", "inner steps after which the loss is reported", check=numbers
    )


@dataclass(frozen=True)
class AdaptationOptions(ImageOptions, InnerLoopOptions):
    """Learners that adapt by gradient steps, on images."""

    network: str = option(
        "conv4",
        "four strided convolutions, or four dense layers",
        choices=("conv4", "dense4"),
    )
    filters: int = option(
        64,
        "channels of each convolution",
        minimum=1,
        maximum=UNITS,
        only=("network", "conv4"),
    )
    batch_norm: str = option(
        "transductive",
        "statistics that normalise training queries: their own (as in the papers), or the "
        "set's; tests report both",
        choices=("transductive", "support"),
    )
    tasks: int = changed(InnerLoopOptions, "tasks", 8)
    inner_rate: float = changed(InnerLoopOptions, "inner_rate", 0.4)
    test_steps: int = changed(InnerLoopOptions, "test_steps", 3)
    columns: str = changed(
        ImageOptions,
        "columns",
        "5w1s,5w5s",
        "tests, as <way>w<shot>s; the way is that of the training",
    )


def shown_steps(config: SineOptions | ToyOptions | ActingOptions) -> list[int]:
    """Numbers of inner steps after which errors are reported."""
    return numbers(config.shown_steps, "--shown-steps")

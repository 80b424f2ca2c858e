"""Who shows what to whom: worlds, demonstrations, and colours that are never shared."""

from typing import NamedTuple

from chapters.experiments.options import ImitationOptions
from datasets.tasks.demonstrations import Demonstrations
from datasets.worlds import Reacher
from datasets.worlds.reacher import OTHER, ROBOT


class Part(NamedTuple):
    """Tasks of training, validation or test."""

    hues: tuple[float, float]  # their part of each third of the colour wheel
    seed: int  # added to that of the run


TRAINING, VALIDATION = Part((0.0, 0.6), 0), Part((0.6, 0.8), 1_000_000)
# As wide as each other, so that the colours of a pair are as unlike; those of a test are at least
# six degrees of the colour wheel from any of training.
TEST, KNOWN = Part((0.85, 0.95), 2_000_000), Part((0.25, 0.35), 3_000_000)


def make_worlds(config: ImitationOptions, part: Part) -> tuple[Reacher, Reacher]:
    """The world of who imitates, and that of who shows it."""
    side = config.side if config.sight == "pictures" else 0
    own = Reacher(config.horizon, part.hues, side, ROBOT)
    if config.shown_by == "robot":
        return own, own
    return own, Reacher(config.horizon, part.hues, side, OTHER, watched=True)


def sampler(config: ImitationOptions, part: Part, tasks: int, among: int = 0) -> Demonstrations:
    """Demonstrations of tasks of a part, and others to be judged by."""
    own, other = make_worlds(config, part)
    seed = config.seed + part.seed
    return Demonstrations(own, config.shot, config.query, tasks, seed, among, other)


def samplers(config: ImitationOptions) -> tuple[Demonstrations, Demonstrations]:
    """Of training and of validation."""
    return (
        sampler(config, TRAINING, config.tasks, config.among),
        sampler(config, VALIDATION, config.validation_tasks),
    )


def describe(config: ImitationOptions) -> str:
    """What is trained on what, before it starts."""
    who = {
        "robot": "by the robot itself, with its actions",
        "other": "by another arm, seen from outside: no joints, no actions",
    }[config.shown_by]
    among = f"drawn from {config.among}" if config.among else "new ones every time"
    return (
        f"World: an arm and two coloured targets, seen as {sight(config)}; {config.shot} "
        f"demonstration(s) of {config.horizon} steps, shown {who}.\nTraining: {config.steps} steps "
        f"of {config.tasks} task(s), {among}; colours of the test are never seen in training."
    )


def sight(config: ImitationOptions) -> str:
    """What a policy sees, in words."""
    return f"pictures of {config.side} pixels" if config.sight == "pictures" else "numbers"

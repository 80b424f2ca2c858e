"""Which worlds, and which tasks of them: training, validation and test never share one."""

import dataclasses

import keras
import tensorflow as tf

from chapters.experiments.acting.policies import CategoricalPolicy, GaussianPolicy, Policy
from chapters.experiments.options import ActingOptions, widths
from datasets.worlds import Bandits, Cheetah, Navigation, World

VALIDATION, TEST = 1_000_000, 2_000_000  # tasks of validation and test have seeds of their own


class Tasks:
    """Draws tasks of a world: index -> (what makes them [task, ...], nothing more).

    Args:
        world: of ``datasets.worlds``.
        tasks: of a batch.
        seed: the same seed and index give the same tasks.
    """

    def __init__(self, world: World, tasks: int, seed: int):
        self.world, self.tasks, self.seed = world, tasks, seed

    def __call__(self, index):
        """Batch number ``index``."""
        seed = tf.stack([tf.constant(self.seed), tf.cast(index, tf.int32)])
        return self.world.tasks(self.tasks, seed), ()


def make_world(config: ActingOptions) -> World:
    """The world of the options."""
    if config.world == "bandits":
        return Bandits(config.horizon, config.arms)
    if config.world == "cheetah":
        return Cheetah(config.horizon)
    return Navigation(config.horizon, config.reward)


def make_policy(config: ActingOptions, world: World) -> Policy:
    """A policy for a world, with first weights: ReLU layers and, for moves, a deviation of 1."""
    layers = [keras.layers.Dense(units, "relu") for units in widths(config.hidden, "--hidden")]
    network = keras.Sequential(
        [keras.layers.Input((world.observation,)), *layers, keras.layers.Dense(world.actions)]
    )
    return (CategoricalPolicy if world.discrete else GaussianPolicy)(network)


def samplers(config: ActingOptions, world: World) -> tuple[Tasks, Tasks]:
    """Tasks of training and of validation; those of a test are one batch of ``testing``."""
    return (
        Tasks(world, config.tasks, config.seed),
        Tasks(world, config.tasks, config.seed + VALIDATION),
    )


def outer_optimizer(config: ActingOptions, variables) -> keras.Optimizer:
    """Adam for a plain gradient; SGD with rate 1 takes TRPO's step as it is. Built."""
    made = keras.optimizers.SGD(1.0)
    if config.outer == "gradient":
        made = keras.optimizers.Adam(config.learning_rate)
    made.build(variables)
    return made


def describe(config: ActingOptions) -> str:
    """What is trained on what, before it starts."""
    what = {
        "navigation": f"navigation, paid by minus the {_paid(config)}",
        "bandits": f"bandits with {config.arms} arms",
        "cheetah": "half-cheetahs, paid for running forwards or backwards",
    }[config.world]
    return (
        f"World: {what}, {config.horizon} steps. Training: {config.steps} steps of {config.tasks} "
        f"task(s) with {config.trajectories} trajectories before and after {config.inner_steps} "
        "inner step(s)."
    )


def _paid(config: ActingOptions) -> str:
    return "distance" if config.reward == "distance" else "squared distance"


def joint(config: ActingOptions) -> ActingOptions:
    """The same training on all tasks at once, without inner steps and with as many trajectories."""
    phases = config.inner_steps + 1
    return dataclasses.replace(config, inner_steps=0, trajectories=config.trajectories * phases)

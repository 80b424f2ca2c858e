"""Slot machines: every task has arms of its own, and the best one has to be found by trying.

The book's example goes from two arms to more; the number of arms is what a network is made for, so
here it stays and the arms differ (E6.16).
"""

from typing import NamedTuple

import tensorflow as tf

from datasets.errors import DataError
from datasets.tasks import draws
from datasets.worlds.world import World


class Pulls(NamedTuple):
    """State of a trajectory: what was pulled last, and what it paid."""

    arm: tf.Tensor  # one-hot [task, trajectory, arm]; zeros before the first pull
    reward: tf.Tensor  # [task, trajectory]


class Bandits(World):
    """Arms that pay 1 or nothing, each with a chance of its own.

    Args:
        horizon: pulls of a trajectory.
        arms: of every task.
    """

    name = "bandits"
    discrete = True

    def __init__(self, horizon: int = 10, arms: int = 5):
        super().__init__(horizon)
        if arms < 2:
            raise DataError(f"{arms} arm(s) leave nothing to choose; give 2 or more.")
        self.actions, self.observation = arms, arms + 1

    def tasks(self, count, seed):
        """Chances of the arms: [task, arm], uniform."""
        return draws.uniform([count, self.actions], seed)

    def start(self, task, trajectories, seed):
        """Nothing was pulled yet."""
        shape = [tf.shape(task)[0], trajectories]
        return Pulls(tf.zeros([*shape, self.actions]), tf.zeros(shape))

    def observe(self, task, state):
        """The last pull and its reward: [task, trajectory, arm + 1]."""
        return tf.concat([state.arm, state.reward[..., None]], axis=-1)

    def step(self, task, state, action, seed):
        """Pull an arm."""
        arm = tf.one_hot(action, self.actions)  # [task, trajectory, arm]
        chance = tf.einsum("tka,ta->tk", arm, task)
        reward = tf.cast(draws.uniform(tf.shape(chance), seed) < chance, tf.float32)
        return Pulls(arm, reward), reward, tf.zeros_like(chance, tf.bool)

"""A point in the plane that has to find a goal it cannot see (Finn et al., 2017, section 5.3).

An action of 1 is a move of 0.1, as in the authors' code, whose environment is normalised; a policy
whose first deviation is 1 then tries moves of all sizes instead of the two ends alone.
"""

import tensorflow as tf

from datasets.errors import DataError
from datasets.tasks import draws
from datasets.worlds.world import World

HALF = 0.5  # goals are in [-HALF, HALF]^2
STEP = 0.1  # largest move along each axis
NEAR = 0.01  # a trajectory ends as near to its goal as that
REWARDS = ("distance", "squared")


class Navigation(World):
    """Goals in the square around the start.

    Args:
        horizon: steps of a trajectory.
        reward: "distance", minus the distance as in the authors' code, or "squared", minus its
            square as in the paper's text.
        ends: whether a trajectory ends near its goal.
    """

    name = "navigation"
    observation = 2
    actions = 2

    def __init__(self, horizon: int = 100, reward: str = "distance", ends: bool = True):
        super().__init__(horizon)
        if reward not in REWARDS:
            raise DataError(f"reward is {reward!r}; it must be one of {', '.join(REWARDS)}.")
        self.reward, self.ends = reward, ends

    def tasks(self, count, seed):
        """Goals: [task, 2]."""
        return HALF * (2 * draws.uniform([count, 2], seed) - 1)

    def start(self, task, trajectories, seed):
        """All begin at the origin: [task, trajectory, 2]."""
        return tf.zeros([tf.shape(task)[0], trajectories, 2])

    def observe(self, task, state):
        """The place: [task, trajectory, 2]. The goal is not seen."""
        return state

    def step(self, task, state, action, seed):
        """Move, and be paid for being near after the move."""
        state += STEP * self.cut(action)
        distance = tf.norm(state - task[:, None], axis=-1)  # [task, trajectory]
        reward = -(distance**2 if self.reward == "squared" else distance)
        ended = distance < NEAR if self.ends else tf.zeros_like(distance, tf.bool)
        return state, reward, ended

    def best(self, task):
        """An action that is best from any place: straight on, as far as the axes allow.

        Of a policy that knows the goal; see ``best_return`` for what it earns from the start.
        """
        return lambda state: (task[:, None] - state) / STEP

    def best_return(self, task):
        """Sum of rewards of ``best`` from the start, without discount: [task].

        Each axis closes by 0.1 a step on its own, so after t steps it has max(0, |g| - 0.1 t) left.
        """
        t = tf.range(1.0, self.horizon + 1)  # [step]
        left = tf.maximum(tf.abs(task)[:, None] - STEP * t[:, None], 0.0)  # [task, step, 2]
        distance = tf.norm(left, axis=-1)  # [task, step]
        return -tf.reduce_sum(distance**2 if self.reward == "squared" else distance, axis=-1)

"""What every world has. States and tasks are structures of tensors, and the world keeps nothing."""

import tensorflow as tf

from datasets.errors import DataError


class World:
    """A family of tasks that differ in a few numbers, such as where the goal is.

    Attributes:
        name: as it is registered.
        horizon: steps of a trajectory.
        observation: numbers of an observation.
        actions: numbers of an action, or of choices where it is discrete.
        discrete: whether an action is one of ``actions`` choices.
        limit: largest size of each number of an action that is not; larger ones are cut.
        compiled: whether XLA compiles its steps; it cannot where they leave the graph.
    """

    name = ""
    observation = 1
    actions = 1
    discrete = False
    limit = 1.0
    compiled = True

    def __init__(self, horizon: int):
        if horizon < 1:
            raise DataError(f"A horizon of {horizon} leaves no step to act in; give 1 or more.")
        self.horizon = horizon

    def tasks(self, count: int, seed):
        """What makes ``count`` tasks: [task, ...]; the same seed (int32 [2]) gives the same."""
        raise NotImplementedError

    def start(self, task, trajectories: int, seed):
        """First states: [task, trajectory, ...]."""
        raise NotImplementedError

    def observe(self, task, state):
        """What is seen of the states: [task, trajectory, observation]; the task itself is not."""
        raise NotImplementedError

    def step(self, task, state, action, seed):
        """One step of all trajectories.

        Args:
            task: of ``tasks``.
            state: [task, trajectory, ...].
            action: floats [task, trajectory, action], or int32 [task, trajectory] if discrete.
            seed: int32 [2], for worlds of chance.

        Returns:
            state, reward [task, trajectory], whether the trajectory has ended [task, trajectory].
        """
        raise NotImplementedError

    def cut(self, action):
        """An action as it is taken: its numbers are in [-limit, limit]."""
        return action if self.discrete else tf.clip_by_value(action, -self.limit, self.limit)

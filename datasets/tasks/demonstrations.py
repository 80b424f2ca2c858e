"""Demonstrations: what a scripted expert does in a world, step by step, as something to imitate.

Every task has demonstrations to learn from and others to be judged by, of the same task from other
beginnings. As with episodes, drawing is a pure function of (seed, index). No reward is used (E9.6).
"""

import tensorflow as tf

from datasets.errors import DataError, at_least_one


class Demonstrations:
    """Draws tasks of a world, and lets its expert act in them.

    Calling the sampler gives ``(inputs, query_y)``: observations and actions of all steps,
    support_x [task, shot * time, observation], support_y [task, shot * time, action], and query_x,
    query_y of ``query`` further demonstrations.

    Args:
        world: with ``expert``.
        shot, query: demonstrations of a task to learn from, and to be judged by.
        tasks: of a batch.
        seed: the same seed and index give the same demonstrations.

    Raises:
        DataError: none of either, or a world without an expert.
    """

    def __init__(self, world, shot: int = 1, query: int = 1, tasks: int = 1, seed: int = 0):
        at_least_one(shot=shot, query=query, tasks=tasks)
        if not hasattr(world, "expert"):
            raise DataError(f"{world.name} has no expert whose demonstrations could be imitated.")
        self.world, self.shot, self.query, self.tasks, self.seed = world, shot, query, tasks, seed

    def __call__(self, index):
        """Batch number ``index`` (int or scalar tensor) as ``(inputs, query_y)``."""
        task, seen, action = self.shown(index)
        parts = (slice(None, self.shot), slice(self.shot, None))
        support_x, query_x, support_y, query_y = (
            tf.reshape(x[:, part], [self.tasks, -1, x.shape[-1]])
            for x in (seen, action)
            for part in parts
        )
        return {"support_x": support_x, "support_y": support_y, "query_x": query_x}, query_y

    def shown(self, index):
        """The tasks, and what was seen and done: [task, demonstration, time, ...]."""
        seed = tf.random.fold_in(tf.constant([self.seed, 8]), tf.cast(index, tf.int32))
        which, beginning, chance = tf.unstack(tf.random.split(seed, 3))
        task = self.world.tasks(self.tasks, which)
        state = self.world.start(task, self.shot + self.query, beginning)
        seen, done = [], []
        for time in range(self.world.horizon):
            seen.append(self.world.observe(task, state))
            done.append(self.world.expert(state))
            following = tf.random.fold_in(chance, time)
            state, _, _ = self.world.step(task, state, done[-1], following)
        # [task, demonstration, time, ...]
        return task, tf.stack(seen, axis=2), tf.stack(done, axis=2)

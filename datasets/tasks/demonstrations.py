"""Demonstrations: what a scripted expert does in a world, step by step, as something to imitate.

Every task has demonstrations to learn from and others to be judged by, of the same task from other
beginnings. A few steps are taken of each of these: once the arm moves it points to the right target
itself, so that most steps of a single one would tell little of what was understood. As with
episodes, drawing is a pure function of (seed, index). No reward is used (E9.6).
"""

import tensorflow as tf

from datasets.errors import DataError, at_least_one
from datasets.tasks import draws


class Demonstrations:
    """Draws tasks of a world, and lets its expert act in them.

    Calling the sampler gives ``(inputs, query_y)``: observations and actions of all steps,
    support_x [task, shot * time, observation], support_y [task, shot * time, action], and query_x,
    query_y [task, time, ...] of ``query`` further demonstrations: of the first its steps 0, query,
    2 query, ..., of the second its steps 1, 1 + query, ..., as many as one demonstration has.

    Args:
        world: with ``expert``.
        shot, query: demonstrations of a task to learn from, and to be judged by.
        tasks: of a batch.
        seed: the same seed and index give the same demonstrations.
        among: tasks there are, so that they come again with other beginnings; 0 for new ones
            every time.
        shown_by: the world as those who show it have it, if not ``world``: with another arm, say.
            Where it is ``watched`` nothing is known of actions, and support_y are zeros.

    Raises:
        DataError: none of either, or a world without an expert.
    """

    def __init__(
        self,
        world,
        shot: int = 1,
        query: int = 1,
        tasks: int = 1,
        seed: int = 0,
        among: int = 0,
        shown_by=None,
    ):
        at_least_one(shot=shot, query=query, tasks=tasks)
        self.world, self.shown_by = world, shown_by or world
        for one in (self.world, self.shown_by):
            if not hasattr(one, "expert"):
                raise DataError(f"{one.name} has no expert whose demonstrations could be imitated.")
        self.shot, self.query, self.tasks, self.seed, self.among = shot, query, tasks, seed, among

    def __call__(self, index):
        """Batch number ``index`` (int or scalar tensor) as ``(inputs, query_y)``."""
        which, first, second = self._seeds(index)
        task = self._task(which)
        states, support_y = self._acted(self.shown_by, task, self.shot, first)
        support_x = self.shown_by.observe(task, states)
        if getattr(self.shown_by, "watched", False):
            support_y = tf.zeros_like(support_y)
        states, query_y = tf.nest.map_structure(
            self._thinned, self._acted(self.world, task, self.query, second)
        )
        query_x = self.world.observe(task, states)
        return {"support_x": support_x, "support_y": support_y, "query_x": query_x}, query_y

    def task(self, index):
        """What makes the tasks of batch number ``index``: [task, ...]."""
        return self._task(self._seeds(index)[0])

    def shown(self, index):
        """The tasks, and the states of those who show them: [task, shot * time, ...]."""
        which, first, _ = self._seeds(index)
        task = self._task(which)
        return task, self._acted(self.shown_by, task, self.shot, first)[0]

    def _seeds(self, index):
        """Of the tasks, of the demonstrations to learn from, and of those to be judged by."""
        seed = tf.random.fold_in(tf.constant([self.seed, 8]), tf.cast(index, tf.int32))
        return tf.unstack(tf.random.split(seed, 3))

    def _task(self, seed):
        if not self.among:
            return self.world.tasks(self.tasks, seed)
        there_are = self.world.tasks(self.among, tf.constant([self.seed, 9]))
        number = tf.cast(draws.uniform([self.tasks], seed) * self.among, tf.int32)
        return tf.gather(there_are, number)

    def _thinned(self, x):
        """[task, query * time, ...] -> [task, time, ...]."""
        steps = self.world.horizon
        taken = [
            number * steps + time
            for number in range(self.query)
            for time in range(number, steps, self.query)
        ]
        return tf.gather(x, taken, axis=1)

    def _acted(self, world, task, count: int, seed):
        """States and actions of an expert, step after step: [task, count * time, ...]."""
        beginning, chance = tf.unstack(tf.random.split(seed))
        state, states, actions = world.start(task, count, beginning), [], []
        for time in range(world.horizon):
            states.append(state)
            actions.append(world.expert(state))
            state, _, _ = world.step(task, state, actions[-1], tf.random.fold_in(chance, time))

        def in_a_row(*steps):
            stacked = tf.stack(steps, axis=2)  # [task, demonstration, time, ...]
            return tf.reshape(stacked, [self.tasks, -1, *stacked.shape[3:]])

        return tf.nest.map_structure(in_a_row, *states), in_a_row(*actions)

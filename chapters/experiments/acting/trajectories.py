"""Trajectories: all tasks and all trajectories step by step, inside one graph."""

from typing import NamedTuple

import tensorflow as tf


class Trajectories(NamedTuple):
    """What was seen, done and earned; steps after the end of a trajectory are not ``alive``."""

    observation: tf.Tensor  # [task, trajectory, time, observation]
    action: tf.Tensor  # [task, trajectory, time, action], or [task, trajectory, time]
    reward: tf.Tensor  # [task, trajectory, time], 0 after the end
    alive: tf.Tensor  # [task, trajectory, time], 1 or 0


def rollout(world, policy, weights, task, trajectories: int, seed) -> Trajectories:
    """Act in all tasks at once, ``trajectories`` times each.

    Args:
        world: of ``datasets.worlds``.
        policy: of ``policies``.
        weights: list of [task, ...]: every task has a policy of its own.
        task: what makes the tasks, of ``world.tasks``.
        trajectories: of each task.
        seed: int32 [2]; the same seed and weights give the same trajectories.
    """
    beginning, chance, moving = tf.unstack(tf.random.split(seed, 3))
    tasks, steps = tf.nest.flatten(task)[0].shape[0], world.horizon
    noise = policy.noise([steps, tasks, trajectories], chance)  # [time, task, trajectory, ...]
    state = world.start(task, trajectories, beginning)
    alive = tf.ones([tasks, trajectories])

    def step(time, state, alive, kept):
        seen = world.observe(task, state)
        action = policy.act(policy.distribution(weights, seen), noise[time])
        following = tf.random.fold_in(moving, time)
        state, reward, ended = world.step(task, state, action, following)
        found = (seen, action, reward * alive, alive)
        kept = [array.write(time, value) for array, value in zip(kept, found, strict=True)]
        return time + 1, state, alive * (1 - tf.cast(ended, tf.float32)), kept

    types = (tf.float32, tf.int32 if world.discrete else tf.float32, tf.float32, tf.float32)
    arrays = [tf.TensorArray(kind, steps) for kind in types]
    *_, kept = tf.while_loop(
        lambda time, *_: time < steps,
        step,
        (tf.constant(0), state, alive, arrays),
        maximum_iterations=steps,
    )
    # [time, task, trajectory, ...] -> [task, trajectory, time, ...]
    stacked = [array.stack() for array in kept]
    order = [[1, 2, 0, *range(3, len(x.shape))] for x in stacked]
    return Trajectories(*(tf.transpose(x, o) for x, o in zip(stacked, order, strict=True)))


def flat(x):
    """Steps of a task in one row: [task, trajectory, time, ...] -> [task, step, ...]."""
    return tf.reshape(x, [x.shape[0], -1, *x.shape[3:]])


def returns(trajectories: Trajectories):
    """Sum of rewards, without discount: [task, trajectory]."""
    return tf.reduce_sum(trajectories.reward, axis=-1)

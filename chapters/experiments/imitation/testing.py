"""What an arm touches after a demonstration: success rates, on colours never seen and on others."""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from chapters.engine.evaluation import Conditions, interval95
from chapters.engine.results import Measure, Result, share
from chapters.experiments.imitation.tasks import KNOWN, TEST, Part, sampler, sight
from chapters.experiments.options import ImitationOptions
from datasets.worlds.reacher import NEAR, Scene

SUCCESS = share("success", "touches what was shown")
WRONG_TARGET = share("other", "touches the other target")._replace(better="smaller")
SUCCESS_KNOWN = share("success_known", "touches what was shown, colours as in training")
AT_ONCE = 50  # tasks of a graph call


class Outcome(NamedTuple):
    """Where trajectories ended."""

    states: list[Scene]  # step by step, the last one included: [task, trajectory, ...]
    distance: tf.Tensor  # of the fingertip from each target in the end [task, trajectory, target]


def outcome(policy, demonstrations, trajectories: int, index=0) -> Outcome:
    """Show tasks to a policy, and let it act in each of them ``trajectories`` times.

    Args:
        policy: with ``adapt`` and ``predict_with``.
        demonstrations: sampler.
        trajectories: of each task, from other beginnings than the demonstrations'.
        index: of the batch.
    """
    world, task = demonstrations.world, demonstrations.task(index)
    inputs, _ = demonstrations(index)
    adapted = policy.adapt(inputs["support_x"], inputs["support_y"])
    seed = tf.random.fold_in(tf.constant([demonstrations.seed, 10]), tf.cast(index, tf.int32))
    states = [world.start(task, trajectories, seed)]
    for time in range(world.horizon):
        action = policy.predict_with(adapted, world.observe(task, states[-1]))
        following = tf.random.fold_in(seed, 2 + time)
        state, _, _ = world.step(task, states[-1], action, following)  # what it pays is not used
        states.append(state)
    tip = world.fingertip(states[-1].angles)[:, :, None]  # [task, trajectory, 1, 2]
    return Outcome(states, tf.norm(tip - states[-1].place, axis=-1))


def touched(policy, config: ImitationOptions, part: Part, tasks: int) -> np.ndarray:
    """How often the right target and the other are touched in the end: [task, 2]."""
    demonstrations = sampler(config, part, min(AT_ONCE, tasks))

    @tf.function(autograph=False)
    def batch(index):
        near = outcome(policy, demonstrations, config.test_trajectories, index).distance < NEAR
        return tf.reduce_mean(tf.cast(near, tf.float32), axis=1)  # [task, target]

    batches = -(-tasks // demonstrations.tasks)
    found = [batch(tf.constant(number)).numpy() for number in range(batches)]
    return np.concatenate(found)[:tasks]


def questions() -> list[tuple[Measure, dict]]:
    """What is asked of every task of a test, and further fields of a ``Result``."""
    return [(SUCCESS, {"headline": True}), (WRONG_TARGET, {}), (SUCCESS_KNOWN, {})]


def answers(policy, config: ImitationOptions) -> list[np.ndarray]:
    """To the questions, in their order: [task] each."""
    unseen = touched(policy, config, TEST, config.test_tasks)
    return [*unseen.T, touched(policy, config, KNOWN, config.test_tasks)[:, 0]]


def evaluate(policy, config: ImitationOptions, given: Conditions) -> list[dict]:
    """Rows of the success in fresh tasks, as asked; ``given.episodes`` are tasks.

    Raises:
        ConfigError: what is asked does not fit imitation.
    """
    given.check("a policy has no classes", way=(), query=())
    given.check("it learned from as many demonstrations", shot=(config.shot,))
    given.check("a policy has no batch norm", batch_norm=())
    config = dataclasses.replace(config, seed=given.seed, test_tasks=given.episodes)
    return [
        Result(
            method="",
            measure=measure,
            mean=float(values.mean(dtype=np.float64)),
            interval=interval95(values),
            episodes=len(values),
            **{**about(config), **more},
        ).row()
        for (measure, more), values in zip(questions(), answers(policy, config), strict=True)
    ]


def about(config: ImitationOptions) -> dict:
    """Fields that all results share."""
    who = "" if config.shown_by == "robot" else ", shown by another arm"
    return {
        "data": f"reacher, {sight(config)}{who}",
        "seed": config.seed,
        "tested": "tasks",
        "shot": config.shot,
    }

"""Pictures of acting: trajectories before and after a step, return against steps."""

import numpy as np
import tensorflow as tf

from chapters.engine.evaluation import interval95_over
from chapters.engine.figures import HELD_OUT, TRAINING, WIDTH, course, legend, plt, style
from chapters.experiments.acting.tasks import make_world
from chapters.experiments.acting.testing import ORACLE, RETURN
from chapters.experiments.acting.trajectories import rollout

SHOWN = 8  # goals of a picture
PATHS = 5  # trajectories of a goal


def learning_curve(history):
    """Return before and after the inner steps, of training and of validation tasks."""
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    course(axis, history, "return_before", "training, before", color="0.8")
    course(axis, history, "return", "training, after the inner steps", **TRAINING)
    course(axis, history, "val_return", "validation, after the inner steps", **HELD_OUT)
    axis.set(xlabel="outer step", ylabel="return")
    legend(figure)
    return figure


def return_by_steps(found: dict, measure: str):
    """Mean return against inner steps, a line per contender; who knows the goal is a level."""
    figure, axis = plt.subplots(figsize=(6, 3.8), layout="constrained")
    for name, by_measure in found.items():
        by_steps = by_measure[measure]
        look = style(name)
        if name == ORACLE:
            axis.axhline(by_steps[0].mean(), **look, label=name)
            continue
        steps = list(by_steps)
        means = np.array([by_steps[k].mean() for k in steps])
        width = np.array([interval95_over(by_steps[k]) for k in steps])
        axis.plot(steps, means, **look, marker=".", label=name)
        axis.fill_between(steps, means - width, means + width, color=look["color"], alpha=0.12)
    axis.set(xlabel="inner steps, each on new trajectories", ylabel=RETURN[measure].label)
    axis.set_xticks(steps)
    legend(figure)
    return figure


def picture(learner, config, width: float = WIDTH):
    """What a policy does in its world before and after one inner step."""
    draw = {"navigation": paths, "bandits": choices, "cheetah": ways}[config.world]
    figure = draw(learner, config)
    figure.set_figwidth(min(width, figure.get_figwidth()))
    return figure


def choices(learner, config, seed: int = 0):
    """How often each arm of a few machines is pulled, before and after one inner step."""
    world = make_world(config)
    machines = world.tasks(SHOWN, tf.constant([seed, 3]))  # chances [task, arm]
    before, after = _before_and_after(learner, world, machines, config.trajectories, seed)
    figure, axes = plt.subplots(2, SHOWN // 2, figsize=(WIDTH, 4.2), layout="constrained",
                                sharex=True, sharey=True)  # fmt: skip
    arms = np.arange(1, world.actions + 1)
    for number, axis in enumerate(axes.ravel()):
        for drawn, colour, name, shift in (
            (before, "0.75", "before", -0.2),
            (after, "tab:blue", "after one step", 0.2),
        ):
            pulled = tf.one_hot(drawn.action[number], world.actions)  # [trajectory, time, arm]
            share = tf.reduce_mean(pulled, axis=[0, 1]).numpy()
            axis.bar(arms + shift, share, 0.4, color=colour, label=name)
        axis.plot(arms, machines[number].numpy(), "_", color="0.1", markersize=16,
                  label="chance that it pays")  # fmt: skip
        axis.set(ylim=(0, 1), xticks=arms)
    figure.supxlabel("arm", fontsize=10)
    figure.supylabel("share of the pulls", fontsize=10)
    legend(figure, columns=3)
    return figure


def ways(learner, config, seed: int = 0):
    """How far cheetahs have come at every moment, before and after one inner step."""
    world = make_world(config)
    directions = world.tasks(2, tf.constant([seed, 3]))
    before, after = _before_and_after(learner, world, directions, config.trajectories, seed)
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.4), layout="constrained", sharey=True)
    seconds = world.simulator.seconds * np.arange(1, config.horizon + 1)
    for number, axis in enumerate(axes):
        paid = "forwards" if directions[number] > 0 else "backwards"
        looks = ((before, "0.75", "before"), (after, "tab:blue", "after one step"))
        for drawn, colour, name in looks:
            speed = drawn.observation[number, :PATHS, :, world.FORWARDS]  # [trajectory, time]
            way = np.cumsum(speed, axis=-1) * world.simulator.seconds
            axis.plot(seconds, way.T, color=colour, linewidth=1, label=name)
        axis.axhline(0, color="0.1", linewidth=0.8)
        axis.set(xlabel="seconds", title=f"paid for running {paid}")
    axes[0].set_ylabel("way, metres")
    legend(figure)
    return figure


def _before_and_after(learner, world, task, trajectories: int, seed: int):
    weights = learner.start(task.shape[0])
    seeds = [tf.constant([seed, number]) for number in (4, 5)]
    before = rollout(world, learner.policy, weights, task, trajectories, seeds[0])
    adapted = learner.step_on(weights, before)
    return before, rollout(world, learner.policy, adapted, task, trajectories, seeds[1])


def paths(learner, config, seed: int = 0):
    """Where a point goes, before and after one inner step: a panel for every goal.

    Args:
        learner: with ``policy``, ``start`` and ``step_on``.
        config: options of the run.
        seed: of goals and chance.
    """
    world = make_world(config)
    goals = world.tasks(SHOWN, tf.constant([seed, 3]))
    before, after = _before_and_after(learner, world, goals, config.trajectories, seed)
    figure, axes = plt.subplots(2, SHOWN // 2, figsize=(WIDTH, 4.6), layout="constrained",
                                sharex=True, sharey=True)  # fmt: skip
    for number, axis in enumerate(axes.ravel()):
        looks = ((before, "0.75", "before"), (after, "tab:blue", "after one step"))
        for drawn, colour, name in looks:
            for path in range(min(PATHS, config.trajectories)):
                alive = drawn.alive[number, path].numpy() > 0
                x, y = drawn.observation[number, path].numpy()[alive].T
                axis.plot(x, y, color=colour, linewidth=1, label=name if path == 0 else None)
        axis.plot(*goals[number].numpy(), "*", color="0.1", markersize=11, label="goal, not seen")
        axis.plot(0, 0, "o", color="0.1", markersize=4, label="start")
        axis.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    legend(figure, columns=4)
    return figure

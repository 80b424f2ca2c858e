"""Pictures of the sine experiment: fits before and after inner steps, error against steps."""

import numpy as np
import tensorflow as tf

from chapters.engine.figures import (
    BASELINES,
    FEW,
    HELD_OUT,
    TRAINING,
    WIDTH,
    course,
    legend,
    log_scale,
    plt,
    style,
    whole_numbers,
    write_values,
)
from chapters.engine.runs import RunFolder
from chapters.experiments.options import SineOptions, shown_steps
from chapters.experiments.sine.tasks import TEST, sampler
from chapters.experiments.sine.testing import Scores
from datasets.tasks.sinusoid import SineTasks


def fits(contenders: dict, curves: SineTasks, shown: list[int]):
    """A panel per contender and curve: the truth, the support points, the fit after each step.

    Args:
        contenders: name -> learner with ``adapt`` and ``predict_with``.
        curves: sampler; each task of its first batch is a row.
        shown: numbers of inner steps.
    """
    inputs, _ = curves(0)
    support_x, support_y = inputs["support_x"], inputs["support_y"]
    x = tf.linspace(*map(float, curves.x_range), 200)  # [point]
    truth = curves.curve(curves.parameters(0), x[:, None]).numpy()  # [task, point, 1]
    grid = tf.tile(x[None, :, None], [curves.tasks, 1, 1])  # [task, point, 1]
    width = min(4.0, WIDTH / len(contenders))
    figure, axes = plt.subplots(
        curves.tasks, len(contenders), figsize=(width * len(contenders), 2.2 * curves.tasks + 0.8),
        sharex=True, sharey="row", squeeze=False, layout="constrained",
    )  # fmt: skip
    colours = plt.get_cmap("Blues")(np.linspace(0.35, 1.0, len(shown)))
    for column, (name, learner) in enumerate(contenders.items()):
        for steps, colour in zip(shown, colours, strict=True):
            weights = learner.adapt(support_x, support_y, steps)
            fitted = learner.predict_with(weights, grid).numpy()  # [task, point, 1]
            label = f"after {steps} step{'' if steps == 1 else 's'}"
            for row in range(curves.tasks):
                line = {"linestyle": ":"} if steps == 0 else {}
                axes[row, column].plot(x, fitted[row], color=colour, label=label, **line)
        for row in range(curves.tasks):
            axes[row, column].plot(x, truth[row], color="0.7", linewidth=3, zorder=0, label="truth")
            points = support_x[row, :, 0], support_y[row, :, 0]
            axes[row, column].plot(*points, "^", color="0.1", markersize=5, label="support points")
        axes[0, column].set_title(name)
    figure.supxlabel("x", fontsize=10)
    figure.supylabel("y", fontsize=10)
    legend(figure, columns=max(2, round(width * len(contenders) / 1.6)))
    return figure


def error_by_steps(scores: dict):
    """Error against the number of inner steps, on a logarithmic scale.

    Args:
        scores: name -> steps -> Score; a name with a single score is drawn as a level.
    """
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, by_steps in scores.items():
        means = np.array([score.mean for score in by_steps.values()])
        look = style(name)
        if len(by_steps) == 1:
            axis.axhline(means[0], label=name, **look)
            continue
        width = np.array([score.interval for score in by_steps.values()])
        axis.plot(list(by_steps), means, marker=".", label=name, **look)
        if len(by_steps) < FEW:
            write_values(axis, by_steps, means, above=name in BASELINES, color=look["color"])
        low = np.maximum(means - width, means / 10)
        axis.fill_between(list(by_steps), low, means + width, color=look["color"], alpha=0.2)
    axis.set(xlabel="inner steps", ylabel="error on query points")
    whole_numbers(axis)
    log_scale(axis)
    legend(figure)
    return figure


def learning_curve(history, inner_steps: int, test_steps: int):
    """Training loss and error on validation curves, after so many inner steps, over outer steps."""
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    course(axis, history, "loss", f"training, inner steps: {inner_steps}", **TRAINING)
    name = f"validation, inner steps: {test_steps}"
    course(axis, history, "val_error", name, above=False, **HELD_OUT)
    axis.set(xlabel="outer step", ylabel="error on query points")
    log_scale(axis)
    legend(figure)
    return figure


def draw(run: RunFolder, history, scores: Scores, contenders: dict, config: SineOptions) -> None:
    """Learning curve, error against inner steps, and fits of two test curves."""
    shown = shown_steps(config)
    two = sampler(config, TEST, config.test_shot, 1, 2)
    curve = learning_curve(history, config.inner_steps, config.test_steps)
    run.figure("learning_curve", curve)
    run.figure("error_by_steps", error_by_steps(scores))
    run.figure("fits", fits(contenders, two, shown))

"""Pictures of the sine experiment: fits before and after inner steps, error against steps."""

import numpy as np
import tensorflow as tf

from chapters.engine.figures import log_scale, plt
from datasets.sinusoid import SineTasks


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
    figure, axes = plt.subplots(
        curves.tasks, len(contenders), figsize=(3.6 * len(contenders), 2.6 * curves.tasks),
        sharex=True, sharey="row", squeeze=False, layout="constrained",
    )  # fmt: skip
    colours = plt.get_cmap("viridis_r")(np.linspace(0.15, 1.0, len(shown)))
    for column, (name, learner) in enumerate(contenders.items()):
        for steps, colour in zip(shown, colours, strict=True):
            weights = learner.adapt(support_x, support_y, steps)
            fitted = learner.predict_with(weights, grid).numpy()  # [task, point, 1]
            for row in range(curves.tasks):
                style = {"linestyle": ":"} if steps == 0 else {}
                axes[row, column].plot(x, fitted[row], color=colour, label=f"{steps}", **style)
        for row in range(curves.tasks):
            axes[row, column].plot(x, truth[row], color="0.6", linewidth=3, zorder=0)
            points = support_x[row, :, 0], support_y[row, :, 0]
            axes[row, column].plot(*points, "^", color="tab:red", markersize=6)
        axes[0, column].set_title(name, fontsize=10)
    handles = axes[0, -1].get_legend_handles_labels()
    figure.legend(*handles, title="inner steps", loc="outside right center", frameon=False)
    figure.suptitle("Truth (grey), support points (red), fit after each number of inner steps")
    return figure


def error_by_steps(scores: dict):
    """Error against the number of inner steps, on a logarithmic scale.

    Args:
        scores: name -> steps -> Score; a name with a single score is drawn as a level.
    """
    figure, axis = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
    for name, by_steps in scores.items():
        means = np.array([score.mean for score in by_steps.values()])
        if len(by_steps) == 1:
            axis.axhline(means[0], color="0.6", linestyle=":", label=name)
            continue
        width = np.array([score.interval for score in by_steps.values()])
        (line,) = axis.plot(list(by_steps), means, marker=".", label=name)
        low = np.maximum(means - width, means / 10)
        axis.fill_between(list(by_steps), low, means + width, color=line.get_color(), alpha=0.2)
    axis.set(xlabel="inner steps", ylabel="error on query points")
    log_scale(axis)
    axis.legend(frameon=False, fontsize=8)
    return figure


def learning_curve(history):
    """Training loss and error on validation curves against outer steps."""
    figure, axis = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
    steps = [row["step"] for row in history]
    axis.plot(steps, [row["loss"] for row in history], label="training, steps of training")
    axis.plot(steps, [row["val_error"] for row in history], label="validation, steps of the test")
    axis.set(xlabel="outer step", ylabel="error on query points")
    log_scale(axis)
    axis.legend(frameon=False, fontsize=8)
    return figure

"""Pictures of optimizers at work: how fast, and what becomes of a gradient."""

import numpy as np
import tensorflow as tf

from chapters.ch01_learned_optimizers.search import logarithm
from chapters.engine.figures import (
    HELD_OUT,
    SERIES,
    SMALL,
    TRAINING,
    WIDTH,
    course,
    legend,
    log_scale,
    plt,
    style,
    whole_numbers,
)

BAND = (0.1, 0.9)  # of the problems, by their loss
SIZES = np.logspace(-4, 2, 49).astype(np.float32)  # of gradients
TIMES = (1, 5, 20)  # steps of the same gradient
IMPULSE, LENGTH = 10, 40  # steps: how long there is a gradient, and how long it is watched
SERIES_OF_GRADIENTS = {
    "always 1": np.ones(LENGTH),
    "1 and -1 in turns": np.resize([1.0, -1.0], LENGTH),
    f"0 after step {IMPULSE}": np.arange(LENGTH) < IMPULSE,
}


def learning_curve(history):
    """Meta-loss of training and log10 of the last loss in validation, against training runs."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.2), layout="constrained")
    course(axes[0], history, "loss", "training", **TRAINING)
    course(axes[1], history, "val_final_loss", "validation, problems set aside", **HELD_OUT)
    axes[0].set(xlabel="run", ylabel="meta-loss of an unrolling")
    axes[1].set(xlabel="run", ylabel="log10 of the last loss")
    legend(figure)
    return figure


def losses(tests, found):
    """Loss against step, geometric means over fresh problems; bands hold four fifths of them.

    Args:
        tests: of ``testing``.
        found: what each of them found, in that order.
    """
    columns = min(len(tests), 2)
    rows = -(-len(tests) // columns)
    size = (WIDTH, 0.8 + 2.9 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for axis, test, one in zip(axes.flat, tests, found, strict=False):
        for number, (name, loss) in enumerate(one.loss.items()):
            steps = np.arange(len(loss))
            look = style(name) | {"linewidth": 2.2 if number == 0 else 1.2}
            middle = 10 ** logarithm(loss).mean(axis=1)  # [time]
            axis.plot(steps, middle, label=name, zorder=3 - number, **look)
            if number == 0:
                low, high = np.quantile(loss, BAND, axis=1)
                axis.fill_between(steps, low, high, color=look["color"], alpha=0.15, linewidth=0)
        log_scale(axis, subs=(1,))
        axis.set(title=test.label, xlabel="step")
        whole_numbers(axis)
    for axis in axes.flat[len(tests) :]:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_ylabel("loss")
    legend(figure, columns=6)
    return figure


def updates(rule, width: float = WIDTH):
    """What a rule makes of a gradient: by its size, and over time.

    Args:
        rule: LearnedRule.
        width: of the picture at most, in inches.
    """
    side_by_side = width > 6
    shape, size = ((1, 2), (width, 3.6)) if side_by_side else ((2, 1), (width, 5.2))
    figure, axes = plt.subplots(*shape, figsize=size, layout="constrained")
    _by_size(axes[0], rule)
    _over_time(axes[1], rule)
    if not side_by_side:
        for axis in axes:
            axis.legend(fontsize=SMALL)
    else:
        legend(figure, columns=3)
    return figure


def _by_size(axis, rule) -> None:
    """The update after the same gradient has been seen once, or some times in a row."""
    both = np.concatenate([SIZES, -SIZES])
    gradients = tf.repeat(tf.constant(both)[:, None], max(TIMES), axis=1)  # [coordinate, time]
    found = rule(gradients).numpy()
    for times, colour in zip(TIMES, SERIES, strict=False):
        down, up = np.split(found[:, times - 1], 2)  # of positive and of negative gradients
        axis.plot(SIZES, down, color=colour, label=f"gradient seen {_times(times)}")
        axis.plot(SIZES, up, color=colour, linestyle=":")
    axis.axhline(0, color="0.8", linewidth=1, zorder=0)
    log_scale(axis, "x", subs=(1,))
    axis.set(xlabel="size of the gradient (dotted: a negative one)", ylabel="update")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _over_time(axis, rule) -> None:
    """Updates in answer to some series of gradients."""
    gradients = np.stack([*SERIES_OF_GRADIENTS.values()]).astype(np.float32)
    steps = np.arange(1, LENGTH + 1)
    names = zip(SERIES_OF_GRADIENTS, rule(gradients).numpy(), SERIES[3:], strict=False)
    for name, values, colour in names:
        axis.plot(steps, values, color=colour, label=f"gradient {name}")
    axis.axhline(0, color="0.8", linewidth=1, zorder=0)
    axis.set(xlabel="step", ylabel="update")
    whole_numbers(axis)

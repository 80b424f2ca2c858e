"""Pictures of agreement weights: over a training, and of one batch."""

import numpy as np

from chapters.engine.figures import legend, plt

OUTLIERS, OTHERS = "tab:orange", "tab:blue"


def weights_over_training(history, tasks: int, outliers: int):
    """How much tasks counted, epoch by epoch: the outliers beside the spread of the others.

    Args:
        history: rows of the loop, with what ``maml_step`` or ``reptile_step`` tell of the weights.
        tasks: tasks per batch.
        outliers: how many of them are outliers.
    """
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    steps = [row["step"] for row in history]
    low, high = ([row[f"weight_{end}"] for row in history] for end in ("min", "max"))
    label = "the others, smallest to largest" if outliers else "tasks, smallest to largest"
    axis.fill_between(steps, low, high, color=OTHERS, alpha=0.2, label=label)
    if outliers:
        others = [row["weight_others"] for row in history]
        axis.plot(steps, others, color=OTHERS, label="the others, mean")
        axis.plot(
            steps,
            [row["weight_outliers"] for row in history],
            color=OUTLIERS,
            label="outliers, mean",
        )
    axis.axhline(1 / tasks, color="0.6", linestyle=":", label="1/n, all agree")
    axis.set(xlabel="outer step", ylabel="agreement weight")
    legend(figure)
    return figure


def weights_of_batch(w, outliers: int):
    """A bar per task of one batch, smallest to largest.

    Args:
        w: weights [task]; the outlier tasks are the last ones.
        outliers: how many they are.
    """
    is_outlier = np.arange(len(w)) >= len(w) - outliers  # [task]
    order = np.argsort(w)
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    colours = np.where(is_outlier[order], OUTLIERS, OTHERS)
    bars = axis.bar(range(len(w)), w[order], color=colours)
    axis.axhline(0.0, color="0.2", linewidth=0.8)
    axis.axhline(1 / len(w), color="0.6", linestyle=":", label="1/n, all agree")
    if outliers:
        for kind, label in ((False, "the others"), (True, "outliers: random targets")):
            bars[list(is_outlier[order]).index(kind)].set_label(label)
    axis.set(xlabel="task of one batch after training", ylabel="agreement weight", xticks=[])
    legend(figure)
    return figure

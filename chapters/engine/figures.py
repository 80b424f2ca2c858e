"""Pictures that every chapter draws: one look, and the learning curve."""

import matplotlib

matplotlib.use("Agg")  # files only: no display is needed

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib import ticker  # noqa: E402

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "axes.grid": False})


def learning_curve(history, left: str = "loss", right: str = "accuracy"):
    """Training and validation curves against steps: ``left`` and ``right`` panels.

    Args:
        history: rows of the loop, with ``step``, metrics and ``val_`` metrics.
        left, right: names of two metrics.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    steps = [row["step"] for row in history]
    for axis, name in zip(axes, (left, right), strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation, unseen classes")):
            if key in history[0]:
                axis.plot(steps, [row[key] for row in history], label=label, marker=".")
        axis.set(xlabel="step", ylabel=name)
        axis.locator_params(axis="x", nbins=5)
        axis.legend(frameon=False)
    return figure


def log_scale(axis) -> None:
    """A logarithmic y axis whose ticks are plain numbers: 0.2 instead of 2 x 10^-1."""
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axis.yaxis.set_minor_formatter(ticker.NullFormatter())

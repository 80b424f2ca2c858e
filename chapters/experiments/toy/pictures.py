"""The course of a training beside ln 2."""

from chapters.engine.figures import HELD_OUT, TRAINING, course, legend, plt
from chapters.experiments.toy.testing import FLOOR


def learning_curve(history):
    """Query loss after adapting, in training and on fresh tasks, beside ln 2."""
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    course(axis, history, "loss", "training, mean since the point before", **TRAINING)
    course(axis, history, "val_loss", "fresh tasks", above=False, **HELD_OUT)
    axis.axhline(FLOOR, color="0.6", linestyle=":", label="ln 2, knowing nothing")
    axis.set(xlabel="epoch", ylabel="query loss after adapting")
    legend(figure)
    return figure

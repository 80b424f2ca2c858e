"""Pictures of learners in pairs: how they were trained, and what one is worth beside the other."""

import numpy as np

from chapters.ch09_frontiers.pairs import Question, differences
from chapters.engine.evaluation import interval95, interval95_over
from chapters.engine.figures import SERIES, WIDTH, legend, plt, whole_numbers
from chapters.engine.results import MINUS

COLOURS = ("0.35", *SERIES)  # the first method is what the others are compared with


def courses(histories: dict[str, list], metrics: dict[str, str]):
    """Validation metrics against outer steps, a panel each; means over seeds.

    Args:
        histories: name of a method -> [seed] rows of the loop.
        metrics: name of a metric -> of its axis; one may be drawn with two lines, as
            ``"entropy_before entropy_after"``: the first dashed.
    """
    height = 2.8 + 0.15 * len(histories)  # half of the legend's lines
    figure, axes = plt.subplots(1, len(metrics), figsize=(WIDTH, height), squeeze=False,
                                layout="constrained")  # fmt: skip
    for axis, (names, title) in zip(axes[0], metrics.items(), strict=True):
        pair = names.split()
        for colour, (method, several) in zip(COLOURS, histories.items(), strict=False):
            steps = [row["step"] for row in several[0]]
            for metric, line in zip(pair, ("--", "-")[-len(pair) :], strict=True):
                values = np.mean([[row[f"val_{metric}"] for row in one] for one in several], axis=0)
                name = method if line == "-" else None
                axis.plot(steps, values, line, color=colour, marker=".", label=name)
        if len(pair) > 1:
            axis.plot([], [], "--", color="0.4", label="before the inner steps")
        axis.set(xlabel="outer step", ylabel=title)
        whole_numbers(axis)
    legend(figure)
    return figure


def spread(found: dict, question: Question, number: int):
    """How tasks of a test differ: a box per method with the middle half of the tasks.

    Args:
        found: name -> for each question [seed, task].
        question: that is drawn.
        number: of the question.
    """
    names = list(found)
    values = [question.scale * found[name][number].ravel() for name in names]
    figure, axis = plt.subplots(figsize=(WIDTH, 0.45 * len(names) + 1.3), layout="constrained")
    boxes = axis.boxplot(
        values, orientation="horizontal", whis=(5, 95), showfliers=False, patch_artist=True,
        widths=0.6, medianprops={"color": "0.1"},
    )  # fmt: skip
    for box, colour in zip(boxes["boxes"], COLOURS, strict=False):
        box.set(facecolor=colour, alpha=0.45)
    axis.set_yticks(range(1, len(names) + 1), names)
    axis.invert_yaxis()
    axis.set_xlabel(f"{question.heading}; box: middle half of the tasks, whiskers: 5 to 95 %")
    return figure


def compared(found: dict, questions: list[Question], shown: list[int]):
    """Differences to the first method: a point for every seed, and the interval of the mean.

    Args:
        found: name -> for each question [seed, task].
        questions: in their order.
        shown: numbers of those that are drawn, a panel each.
    """
    apart = differences(found)
    figure, axes = plt.subplots(1, len(shown), figsize=(WIDTH, 0.45 * len(apart) + 1.6),
                                squeeze=False, sharey=True, layout="constrained")  # fmt: skip
    for axis, number in zip(axes[0], shown, strict=True):
        axis.axvline(0.0, color="0.6", linestyle=":")
        for place, (colour, answers) in enumerate(zip(COLOURS[1:], apart.values(), strict=False)):
            values = questions[number].scale * answers[number]
            means = values.mean(axis=1)
            axis.errorbar(means.mean(), place, xerr=interval95_over(values), fmt="|",
                          color=colour, capsize=4, markersize=12)  # fmt: skip
            if len(means) > 1:
                axis.plot(means, np.full(len(means), place), ".", color="0.1", markersize=4)
        axis.set_xlabel(f"{questions[number].heading}\nminus that of {next(iter(found))}")
    axes[0, 0].set_yticks(range(len(apart)), [name.partition(MINUS)[0] for name in apart])
    axes[0, 0].invert_yaxis()
    axes[0, 0].set_ylim(len(apart) - 0.5, -0.5)
    return figure


def error_by_steps(found: dict, questions: list[Question], steps: list[int]):
    """Error against the number of inner steps, a line per method; the first seed's tasks."""
    figure, axis = plt.subplots(figsize=(6, 3.8), layout="constrained")
    for colour, (name, answers) in zip(COLOURS, found.items(), strict=False):
        means = np.array([values.mean() for values in answers[: len(steps)]])
        width = np.array([interval95(values.ravel()) for values in answers[: len(steps)]])
        axis.plot(steps, means, marker=".", color=colour, label=name)
        axis.fill_between(steps, means - width, means + width, color=colour, alpha=0.15)
    axis.set(xlabel="inner steps", ylabel=questions[0].measure.label.partition(" after")[0])
    whole_numbers(axis)
    legend(figure)
    return figure

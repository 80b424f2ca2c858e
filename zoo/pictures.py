"""Queries beside the classes they were compared with, and the answers they get."""

import numpy as np

from chapters.engine.figures import NEUTRAL, RIGHT, SMALL, WIDTH, WRONG, label, plt
from zoo.loaded import Loaded

QUERIES = 8  # shown at most
CLASSES, WRITTEN = 30, 15  # of a picture of confusions at most, and with numbers in its cells


def answers(
    loaded: Loaded, query_x, support_x, names, probabilities, titles, truth=None, width=WIDTH
):
    """Each query in a row, then an example of each class, most probable first.

    The first answer is green when it is right and red when it is wrong; where the truth is not
    known it is bold.

    Args:
        loaded: the model.
        query_x: items [query, ...] as the network sees them.
        support_x: one item of each class [way, ...].
        names: of the classes.
        probabilities: [query, way].
        titles: of the queries.
        truth: label of each query; None where nobody knows.
        width: of the picture at most, in inches.
    """
    query_x, cell = query_x[:QUERIES], loaded.kind.cell
    shown = min(len(names), int(width / cell[0]) - 1)
    letters = int(cell[0] * 14)  # that fit above an item
    size = (cell[0] * (shown + 1), cell[1] * len(query_x))
    figure, axes = plt.subplots(len(query_x), shown + 1, figsize=size, squeeze=False,
                                layout="constrained")  # fmt: skip
    for number, (row, query) in enumerate(zip(axes, query_x, strict=True)):
        loaded.kind.show(row[0], query, loaded)
        asked = "\n".join(label(line, letters) for line in titles[number].split("\n"))
        row[0].set_title(asked, fontsize=SMALL)
        order = np.argsort(-probabilities[number], kind="stable")[:shown]
        for axis, k in zip(row[1:], order, strict=True):
            loaded.kind.show(axis, support_x[k], loaded)
            text = f"{label(names[k], letters)}\n{probabilities[number, k]:.0%}"
            axis.set_title(text, fontsize=SMALL, color=NEUTRAL)
        first = row[1].title
        if truth is None:
            first.set(color="0", weight="bold")
        else:
            first.set_color(RIGHT if order[0] == truth[number] else WRONG)
    return figure


def confusions(names, truth, answers, title: str, width=WIDTH):
    """What is taken for what: a row for each class, a column for each answer, shares of a row.

    Of more than ``CLASSES`` those are shown that are taken wrongly most often.

    Args:
        names: of the classes.
        truth: class of each file [file].
        answers: the class that it was given [file].
        title: of the picture.
        width: of the picture at most, in inches.
    """
    way = len(names)
    counts = np.zeros([way, way], int)
    np.add.at(counts, (truth, answers), 1)
    wrong = counts.sum(axis=1) - counts.diagonal() + counts.sum(axis=0) - counts.diagonal()
    shown = np.sort(np.argsort(-wrong, kind="stable")[:CLASSES])
    asked = np.maximum(counts.sum(axis=1, keepdims=True), 1)  # a class may not be asked for
    share = (counts / asked)[np.ix_(shown, shown)]
    side = min(1.8 + 0.42 * len(shown), width)
    figure, axis = plt.subplots(figsize=(side, side), layout="constrained")
    axis.imshow(share, cmap="Greys", vmin=0, vmax=1)
    labels = [label(names[k], 14) for k in shown]
    axis.set_xticks(range(len(shown)), labels, rotation=90, fontsize=SMALL)
    axis.set_yticks(range(len(shown)), labels, fontsize=SMALL)
    axis.set_xlabel("answer")
    axis.set_ylabel("class")
    axis.set_title(title, fontsize=SMALL)
    if len(shown) <= WRITTEN:
        for row, column in zip(*np.nonzero(share), strict=True):
            color = RIGHT if row == column else WRONG
            number = counts[shown[row], shown[column]]
            # on dark cells a colour cannot be read
            color = "1" if share[row, column] > 0.6 else color
            axis.text(column, row, number, ha="center", va="center", fontsize=SMALL, color=color)
    return figure


def reliability(curves: dict[str, np.ndarray], width=WIDTH):
    """How often answers are right that are this probable, a panel each; on the line all is true.

    Args:
        curves: name -> of ``calibrating.reliability`` [bin, 3].
        width: of the picture at most, in inches.
    """
    size = (min(3.0 * len(curves), width), 3.0)
    figure, axes = plt.subplots(1, len(curves), figsize=size, sharey=True, squeeze=False,
                                layout="constrained")  # fmt: skip
    for axis, (name, rows) in zip(axes[0], curves.items(), strict=True):
        share, chance, right = rows[rows[:, 0] > 0].T
        axis.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1)
        axis.vlines(chance, np.minimum(chance, right), np.maximum(chance, right), color=WRONG)
        axis.scatter(chance, right, s=10 + 200 * share, color="0", zorder=2)
        axis.set(title=name, xlabel="probability of the answer", xlim=(0, 1.02), ylim=(0, 1.02))
    axes[0, 0].set_ylabel("share that is right")
    return figure

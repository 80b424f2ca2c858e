"""Queries beside the classes they were compared with, and the answers they get."""

import numpy as np

from chapters.engine.figures import NEUTRAL, RIGHT, SMALL, WIDTH, WRONG, label, plt
from zoo.loaded import Loaded

QUERIES = 8  # shown at most


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

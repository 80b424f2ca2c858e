"""Pictures of relation scores: queries beside classes, and the toy's plane of embeddings."""

import numpy as np
import tensorflow as tf

from chapters.ch04_relation_matching.toy import FLOOR
from chapters.engine.figures import (
    HELD_OUT,
    NEUTRAL,
    RIGHT,
    SMALL,
    TRAINING,
    WIDTH,
    WRONG,
    course,
    label,
    legend,
    plt,
)
from chapters.experiments.images import pictures
from datasets.tasks.episodes import Episode

SHOWN = 3  # examples of a class at most
ROWS = 12  # queries at most
GAP = 0.2  # between images and scores, in cells
LETTERS = 10  # of a class's name that fit above its column
ALIKE, OTHER = "tab:blue", "tab:orange"  # pairs of one class, and of two


def matrix(learner, task: Episode, names: list[str], ink: bool):
    """Queries in rows, classes in columns; a cell is the relation score of the pair.

    Args:
        learner: RelationNetwork.
        task: an Episode with one task, items grouped by class.
        names: of its classes [way].
        ink: whether bright is ink, to be drawn dark.
    """
    scores = learner.relation_scores(task.inputs)[0].numpy()  # [query, way]
    truth, support_y = task.query_y[0].numpy(), task.support_y[0].numpy()
    queries = range(0, len(truth), -(-len(truth) // ROWS))  # some of each class
    way, examples = len(names), task.support_x[0].numpy()
    shown = min(SHOWN, (support_y == 0).sum())
    height, width = GAP + shown + len(queries), GAP + 1 + way
    inch = min(0.75, WIDTH / width)
    size = (inch * width, inch * height + 0.9)
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    words = {"fontsize": SMALL, "color": NEUTRAL, "ha": "center", "va": "bottom"}
    for k, name in enumerate(names):
        column = GAP + 1 + k
        for row, item in enumerate(examples[support_y == k][:shown]):
            _picture(axis, item, ink, column, row)
        turned = 90 * (way > 8)
        axis.text(column + 0.5, -0.1, label(name, LETTERS), rotation=turned, **words)
    for row, query in enumerate(queries):
        row += GAP + shown
        _picture(axis, task.query_x[0, query].numpy(), ink, 0, row)
        for k, score in enumerate(scores[query]):
            _cell(axis, score, GAP + 1 + k, row)
        found = scores[query].argmax()
        colour = RIGHT if found == truth[query] else WRONG
        frame = {"fill": False, "edgecolor": colour, "linewidth": 2.5}
        axis.add_patch(_square(GAP + 1 + found, row, **frame))
    axis.set(xlim=(-0.05, width + 0.05), ylim=(height + 0.05, -0.05), aspect="equal")
    axis.set_axis_off()
    figure.suptitle(
        f"Relation scores of queries (left) with {way} unseen classes (above);\n"
        "the highest of a query is framed, green: right, red: wrong"
    )
    return figure


def _picture(axis, item, ink, x, y) -> None:
    """An image in the unit square whose upper left corner is given."""
    inner = axis.inset_axes([x + 0.04, y + 0.04, 0.92, 0.92], transform=axis.transData)
    pictures.image(inner, item, ink)
    pictures.title(inner, "", NEUTRAL)  # a frame, as around the examples of an episode


def _cell(axis, score, x, y) -> None:
    """A square that is the darker the larger the score, with its number."""
    axis.add_patch(_square(x, y, facecolor=plt.cm.Blues(0.85 * score), edgecolor="none"))
    colour = "white" if score > 0.6 else "black"
    axis.text(
        x + 0.5, y + 0.5, f"{score:.2f}", fontsize=SMALL, color=colour, ha="center", va="center"
    )


def _square(x, y, **look):
    return plt.Rectangle((x + 0.04, y + 0.04), 0.92, 0.92, **look)


def toy(learner, history, pairs):
    """The toy: its course beside 0.25, and the score of every two embeddings with fresh pairs.

    Args:
        learner: ToyRelation.
        history: rows of the loop.
        pairs: ({"a", "b"}, label [pair, 1]).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.9), layout="constrained")
    course(left, history, "loss", "training, mean since the point before", **TRAINING)
    course(left, history, "val_loss", "fresh pairs", above=False, **HELD_OUT)
    left.axhline(FLOOR, color="0.6", linestyle=":", label="0.25, knowing nothing")
    left.set(xlabel="episode", ylabel="squared error of the scores")
    left.set_ylim(0, 1.1 * max(left.get_ylim()[1], FLOOR))

    inputs, label_y = pairs
    a, b = (learner.embedding(inputs[name])[:, 0].numpy() for name in ("a", "b"))  # [pair] each
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    low, high = low - 0.05 * (high - low) - 1e-3, high + 0.05 * (high - low) + 1e-3
    line = np.linspace(low, high, 101, dtype=np.float32)
    plane = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)  # [point, 2]
    scores = tf.sigmoid(learner.relation(plane)).numpy().reshape(101, 101)
    shades = right.pcolormesh(line, line, scores, cmap="Greys", vmin=0, vmax=1, alpha=0.6)
    figure.colorbar(shades, ax=right, label="relation score")
    alike = label_y[:, 0].numpy() == 1
    for kind, name, colour in ((alike, "label 1", ALIKE), (~alike, "label 0", OTHER)):
        right.scatter(
            a[kind], b[kind], s=6, color=colour, label=f"{name}, {kind.sum()} fresh pairs"
        )
    right.set(
        xlabel="embedding of x_i", ylabel="embedding of x_j", xlim=(low, high), ylim=(low, high)
    )
    legend(figure, columns=3)
    return figure

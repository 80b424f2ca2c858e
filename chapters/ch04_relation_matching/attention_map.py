"""The picture of the matching network: where a query looks, and what it concludes."""

import dataclasses

import numpy as np
import tensorflow as tf

from chapters.ch04_relation_matching.matching import attention
from chapters.engine.figures import NEUTRAL, RIGHT, SMALL, WIDTH, WRONG, label, plt
from chapters.experiments import images
from chapters.experiments.images import pictures
from chapters.experiments.options import parse_columns
from datasets.tasks.episodes import Episode

MOST = 5  # classes that are drawn
QUERIES = 2  # of each class
LIGHTEST = 2.5  # what would be black: numbers stay readable on a share of 1


def example(data, config) -> Episode:
    """A test task to draw: two support items per class where a test has more than one."""
    columns = parse_columns(config.columns)
    way = min(MOST, *(column.way for column in columns))
    shot = 2 if any(column.shot > 1 for column in columns) else 1
    shown = dataclasses.replace(config, columns=f"{way}w{shot}s")
    return images.example(data, shown, QUERIES)


def draw(learner, task: Episode, names: list[str], ink: bool):
    """Attention of each query over the support set, and the sums over the items of each class.

    Args:
        learner: MatchingNetwork.
        task: an Episode with one task, items grouped by class.
        names: of the classes [way].
        ink: whether bright is ink, to be drawn dark.
    """
    similarity = learner.similarity(*learner.embed_task(task.inputs))
    weights = attention(similarity)[0].numpy()  # [query, support]
    member = tf.one_hot(task.support_y[0], len(names)).numpy()  # [support, way]
    probability = weights @ member  # [query, way]
    support, queries = task.support_x[0].numpy(), task.query_x[0].numpy()

    # One cell is one unit in all panels: pictures above and beside the cells they belong to.
    sizes = {"width_ratios": [1, len(support), len(names)], "height_ratios": [1, len(queries)]}
    cells = 1 + len(support) + len(names), 1 + len(queries)
    unit = WIDTH / (cells[0] + 1.5)
    figure, axes = plt.subplots(
        2, 3, figsize=(WIDTH, unit * cells[1] + 1.6), gridspec_kw=sizes, layout="constrained"
    )
    axes[0, 0].set_axis_off()
    axes[0, 2].set_axis_off()
    pictures.image(axes[0, 1], np.concatenate(support, axis=1), ink)
    pictures.image(axes[1, 0], np.concatenate(queries, axis=0), ink)
    axes[0, 1].set_title("support set", fontsize=SMALL + 1)
    axes[1, 0].set_ylabel("queries")

    answers = probability.argmax(axis=1)  # [query]
    truth = task.query_y[0].numpy()
    _matrix(axes[1, 1], weights, lambda row, column: NEUTRAL)
    _matrix(
        axes[1, 2], probability,
        lambda row, column: (RIGHT if truth[row] == column else WRONG)
        if answers[row] == column else NEUTRAL,
    )  # fmt: skip
    axes[1, 1].set_xlabel("attention to each support item, %")
    axes[1, 2].set_title("its sum over a class, %", fontsize=SMALL + 1)
    axes[1, 2].set_xticks(range(len(names)), [label(name, 14) for name in names], rotation=35,
                          ha="right", rotation_mode="anchor", fontsize=SMALL)  # fmt: skip
    shot = len(support) // len(names)
    for first in range(shot, len(support), shot):  # of the next class
        axes[1, 1].axvline(first - 0.5, color="0.7", linewidth=1)
    figure.suptitle(
        f"Where each query looks in a {len(names)}-way {shot}-shot task\n"
        "(the answer is green where right, red where wrong)"
    )
    return figure


def _matrix(axis, shares, colour) -> None:
    """Shares [row, column] as shades, and in percent where they are 1 or more.

    ``colour(row, column)`` is that of a number.
    """
    axis.imshow(shares, cmap="Greys", vmin=0, vmax=LIGHTEST, aspect="equal")
    axis.set(xticks=[], yticks=[])
    for row, column in np.argwhere(shares >= 0.005):
        share = shares[row, column]
        found = colour(row, column)
        bold = "normal" if found == NEUTRAL else "bold"
        axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=SMALL,
                  color=found, weight=bold)  # fmt: skip

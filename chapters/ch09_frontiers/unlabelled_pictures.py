"""What was made of pictures without labels: a task, and clusters with examples."""

import numpy as np

from chapters.ch09_frontiers.clustering import pictures_at
from chapters.engine.figures import NEUTRAL, SMALL, WIDTH, plt
from chapters.experiments.images.pictures import by_class, image
from datasets.tasks.episodes import Episode
from datasets.tasks.pairs import items_of_split

ROWS, COLUMNS = 8, 10  # of a picture at most
CELL = 0.62  # inches
MOST = 3000  # pictures that are clustered for a figure
CLUSTERS = 12


def task(episode: Episode, ink: bool):
    """Some classes of a training task, one in each row: support items, then queries.

    Args:
        episode: with one task or more, items grouped by class; the first is drawn.
        ink: whether bright is ink, to be drawn dark.
    """
    rows = min(ROWS, int(episode.support_y[0].numpy().max()) + 1)
    support = by_class(episode.support_x, episode.support_y)[:rows]
    queries = by_class(episode.query_x, episode.query_y)[:rows]
    shown = min(len(support[0]), COLUMNS // 2)
    asked = min(len(queries[0]), COLUMNS - shown)
    figure, axes = _grid(rows, shown + asked)
    for row, examples, asking in zip(axes, support, queries, strict=True):
        for axis, item in zip(row, [*examples[:shown], *asking[:asked]], strict=True):
            image(axis, item, ink)
    for place, name in ((0, "support"), (shown, "queries")):
        axes[0, place].set_title(name, fontsize=SMALL, color=NEUTRAL, loc="left")
    figure.suptitle("A training task: every row counts as a class, without a label")
    return figure


def clusters(x, number, ink: bool):
    """Clusters with examples, one in each row, the largest ones first.

    Args:
        x: pictures [item, height, width, channel], 0 to 1.
        number: of the cluster of each [item].
        ink: as above.
    """
    counts = np.bincount(number)
    largest = np.argsort(-counts, kind="stable")[: min(CLUSTERS, (counts > 0).sum())]
    figure, axes = _grid(len(largest), COLUMNS)
    for row, k in zip(axes, largest, strict=True):
        members = x[number == k]
        # Spread over the cluster, in the order of the data.
        chosen = np.unique(np.linspace(0, len(members) - 1, COLUMNS).astype(int))
        for axis, item in zip(row, members[chosen], strict=False):
            image(axis, item, ink)
        for axis in row[len(chosen) :]:
            axis.set_axis_off()
        row[0].set_ylabel(
            f"{counts[k]}", fontsize=SMALL, rotation=0, ha="right", va="center", color=NEUTRAL
        )
    figure.suptitle("Clusters of training pictures, their sizes on the left, and examples of each")
    return figure


def partition(data, positions, number, ink: bool):
    """Clusters that tasks are made of: numbers [item] of the items at ``positions``."""
    return clusters(pictures_at(data, positions), number, ink)


def of_embedding(embed, data, config, ink: bool):
    """Clusters of what a trained network sees, for pictures it was trained on.

    Args:
        embed: pictures [item, ...] -> [item, dim].
        data: the data set.
        config: options of the run.
        ink: as above.
    """
    from sklearn.cluster import KMeans

    positions = items_of_split(data, config.train_split)
    if len(positions) > MOST:
        rng = np.random.RandomState(config.seed)
        positions = np.sort(rng.choice(positions, MOST, replace=False))
    x = pictures_at(data, positions)
    count = max(2, min(CLUSTERS * 5, len(x) // 8))
    z = np.asarray(embed(x))
    found = KMeans(count, n_init=1, random_state=config.seed).fit_predict(z)
    return clusters(x, found, ink)


def _grid(rows: int, columns: int):
    width = min(WIDTH, CELL * columns + 0.6)
    return plt.subplots(
        rows, columns, figsize=(width, CELL * rows + 0.6), squeeze=False, layout="constrained"
    )

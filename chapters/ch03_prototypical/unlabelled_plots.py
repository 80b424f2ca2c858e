"""The picture of semi-supervised prototypes: unlabelled items and where they move them."""

import numpy as np
from matplotlib.colors import to_rgb
from sklearn.decomposition import PCA

from chapters.engine.figures import SERIES, WIDTH, legend, plt
from datasets.tasks.unlabelled import UnlabelledEpisode

UNUSED = to_rgb("0.85")  # of an item that has no say
SMALLEST, LARGEST = 14, 60  # points^2 of an item without any say, and with a whole one


def refinement_map(learner, task: UnlabelledEpisode):
    """First two principal components of a task: an arrow from each prototype to where it goes.

    An unlabelled item has the colours of the classes in which it has a say, and the size of it.

    Args:
        learner: SemiSupervisedPrototypicalNetwork.
        task: with unlabelled items; the first of its tasks is drawn.
    """
    support_z = learner.embed(task.support_x[0])[None]  # [1, support, dim]
    unlabelled_z = learner.embed(task.unlabelled_x[0])[None]  # [1, unlabelled, dim]
    labels = task.support_y[:1]
    plain, _ = learner.prototypes(support_z, labels)
    refined, weight = learner.prototypes(support_z, labels, unlabelled_z)
    way, weight = plain.shape[1], weight[0].numpy()  # [unlabelled, way]
    pca = PCA(2).fit(np.concatenate([unlabelled_z[0], plain[0], refined[0]]))
    points, before, after = (pca.transform(z[0]) for z in (unlabelled_z, plain, refined))

    figure, axis = plt.subplots(figsize=(WIDTH, 5.2), layout="constrained")
    colours = np.array([to_rgb(SERIES[k % len(SERIES)]) for k in range(way)])
    said = weight.sum(axis=1)  # [unlabelled]
    mixed = weight @ colours + (1 - said)[:, None] * UNUSED
    sizes = SMALLEST + (LARGEST - SMALLEST) * said
    distracts = task.unlabelled_y[0].numpy() >= way
    for chosen, marker, name in (
        (~distracts, "o", "unlabelled, of a class of the task"),
        (distracts, "X", "unlabelled, of another class"),
    ):
        if chosen.any():
            style = {"marker": marker, "edgecolor": "0.3", "linewidth": 0.5}
            axis.scatter(*points[chosen].T, s=sizes[chosen], c=mixed[chosen], **style)
            axis.scatter([], [], s=LARGEST, c="0.7", label=name, **style)
    for start, end, colour in zip(before, after, colours, strict=True):
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", end, start, arrowprops=arrow, zorder=3)
    stars = {"marker": "*", "edgecolor": "k"}
    for place, size, name in (
        (before, 110, "prototype of the support set"),
        (after, 300, "refined prototype"),
    ):
        axis.scatter(*place.T, s=size, c=colours, zorder=4, **stars)
        axis.scatter([], [], s=size, c="0.7", label=name, **stars)
    legend(figure)
    share = pca.explained_variance_ratio_.sum()
    axis.set(xlabel="component 1", ylabel="component 2")
    axis.set_title(
        "Large and coloured: has a say in the prototype of that colour; small and grey: has none\n"
        f"(the two components show {share:.0%} of the variance)"
    )
    return figure

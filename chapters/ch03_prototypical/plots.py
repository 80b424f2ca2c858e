"""The picture of chapter 3: a map of an episode's embeddings."""

import numpy as np
from sklearn.decomposition import PCA

from chapters.ch03_prototypical.models import class_prototypes
from chapters.engine.figures import SERIES, label, legend, plt
from datasets.tasks.episodes import Episode

MARKERS = "osD"  # another one each time the colours begin anew


def embedding_map(learner, task: Episode, names: list[str]):
    """First two principal components of query embeddings, with the prototypes as stars.

    Args:
        learner: PrototypicalNetwork.
        task: an Episode with one task.
        names: of its classes [way].
    """
    queries, labels = task.query_x[0], task.query_y[0].numpy()
    support_z = learner.embed(task.support_x[0])[None]  # [1, support, dim]
    way = len(names)
    prototypes = class_prototypes(support_z, task.support_y, way)[0].numpy()  # [way, dim]
    query_z = learner.embed(queries).numpy()  # [query, dim]
    pca = PCA(2).fit(np.concatenate([query_z, prototypes]))
    points, centres = pca.transform(query_z), pca.transform(prototypes)
    figure, axis = plt.subplots(figsize=(6, 5), layout="constrained")
    for k, name in enumerate(names):
        colour, marker = SERIES[k % len(SERIES)], MARKERS[k // len(SERIES) % len(MARKERS)]
        dots = {"s": 18, "marker": marker, "color": colour, "alpha": 0.7, "label": label(name)}
        axis.scatter(*points[labels == k].T, **dots)
        axis.scatter(*centres[k], marker="*", s=260, color=colour, edgecolor="k")
    legend(figure, columns=5)  # names beside the stars would lie on each other
    share = pca.explained_variance_ratio_.sum()
    axis.set(xlabel="component 1", ylabel="component 2")
    axis.set_title(
        f"Queries (dots) around the prototypes (stars) of {way} unseen classes;\n"
        f"the two components show {share:.0%} of the variance"
    )
    return figure

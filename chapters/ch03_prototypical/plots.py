"""The picture of chapter 3: a map of an episode's embeddings."""

import numpy as np
from matplotlib import patheffects
from sklearn.decomposition import PCA

from chapters.ch03_prototypical.models import class_prototypes
from chapters.engine.figures import SERIES, SMALL, label, plt
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
    halo = [patheffects.withStroke(linewidth=2.5, foreground="white")]
    for k, name in enumerate(names):
        colour, marker = SERIES[k % len(SERIES)], MARKERS[k // len(SERIES) % len(MARKERS)]
        axis.scatter(*points[labels == k].T, s=18, color=colour, marker=marker, alpha=0.7)
        axis.scatter(*centres[k], marker="*", s=260, color=colour, edgecolor="k")
        axis.annotate(label(name), centres[k], (9, 5), textcoords="offset points",
                      fontsize=SMALL if way > 5 else 10, path_effects=halo)  # fmt: skip
    share = pca.explained_variance_ratio_.sum()
    axis.set(xlabel="component 1", ylabel="component 2")
    axis.set_title(
        f"Queries (dots) around the prototypes (stars) of {way} unseen classes;\n"
        f"the two components show {share:.0%} of the variance"
    )
    return figure

"""The picture of chapter 3: a map of an episode's embeddings."""

import numpy as np
from sklearn.decomposition import PCA

from chapters.ch03_prototypical.models import class_prototypes
from chapters.engine.figures import plt
from datasets.episodes import Episode


def embedding_map(learner, task: Episode):
    """First two principal components of query embeddings, with the prototypes as stars."""
    queries, labels = task.query_x[0], task.query_y[0].numpy()
    support_z = learner.embed(task.support_x[0])[None]  # [1, support, dim]
    way = labels.max() + 1
    prototypes = class_prototypes(support_z, task.support_y, way)[0].numpy()  # [way, dim]
    query_z = learner.embed(queries).numpy()  # [query, dim]
    pca = PCA(2).fit(np.concatenate([query_z, prototypes]))
    points, centres = pca.transform(query_z), pca.transform(prototypes)
    figure, axis = plt.subplots(figsize=(6, 5), layout="constrained")
    colours = plt.get_cmap("tab10" if way <= 10 else "tab20")
    for k in range(way):
        axis.scatter(*points[labels == k].T, s=18, color=colours(k % colours.N), alpha=0.7)
        axis.scatter(*centres[k], marker="*", s=260, color=colours(k % colours.N), edgecolor="k")
        axis.annotate(f"class {k}", centres[k], xytext=(9, 5), textcoords="offset points")
    share = pca.explained_variance_ratio_.sum()
    axis.set(xlabel="component 1", ylabel="component 2")
    axis.set_title(
        f"Queries (dots) around the prototypes (stars) of {way} unseen classes;\n"
        f"the two components show {share:.0%} of the variance",
        fontsize=10,
    )
    return figure

"""Pictures of chapter 3: an episode with its predictions, and a map of its embeddings."""

import numpy as np
from sklearn.decomposition import PCA

from chapters.ch03_prototypical.models import class_prototypes, predicted_probability
from chapters.engine.figures import plt
from datasets.episodes import Episode


def episode(learner, task: Episode):
    """Support and query images of one task; a query's frame is green when it is classified right.

    Args:
        learner: PrototypicalNetwork.
        task: an Episode with one task, items grouped by class.
    """
    probability = predicted_probability(learner(task.inputs, training=False))[0].numpy()
    support = _by_class(task.support_x, task.support_y)
    queries = _by_class(task.query_x, task.query_y)
    way, shot, query = len(support), len(support[0]), len(queries[0])
    probability = probability.reshape(way, query, -1)  # [way, query, way]
    figure, axes = plt.subplots(
        way, shot + query, figsize=(1.1 * (shot + query) + 0.4, 1.3 * way), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for k in range(way):
        for column in range(shot + query):
            axis = axes[k, column]
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            if column < shot:
                _image(axis, support[k][column])
                axis.set_title(f"support {k}", fontsize=8)
                _frame(axis, "0.3")
            else:
                _image(axis, queries[k][column - shot])
                p = probability[k, column - shot]
                colour = "tab:green" if p.argmax() == k else "tab:red"
                axis.set_title(f"{p.argmax()}: {p.max():.0%}", fontsize=8, color=colour)
                _frame(axis, colour)
    figure.suptitle(f"{way}-way {shot}-shot: predicted class and its probability", fontsize=10)
    return figure


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


def _by_class(x, labels):
    """Images of the first task grouped by label."""
    x, labels = x[0].numpy(), labels[0].numpy()
    return [x[labels == k] for k in range(labels.max() + 1)]


def _image(axis, image):
    grey = image.shape[-1] == 1
    axis.imshow(image[..., 0] if grey else image, cmap="gray_r", vmin=0, vmax=1)


def _frame(axis, colour):
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour, linewidth=2)

"""Pictures of image experiments: an episode with its predictions, accuracy against inner steps."""

import tensorflow as tf

from chapters.engine.figures import plt
from datasets.episodes import Episode


def episode(learner, task: Episode):
    """Support and query images of one task; a query's frame is green when it is classified right.

    Args:
        learner: few-shot classifier with logits [task, query, way].
        task: an Episode with one task, items grouped by class.
    """
    probability = tf.nn.softmax(learner(task.inputs, training=False))[0].numpy()
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


def accuracy_by_steps(curves: dict[str, list], used: int):
    """Accuracy on queries against the number of inner steps, one line per batch-norm regime.

    Args:
        curves: ``steps`` and, per regime, the accuracies.
        used: number of steps of the tests, marked.
    """
    names = {"support": "honest", "transductive": "transductive"}
    figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
    for regime, name in names.items():
        axis.plot(curves["steps"], [100 * a for a in curves[regime]], marker=".", label=name)
    axis.axvline(used, color="0.7", linestyle=":", label="used in tests")
    axis.set(xlabel="inner steps", ylabel="accuracy on queries, %")
    axis.legend(frameon=False)
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

"""Pictures of image experiments: an episode with its predictions, accuracy against inner steps."""

import tensorflow as tf

from chapters.engine.figures import NEUTRAL, RIGHT, SMALL, WRONG, label, legend, plt, whole_numbers
from datasets.tasks.episodes import Episode

SHOWN = 5  # examples, and queries, of a class at most
CELL = (0.85, 1.25)  # inches of an image with its title
LETTERS = 10  # that fit above it


def episode(learner, task: Episode, names: list[str], ink: bool):
    """Images of one task, a class in each row: examples, then queries with the answer they get.

    Args:
        learner: few-shot classifier with logits [task, query, way].
        task: an Episode with one task, items grouped by class.
        names: of the classes [way].
        ink: whether bright is ink, to be drawn dark.
    """
    probability = tf.nn.softmax(learner(task.inputs, training=False))[0].numpy()
    support = by_class(task.support_x, task.support_y)
    queries = by_class(task.query_x, task.query_y)
    way, shot = len(support), len(support[0])
    probability = probability.reshape(way, len(queries[0]), -1)  # [way, query, way]
    shown, asked = min(shot, SHOWN), min(len(queries[0]), SHOWN)
    size = (CELL[0] * (shown + asked), CELL[1] * way + 0.4)
    figure, axes = plt.subplots(way, shown + asked, figsize=size, squeeze=False,
                                layout="constrained")  # fmt: skip
    for k, row in enumerate(axes):
        for axis, item in zip(row[:shown], support[k], strict=False):
            image(axis, item, ink)
            title(axis, f"{label(names[k], LETTERS)}\n", NEUTRAL)
        for axis, item, p in zip(row[shown:], queries[k], probability[k], strict=False):
            image(axis, item, ink)
            answer = f"{label(names[p.argmax()], LETTERS)}\n{p.max():.0%}"
            title(axis, answer, RIGHT if p.argmax() == k else WRONG)
    figure.suptitle(
        f"{way}-way {shot}-shot: examples (grey) and queries\nwith the answer they get "
        "(green: right, red: wrong)"
    )
    return figure


def accuracy_by_steps(curves: dict[str, list], used: int):
    """Accuracy on queries against the number of inner steps, one line per batch-norm regime.

    Args:
        curves: ``steps`` and, per regime, the accuracies.
        used: number of steps of the tests, marked.
    """
    lines = {"support": ("honest", "-"), "transductive": ("transductive", "--")}
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for regime, (name, line) in lines.items():
        percent = [100 * accuracy for accuracy in curves[regime]]
        axis.plot(curves["steps"], percent, line, color="0.1", marker=".", label=name)
    axis.axvline(used, color="0.7", linestyle=":", label="used in tests")
    axis.set(xlabel="inner steps", ylabel="accuracy on queries, %")
    whole_numbers(axis)
    legend(figure, columns=3)
    return figure


def image(axis, item, ink: bool) -> None:
    """An image [height, width, channel] with values 0 to 1; grey ink is drawn dark on white."""
    grey = item.shape[-1] == 1
    axis.imshow(item[..., 0] if grey else item, cmap="gray_r" if ink else "gray", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])


def title(axis, text: str, colour: str) -> None:
    """Words above an image, and a frame around it, of one colour."""
    axis.set_title(text, fontsize=SMALL, color=colour, pad=3)
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour, linewidth=2)


def by_class(x, labels):
    """Images of the first task grouped by label."""
    x, labels = x[0].numpy(), labels[0].numpy()
    return [x[labels == k] for k in range(labels.max() + 1)]

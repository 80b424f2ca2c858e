"""Pictures of zero-shot learners: unseen classes with the descriptions that fit best."""

import numpy as np
import tensorflow as tf

from chapters.engine.figures import NEUTRAL, RIGHT, SMALL, WRONG, label, learning_curve, plt
from chapters.engine.runs import RunFolder
from chapters.experiments.images import pictures
from chapters.experiments.zero_shot.tasks import INK, Split
from datasets.tasks.episodes import to_float

SHOWN, BEST = 12, 5  # pictures, and descriptions beside each
LETTERS = 30  # of a description


def draw(run: RunFolder, history, learner, drawn: Split) -> None:
    """Learning curve where there are classes for validation, and unseen pictures described."""
    if "val" in drawn.data.splits:
        names = {"training": "training", "held_out": "validation, unseen classes"}
        run.figure("learning_curve", learning_curve(history, **names))
    run.figure("descriptions", best_descriptions(learner, drawn))


def best_descriptions(learner, drawn: Split):
    """A picture of each of some unseen classes, and the descriptions of all that fit it best.

    Args:
        learner: called with ``attributes`` and ``query_x``.
        drawn: classes.
    """
    data = drawn.data
    unseen = data.classes("test")
    places = np.unique(np.linspace(0, len(unseen) - 1, SHOWN).round().astype(int))
    classes = unseen[places]
    x = data.items[[data.items_of(k)[0] for k in classes]].reshape(-1, *data.image_shape)
    x = to_float(tf.constant(x))  # [picture, height, width, channel]
    described = tf.constant(drawn.described[unseen])[None]  # [1, class, word]
    logits = learner({"attributes": described, "query_x": x[None]}, training=False)[0]
    chances = tf.nn.softmax(logits).numpy()  # [picture, class]
    columns = 3 if len(classes) > 4 else 2
    lines = -(-len(classes) // columns)
    size = (3.6 * columns, 1.25 * lines + 0.5)
    figure, axes = plt.subplots(lines, 2 * columns, figsize=size, squeeze=False,
                                width_ratios=[1, 2] * columns, layout="constrained")  # fmt: skip
    for axis in axes.flat:
        axis.set_axis_off()
    for number, (item, chance) in enumerate(zip(x.numpy(), chances, strict=True)):
        line, column = divmod(number, columns)
        pictures.image(axes[line, 2 * column], item, data.name in INK)
        _list(axes[line, 2 * column + 1], chance, classes[number], drawn)
    figure.suptitle(
        f"Pictures of classes never seen, and which of {len(unseen)} descriptions fit best\n"
        "(green: right)"
    )
    return figure


def _list(axis, chance, truth: int, drawn: Split) -> None:
    """The best descriptions, one below the other; the right one green, or grey below if missed."""
    data, unseen = drawn.data, drawn.data.classes("test")
    order = np.argsort(-chance, kind="stable")
    shown = [(place, RIGHT if unseen[place] == truth else WRONG) for place in order[:BEST]]
    if truth not in unseen[order[:BEST]]:
        place = int(np.flatnonzero(unseen == truth)[0])
        shown = [*shown[: BEST - 1], (place, NEUTRAL)]
    for line, (place, colour) in enumerate(shown):
        rank = int(np.flatnonzero(order == place)[0]) + 1
        name = label(data.class_names[unseen[place]], LETTERS)
        y = 0.9 - line / BEST
        axis.text(0.0, y, f"{rank}. {name}", color=colour, fontsize=SMALL, va="center")

"""Pictures: queries beside the classes they were compared with, fits of a curve."""

import numpy as np

import datasets
from chapters.engine.figures import NEUTRAL, RIGHT, SMALL, WIDTH, WRONG, label, plt
from chapters.experiments import images, pictures, sine, sine_pictures
from datasets.tasks.episodes import EpisodeSampler
from zoo.loading import Loaded
from zoo.prediction import classify

QUERIES, ROWS = 8, 3  # shown at most; rows of a model's picture
CELL = {"image": (0.8, 1.15), "face": (1.0, 1.55), "sound": (1.33, 1.2)}  # inches with the title
PAGE = 4.0  # inches of a model's picture: pages show two side by side
# What stands in for the data: drawn, so pictures need no download and show nobody's face.
STAND_IN = {"image": "strokes", "face": "sketch_faces", "sound": "synth_sounds"}


def of_model(loaded: Loaded):
    """A figure of what a published model does, on generated data; None where there is none."""
    if loaded.draw:
        return loaded.draw(PAGE)
    if loaded.items == "number":
        curves = sine.sampler(loaded.config, sine.TEST, loaded.config.test_shot, 1, 2)
        shown = [0, 1, loaded.learner.test_steps]
        return sine_pictures.fits({loaded.name: loaded.learner}, curves, sorted(set(shown)))
    if loaded.items not in STAND_IN or (
        loaded.items == "image" and loaded.config.data not in images.SETS
    ):
        return None
    size = {"size": loaded.item_shape[0]} if loaded.items == "image" else {}
    data = datasets.load(STAND_IN[loaded.items], **size)
    way = 2 if loaded.items == "sound" else loaded.way or 5
    split = "test" if "test" in data.splits else "all"
    task = EpisodeSampler(data, split, way, shot=1, query=1, seed=3).episode(0)
    support, labels, query = (x[0].numpy() for x in task[:3])
    names = [f"class {k}" for k in range(way)]
    asked = [f"query:\n{name}" for name in names[:ROWS]]
    probabilities = classify(loaded, support, labels, query[:ROWS])
    truth = labels[:ROWS]  # one query of each class
    return answers(loaded, query[:ROWS], support, names, probabilities, asked, truth, PAGE)


def answers(
    loaded: Loaded, query_x, support_x, names, probabilities, titles, truth=None, width=WIDTH
):
    """Each query in a row, then an example of each class, most probable first.

    The first answer is green when it is right and red when it is wrong; where the truth is not
    known it is bold.

    Args:
        loaded: the model.
        query_x: items [query, ...] as the network sees them.
        support_x: one item of each class [way, ...].
        names: of the classes.
        probabilities: [query, way].
        titles: of the queries.
        truth: label of each query; None where nobody knows.
        width: of the picture at most, in inches.
    """
    query_x, cell = query_x[:QUERIES], CELL[loaded.items]
    shown = min(len(names), int(width / cell[0]) - 1)
    letters = int(cell[0] * 14)  # that fit above an item
    size = (cell[0] * (shown + 1), cell[1] * len(query_x))
    figure, axes = plt.subplots(len(query_x), shown + 1, figsize=size, squeeze=False,
                                layout="constrained")  # fmt: skip
    for number, (row, query) in enumerate(zip(axes, query_x, strict=True)):
        _item(row[0], query, loaded)
        asked = "\n".join(label(line, letters) for line in titles[number].split("\n"))
        row[0].set_title(asked, fontsize=SMALL)
        order = np.argsort(-probabilities[number], kind="stable")[:shown]
        for axis, k in zip(row[1:], order, strict=True):
            _item(axis, support_x[k], loaded)
            text = f"{label(names[k], letters)}\n{probabilities[number, k]:.0%}"
            axis.set_title(text, fontsize=SMALL, color=NEUTRAL)
        first = row[1].title
        if truth is None:
            first.set(color="0", weight="bold")
        else:
            first.set_color(RIGHT if order[0] == truth[number] else WRONG)
    return figure


def _item(axis, item, loaded: Loaded) -> None:
    axis.set_axis_off()
    if loaded.items == "sound":
        sound = item[:, np.abs(item).sum(axis=0) > 0]  # [coefficient, frame], without the padding
        # The first coefficient is the loudness.
        axis.imshow(sound[1:], aspect="auto", origin="lower", cmap="magma")
    else:
        pictures.image(axis, item, images.is_ink(loaded.config))

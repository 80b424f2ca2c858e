"""Pictures: queries beside the classes they were compared with, fits of a curve."""

import numpy as np

import datasets
from chapters.engine.figures import plt
from chapters.experiments import images, sine, sine_pictures
from datasets.episodes import EpisodeSampler
from zoo.loading import Loaded
from zoo.prediction import classify

QUERIES, CLASSES, ROWS = 8, 5, 3  # shown at most; rows of a model's picture
# What stands in for the data: drawn, so pictures need no download and show nobody's face.
STAND_IN = {"image": "strokes", "face": "sketch_faces", "sound": "synth_sounds"}


def of_model(loaded: Loaded):
    """A figure of what a published model does, on generated data; None where there is none."""
    if loaded.items == "number":
        curves = sine.sampler(loaded.config, sine.TEST, loaded.config.test_shot, 1, 2)
        shown = [0, 1, loaded.learner.test_steps]
        return sine_pictures.fits({loaded.name: loaded.learner}, curves, sorted(set(shown)))
    if loaded.items not in STAND_IN or (loaded.items == "image" and not _characters(loaded)):
        return None
    size = {"size": loaded.item_shape[0]} if loaded.items == "image" else {}
    data = datasets.load(STAND_IN[loaded.items], **size)
    way = 2 if loaded.items == "sound" else loaded.way or 5
    split = "test" if "test" in data.splits else "all"
    task = EpisodeSampler(data, split, way, shot=1, query=1, seed=3).episode(0)
    support, labels, query = (x[0].numpy() for x in task[:3])
    names = [f"class {k + 1}" for k in range(way)]
    asked = [f"query, {name}" for name in names[:ROWS]]
    query = query[:ROWS]  # one of each class
    return answers(loaded, query, support, names, classify(loaded, support, labels, query), asked)


def answers(loaded: Loaded, query_x, support_x, names, probabilities, titles):
    """Each query in a row, then an example of each class, most probable first.

    Args:
        loaded: the model.
        query_x: items [query, ...] as the network sees them.
        support_x: one item of each class [way, ...].
        names: of the classes.
        probabilities: [query, way].
        titles: of the queries.
    """
    query_x, wide = query_x[:QUERIES], loaded.items == "sound"
    shown = min(len(names), CLASSES)
    cell = (2.4, 1.5) if wide else (1.5, 1.9)  # inches
    figure, axes = plt.subplots(
        len(query_x), shown + 1, figsize=(cell[0] * (shown + 1), cell[1] * len(query_x)),
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for number, (row, query) in enumerate(zip(axes, query_x, strict=True)):
        _item(row[0], query, loaded)
        row[0].set_title(titles[number], fontsize=8)
        order = np.argsort(-probabilities[number], kind="stable")[:shown]
        for axis, k in zip(row[1:], order, strict=True):
            _item(axis, support_x[k], loaded)
            colour = "tab:green" if k == order[0] else "0.4"
            axis.set_title(f"{names[k]}\n{probabilities[number, k]:.0%}", fontsize=8, color=colour)
    return figure


def _item(axis, item, loaded: Loaded) -> None:
    axis.set_axis_off()
    if loaded.items == "sound":
        sound = item[:, np.abs(item).sum(axis=0) > 0]  # [coefficient, frame], without the padding
        axis.imshow(sound[1:], aspect="auto", origin="lower")  # the first one is the loudness
    else:
        grey = "gray_r" if _characters(loaded) else "gray"
        axis.imshow(item[..., 0] if item.shape[-1] == 1 else item, cmap=grey, vmin=0, vmax=1)


def _characters(loaded: Loaded) -> bool:
    """Whether bright is ink."""
    return loaded.items == "image" and loaded.config.data in images.SETS

"""SavedModels that adapt and predict: support set and queries in, class probabilities out.

The exported graph needs TensorFlow alone. It takes one task without a task axis, with any number
of support items, queries and classes.
"""

import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from chapters.engine.errors import RunError

TOLERANCE = 1e-5  # largest accepted difference from Python


class Served(keras.Model):
    """Adds and removes the task axis around a learner, and turns logits into probabilities."""

    def __init__(self, learner):
        super().__init__()
        self.learner = learner

    def serve(self, support_x, support_y, query_x):
        """[item, ...], [item], [query, ...] -> probabilities [query, way]."""
        task = {"support_x": support_x, "support_y": support_y, "query_x": query_x}
        logits = self.learner({name: x[None] for name, x in task.items()}, training=False)[0]
        return {"probabilities": tf.nn.softmax(logits, axis=-1)}


def export(learner, folder: str | Path, support_x, support_y, query_x, endpoints=None) -> float:
    """Write ``learner`` as a SavedModel into ``folder`` and compare it with Python.

    Args:
        learner: Keras model, episode inputs -> logits [task, query, way].
        folder: created; an existing SavedModel in it is replaced only by one that agrees.
        support_x, support_y, query_x: an example task, used for shapes and for the comparison.
        endpoints: further signatures, name -> (function, example inputs as a tuple of arrays with
            a leading item axis).

    Returns:
        Largest absolute difference between the loaded SavedModel and Python.

    Raises:
        RunError: the difference is above ``TOLERANCE``, or ``folder`` holds something else.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / "saved_model.pb").exists():
        raise RunError(f"{folder} is not empty and holds no SavedModel; choose another folder.")
    served = Served(learner)
    example = (support_x, tf.cast(support_y, tf.int32), query_x)
    signatures = {"serve": (served.serve, example), **(endpoints or {})}
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        _write(served, part, signatures)
        difference = _largest_difference(part, signatures)
        if not difference <= TOLERANCE:  # also when it is not a number
            raise RunError(
                f"The SavedModel differs from Python by {difference:.2g}, more than {TOLERANCE:g}; "
                "it was not kept."
            )
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return difference


def _write(served, folder: Path, signatures) -> None:
    archive = keras.export.ExportArchive()
    archive.track(served)
    for name, (function, example) in signatures.items():
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        names = [argument for argument in names if argument != "self"]
        specs = [
            tf.TensorSpec([None, *np.shape(x)[1:]], tf.as_dtype(_dtype(x)), name=argument)
            for argument, x in zip(names, example, strict=True)
        ]
        archive.add_endpoint(name, function, specs)
    archive.write_out(str(folder), verbose=False)


def _largest_difference(folder: Path, signatures) -> float:
    loaded = tf.saved_model.load(str(folder))
    largest = 0.0
    for name, (function, example) in signatures.items():
        example = [tf.convert_to_tensor(x) for x in example]
        ours = tf.nest.flatten(function(*example))
        theirs = tf.nest.flatten(getattr(loaded, name)(*example))
        for a, b in zip(ours, theirs, strict=True):
            largest = np.maximum(largest, np.max(np.abs(a.numpy() - b.numpy())))
    return float(largest)


def _dtype(x):
    return getattr(x, "dtype", None) or np.asarray(x).dtype

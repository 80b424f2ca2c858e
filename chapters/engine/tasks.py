"""What people give to a learner, as tensors that fit it."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from chapters.engine.configuration import suggest
from chapters.engine.errors import RunError

REGRESSION = '; the loss of a regression says that it takes numbers: loss.output = "values".'
LARGEST = 16.0  # of a picture's floats; pictures are 0 to 1, and 0 to 255 would be far above


def checked_task(learner, inputs) -> dict:
    """The inputs of a learner as tensors that fit it and each other.

    Bytes of pictures become 0 to 1, other numbers the precision of the learner, whole labels of
    any type int32, one-hot labels their number. Values are looked at outside of graphs only.

    Args:
        learner: ``FewShotLearner``; its ``input_shapes`` say what it takes.
        inputs: name -> a tensor, an array or a list, such as ``support_x``, ``support_y``,
            ``query_x``.

    Raises:
        RunError: one is missing or not finite, shapes do not fit, or a label is out of range.
    """
    if not isinstance(inputs, Mapping):
        raise RunError(f"A task is a dict of inputs, and {type(inputs).__name__} was given.")
    shapes = learner.input_shapes()
    needed = [spec.name for spec in learner.signature()]
    if "support_x" in inputs and "support_x" not in needed:
        needed.append("support_y")  # of an optional support set
    missing = [name for name in needed if name not in inputs]
    if missing:
        raise RunError(f"A task has {', '.join(needed)}; {', '.join(missing)} is missing.")
    if any(isinstance(x, keras.KerasTensor) for x in tf.nest.flatten(dict(inputs))):
        return inputs  # Keras asks for shapes, nothing is computed
    unknown = next((name for name in inputs if name not in (*shapes, "support_y", "query_y")), "")
    if unknown:
        raise RunError(f"A task has no input {unknown!r}{suggest(unknown, shapes)}.")
    items = [name for name in shapes if name in inputs and name != "support_x"]
    task = {name: _items(learner, name, inputs[name]) for name in items}
    if "support_x" in inputs:
        support = checked_support(learner, inputs["support_x"], inputs["support_y"])
        task["support_x"], task["support_y"] = support
    for name, x in task.items():
        if not x.shape[:1].is_compatible_with(task["query_x"].shape[:1]):
            raise RunError(
                f"{name} has {x.shape[0]} task(s) and query_x {task['query_x'].shape[0]}; both "
                "need the same number."
            )
    return {**inputs, **task}


def checked_support(learner, support_x, support_y) -> tuple:
    """A support set as two tensors; arguments and errors as for ``checked_task``."""
    support_x = _items(learner, "support_x", support_x)
    support_y = checked_labels(learner, support_y)
    if not support_x.shape[:2].is_compatible_with(support_y.shape[:2]):
        raise RunError(
            f"support_x has shape {support_x.shape} but support_y {support_y.shape}; both need "
            "the same numbers of tasks and items."
        )
    return support_x, support_y


def checked_labels(learner, y):
    """Labels or targets alone; arguments and errors as for ``checked_task``."""
    y = _labels(learner, y) if learner.labelled else _targets(learner, y)
    if learner.labelled and _has_values(y):
        _check_range(learner, np.asarray(y))
    return y


def _items(learner, name: str, x):
    """Items [task, item, ...] in the learner's precision."""
    x, expected = _tensor(name, x), learner.input_shapes()[name]
    if expected is None:  # an encoder that takes any shape
        expected = x.shape[2:]
    if len(x.shape) != len(expected) + 2:
        raise RunError(
            f"{name} has shape {x.shape}; expected [task, {name.removesuffix('_x')}, "
            f"{', '.join(map(str, expected))}]: give a single task a leading axis of 1."
        )
    if not x.shape[2:].is_compatible_with(expected):
        raise RunError(
            f"{name} has items of shape {x.shape[2:]}; the network takes {tuple(expected)}."
        )
    if 0 in x.shape[:2]:
        raise RunError(f"{name} has shape {x.shape}; a task needs at least one item.")
    if x.dtype == tf.uint8 and len(expected) == 3:
        x = tf.cast(x, learner.precision) * (1 / 255)
    x = tf.cast(x, learner.precision)
    if _has_values(x):
        _check_numbers(name, np.asarray(x), picture=len(expected) == 3)
    return x


def _labels(learner, y):
    """Labels [task, item] as int32."""
    y = _tensor("support_y", y)
    whole = y.dtype.is_integer or y.dtype == tf.bool
    # In a graph nobody can tell rows of a single 1 from other floats.
    if len(y.shape) == 3 and y.shape[-1] != 1 and (whole or _has_values(y)):
        return _of_one_hot(y)
    if not whole or len(y.shape) != 2:
        raise RunError(
            f"support_y has {y.dtype.name} {'labels' if whole else 'numbers'} of shape {y.shape}; "
            f"expected [task, support]. Labels of classes must be integers{REGRESSION}"
        )
    return tf.cast(y, tf.int32)


def _targets(learner, y):
    """Targets [task, item, out] in the learner's precision."""
    y, out = _tensor("support_y", y), learner.outputs
    if not y.dtype.is_floating or len(y.shape) != 3 or y.shape[-1] != out:
        raise RunError(
            f"support_y has {y.dtype.name} targets of shape {y.shape}; the network's {out} "
            f"output(s) need floats [task, support, {out}]."
        )
    return tf.cast(y, learner.precision)


def _of_one_hot(y):
    """[task, item, way] -> [task, item]; looked at where it has values."""
    if _has_values(y):
        values = np.asarray(y)
        if not (np.isin(values, (0, 1)).all() and (values.sum(axis=-1) == 1).all()):
            raise RunError(
                f"support_y has labels of shape {y.shape}; expected [task, support], or one-hot "
                f"rows with a single 1{REGRESSION}"
            )
    return tf.argmax(tf.cast(y, tf.int32), axis=-1, output_type=tf.int32)


def _check_range(learner, y) -> None:
    """Labels are 0 to way - 1; where the way follows from them, no class may be missing."""
    lowest, highest = int(y.min()), int(y.max())
    if learner.way is not None and not 0 <= lowest <= highest < learner.way:
        raise RunError(
            f"support_y has labels from {lowest} to {highest}; the network tells {learner.way} "
            f"classes apart, so labels must be 0 to {learner.way - 1}."
        )
    if learner.way is None:
        for task in y:
            found = np.unique(task)
            if len(found) == 1:
                raise RunError(
                    "support_y has a single class, so there is nothing to tell apart; give items "
                    "of two or more."
                )
            if not np.array_equal(found, np.arange(len(found))):
                raise RunError(
                    f"support_y has labels {', '.join(map(str, found[:9]))}; expected 0 to way - "
                    "1, each at least once."
                )


def _check_numbers(name: str, x, picture: bool) -> None:
    if not np.isfinite(x).all():
        raise RunError(f"{name} holds numbers that are not finite (NaN or infinity); leave it out.")
    if picture and np.abs(x).max() > LARGEST:
        raise RunError(
            f"{name} holds values from {x.min():g} to {x.max():g}; pictures are 0 to 1: divide by "
            "255, or give bytes (uint8)."
        )


def _tensor(name: str, x):
    """A tensor of numbers; RunError when it is something else."""
    if tf.is_tensor(x):
        return x
    try:
        array = np.asarray(x)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise RunError(f"{name} is no array of numbers; give one of equally long rows.")
    return tf.convert_to_tensor(array)


def _has_values(x) -> bool:
    """Outside of a graph."""
    return tf.executing_eagerly() and hasattr(x, "numpy")

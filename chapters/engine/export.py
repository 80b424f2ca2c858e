"""SavedModels that adapt and predict: support set and queries in, class probabilities out.

The exported graph needs TensorFlow alone. It takes one task without a task axis, with any number
of support items, queries and classes.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from chapters.engine import files
from chapters.engine.errors import RunError
from chapters.engine.layers import finite_items

TOLERANCE = 1e-5  # largest accepted difference from Python


def adapt_and_predict(learner, strict: bool = False, full: bool = False) -> Callable:
    """The ``serve`` endpoint of a learner: a function of one task.

    It returns what ``learner.answer`` says: ``probabilities`` and ``distance`` [query, way]. Labels
    that the learner cannot have, and items that are not finite, never get a plausible answer: all
    is NaN, or the row of the query that is not finite.

    Args:
        learner: ``FewShotLearner``.
        strict: fail with a sentence instead, for formats that can.
        full: take the inputs that a task may lack as well.
    """

    names = [spec.name for spec in learner.signature(full)]

    def serve(*values, **named):
        given = {**dict(zip(names, values, strict=False)), **named}
        task = {name: tf.convert_to_tensor(given[name]) for name in names}
        usable, checks = tf.constant(True), []
        if "support_y" in task:
            task["support_y"], usable, checks = _checked_support(learner, task)
        with tf.control_dependencies([x for x in checks if strict and x is not None]):
            batch = {name: x[None] for name, x in task.items()}  # [1, item, ...]
        prediction, distance = learner.predict_with_distance(batch)  # [1, query, ...]
        distances = [] if distance is None else [distance[0]]
        answers = learner.answer(prediction[0], task.get("support_y"), *distances)
        others = [x for name, x in task.items() if name != "query_x" and x.dtype.is_floating]
        usable &= tf.reduce_all([tf.reduce_all(finite_items(x)) for x in others])
        keep = finite_items(task["query_x"]) & usable  # [query]
        return {name: tf.where(_spread(keep, x), x, np.nan) for name, x in answers.items()}

    return serve


def _spread(keep, x):
    """[query] in the rank of an answer [query, ...]."""
    return keep[(..., *[None] * (len(x.shape) - 1))]


def _checked_support(learner, task):
    """Labels within range or targets, whether they were so and as many as items, assertions."""
    support_x, support_y = task["support_x"], task["support_y"]
    fits = tf.equal(tf.shape(support_x)[0], tf.shape(support_y)[0])
    checks = [tf.debugging.Assert(fits, ["support_x and support_y differ in length"])]
    if not learner.labelled:
        return support_y, fits, checks
    limit = tf.shape(support_x)[0] if learner.way is None else learner.way
    # Clipped, so that a wild label does not ask for as many classes before it is refused.
    inside = tf.clip_by_value(support_y, 0, limit - 1)
    usable = tf.reduce_all(tf.equal(inside, support_y))
    wrong = "support_y has labels that are not 0 to way - 1"
    return inside, usable & fits, [*checks, tf.debugging.Assert(usable, [wrong])]


def first_task(inputs: dict) -> dict:
    """The first task of a batch, without the task axis: what an exported learner is given."""
    return {name: x[0] for name, x in inputs.items()}


def export_run(run, endpoints: dict[str, tuple]) -> None:
    """Write the SavedModel that ``--export`` asks for, and say so; nothing without the option.

    Args:
        run: folder of the run.
        endpoints: as for ``export``.
    """
    folder = run.config.export
    if folder and run.chief:
        difference = export(folder, endpoints)
        print(f"SavedModel in {folder}; largest difference from Python {difference:.1e}.")


def export(folder: str | Path, endpoints: dict[str, tuple]) -> float:
    """Write a SavedModel with one signature per endpoint, and compare it with Python.

    Args:
        folder: created; a SavedModel that lies there already is replaced once the new one agrees.
        endpoints: name -> (function, example) or (function, example, free), where the example maps
            the function's argument names to arrays. The leading axis of every argument becomes
            free, or as many as ``free`` says (2 for sequences).

    Returns:
        Largest difference between the loaded SavedModel and Python on the examples; relative where
        values are above 1.

    Raises:
        RunError: the difference is above ``TOLERANCE``, or ``folder`` holds something else.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / "saved_model.pb").exists():
        raise RunError(f"{folder} is not empty and holds no SavedModel; choose another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        examples = {
            name: {argument: tf.convert_to_tensor(x) for argument, x in example.items()}
            for name, (_, example, *_) in endpoints.items()
        }
        points = {
            name: (function, _signature(examples[name], *free))
            for name, (function, _, *free) in endpoints.items()
        }
        write(part, points)
        difference = _difference(part, points, examples)
        if not difference <= TOLERANCE:  # also when it is not a number
            raise RunError(
                f"The SavedModel differs from Python by {difference:.2g}, more than {TOLERANCE:g}; "
                "it was not kept."
            )
        with files.replacing(folder, part):
            pass
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return difference


def write(folder: str | Path, endpoints: dict[str, tuple[Callable, list[tf.TensorSpec]]]) -> None:
    """Write a SavedModel with one signature per endpoint.

    Args:
        folder: created.
        endpoints: name -> (function, name, shape and dtype of each of its arguments).

    Raises:
        RunError: it cannot be written.
    """
    archive = keras.export.ExportArchive()
    for name, (function, signature) in endpoints.items():
        # A tensor program already; converting it makes tracing slow.
        plain = tf.autograph.experimental.do_not_convert(function)
        archive.add_endpoint(name, plain, signature)
    try:
        archive.write_out(str(folder), verbose=False)
    except tf.errors.OpError as error:  # TensorFlow's file system has no OSError
        reason = error.message.rsplit(";", maxsplit=1)[-1].split("[Op:")[0].strip()
        raise RunError(f"Cannot write the SavedModel {folder}: {reason}.") from error


def _signature(example, free=1) -> list[tf.TensorSpec]:
    """One input per argument, its leading axes free."""
    shapes = {
        name: [None] * min(free, len(x.shape)) + x.shape[free:] for name, x in example.items()
    }
    return [tf.TensorSpec(shapes[name], x.dtype, name) for name, x in example.items()]


def _difference(folder: Path, endpoints, examples) -> float:
    """Largest difference between the file and Python on the examples."""
    loaded = tf.saved_model.load(str(folder))
    largest = 0.0
    for name, example in examples.items():
        function, _ = endpoints[name]
        expected, found = _named(function(**example)), _named(loaded.signatures[name](**example))
        for (answer, ours), theirs in zip(expected.items(), found.values(), strict=True):
            largest = np.maximum(largest, apart(ours, theirs, answer))
    return float(largest)


def apart(ours: np.ndarray, theirs: np.ndarray, name: str = "") -> float:
    """Largest difference of two answers, relative where they are above 1; infinities may agree.

    Of ``distance`` a hundredth of it: it is made of the numbers that become ``probabilities``,
    which small differences of them do not move.
    """
    with np.errstate(invalid="ignore"):
        difference = np.abs(ours - theirs) / np.maximum(1.0, np.abs(ours))
    largest = float(np.max(np.where(ours == theirs, 0.0, difference), initial=0.0))
    return largest / 100 if name == "distance" else largest


def _named(outputs) -> dict[str, np.ndarray]:
    """Outputs in the order of their names; a signature returns a dict even for a single tensor."""
    outputs = outputs if isinstance(outputs, dict) else {"": outputs}
    return {name: outputs[name].numpy() for name in sorted(outputs)}

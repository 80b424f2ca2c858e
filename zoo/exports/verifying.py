"""An exported file beside Python: the same tasks, in a process that cannot import this project."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chapters.engine.export import apart
from zoo.errors import ZooError
from zoo.exports.formats import FORMATS
from zoo.kinds.base import Task
from zoo.loaded import Loaded

ALONE = Path(__file__).with_name("verify_alone.py")
# Changes of the items that are tried, and their size: some roundings, far below a grey level.
NUDGES, NUDGE = 32, 64 * np.finfo(np.float32).eps


class Found(NamedTuple):
    """What a comparison found."""

    difference: float  # largest one, relative where answers are above 1
    tasks: str  # in words
    undecided: int  # tasks that say nothing, see ``compare``


def compare(loaded: Loaded, format: str, path: Path, points: dict) -> Found:
    """Largest difference between a file and Python.

    An inner step is not continuous where a rectifier switches. A task in which Python itself moves
    as far when its items change by a few roundings cannot tell right from wrong: it is counted as
    undecided, and left out.

    Args:
        loaded: the model.
        format: a key of ``zoo.exports.formats.FORMATS``.
        path: the file, or the folder of a SavedModel.
        points: name -> (function, signature), as the file has them; other formats than SavedModel
            have ``serve`` alone.

    Raises:
        ZooError: the file does not run, or most of the tasks are undecided.
    """
    kind = loaded.kind
    series = {"random": kind.random_tasks(loaded), **kind.real_tasks(loaded)}
    tasks = [task for several in series.values() for task in several]
    asked = {f"serve/{i}": task for i, task in enumerate(tasks)}
    if format == "savedmodel" and "embed" in points:
        asked |= {f"embed/{i}": {"x": task["query_x"]} for i, task in enumerate(tasks)}
    if format == "savedmodel" and "serve_sound" in points:
        asked |= {f"serve_sound/{i}": task for i, task in enumerate(kind.sound_tasks(loaded))}
    if format == "savedmodel" and "serve_full" in points:  # queries stand for what is optional
        asked |= {
            f"serve_full/{i}": {**task, **dict.fromkeys(loaded.learner.OPTIONAL, task["query_x"])}
            for i, task in enumerate(tasks)
        }
    answers = run_alone(format, path, asked)
    tolerance = FORMATS[format].tolerance
    largest, undecided = 0.0, 0
    for call, inputs in asked.items():
        function = points[call.partition("/")[0]].function
        expected = _answers(function, inputs)
        difference = _largest_difference(
            expected, {name: answers[f"{call}/{name}"] for name in expected}
        )
        if difference > tolerance and _moves(function, inputs, expected, difference / 2):
            undecided += 1
        else:
            largest = np.maximum(largest, difference)
    if undecided > len(tasks) / 2:
        raise ZooError(
            f"{loaded.name} cannot be compared: in {undecided} of {len(tasks)} tasks its answers "
            "turn on roundings of the input; the file was not kept."
        )
    words = f"{len(tasks) - undecided} tasks ({', '.join(series)})"
    return Found(float(largest), words, undecided)


def _answers(function, inputs: Task) -> dict[str, np.ndarray]:
    found = function(**inputs)
    found = found if isinstance(found, dict) else {"output_0": found}
    return {name: np.asarray(x) for name, x in found.items()}


def _moves(function, inputs: Task, expected, distance: float) -> bool:
    """Whether Python's answers move that far when the items change by a few roundings."""
    rng = np.random.default_rng(0)
    items = [name for name, x in inputs.items() if name != "support_y" and x.dtype == np.float32]
    for _ in range(NUDGES):
        nudged = {
            name: (inputs[name] * (1 + NUDGE * rng.choice([-1, 1], inputs[name].shape))).astype(
                np.float32
            )
            for name in items
        }
        moved = _largest_difference(expected, _answers(function, {**inputs, **nudged}))
        if moved >= distance:
            return True
    return False


def run_alone(format: str, path: Path, asked: dict[str, Task]) -> dict[str, np.ndarray]:
    """Answers of an exported file, by a program that has nothing but TensorFlow or a runtime.

    Args:
        format: a key of ``zoo.exports.formats.FORMATS``.
        path: the file, or the folder of a SavedModel.
        asked: ``serve/0``, ``embed/0``, ... -> inputs.

    Returns:
        ``serve/0/probabilities``, ... -> value.

    Raises:
        ZooError: the program failed.
    """
    with tempfile.TemporaryDirectory() as place:
        given, answers = Path(place, "asked.npz"), Path(place, "answers.npz")
        np.savez(
            given, **{f"{call}/{k}": x for call, task in asked.items() for k, x in task.items()}
        )
        command = [sys.executable, "-P", ALONE, format, path, given, answers]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip() or "no message").splitlines()[-1]
            raise ZooError(f"The exported file does not run by itself ({reason}); it was not kept.")
        with np.load(answers, allow_pickle=False) as found:
            return dict(found)


def _largest_difference(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> float:
    """Over all outputs, see ``export.apart``; not a number when one of them is not."""
    largest = 0.0
    for name, x in ours.items():
        y = theirs[name]
        if x.shape != y.shape:
            raise ZooError(f"The exported file answers {name} {y.shape}, Python {x.shape}.")
        largest = np.maximum(largest, apart(x, y, name))
    return float(largest)

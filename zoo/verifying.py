"""An exported file beside Python: the same tasks, in a process that cannot import this project."""

import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

import datasets
from chapters.experiments import sine
from datasets.errors import DataError
from datasets.tasks.episodes import EpisodeSampler
from zoo.errors import ZooError
from zoo.formats import FORMATS
from zoo.loading import Loaded

ALONE = Path(__file__).with_name("verify_alone.py")
WAYS = range(2, 21)
POINTS = (5, 10, 20)  # of a curve
STEPS = (1, 7, 41)  # of a sequence
SCALE = {"image": 1.0, "face": 1.0, "sound": 100.0}  # of brightness, of MFCC
# Changes of the items that are tried, and their size: some roundings, far below a grey level.
NUDGES, NUDGE = 32, 64 * np.finfo(np.float32).eps
STAND_INS = {"omniglot": "strokes", "orl_faces": "sketch_faces", "cats_dogs": "synth_sounds"}

Task = dict[str, np.ndarray]  # name of an input -> value, without a task axis


class Found(NamedTuple):
    """What a comparison found."""

    difference: float  # largest absolute one
    tasks: str  # in words
    undecided: int  # tasks that say nothing, see ``compare``


def compare(loaded: Loaded, format: str, path: Path, points: dict) -> Found:
    """Largest difference between a file and Python.

    An inner step is not continuous where a rectifier switches. A task in which Python itself moves
    as far when its items change by a few roundings cannot tell right from wrong: it is counted as
    undecided, and left out.

    Args:
        loaded: the model.
        format: a key of ``zoo.formats.FORMATS``.
        path: the file, or the folder of a SavedModel.
        points: name -> (function, signature), as the file has them; other formats than SavedModel
            have ``serve`` alone.

    Raises:
        ZooError: the file does not run, or most of the tasks are undecided.
    """
    series = {"random": random_tasks(loaded), **real_tasks(loaded)}
    tasks = [task for several in series.values() for task in several]
    asked = {f"serve/{i}": task for i, task in enumerate(tasks)}
    if format == "savedmodel" and "embed" in points:
        asked |= {f"embed/{i}": {"x": task["query_x"]} for i, task in enumerate(tasks)}
    answers = run_alone(format, path, asked)
    tolerance = FORMATS[format].tolerance
    largest, undecided = 0.0, 0
    for call, inputs in asked.items():
        function = points[call.partition("/")[0]].function
        expected = _answers(function, inputs)
        apart = _largest_difference(
            expected, {name: answers[f"{call}/{name}"] for name in expected}
        )
        if apart > tolerance and _moves(function, inputs, expected, apart / 2):
            undecided += 1
        else:
            largest = np.maximum(largest, apart)
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
    items = [name for name in inputs if name != "support_y"]
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
        format: a key of ``zoo.formats.FORMATS``.
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


def random_tasks(loaded: Loaded) -> list[Task]:
    """A task for each way that the model allows: every class is a pattern of blocks, its items are
    noisy copies. Curves are random points, sequences random bits.
    """
    rng = np.random.default_rng(0)
    if loaded.items == "sequence":
        shapes = [(n, steps, loaded.learner.channels) for n, steps in enumerate(STEPS, 1)]
        return [{"x": (rng.random(shape) < 0.5).astype(np.float32)} for shape in shapes]
    if loaded.items == "number":
        return [
            {
                "support_x": rng.uniform(-5, 5, [n, 1]).astype(np.float32),
                "support_y": rng.uniform(-1, 1, [n, 1]).astype(np.float32),
                "query_x": rng.uniform(-5, 5, [n + 1, 1]).astype(np.float32),
            }
            for n in POINTS
        ]
    tasks = []
    for way in _ways(loaded):
        support_y = rng.permutation(np.repeat(np.arange(way, dtype=np.int32), _shot(way)))
        patterns = SCALE[loaded.items] * _blocks(rng, way, loaded.item_shape)
        query_y = rng.integers(0, way, 1 + way % 5)
        task = {"support_x": _noisy(rng, patterns[support_y]), "support_y": support_y}
        tasks.append({**task, "query_x": _noisy(rng, patterns[query_y])})
    return tasks


def _blocks(rng, count: int, shape) -> np.ndarray:
    """Black and white blocks of 7 x 7: [count, height, width, ...]."""
    height, width, *channels = shape
    coarse = rng.random([count, -(-height // 7), -(-width // 7), *channels]) < 0.4
    return coarse.repeat(7, axis=1).repeat(7, axis=2)[:, :height, :width]


def _noisy(rng, x) -> np.ndarray:
    return (x + 0.1 * rng.uniform(size=x.shape)).astype(np.float32)


def real_tasks(loaded: Loaded) -> dict[str, list[Task]]:
    """Tasks of the data the model was trained on, or of its generated stand-in: name -> tasks.

    Empty for a model that was trained on a folder which is not known here, and for one of
    sequences, whose data are random bits.
    """
    if loaded.items == "sequence":
        return {}
    if loaded.items == "number":
        curves = [sine.sampler(loaded.config, sine.TEST, n, 40, 1)(0)[0] for n in POINTS]
        return {f"curves of {loaded.config.curves}": [_first(inputs) for inputs in curves]}
    data = _data(loaded)
    if data is None or data.image_shape != loaded.item_shape:
        return {}
    data = dataclasses.replace(data, splits={"all": np.arange(len(data.class_names))})
    ways = [way for way in _ways(loaded) if way <= len(data.class_names)]
    samplers = [EpisodeSampler(data, "all", way, _shot(way), query=1) for way in ways]
    return {data.name: [_first(sampler(0)[0]) for sampler in samplers]}


def _data(loaded: Loaded):
    name = loaded.config.data
    size = {"size": loaded.config.image_size} if loaded.items == "image" else {}
    for candidate in (name, STAND_INS.get(name)):
        if candidate in datasets.LOADERS:
            try:
                return datasets.load(candidate, offline=True, **size)
            except DataError:  # not on this machine
                continue
    return None


def _ways(loaded: Loaded) -> list[int]:
    return [way for way in WAYS if not loaded.way or way <= loaded.way]


def _shot(way: int) -> int:
    return 1 + way % 3


def _first(inputs) -> Task:
    return {name: np.asarray(x[0]) for name, x in inputs.items()}


def _largest_difference(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> float:
    """Over all outputs; not a number when one of them is not."""
    largest = 0.0
    for name, x in ours.items():
        y = theirs[name]
        if x.shape != y.shape:
            raise ZooError(f"The exported file answers {name} {y.shape}, Python {x.shape}.")
        with np.errstate(invalid="ignore"):
            apart = np.where(x == y, 0.0, np.abs(x - y))  # infinite distances may agree
        largest = np.maximum(largest, np.max(apart))
    return float(largest)

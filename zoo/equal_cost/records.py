"""What is kept of the trainings of a protocol: a file that later trainings are compared with."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from chapters.engine import files
from chapters.engine.results import misfit
from zoo.equal_cost.methods import METHODS
from zoo.errors import ZooError
from zoo.records import safety

FOLDER = Path(__file__).parent
FIELDS = {
    "command": str, "tasks": int, "seconds": int | float, "course": dict, "answers": dict,
}  # fmt: skip
COURSE = ("tasks", "seconds", "accuracy")


class Training(NamedTuple):
    """A training and its test."""

    command: str
    tasks: int  # that were seen
    seconds: float  # that it took, tests not counted
    course: dict[str, np.ndarray]  # tasks, seconds, accuracy on validation classes: [epoch]
    answers: dict[str, np.ndarray]  # "5w1s support" -> accuracy of each test task [task]


# Method -> seed -> training.
Known = dict[str, dict[int, Training]]


def path_of(protocol: str, folder: Path = FOLDER) -> Path:
    """The file of a protocol."""
    return folder / f"{protocol}.json"


def read(path: Path) -> Known:
    """The trainings in a file, in the order of the methods; none where there is no file.

    Raises:
        ZooError: the file is broken, or has a method that is none.
    """
    found = safety.read_json(path) if path.is_file() else {}
    try:
        return {
            method: {int(seed): _training(one) for seed, one in found[method].items()}
            for method in sorted(found, key=list(METHODS).index)
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ZooError(
            f"{path} does not hold what trainings leave; restore it, or remove it and train again: "
            "python -m zoo.equal_cost."
        ) from error


def _training(one: dict) -> Training:
    if set(one) != set(FIELDS) or misfit(one, FIELDS):
        raise ValueError("other fields than those of a training")
    course, answers = map(_arrays, (one["course"], one["answers"]))
    if set(course) != set(COURSE) or len({len(values) for values in course.values()}) != 1:
        raise ValueError("a course with other columns")
    return Training(**{**one, "course": course, "answers": answers})


def _arrays(texts: dict[str, str]) -> dict[str, np.ndarray]:
    return {name: np.array([float(word) for word in text.split()]) for name, text in texts.items()}


def write(path: Path, known: Known) -> None:
    """Keep trainings; numbers of one kind are one text, so that the file stays small."""
    found = {
        method: {str(seed): _plain(one) for seed, one in by_seed.items()}
        for method, by_seed in known.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, found)


def _plain(one: Training) -> dict:
    texts = {
        field: {name: " ".join(f"{value:.6g}" for value in of) for name, of in arrays.items()}
        for field, arrays in (("course", one.course), ("answers", one.answers))
    }
    return {**one._asdict(), **texts}

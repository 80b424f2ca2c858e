"""Learners in pairs: the same first weights, training tasks and test tasks, seed by seed.

What two methods differ by is small beside what seeds and tasks differ by, unless both have the
same. So the mean of the differences is what is judged, with an interval over the seeds.
"""

import json
from typing import NamedTuple

import numpy as np
from scipy import stats

from chapters.engine.evaluation import interval95_over
from chapters.engine.results import MINUS, Measure, Result, heading, share
from chapters.experiments import images

FILE = "tests.json"  # of a run: for each question its answer of every task


class Question(NamedTuple):
    """What is asked of a learner on every task of a test."""

    measure: Measure
    conditions: dict  # further fields of a ``Result``

    @property
    def scale(self) -> float:
        """From what is stored to what people read."""
        return 100.0 if self.measure.unit == "%" else 1.0

    @property
    def heading(self) -> str:
        """As tables and axes name it."""
        return heading({"batch_norm": None, **self.conditions, **self.measure._asdict()})


class Statistic(NamedTuple):
    """A number that follows from all tasks of a test, such as how unequal they are."""

    measure: Measure
    of: int  # which question
    function: object  # values [task] -> number


# Name of a method -> for each question an array [seed, task]; the first method is the rival.
Found = dict[str, list[np.ndarray]]


def accuracies(data, config) -> list[Question]:
    """The accuracy of each column of a test of images, with stored averages."""
    columns = images.parse_columns(config.columns)
    return [
        Question(
            share("accuracy", f"{column.way}-way {column.shot}-shot"),
            {
                "way": column.way,
                "shot": column.shot,
                "query": images.testing.queries(data, config, column),
                "batch_norm": "stored",
                "headline": column == columns[0],
            },
        )
        for column in columns
    ]


def kept(run, ask) -> list[np.ndarray]:
    """The answers of a learner [question] [task], from its run's folder if they are there.

    Args:
        run: the folder.
        ask: returns them.
    """
    path = run.path / FILE
    if not (run.config.resume and path.exists()):
        run.json(FILE, [np.asarray(values, np.float64).tolist() for values in ask()])
    return [np.array(values) for values in json.loads(path.read_text(encoding="utf-8"))]


def stacked(answers: dict[str, list[list[np.ndarray]]]) -> Found:
    """Answers of every method, [seed] [question] [task], seed by seed: [question] [seed, task]."""
    return {
        name: [np.stack(values) for values in zip(*of_seeds, strict=True)]
        for name, of_seeds in answers.items()
    }


def differences(found: Found) -> Found:
    """Each method minus the first, task by task; named ``<method> minus <rival>``."""
    rival, *others = found
    return {
        f"{name}{MINUS}{rival}": [a - b for a, b in zip(found[name], found[rival], strict=True)]
        for name in others
    }


def seeds_needed(values: np.ndarray) -> int | None:
    """Seeds after which an interval of this difference would leave out zero; None: it does.

    Args:
        values: differences [seed, task] of two seeds or more.
    """
    means = values.mean(axis=1, dtype=np.float64)
    size, spread = abs(means.mean()), means.std(ddof=1)
    if size > interval95_over(values):
        return None
    for count in range(len(means) + 1, 10_000):
        if size > stats.t.ppf(0.975, count - 1) * spread / np.sqrt(count):
            return count
    return 10_000


def table(found: Found, questions: list[Question]) -> str:
    """Means and differences with 95 % intervals as text, and how many seeds would decide."""
    seeds = len(next(iter(found.values()))[0])
    over = f"{seeds} seeds (Student's t)" if seeds > 1 else "the tasks of one seed"
    apart = differences(found)
    width = max(map(len, [*found, *apart])) + 2
    lines = [f"\n95 % intervals over {over}:"]
    for number, question in enumerate(questions):
        lines += ["", question.heading]
        for name, answers in {**found, **apart}.items():
            values, signed = answers[number] * question.scale, "+" if name in apart else ""
            digits = question.measure.digits
            cell = f"{values.mean():{signed}.{digits}f} +- {interval95_over(values):.{digits}f}"
            lines.append(f"  {name.ljust(width)}{cell}{_needs(name in apart, values)}")
    return "\n".join(lines) + "\n"


def _needs(difference: bool, values) -> str:
    """``, undecided: about 40 seeds would tell`` behind a difference whose interval has zero."""
    if not difference or len(values) < 2:
        return ""
    count = seeds_needed(values)
    if count is None:
        return ""
    return f", undecided: about {count} seeds would tell" if count < 10_000 else ", no difference"


def rows(
    found: Found, questions: list[Question], statistics: list[Statistic], rivals, **conditions
) -> list[dict]:
    """Rows of ``metrics.json``: means, differences, and what follows from all tasks of a test.

    Args:
        found: of every method.
        questions: in their order.
        statistics: in their order.
        rivals: names of methods that what is trained has to beat; others are alternatives.
        conditions: further fields of every ``Result``.
    """
    lines, apart = [], differences(found)
    seeds = len(next(iter(found.values()))[0])
    shared = {**conditions, "runs": seeds if seeds > 1 else None}
    for name, answers in {**found, **apart}.items():
        for question, values in zip(questions, answers, strict=True):
            result = Result(
                method=name,
                measure=question.measure,
                mean=float(values.mean(dtype=np.float64)),
                interval=interval95_over(values),
                episodes=values.shape[1],
                rival=name in rivals,
                **{**shared, **question.conditions},
            )
            means = values.mean(axis=1, dtype=np.float64).tolist()
            lines.append({**result.row(), "values": means})
    for name, answers in found.items():
        for one in statistics:
            values = np.array([[one.function(of_seed)] for of_seed in answers[one.of]])
            result = Result(
                method=name,
                measure=one.measure,
                mean=float(values.mean(dtype=np.float64)),
                interval=interval95_over(values) if seeds > 1 else None,
                episodes=answers[one.of].shape[1],
                rival=False,
                **{**shared, **questions[one.of].conditions, "headline": False},
            )
            lines.append(result.row())
    return lines

"""Results: what was measured, how it is written, and under which conditions.

Experiments make them, ``metrics.json`` keeps them as rows, and the zoo prints the rows as they are:
nobody has to guess a unit from a name.
"""

import json
from pathlib import Path
from typing import NamedTuple

from chapters.engine.errors import RunError

ENOUGH = 600  # episodes; of fewer an interval says little
MINUS = " minus "  # between two methods: the row of their difference, on the same tasks
# What was never seen in training -> a single one, and what is drawn in a test.
TESTED = {
    "classes": ("class", "episodes"),
    "tasks": ("task", "episodes"),
    "sequences": ("sequence", "sequences"),
    "problems": ("problem", "problems"),
}
FORMULA = ("sequences", "problems")  # there are no splits of these
NUMBER = (int, float)
# What a row must hold to be written and compared: those of older runs do not.
FIELDS = {
    **dict.fromkeys(
        ("method", "data", "split", "measure", "label", "unit", "better", "protocol"), str
    ),
    "mean": NUMBER,
    "digits": int,
    "headline": bool,
    "rival": bool,
}
# And what it may hold besides, or None.
OPTIONAL = {
    **dict.fromkeys(("way", "shot", "query", "episodes", "runs"), int),
    **dict.fromkeys(("interval", "published"), NUMBER),
    "batch_norm": str,
    "values": list,
}
REGIME = {"support": ", honest", "transductive": ", transductive"}


class Measure(NamedTuple):
    """What is measured, and how people read it."""

    name: str  # in rows, such as "mse_after_5_steps"
    label: str  # in headings, such as "MSE after 5 steps"
    unit: str = ""  # "%": a share, shown times 100
    digits: int = 3  # after the point
    better: str = "smaller"  # or "larger"


def share(name: str, label: str) -> Measure:
    """A measure from 0 to 1 of which more is better, shown in %."""
    return Measure(name, label, "%", 2, "larger")


def after_steps(measure: Measure, steps: int) -> Measure:
    """The same measure after a number of inner steps."""
    return measure._replace(
        name=f"{measure.name}_after_{steps}_steps",
        label=f"{measure.label} after {steps} step{'' if steps == 1 else 's'}",
    )


class Result(NamedTuple):
    """A measured value with its conditions; what does not apply is None."""

    method: str
    measure: Measure
    mean: float
    interval: float | None  # half the width of the 95 % interval of the mean
    data: str
    seed: int
    tested: str = "classes"  # a key of ``TESTED``
    split: str = "test"
    generated: bool = False  # on a stand-in for the data
    way: int | None = None
    shot: int | None = None
    query: int | None = None  # per class, or per task
    episodes: int | None = None
    runs: int | None = None
    batch_norm: str | None = None  # one of ``evaluation.BATCH_NORM``
    published: float | None = None  # the paper's figure for the same thing, in the unit
    headline: bool = False  # the figure that stands for its method
    rival: bool = (
        True  # for what is trained, if not of it; not a difference, or another of its runs
    )

    @property
    def protocol(self) -> str:
        """How it was measured, but for batch norm and seed."""
        one, drawn = TESTED[self.tested]
        known = self.tested in FORMULA
        parts = [self.data if known else f"{self.data}, {self.split} {self.tested}"]
        if self.generated:
            parts.append("generated stand-in")
        if self.episodes:
            parts.append(f"{self.episodes} {drawn}")
        if self.query:
            parts.append(f"{self.query} {'query' if self.query == 1 else 'queries'} per {one}")
        if self.runs:
            parts.append(f"{self.runs} runs")
        return ", ".join(parts)

    def row(self) -> dict:
        """The row of ``metrics.json``."""
        row = self._asdict()
        del row["tested"]
        measure = row.pop("measure")
        words = {"measure": measure.name, **measure._asdict(), "protocol": self.protocol}
        del words["name"]
        return {**row, **words}


def interval95_of_runs(values) -> float:
    """Half the width of the 95 % interval of a mean over a few runs, by Student's t; 0 for one."""
    import numpy as np
    from scipy import stats

    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return 0.0
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(stats.t.ppf(0.975, len(values) - 1) * error)


def heading(row: dict) -> str:
    """Heading of a row's figure: ``5-way 1-shot, honest (%)``."""
    name = row["label"] + REGIME.get(row["batch_norm"], "")
    return f"{name} ({row['unit']})" if row["unit"] else name


def figure(row: dict, key: str) -> str:
    """A row's ``mean`` or ``interval`` as people read it."""
    scale = 100 if row["unit"] == "%" else 1
    return f"{scale * float(row[key]):.{int(row['digits'])}f}"


def read(path: Path) -> dict:
    """``metrics.json`` of a finished run.

    Raises:
        RunError: it is missing or broken, or its rows lack something, as those of older versions.
    """
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            f"{path} is missing: {path.parent} is not the folder of a finished run."
        ) from None
    except ValueError as error:
        raise RunError(f"{path} is not valid JSON ({error}).") from None
    check(path, metrics)
    return metrics


def misfit(found: dict, fields: dict) -> str:
    """The first field of a JSON object that has not its type; empty when all have it.

    Args:
        found: the object.
        fields: name -> type, or types; True is no number.
    """
    return next((key for key, kind in fields.items() if not _fits(found.get(key), kind)), "")


def _fits(value, kind) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _wrong_in(row: dict) -> str:
    """The first field of a row that does not belong there; empty when all do."""
    there = {key: kind for key, kind in OPTIONAL.items() if row.get(key) is not None}
    if key := misfit(row, {**FIELDS, **there}):
        return key
    # One figure for every training, or None where a training has none.
    values = row.get("values") or []
    return "" if all(value is None or _fits(value, NUMBER) for value in values) else "values"


def check(path: Path, metrics) -> None:
    """Refuse what is not ``metrics.json``, or of an older version.

    Raises:
        RunError: a row or a field is missing, or there is none of the method that was trained.
    """
    rows = metrics.get("results") if isinstance(metrics, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise RunError(f"{path} holds no results; train again.")
    for number, row in enumerate(rows):
        if isinstance(row.get("digits"), int) and not 0 <= row["digits"] <= 12:
            raise RunError(f"{path} has digits = {row['digits']:.4g}; 0 to 12 are written.")
        if key := _wrong_in(row):
            raise RunError(
                f"{path} has {key} = {str(row.get(key))[:40]!r} in row {number} of its results, "
                "which does not belong there; train again."
            )
    method = metrics.get("method", rows[0]["method"])  # an attack compares and trains none
    if not any(row["method"] == method for row in rows):
        raise RunError(f"{path} has no result of {method!r}; train again.")
    if not isinstance(metrics.get("train_seconds", 0), int | float):
        raise RunError(f"{path} has no number as train_seconds; train again.")

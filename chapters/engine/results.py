"""Results: what was measured, how it is written, and under which conditions.

Experiments make them, ``metrics.json`` keeps them as rows, and the zoo prints the rows as they are:
nobody has to guess a unit from a name.
"""

from typing import NamedTuple

ENOUGH = 600  # episodes; of fewer an interval says little
# What was never seen in training -> a single one, and what is drawn in a test.
TESTED = {
    "classes": ("class", "episodes"),
    "tasks": ("task", "episodes"),
    "sequences": ("sequence", "sequences"),
}


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

    @property
    def protocol(self) -> str:
        """How it was measured, but for batch norm and seed."""
        one, drawn = TESTED[self.tested]
        known = self.tested == "sequences"  # these come from a formula: there are no splits
        parts = [self.data if known else f"{self.data}, {self.split} {self.tested}"]
        if self.generated:
            parts.append("generated stand-in")
        if self.episodes:
            parts.append(f"{self.episodes} {drawn}")
        if self.query:
            parts.append(f"{self.query} queries per {one}")
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

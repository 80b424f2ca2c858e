"""Measuring again what is recorded: every figure of the zoo has a command, and this runs them.

Each run has a folder of its own, so that a reproduction that was stopped goes on where it was.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from zoo.errors import ZooError
from zoo.records import wording
from zoo.reproducing import jobs, page, running, speed
from zoo.reproducing.running import Outcome

FOLDER = Path("runs", "zoo.reproduce")
REPORT = "report.html"


def folder_of(to: str, share: float) -> Path:
    """Where runs and report go: the folder that is given, or one for this share."""
    return Path(to) if to else FOLDER / ("whole" if share == 1 else f"{share:g}")


class Plan(NamedTuple):
    """Jobs, cheapest first, and the seconds that each will take here."""

    jobs: list[jobs.Job]
    seconds: dict[str, float]  # name -> of training

    def text(self) -> str:
        """A line for each job, and the sum."""
        width = max(len(job.name) for job in self.jobs) + 2
        lines = [f"{'name'.ljust(width)}{'recorded'.rjust(10)}{'here, about'.rjust(14)}"]
        for job in self.jobs:
            cells = wording.duration(job.seconds), wording.duration(self.seconds[job.name])
            lines.append(f"{job.name.ljust(width)}{cells[0].rjust(10)}{cells[1].rjust(14)}")
        both = sum(job.seconds for job in self.jobs), sum(self.seconds.values())
        there, here = map(wording.duration, both)
        total = f"{len(self.jobs)} run(s)"
        lines.append(f"{total.ljust(width)}{there.rjust(10)}{here.rjust(14)}")
        lines.append("Training alone; tests and start-up come on top.")
        return "\n".join(lines)


def plan(names: list[str], folder: Path, tell: Callable[[str], None]) -> Plan:
    """What is to be run, and how long it takes; the first time, a few steps are timed.

    Args:
        names: of models or records; none for all.
        folder: where the measured speed is kept.
        tell: is told of progress, a line at a time.

    Raises:
        ZooError: nothing is recorded under a name.
    """
    found = jobs.recorded(names)
    ratios = speed.ratios(list(dict.fromkeys(job.script for job in found)), folder, tell)
    seconds = {job.name: speed.estimate(job, ratios) for job in found}
    return Plan(sorted(found, key=lambda job: seconds[job.name]), seconds)


def reproduce(
    names: list[str], folder: Path, share: float, hours: float, tell: Callable[[str], None]
) -> list[Outcome]:
    """Run recorded commands one after the other, compare the figures, and write the report.

    Args:
        names: of models or records; none for all. The cheapest is the first.
        folder: of the runs and the report.
        share: of the training and the tests; figures of less than 1 are not judged.
        hours: what would not end in this time is left out; 0 for no end.
        tell: is told of progress, a line at a time.

    Raises:
        ZooError: nothing is recorded under a name, or nothing fits into the time.
        RunError: results of a run cannot be read.
    """
    chosen, seconds = sorted(jobs.recorded(names), key=lambda job: job.seconds), {}
    if hours:
        chosen, seconds = plan(names, folder, tell)
    deadline, outcomes = time.monotonic() + 3600 * hours, []
    for number, job in enumerate(chosen, start=1):
        if hours and time.monotonic() + share * seconds[job.name] > deadline:
            continue
        tell(f"\n{number} of {len(chosen)}, {job.name}: python -m {' '.join(job.words)}")
        outcomes.append(running.run(job, folder / job.name, share))
        tell(f"{job.name}: {page.verdict(outcomes[-1], share)}")
        page.write(folder / REPORT, outcomes, share)
    if not outcomes:
        raise ZooError(
            f"Nothing ends within {hours:g} hours; python -m zoo reproduce --list tells how long "
            "each takes."
        )
    return outcomes


def table(outcomes: list[Outcome], share: float) -> str:
    """The figures that stand for the names, and every one that differs."""
    width = max(len(outcome.job.name) for outcome in outcomes) + 2
    lines = []
    for outcome in outcomes:
        words = page.verdict(outcome, share)
        if not outcome.pairs:
            lines.append(f"{outcome.job.name.ljust(width)}{words}")
            continue
        differing = [pair for pair in outcome.pairs if share == 1 and not pair.agrees]
        for pair in [outcome.headline, *differing]:
            recorded, found = pair.cells()
            end = words if pair is outcome.headline else "differs"
            figures = f"{pair.title}: recorded {recorded}, measured again {found}"
            lines.append(f"{outcome.job.name.ljust(width)}{figures}; {end}")
    return "\n".join(dict.fromkeys(lines))


def all_agree(outcomes: list[Outcome], share: float) -> bool:
    """Whether all ran and, at full length, no figure differs."""
    if share < 1:
        return not any(outcome.code for outcome in outcomes)
    return all(outcome.agrees for outcome in outcomes)

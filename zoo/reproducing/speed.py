"""How long a job takes on this machine, from a few steps of one model for each script.

A second of training elsewhere is so many seconds here: that ratio is measured once for each script,
with the cheapest of its published models that trains once, and kept in ``speed.json``.
"""

import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from chapters.engine import files
from chapters.engine.configuration import flag_of
from zoo.records import cards, safety, store
from zoo.reproducing.jobs import Job, recorded

FILE = "speed.json"
SEVERAL = ("seeds", "splits", "label_splits", "restarts", "folds")  # trainings of one run
PARTS = 4  # epochs that are timed, but for the first one, in which graphs are made
AIM = 2.0  # seconds of the recorded machine in each of them
PATIENCE = 300.0  # seconds after which a run is not waited for


def ratios(scripts: list[str], folder: Path, tell: Callable[[str], None]) -> dict[str, float]:
    """Script -> seconds here for a second of the record; those that were not known are measured.

    Args:
        scripts: modules that are asked for; one without a model to time it with is left out.
        folder: where ``speed.json`` is kept.
        tell: is told of progress, a line at a time.
    """
    known = safety.read_json(folder / FILE) if (folder / FILE).is_file() else {}
    safety.check_fields(folder / FILE, "", known, dict.fromkeys(known, int | float))
    sticks = yardsticks()
    for number, script in enumerate(scripts, start=1):
        if script in known or script not in sticks:
            continue
        tell(f"{number} of {len(scripts)}: a few steps of {sticks[script].name}")
        ratio = measure(sticks[script])
        if ratio is None:
            tell(f"{script} could not be timed")
            continue
        known[script] = round(ratio, 3)
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / FILE, known)
    return known


def estimate(job: Job, known: dict[str, float]) -> float:
    """Seconds of training that a job will take here.

    A script that was not timed is taken to be as much faster or slower as the others are.
    """
    usual = statistics.median(known.values()) if known else 1.0
    return job.seconds * known.get(job.script, usual)


def yardsticks() -> dict[str, Job]:
    """Script -> the published model that is timed for it: the cheapest of those trained once."""
    found: dict[str, Job] = {}
    for job in sorted(recorded([]), key=lambda job: job.seconds):
        published = (store.FOLDER / job.name / store.CARD).is_file()
        if published and job.script not in found and _trains_once(job):
            found[job.script] = job
    return found


def _trains_once(job: Job) -> bool:
    options = job.options
    return not job.over_splits and all(getattr(options, name, 1) <= 1 for name in SEVERAL)


def measure(job: Job) -> float | None:
    """Seconds here for a second of the record, from a few steps of a published model."""
    card = cards.read(store.FOLDER / job.name)
    there = card["train_seconds"] / card["steps"]  # of a step
    with tempfile.TemporaryDirectory() as folder:
        words = [*job.words, *_few_steps(job.options, there)]
        here = _seconds_of_step(words, Path(folder, "run"))
    return None if here is None else here / there


def _few_steps(options, seconds: float) -> list[str]:
    """Options of a run of ``PARTS`` short epochs, whose validations are as much shorter.

    Args:
        options: of the recorded run.
        seconds: of a step, in the record.
    """
    part = max(1, min(round(AIM / seconds), options.steps // PARTS))  # steps
    short = {"steps": part * PARTS, "steps_per_epoch": part}
    if hasattr(options, "validation_episodes"):
        share = part / options.steps_per_epoch
        short["validation_episodes"] = max(2, round(share * options.validation_episodes))
    return [word for name, value in short.items() for word in (flag_of(name), str(value))]


def _seconds_of_step(words: list[str], run: Path) -> float | None:
    """Start a run, and stop it once its epochs are logged; the first one does not count."""
    started, rows = time.monotonic(), []
    with subprocess.Popen(
        [sys.executable, "-m", *words, "--run", str(run)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        while len(rows) < PARTS and process.poll() is None:
            time.sleep(0.1)
            rows = read_log(run / "log.csv")
            if time.monotonic() - started > PATIENCE:
                break
        process.kill()
    if len(rows) < 2:
        return None
    (first, began), (last, ended) = ((rows[k]["step"], rows[k]["seconds"]) for k in (0, -1))
    return (ended - began) / (last - first)


def read_log(file: Path) -> list[dict[str, float]]:
    """Rows of a run's ``log.csv``; none where it has not begun."""
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as opened:
        rows = csv.DictReader(opened)
        return [{name: float(value) for name, value in row.items()} for row in rows]

"""Running a recorded command again: in a process of its own, resumed where one was killed."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from chapters.engine import files, results
from zoo.errors import ZooError
from zoo.records import safety
from zoo.reproducing.agreement import Pair, headline, pairs
from zoo.reproducing.jobs import Job, shortened

MARK = "reproduced.json"  # in the folder of a run that has ended: its command


class Outcome(NamedTuple):
    """What became of a job."""

    job: Job
    folder: Path
    code: int  # exit code of the run; 0: it ended well
    seconds: float  # of training, here
    pairs: list[Pair]  # of its figures; empty where it failed
    headline: Pair | None  # the one of them that stands for it

    @property
    def agreeing(self) -> int:
        """How many figures agree with the record."""
        return sum(pair.agrees for pair in self.pairs)

    @property
    def agrees(self) -> bool:
        """Whether it ran, and all figures agree."""
        return bool(self.pairs) and self.agreeing == len(self.pairs)


def run(job: Job, folder: Path, share: float = 1.0) -> Outcome:
    """Run a job, go on with it, or only read what it left.

    Args:
        job: the command.
        folder: of its run.
        share: of the training and the tests, 1 for all.

    Raises:
        ZooError: the folder holds a run of another command.
        RunError: its results cannot be read.
    """
    words = shortened(job, share)
    if not ended(folder, words):
        code = subprocess.run(command(job, words, folder)).returncode
        if code:
            return Outcome(job, folder, code, 0.0, [], None)
        files.write_json(folder / MARK, {"words": words})
    metrics = results.read(folder / "metrics.json")
    found = pairs(job.rows, metrics["results"])
    return Outcome(job, folder, 0, metrics["train_seconds"], found, headline(found, metrics))


def ended(folder: Path, words: list[str]) -> bool:
    """Whether the run of a command has ended in this folder.

    Raises:
        ZooError: it was a run of another command, or the mark is broken.
    """
    if not (folder / MARK).is_file():
        return False
    found = safety.read_json(folder / MARK)
    safety.check_fields(folder / MARK, "", found, {"words": list})
    if found["words"] != words:
        raise ZooError(
            f"{folder} holds a run of another command (python -m {' '.join(found['words'])}); "
            "remove it, or choose another folder with --to."
        )
    return True


def command(job: Job, words: list[str], folder: Path) -> list[str]:
    """The command line of a run, or of its continuation."""
    begun = (folder / "config.json").is_file() and not job.over_splits  # which resumes by itself
    return [sys.executable, "-m", *words, "--run", str(folder), *["--resume"] * begun]

"""What can be run again: every command that ``results.csv`` has figures of."""

import dataclasses
import math
import shlex
from typing import NamedTuple

from chapters.__main__ import scripts
from chapters.engine import configuration
from chapters.engine.configuration import RunConfig, flag_of, suggest
from zoo.errors import ZooError
from zoo.records import results

# Options that say how long a run learns or is tested.
LENGTHS = (
    "steps", "feature_steps", "embedding_steps", "epochs", "episodes", "test_episodes",
    "test_tasks", "tuning_episodes",
)  # fmt: skip
SPLITS = "chapters.over_splits"  # runs a script once for each split, and takes its options


class Job(NamedTuple):
    """A recorded command."""

    name: str
    words: list[str]  # what stands behind ``python -m``
    rows: list[dict[str, str]]  # what it measured, of ``results.csv``

    @property
    def script(self) -> str:
        """Module of the training script, such as ``chapters.ch06_maml.train_sine``."""
        return self.words[1 if self.over_splits else 0]

    @property
    def over_splits(self) -> bool:
        """Whether it trains once for each split of the classes."""
        return self.words[0] == SPLITS

    @property
    def seconds(self) -> float:
        """Of all its training, on the machine where it was recorded."""
        return float(self.rows[0]["seconds"])

    @property
    def options(self) -> RunConfig:
        """Its configuration.

        Raises:
            ConfigError: the script no longer takes the options of the record.
        """
        own = self.words[self.words.index(self.script) + 1 :]
        if self.over_splits:
            where = own.index("--splits")  # is of the command around the script
            own = own[:where] + own[where + 2 :]
        return configuration.parse(declared(self.script), own)


def declared(script: str) -> configuration.Script:
    """What a script declares; ZooError where there is none of this name."""
    known = dict(scripts())
    if script not in known:
        raise ZooError(f"results.csv names {script!r}{suggest(script, known)}, which is no script.")
    return known[script]


def recorded(names: list[str]) -> list[Job]:
    """The jobs of these names; all that are recorded, when none is given.

    Raises:
        ZooError: nothing is recorded under a name.
    """
    by_name: dict[str, list[dict[str, str]]] = {}
    for row in results.read():
        by_name.setdefault(row["name"], []).append(row)
    for name in names:
        if name not in by_name:
            raise ZooError(
                f"No figures are recorded of {name!r}{suggest(name, by_name)}; python -m zoo "
                "reproduce --list names all that are."
            )
    return [_job(name, by_name[name]) for name in dict.fromkeys(names or by_name)]


def _job(name: str, rows: list[dict[str, str]]) -> Job:
    return Job(name, shlex.split(rows[0]["command"])[2:], rows)  # without python -m


def shortened(job: Job, share: float) -> list[str]:
    """The words of a job whose training and tests are ``share`` as long, and at least the least."""
    if share == 1:
        return job.words
    options, words = job.options, list(job.words)
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        switch = isinstance(value, bool)  # whether epochs are counted, not how many
        if field.name in LENGTHS and value and not switch and applies(field, job.script, options):
            least = field.metadata["minimum"] or 1
            words += [flag_of(field.name), str(max(least, math.ceil(share * value)))]
    return words


def applies(field: dataclasses.Field, script: str, options: RunConfig) -> bool:
    """Whether an option has an effect beside the others; one that has none is refused."""
    if field.name in declared(script).without:
        return False
    return all(getattr(options, other) in values for other, *values in field.metadata["only"])

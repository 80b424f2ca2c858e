"""Where published models lie: ``zoo/weights/<name>/`` with these files; and the lock on all of it.

Weights, cards, ``results.csv`` and the tables of the pages make one store. Whoever changes any of
them holds the lock, writes beside what is there, and only then exchanges: a full disk, a kill or a
second writer leaves what was there.
"""

import contextlib
import functools
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from chapters.engine import files

FOLDER = Path(__file__).parent.with_name("weights")
WEIGHTS = "model.weights.h5"
DECISION = "decision.json"  # threshold and sharpness of a verification model; others have none
CONFIG, CARD = "config.json", "card.json"
PATIENCE = 600.0  # seconds to wait for another process that changes the store


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Keep other processes from changing the store meanwhile; they wait.

    What a killed process left half-done is put right first.

    Raises:
        RunError: another process does not let go.
    """
    path = FOLDER.with_name(f".{FOLDER.name}.lock")
    busy = f"Another process has been changing {FOLDER} for {PATIENCE / 60:.0f} minutes; end it."
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.locked(path, PATIENCE, busy) as was_free:
        if was_free:  # otherwise what is half-done is this process's own
            _put_right()
        yield


def _put_right() -> None:
    """Put back an entry that was being replaced, and drop parts of entries."""
    for old in FOLDER.glob(".*.old"):
        folder = old.with_name(old.name[1 : -len(".old")])
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.replace(folder)
    for part in FOLDER.glob(".*.part"):
        shutil.rmtree(part, ignore_errors=True)


@functools.cache
def warn(sentence: str) -> None:
    """Say once, beside the output, what was passed over."""
    print(f"warning: {sentence}", file=sys.stderr)

"""What every command does about its console: any letter is printed, notices are lines."""

import contextlib
import os
import sys
import warnings
from pathlib import Path

from datasets.errors import DataNotice

SHOW_WARNING = warnings.showwarning


def print_anything() -> None:
    """Let letters that a console does not know be printed by their number, not end the program.

    What data readers have to tell is printed as a line.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a test has put another one
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _show


@contextlib.contextmanager
def without_stderr():
    """Without what libraries write to the standard error of the process, past Python."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _show(message, category, *where, **options) -> None:
    """``note: ...`` for what readers tell, Python's own form for all else."""
    if issubclass(category, DataNotice):
        print(f"note: {message}", file=sys.stderr, flush=True)
    else:
        SHOW_WARNING(message, category, *where, **options)

"""What every command does about its console: any letter is printed, notices are lines."""

import sys
import warnings

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


def _show(message, category, *where, **options) -> None:
    """``note: ...`` for what readers tell, Python's own form for all else."""
    if issubclass(category, DataNotice):
        print(f"note: {message}", file=sys.stderr, flush=True)
    else:
        SHOW_WARNING(message, category, *where, **options)

"""The one error of this package, and what is told without ending anything."""

import warnings


class DataError(Exception):
    """A data problem in one sentence: what was found, what was expected, what to do.

    Scripts print the sentence and exit with a non-zero code; nobody needs the traceback.
    """


class DataNotice(UserWarning):
    """Something of what a person put in was left out or looks wrong, in one sentence.

    What is read goes on. Scripts and commands print ``note: ...``; in Python it is a warning.
    """


def tell(sentence: str) -> None:
    """Warn with a ``DataNotice``."""
    warnings.warn(sentence, DataNotice, stacklevel=2)


def at_least_one(**sizes: int) -> None:
    """Refuse sizes below 1, such as ``at_least_one(way=5, shot=0)``.

    Raises:
        DataError: one of them is; the sentence names them all.
    """
    if min(sizes.values()) < 1:
        *others, last = (f"{name} {size}" for name, size in sizes.items())
        raise DataError(f"{', '.join(others)} and {last} must all be at least 1.")

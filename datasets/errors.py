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

"""What has to be so before anything else is imported: a tested Python, and our own ``datasets``.

Any Python 3 can read this file, so that one that is too old gets a sentence.
"""

import importlib.util
import sys
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)
HOME = Path(__file__).resolve().parents[2]  # that has ``chapters``, ``datasets`` and ``zoo``


class Unsuitable(ImportError):
    """The project cannot be used here; a program ends with the sentence alone."""


def check(version=sys.version_info[:2]):
    """Refuse a Python that was not tested, and a package called ``datasets`` that is not ours.

    Raises:
        Unsuitable: what was found, and what to do.
    """
    sentence = wrong_python(version) or wrong_datasets()
    if sentence:
        sys.excepthook = _say
        raise Unsuitable(sentence)


def wrong_python(version) -> str:
    """Why this Python will not do; empty when it will."""
    if OLDEST <= tuple(version) <= NEWEST:
        return ""
    found, oldest, newest = (".".join(map(str, of)) for of in (version, OLDEST, NEWEST))
    return f"This is Python {found}; Metazoo needs Python {oldest} to {newest}."


def wrong_datasets() -> str:
    """Which other package has the name ``datasets``, and what to do; empty when there is none."""
    ours = HOME / "datasets" / "__init__.py"
    if "datasets" in sys.modules:
        found = getattr(sys.modules["datasets"], "__file__", None)
        what = "restart Python and import chapters or zoo before it"
    else:
        spec = importlib.util.find_spec("datasets")
        found = spec and spec.origin
        what = f"use an environment of Metazoo's own, or put {HOME} first in PYTHONPATH"
    if found and Path(found).resolve() == ours:
        return ""
    return f"Metazoo's package datasets is hidden by another of that name, {found}; {what}."


def _say(kind, error, trace):
    """``sys.excepthook`` that leaves out where the sentence comes from."""
    if issubclass(kind, Unsuitable):
        print(f"error: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)

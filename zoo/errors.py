"""The one error of this package."""

from chapters.engine.errors import RunError


class ZooError(RunError):
    """A problem in one sentence: what was found, what was expected, what to do."""

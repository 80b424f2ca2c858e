"""The one error of this package."""


class ZooError(Exception):
    """A problem in one sentence: what was found, what was expected, what to do."""

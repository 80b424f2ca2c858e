"""Errors that end a script with one sentence instead of a traceback."""


class RunError(Exception):
    """A problem of a run in one sentence: what was found, what was expected, what to do."""


class ConfigError(RunError):
    """An unknown or impossible option or preset."""

"""The one error of this package."""


class DataError(Exception):
    """A data problem in one sentence: what was found, what was expected, what to do.

    Scripts print the sentence and exit with a non-zero code; nobody needs the traceback.
    """

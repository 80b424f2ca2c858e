"""Which presets run in every test: one of each way to learn; the others repeat it with more."""

import pytest


def each(presets, fast):
    """All names of ``presets``; those that are not among ``fast`` run with ``-m slow``."""
    assert set(fast) <= set(presets)
    return [
        pytest.param(name, marks=[] if name in fast else [pytest.mark.slow]) for name in presets
    ]

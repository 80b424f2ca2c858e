"""Fixtures of the chapters' tests."""

import keras
import pytest


@pytest.fixture
def float64():
    """Networks, inputs and numbers of a test in double precision."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])

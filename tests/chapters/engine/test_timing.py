"""Timing in turns: every function is called as often as said, in turns; speeds are ratios."""

import pytest

from chapters.engine import timing


def test_functions_take_turns_after_two_calls_to_warm_up():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = timing.time_in_turns(functions, repeats=3)
    assert calls == [*"aabb", *"ababab"]
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3}
    assert all(time >= 0 for times in seconds.values() for time in times)


def test_the_speed_is_operations_by_time():
    # A product of two n x n matrices has n^3 multiplications and as many additions.
    assert timing.matrix_speed([2.0, 4.0, 9.0]) == pytest.approx(2 * timing.MATRIX**3 / 4.0)

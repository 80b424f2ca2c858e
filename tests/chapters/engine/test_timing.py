"""Timing in turns: every function is called as often as said, in turns; speeds are ratios."""

import time

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
    assert timing.matrix_speed([4.0], at_once=3) == 3 * timing.matrix_speed([4.0])


def test_products_at_once_are_products_of_their_own(monkeypatch):
    monkeypatch.setattr(timing, "MATRIX", 2)
    monkeypatch.setattr(timing.tf.random, "uniform", lambda shape: timing.tf.ones(shape))
    assert [timing.matrix_product(n)() for n in (1, 3)] == [8.0, 24.0]


def test_several_calls_in_a_row_count_as_their_median():
    calls = []

    def uneven():
        calls.append(1)
        time.sleep(0.05 if len(calls) % 3 == 0 else 0.0)  # one call of three is slow

    seconds = timing.time_in_turns({"uneven": uneven}, repeats=2, calls=3)
    assert len(calls) == 2 + 2 * 3
    assert len(seconds["uneven"]) == 2 and max(seconds["uneven"]) < 0.04

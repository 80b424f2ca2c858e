"""Timing functions against one another in one run: what counts are ratios, not times."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from chapters.engine.configuration import whole, within

MATRIX = 2048


def add_repeats(parser, default: int) -> None:
    """The option ``--repeats`` of a benchmark."""
    text = f"timed calls of each (default: {default})"
    parser.add_argument("--repeats", type=within(whole, 1, 10_000), default=default, help=text)


def time_in_turns(
    functions: dict[str, Callable], repeats: int, calls: int = 1
) -> dict[str, list[float]]:
    """Seconds of a call, in turns, so that a busy machine slows all alike.

    Args:
        functions: name -> function that returns when its work is done.
        repeats: turns of each, after two calls that compile and warm caches.
        calls: calls in a row of one turn, whose median counts. Threads of one library go on
            spinning for a while after its call, which slows a call of a few milliseconds that
            comes next.
    """
    seconds = {name: [] for name in functions}
    for function in functions.values():
        for _ in range(2):
            function()
    for _ in range(repeats):
        for name, function in functions.items():
            seconds[name].append(float(np.median([seconds_of(function) for _ in range(calls)])))
    return seconds


def seconds_of(function: Callable) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def matrix_product(at_once: int = 1) -> Callable:
    """A large matrix product, the fastest that the machine multiplies and adds.

    Args:
        at_once: products side by side: one, or as many as there are cores where an operation has
            one thread.
    """
    matrices = [tf.random.uniform([MATRIX, MATRIX]) for _ in range(at_once)]
    product = tf.function(lambda: tf.add_n([tf.reduce_sum(one @ one) for one in matrices]))
    return lambda: product().numpy()


def matrix_speed(seconds: list[float], at_once: int = 1) -> float:
    """Multiplications and additions per second of ``matrix_product``."""
    return at_once * 2 * MATRIX**3 / float(np.median(seconds))

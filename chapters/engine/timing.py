"""Timing functions against one another in one run: what counts are ratios, not times."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

MATRIX = 2048


def time_in_turns(functions: dict[str, Callable], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call, in turns, so that a busy machine slows all alike.

    Args:
        functions: name -> function that returns when its work is done.
        repeats: timed calls of each, after two that compile and warm caches.
    """
    seconds = {name: [] for name in functions}
    for function in functions.values():
        for _ in range(2):
            function()
    for _ in range(repeats):
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def matrix_product() -> Callable:
    """A large matrix product, the fastest that the machine multiplies and adds."""
    matrix = tf.random.uniform([MATRIX, MATRIX])
    product = tf.function(lambda: tf.reduce_sum(matrix @ matrix))
    return lambda: product().numpy()


def matrix_speed(seconds: list[float]) -> float:
    """Multiplications and additions per second of ``matrix_product``."""
    return 2 * MATRIX**3 / float(np.median(seconds))

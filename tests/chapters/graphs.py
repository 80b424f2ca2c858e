"""A way around compiled graphs, for tests in which making one costs more than using it."""

import contextlib

import tensorflow as tf


@contextlib.contextmanager
def without_graphs():
    """Functions run as they are written: for a few small steps that is much the sooner."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)

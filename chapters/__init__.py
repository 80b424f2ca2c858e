"""One package per chapter of the book, and the apparatus they share in ``engine``."""

import os

from chapters.engine import quiet, surroundings

__version__ = "0.1.0"

surroundings.check()

# Before TensorFlow is imported: Keras on TensorFlow, and as little start-up chatter of its runtime
# as it allows (failures reach Python as exceptions all the same).
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
quiet.install()

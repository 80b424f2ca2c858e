"""One package per chapter of the book, and the apparatus they share in ``engine``."""

import os

# Before TensorFlow is imported: Keras on TensorFlow, and no start-up chatter of its runtime.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

"""The file formats of ``python -m zoo export``. Nothing here imports TensorFlow."""

import importlib.util
from typing import NamedTuple

from chapters.engine.configuration import suggest
from zoo.errors import ZooError

ONNX_OPSET = 18


class Format(NamedTuple):
    """What is written where, and how far from Python it may be."""

    title: str
    file: str  # in the folder that the user names
    tolerance: float  # largest accepted difference of a probability or a value
    packages: tuple[str, ...] = ()  # beside TensorFlow, as they are imported


FORMATS = {
    # The folder of a version: TensorFlow Serving looks for numbers and takes the largest.
    "savedmodel": Format("SavedModel", "1", 1e-5),
    "onnx": Format("ONNX", "model.onnx", 1e-4, ("onnx", "onnxruntime", "tf2onnx")),
    "litert": Format("LiteRT", "model.tflite", 1e-4, ("ai_edge_litert",)),
}


def find(name: str) -> Format:
    """The format of a name.

    Raises:
        ZooError: unknown name, or a package that it needs is missing.
    """
    if name not in FORMATS:
        raise ZooError(
            f"Unknown format {name!r}{suggest(name.lower(), FORMATS)}; "
            f"the formats are {', '.join(FORMATS)}."
        )
    found = FORMATS[name]
    missing = [package for package in found.packages if not importlib.util.find_spec(package)]
    if missing:
        raise ZooError(
            f"{found.title} needs {' and '.join(missing)}; "
            "pip install -r requirements-export.txt brings what is missing."
        )
    return found

"""Models as files that adapt and predict without this project, and mostly without Python.

Each file takes one task: support items, their labels, and queries, any number of each and any
number of classes that the model can tell apart. The inner gradient steps are part of the file. It
is run in a process of its own and compared with Python before it is kept.
"""

import logging
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from chapters.engine.export import write
from datasets.console import without_stderr
from zoo.errors import ZooError
from zoo.exports import formats, verifying
from zoo.exports.rewriting import rewrite
from zoo.loaded import Loaded


class Endpoint(NamedTuple):
    """A function of the file, and its inputs."""

    function: Callable
    signature: list[tf.TensorSpec]


class Exported(NamedTuple):
    """A file that was written, and how far it is from Python."""

    title: str  # of the format
    path: Path
    size: int  # bytes
    difference: float  # largest one, relative where answers are above 1
    tasks: str  # it was found on, in words
    undecided: int  # tasks that say nothing

    def __str__(self):
        left_out = f"; {self.undecided} more turn on roundings" if self.undecided else ""
        return (
            f"{self.title} in {self.path} ({self.size / 1e6:.2f} MB); largest difference from "
            f"Python {self.difference:.1e} over {self.tasks}{left_out}."
        )


def export(loaded: Loaded, format: str, folder: str | Path) -> str:
    """``write_checked``, with its result as a sentence."""
    return str(write_checked(loaded, format, folder))


def write_checked(loaded: Loaded, format: str, folder: str | Path) -> Exported:
    """Write a model in a format of ``zoo.exports.formats``, once it agrees with Python.

    Args:
        loaded: what ``zoo.load`` gave.
        format: a key of ``FORMATS``.
        folder: new or empty.

    Raises:
        ZooError: unknown format, missing package, folder not empty, an operator that the format
            does not have, or a file that differs from Python. Nothing is left behind.
    """
    chosen = formats.find(format)
    folder = Path(folder).absolute()
    _check_empty(folder)
    points = endpoints(loaded, strict=format == "savedmodel")
    nearest = next(parent for parent in folder.parents if parent.is_dir())
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=nearest) as made:
        path = Path(made, chosen.file)
        WRITERS[format](path, points)
        found = verifying.compare(loaded, format, path, points)
        if not found.difference <= chosen.tolerance:  # also when it is not a number
            raise ZooError(
                f"{loaded.name} as {chosen.title} differs from Python by {found.difference:.2g}, "
                f"more than {chosen.tolerance:g}; it was not kept."
            )
        size = sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
        folder.mkdir(parents=True, exist_ok=True)
        path.replace(folder / chosen.file)
    return Exported(chosen.title, folder / chosen.file, size, *found)


def endpoints(loaded: Loaded, strict: bool = False) -> dict[str, Endpoint]:
    """``serve``, which adapts and predicts, and ``embed`` where there is an embedding.

    ``serve_full`` is ``serve`` with the inputs that a task may lack, where there are any, and
    ``serve_sound`` takes sounds where a learner makes pictures of them. With ``strict`` wrong
    labels end in an error, otherwise in NaN.
    """
    learner = loaded.learner
    points = {"serve": Endpoint(learner.serving(strict), learner.signature())}
    if getattr(learner, "OPTIONAL", ()):
        points["serve_full"] = Endpoint(learner.serving(strict, True), learner.signature(True))
    if hasattr(learner, "serving_sound"):
        sounds = {
            name: tf.TensorSpec([None, None], tf.float32, name) for name in ("support_x", "query_x")
        }
        signature = [sounds.get(spec.name, spec) for spec in learner.signature()]
        points["serve_sound"] = Endpoint(learner.serving_sound(strict), signature)
    if hasattr(learner, "embed"):
        x = tf.TensorSpec([None, *loaded.item_shape], name="x")
        points["embed"] = Endpoint(learner.embed, [x])
    return points


def _check_empty(folder: Path) -> None:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise ZooError(f"{there} is a file; choose another folder.")
    if there == folder and any(folder.iterdir()):
        raise ZooError(f"{folder} is not empty; choose a new or empty folder.")


def _write_onnx(path: Path, points: dict[str, Endpoint]) -> None:
    import onnx
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what is missing is told below
    function, signature = points["serve"]
    plain = rewrite(function, signature)
    model, _ = tf2onnx.convert.from_function(plain, signature, opset=formats.ONNX_OPSET)
    missing = {
        node.op_type
        for node in _nodes(model.graph)
        if not onnx.defs.has(node.op_type, formats.ONNX_OPSET, node.domain)
    }
    _refuse("ONNX", missing)
    path.write_bytes(model.SerializeToString())


def _nodes(graph):
    """Every node, those of loops and branches too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from _nodes(attribute.g)


def _write_litert(path: Path, points: dict[str, Endpoint]) -> None:
    function, signature = points["serve"]
    module = tf.Module()
    module.serve = rewrite(function, signature)
    with tempfile.TemporaryDirectory() as folder, without_stderr():
        tf.saved_model.save(module, folder, signatures={"serve": module.serve})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serve"])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]  # no Flex
        try:
            content = converter.convert()
        except Exception as error:  # the converter's own class is not public
            missing = set(re.findall(r"'tf\.(\w+)' op is neither", str(error)))
            if "tensor list" in str(error):
                missing.add("lists of tensors, which a loop over steps needs")
            _refuse("LiteRT", missing)
            raise
    path.write_bytes(content)


def _refuse(title: str, missing: set[str]) -> None:
    if missing:
        raise ZooError(
            f"{title} has no operators for {', '.join(sorted(missing))}; export a SavedModel."
        )


WRITERS = {"savedmodel": write, "onnx": _write_onnx, "litert": _write_litert}

"""A web page that classifies in the browser: ``python -m zoo demo --to DIR``.

The folder holds static files: the page, exported ONNX models, and ONNX Runtime for browsers, which
comes from its npm package. Any file server will do; Python has one.
"""

import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from chapters.engine import files
from datasets import home
from datasets.sets import remote
from zoo.errors import ZooError

MODELS = ("prototypical-omniglot-1shot", "prototypical-emoji")
TASK = {"support_x", "support_y", "query_x"}  # what the page can give to a model
PAGE = ("index.html", "style.css", "demo.js")
HERE = Path(__file__).parent
VERSION = "1.30.0"
RUNTIME = remote.RemoteFile(
    name=f"onnxruntime-web-{VERSION}.tgz",
    url=f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz",
    max_bytes=60_000_000,
    digest="d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71",
)
THREADED = "ort-wasm-simd-threaded"
RUNTIME_FILES = ("ort.wasm.min.mjs", f"{THREADED}.mjs", f"{THREADED}.wasm")


def write(
    names: Sequence[str], folder: str | Path, runtime: str | Path = "", tell: Callable = print
) -> Path:
    """Write the page with some models into a new or empty folder.

    Args:
        names: models that tell classes of pictures apart; none for ``MODELS``.
        folder: where to.
        runtime: file of ONNX Runtime's npm package (``npm pack onnxruntime-web``); downloaded
            and kept in the cache without one.
        tell: called with a line for each model.

    Returns:
        The folder.

    Raises:
        ZooError: a model does not fit, the folder is not empty, or the package lacks a file.
        DataError: the package cannot be downloaded.
    """
    loaded = [_fitting(name) for name in names or MODELS]
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ZooError(f"{folder} is not empty; name a new folder.")
    package = Path(runtime) if runtime else remote.fetch(RUNTIME, home.cache_folder())
    parts = _runtime(package)
    (folder / "runtime").mkdir(parents=True)
    for name, content in parts.items():
        files.write_bytes(folder / "runtime" / name, content)
    for name in PAGE:
        files.write_bytes(folder / name, (HERE / name).read_bytes())
    entries = [_model(one, folder, tell) for one in loaded]
    files.write_json(folder / "models.json", entries)
    return folder


def _fitting(name: str):
    import zoo

    loaded = zoo.load(name)
    takes = loaded.card["takes"]
    if takes != "pictures" or not set(loaded.learner.input_shapes()) <= TASK:
        raise ZooError(
            f"{name} takes {takes}; the page is for models that tell classes of pictures apart by "
            "examples alone."
        )
    return loaded


def _model(loaded, folder: Path, tell: Callable) -> dict:
    """Export a model; its entry in ``models.json``."""
    from chapters.experiments import images
    from zoo.exports import exporting

    tell(exporting.export(loaded, "onnx", folder / "models" / loaded.name))
    height, width, channels = loaded.item_shape
    return {
        "name": loaded.name,
        "file": f"models/{loaded.name}/model.onnx",
        "about": f"{loaded.card['method'].capitalize()}, trained on {loaded.card['data']['name']}.",
        "height": height,
        "width": width,
        "channels": channels,
        "ink": images.is_ink(loaded.config),  # dark strokes on white become bright
        "way": loaded.learner.way,  # None: any number of classes
    }


def _runtime(package: Path) -> dict[str, bytes]:
    """The files of ONNX Runtime that a page needs, from its npm package."""
    try:
        with tarfile.open(package) as archive:
            found = {
                name: archive.extractfile(f"package/dist/{name}").read() for name in RUNTIME_FILES
            }
    except (OSError, tarfile.TarError, KeyError, AttributeError) as error:
        reason = str(error).partition("\n")[0].strip("'\":")
        raise ZooError(
            f"{package} is not the npm package onnxruntime-web {VERSION} ({reason}); "
            f"npm pack onnxruntime-web@{VERSION} makes it."
        ) from None
    return found

"""Support sets as files: what a model has to keep of examples, without the examples.

A file holds embeddings (of a model that compares them; what the network saw for others), labels and
names, and which weights they belong to: arrays and JSON, no code. Classes and items are added and
taken away one by one, and predictions are those of the folders they came from.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chapters.engine import files
from datasets.readers.folder import class_files
from zoo import loading
from zoo.classifying import embed
from zoo.errors import ZooError
from zoo.loaded import Loaded
from zoo.reading import check_takes_examples, check_way, labelled, read_files
from zoo.records import safety
from zoo.rejecting import left_out

LIMIT = 2**28  # bytes of a file
ARRAYS = {"about": np.uint8, "items": np.float32, "labels": np.int32, "distances": np.float32}
FIELDS = {"model": str, "sha256": str, "classes": list, "files": list, "invert": bool}


class Support(NamedTuple):
    """What is known of some classes."""

    model: str  # name
    sha256: str  # of its weights
    classes: list[str]
    files: list[str]  # class and name of the file that an item came from
    labels: np.ndarray  # [item]
    items: np.ndarray  # of ``classifying.embed`` [item, ...]
    distances: np.ndarray  # of ``rejecting.left_out`` [item]
    invert: bool  # whether pictures were light on dark


def learn(model: str | Loaded, folder: str | Path, invert: bool = False) -> Support:
    """Look at the examples of a folder of class folders.

    Args:
        model: a name or what ``zoo.load`` gave.
        folder: one folder per class, each with one or more files.
        invert: as for ``prediction.predict``.

    Raises:
        ZooError, DataError: a model that takes no files or no examples, more classes than it can
            tell apart, a file that is missing, broken or of another kind.
    """
    loaded = loading.load(model) if isinstance(model, str) else model
    check_takes_examples(loaded, invert)
    groups = class_files(folder, loaded.kind.files)
    check_way(loaded, len(groups), str(folder))
    paths, labels = labelled(groups)
    items = embed(loaded.learner, read_files(loaded, paths, invert))
    return Support(
        model=loaded.name,
        sha256=loaded.card.get("sha256", ""),
        classes=list(groups),
        files=[f"{name}/{path.name}" for name, group in groups.items() for path in group],
        labels=labels,
        items=items,
        distances=left_out(loaded.learner, items, labels),
        invert=invert,
    )


def add(known: Support, more: Support, learner) -> Support:
    """Both together; new classes come after the known ones.

    Args:
        known, more: of one model.
        learner: of that model.

    Raises:
        ZooError: they are of different models, or have a file of one name.
    """
    if (known.model, known.sha256, known.invert) != (more.model, more.sha256, more.invert):
        raise ZooError(f"{known.model} and {more.model} are different models, or read differently.")
    twice = sorted(set(known.files) & set(more.files))
    if twice:
        raise ZooError(f"{twice[0]} is known already; rename the file, or forget it first.")
    classes = list(dict.fromkeys([*known.classes, *more.classes]))
    labels = np.array([classes.index(more.classes[k]) for k in more.labels], np.int32)
    labels = np.concatenate([known.labels, labels])
    items = np.concatenate([known.items, more.items])
    return known._replace(
        classes=classes,
        files=[*known.files, *more.files],
        labels=labels,
        items=items,
        distances=left_out(learner, items, labels),
    )


def forget(known: Support, names: list[str], learner) -> Support:
    """The same without some classes or files.

    Args:
        known: what there is.
        names: of classes (``oak``) or files (``oak/1.jpg``).
        learner: of its model.

    Raises:
        ZooError: a name that is not there, or too few classes that are left.
    """
    of = [known.classes[k] for k in known.labels]
    absent = [name for name in names if name not in {*of, *known.files}]
    if absent:
        raise ZooError(f"{absent[0]} is not known; known are {', '.join(known.classes)}.")
    kept = [i for i, file in enumerate(known.files) if file not in names and of[i] not in names]
    classes = list(dict.fromkeys(of[i] for i in sorted(kept, key=lambda i: known.labels[i])))
    if len(classes) < 2:
        raise ZooError(f"{len(classes)} class(es) would be left; two are needed.")
    labels, items = np.array([classes.index(of[i]) for i in kept], np.int32), known.items[kept]
    return known._replace(
        classes=classes,
        files=[known.files[i] for i in kept],
        labels=labels,
        items=items,
        distances=left_out(learner, items, labels),
    )


def model_of(known: Support, model: str | Loaded, source: str | Path) -> Loaded:
    """The model of a file.

    Args:
        known: what stands there.
        model: the one that is asked for, a name or what ``zoo.load`` gave; empty for any.
        source: the file.

    Raises:
        ZooError: it is another one, or has other weights by now.
    """
    loaded = model if isinstance(model, Loaded) else loading.load(known.model)
    asked = model.name if isinstance(model, Loaded) else model or known.model
    if asked != known.model:
        raise ZooError(f"{source} is of {known.model}, not of {asked}; leave the name out.")
    if loaded.card.get("sha256", "") != known.sha256:
        raise ZooError(f"{source} was made with other weights of {asked}; learn it again.")
    check_way(loaded, len(known.classes), str(source))
    shape = embed(loaded.learner, np.zeros([1, *loaded.item_shape], np.float32)).shape[1:]
    if known.items.shape[1:] != shape:
        raise _no_support(source, f"items have the shape {known.items.shape[1:]}, not {shape}")
    return loaded


def write(path: str | Path, support: Support) -> None:
    """Write a file; equal content gives equal bytes."""
    about = support._asdict()
    arrays = {name: about.pop(name) for name in ARRAYS if name in about}
    text = json.dumps(about, ensure_ascii=False, sort_keys=True).encode()
    content = io.BytesIO()
    np.savez(content, about=np.frombuffer(text, np.uint8), **arrays)
    files.write_bytes(Path(path), content.getvalue())


def read(path: str | Path) -> Support:
    """What ``write`` wrote; nothing in a file is run or trusted.

    Raises:
        ZooError: the file is missing, damaged or something else.
    """
    path = Path(path)
    found = _arrays(path, safety.read(path, LIMIT))
    try:
        about = json.loads(found.pop("about").tobytes())
    except (ValueError, RecursionError):
        raise _no_support(path, "its description is not JSON") from None
    safety.check_fields(path, "", about, FIELDS)
    support = Support(**{name: about[name] for name in FIELDS}, **found)
    if reason := _misfit(support):
        raise _no_support(path, reason)
    return support


def _arrays(path: Path, content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file that is what ``numpy.savez`` writes: nothing packed, no objects."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            inside = {entry.filename: entry for entry in archive.infolist()}
            if set(inside) != {f"{name}.npy" for name in ARRAYS}:
                raise _no_support(path, f"it holds {', '.join(sorted(inside)) or 'nothing'}")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in inside.values()):
                raise _no_support(path, "it is packed")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            found = {name: archive[name] for name in ARRAYS}
    except (zipfile.BadZipFile, ValueError, KeyError, OSError, EOFError) as error:
        raise _no_support(path, str(error).partition("\n")[0] or "it is cut") from None
    for name, kind in ARRAYS.items():
        if found[name].dtype != kind:
            raise _no_support(path, f"{name} are numbers of type {found[name].dtype}")
    return found


def _misfit(support: Support) -> str:
    """What does not fit together; empty when all does."""
    count = len(support.files)
    names = [*support.classes, *support.files]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        return "names are no texts, or occur twice"
    of_items = [support.labels.shape, support.distances.shape]
    if of_items != [(count,)] * 2 or support.items.ndim < 2 or len(support.items) != count:
        return "files, labels, items and distances differ in number"
    if len(support.classes) < 2 or set(support.labels) != set(range(len(support.classes))):
        return "there are not two classes or more with an item each"
    return "" if np.isfinite(support.items).all() else "items are not finite"


def _no_support(path: str | Path, reason: str) -> ZooError:
    return ZooError(f"{path} is no file of python -m zoo learn ({reason}); make it again.")

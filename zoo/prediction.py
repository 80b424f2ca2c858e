"""Prediction on files of the user's own: a folder of class folders, and files to be named."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from chapters.engine import files
from chapters.engine.configuration import suggest
from chapters.experiments.images import is_ink
from datasets.errors import tell
from datasets.readers.folder import class_files, loose_files
from zoo import loading
from zoo.classifying import classify
from zoo.errors import ZooError
from zoo.loaded import Loaded

PLOTS = (".png", ".pdf", ".svg", ".jpg")


def predict(
    model: str | Loaded,
    support: str | Path,
    query: Iterable[str | Path],
    plot: str | Path = "",
    invert: bool = False,
    unlabelled: str | Path = "",
) -> list[dict]:
    """Name files after the classes of a support folder.

    Args:
        model: a name or what ``load`` gave.
        support: folder with one folder per class, each with one or more files.
        query: files to be named.
        plot: draw queries and answers into this file.
        invert: pictures are light on dark for a model that knows dark on light, or the reverse.
        unlabelled: folder of files of these classes, and of others, for a semi-supervised model.

    Returns:
        For each file ``query``, ``name`` of the most probable class, and ``probabilities`` of all
        classes, most probable first.

    Raises:
        ZooError, DataError: a model that takes no files, more classes than it can tell apart, a
            folder or file that is missing, broken, or of another kind.
    """
    plot = plot_file(plot)
    loaded = loading.load(model) if isinstance(model, str) else model
    query = _asked(query)
    if loaded.describe:
        raise ZooError(
            f"{loaded.name} knows classes by descriptions, not by examples: python -m zoo match."
        )
    if not loaded.read:
        raise ZooError(
            f"{loaded.name} takes {loaded.kind.takes}, not files; load it in Python with zoo.load."
        )
    if invert and not loaded.kind.inverts:
        raise ZooError(f"--invert is for pictures; {loaded.name} takes {loaded.kind.takes}.")
    if unlabelled and "unlabelled_x" not in loaded.learner.input_shapes():
        raise ZooError(
            f"{loaded.name} learns nothing from unlabelled files; leave --unlabelled away, or take "
            "a semi-supervised model."
        )
    classes = class_files(support, loaded.kind.files)
    if loaded.way and len(classes) > loaded.way:
        raise ZooError(
            f"{support} has {len(classes)} classes, but {loaded.name} tells at most {loaded.way} "
            "apart; use fewer, or a model without this limit, such as a prototypical network."
        )
    support_x = read_files(loaded, [file for group in classes.values() for file in group], invert)
    sizes = [len(group) for group in classes.values()]
    support_y = np.repeat(np.arange(len(classes), dtype=np.int32), sizes)
    query_x = read_files(loaded, query, invert)
    others = {}
    if unlabelled:
        others["unlabelled_x"] = read_files(
            loaded, loose_files(unlabelled, loaded.kind.files), invert
        )
    probabilities = classify(loaded.learner, support_x, support_y, query_x, **others)
    names = list(classes)
    if plot:
        first = np.cumsum([0, *sizes[:-1]])  # of each class
        _draw(plot, loaded, query_x, support_x[first], names, probabilities, query)
    return [_answer(path, names, row) for path, row in zip(query, probabilities, strict=True)]


def match(model: str | Loaded, descriptions: Iterable[str], query: Iterable[str | Path]):
    """Say which of some descriptions fits each file; no example of a class is needed.

    Args:
        model: a name or what ``load`` gave.
        descriptions: of the classes, two or more, such as "red heart".
        query: picture files.

    Returns:
        For each file ``query``, ``name``, the description that fits best, and ``probabilities`` of
        all, most probable first.

    Raises:
        ZooError, DataError: a model that needs examples, fewer than two descriptions, one of which
            no word is known, a file that is missing or broken.
    """
    loaded = loading.load(model) if isinstance(model, str) else model
    query, names = _asked(query), list(descriptions)
    if not loaded.describe:
        raise ZooError(
            f"{loaded.name} knows classes by examples, not by descriptions: python -m zoo predict."
        )
    if len(set(names)) < max(2, len(names)):
        raise ZooError(f"{len(names)} description(s), {len(set(names))} of them different; give "
                       "two or more, each once.")  # fmt: skip
    inputs = {"attributes": loaded.describe(names), "query_x": loaded.read(query)}
    prediction = loaded.learner({name: x[None] for name, x in inputs.items()}, training=False)[0]
    probabilities = np.asarray(loaded.learner.answer(prediction, None)["probabilities"])
    return [_answer(path, names, row) for path, row in zip(query, probabilities, strict=True)]


def _asked(query: Iterable[str | Path]) -> list[str]:
    """The files that are asked for; a folder is not one."""
    query = [str(path) for path in query]
    if not query:
        raise ZooError("No file to be named; give at least one.")
    folder = next((path for path in query if Path(path).is_dir()), None)
    if folder is not None:
        raise ZooError(f"{folder} is a folder; ask for all its files: --query {Path(folder, '*')}.")
    return query


def read_files(loaded: Loaded, paths, invert: bool) -> np.ndarray:
    """Files as the network sees them; a note where paper is bright that should be dark.

    Args:
        loaded: the model.
        paths: files.
        invert: as for ``predict``.

    Returns:
        float32 [item, ...]
    """
    x = loaded.read(paths)
    x = 1 - x if invert else x
    if loaded.kind.inverts and is_ink(loaded.config) and np.median(x) > 0.5:
        advice = "leave --invert away" if invert else "try --invert"  # most of it is paper
        tell(
            f"{loaded.name} knows dark strokes on a light ground, and these pictures look like the "
            f"reverse ({Path(paths[0]).name}, ...); {advice}."
        )
    return x


def _answer(path: str, names: list[str], probabilities) -> dict:
    order = np.argsort(-probabilities, kind="stable")
    return {
        "query": path,
        "name": names[order[0]],
        "probabilities": {names[k]: round(float(probabilities[k]), 4) for k in order},
    }


def plot_file(plot: str | Path) -> Path | None:
    """Refuse a file that cannot be drawn into before anything is computed."""
    if not plot:
        return None
    path = Path(plot)
    if path.suffix.lower() not in PLOTS:
        raise ZooError(
            f"--plot {plot} ends in {path.suffix or 'nothing'!r}{suggest(path.suffix, PLOTS)}; "
            f"expected one of {', '.join(PLOTS)}."
        )
    if not path.parent.is_dir():
        raise ZooError(f"--plot {plot}: there is no folder {path.parent}; make it first.")
    return path


def _draw(path: Path, loaded: Loaded, query_x, support_x, names, probabilities, query) -> None:
    from zoo import pictures

    labels = [Path(file).name for file in query]
    figure = pictures.answers(loaded, query_x, support_x, names, probabilities, labels)
    files.write_figure(path, figure)

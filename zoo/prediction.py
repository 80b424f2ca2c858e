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
    plot = _plot_file(plot)
    loaded = loading.load(model) if isinstance(model, str) else model
    query = [str(path) for path in query]
    if not query:
        raise ZooError("No file to be named; give at least one.")
    folder = next((path for path in query if Path(path).is_dir()), None)
    if folder is not None:
        raise ZooError(f"{folder} is a folder; ask for all its files: --query {Path(folder, '*')}.")
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
    support_x = _read(loaded, [file for group in classes.values() for file in group], invert)
    sizes = [len(group) for group in classes.values()]
    support_y = np.repeat(np.arange(len(classes), dtype=np.int32), sizes)
    query_x = _read(loaded, query, invert)
    others = {}
    if unlabelled:
        others["unlabelled_x"] = _read(loaded, loose_files(unlabelled, loaded.kind.files), invert)
    probabilities = classify(loaded.learner, support_x, support_y, query_x, **others)
    names = list(classes)
    if plot:
        first = np.cumsum([0, *sizes[:-1]])  # of each class
        _draw(plot, loaded, query_x, support_x[first], names, probabilities, query)
    return [_answer(path, names, row) for path, row in zip(query, probabilities, strict=True)]


def _read(loaded: Loaded, paths, invert: bool) -> np.ndarray:
    """Files as the network sees them; a note where paper is bright that should be dark."""
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


def _plot_file(plot: str | Path) -> Path | None:
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

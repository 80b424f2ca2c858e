"""Prediction on files of the user's own: a folder of class folders, and files to be named."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from chapters.engine.configuration import suggest
from chapters.engine.files import write_figure
from datasets.readers.folder import class_files, loose_files
from zoo import loading, rejecting, supports
from zoo.classifying import answers, embed
from zoo.errors import ZooError
from zoo.loaded import Loaded
from zoo.reading import read_files
from zoo.records.wording import NONE_OF_THESE

PLOTS = (".png", ".pdf", ".svg", ".jpg")


def predict(
    model: str | Loaded,
    support: str | Path,
    query: Iterable[str | Path],
    plot: str | Path = "",
    invert: bool = False,
    unlabelled: str | Path = "",
    reject: float = 0.0,
) -> list[dict]:
    """Name files after the classes of a support set.

    Args:
        model: a name or what ``load`` gave; may be empty where the support set is a file.
        support: folder with one folder per class, each with one or more files; or a file of
            ``supports.write``.
        query: files to be named.
        plot: draw queries and answers into this file.
        invert: pictures are light on dark for a model that knows dark on light, or the reverse;
            a file knows it.
        unlabelled: folder of files of these classes, and of others, for a semi-supervised model.
        reject: share of what belongs to the classes that may be refused, so that what does not
            is: a file that is farther away than all but this share has the name None. 0 for never.

    Returns:
        For each file ``query``, ``name`` of the most probable class, ``probabilities`` of all
        classes, most probable first, and ``distance`` from the nearest in a unit of the model's
        own; with ``reject`` also ``limit``, the largest distance that is not refused.

    Raises:
        ZooError, DataError: a model that takes no files, more classes than it can tell apart, a
            folder or file that is missing, broken, or of another kind.
    """
    plot = plot_file(plot)
    query = _asked(query)
    if reject and unlabelled:
        raise ZooError("--reject is not for --unlabelled, whose files move the classes; give one.")
    loaded, known = _known(model, support, invert, unlabelled, plot)
    limit = rejecting.limit(loaded.card, known.labels, known.distances, reject) if reject else None
    query_x = read_files(loaded, query, known.invert)
    others = {}
    if unlabelled:
        files = loose_files(unlabelled, loaded.kind.files)
        others["unlabelled"] = embed(loaded.learner, read_files(loaded, files, known.invert))
    found = answers(loaded.learner, known.items, known.labels, query_x, **others)
    named = [
        _answer(path, known.classes, row, distance, limit)
        for path, row, distance in zip(
            query, found.probabilities, found.distance.min(axis=-1), strict=True
        )
    ]
    if plot:
        groups = class_files(support, loaded.kind.files)
        examples = read_files(loaded, [group[0] for group in groups.values()], invert)
        _draw(plot, loaded, query_x, examples, known.classes, found.probabilities, named)
    return named


def _known(model, support, invert: bool, unlabelled, plot) -> tuple[Loaded, supports.Support]:
    """The model, and what it knows of the classes."""
    if Path(support).is_file():
        if plot:
            raise ZooError(f"--plot shows examples, and {support} has none; give their folder.")
        known = supports.read(support)
        loaded = supports.model_of(known, model, support)
    else:
        if not model:
            raise ZooError(f"{support} does not say which model is meant; give its name too.")
        loaded = loading.load(model) if isinstance(model, str) else model
        known = None
    if unlabelled and "unlabelled_x" not in loaded.learner.input_shapes():
        raise ZooError(
            f"{loaded.name} learns nothing from unlabelled files; leave --unlabelled out, or take "
            "a semi-supervised model."
        )
    return loaded, known or supports.learn(loaded, support, invert)


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
    found = loaded.learner.answer(prediction, None)
    rows = np.asarray(found["probabilities"]), np.asarray(found["distance"]).min(axis=-1)
    return [_answer(path, names, *one) for path, *one in zip(query, *rows, strict=True)]


def _asked(query: Iterable[str | Path]) -> list[str]:
    """The files that are asked for; a folder is not one."""
    query = [str(path) for path in query]
    if not query:
        raise ZooError("No file to be named; give at least one.")
    folder = next((path for path in query if Path(path).is_dir()), None)
    if folder is not None:
        raise ZooError(f"{folder} is a folder; ask for all its files: --query {Path(folder, '*')}.")
    return query


def _answer(path: str, names: list[str], probabilities, distance, limit=None) -> dict:
    order = np.argsort(-probabilities, kind="stable")
    refused = limit is not None and not distance <= limit.distance
    return {
        "query": path,
        "name": None if refused else names[order[0]],
        "probabilities": {names[k]: round(float(probabilities[k]), 4) for k in order},
        "distance": round(float(distance), 4),
        **({} if limit is None else {"limit": round(limit.distance, 4)}),
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


def _draw(path: Path, loaded: Loaded, query_x, support_x, names, probabilities, named) -> None:
    from zoo import pictures

    labels = [
        Path(one["query"]).name + ("" if one["name"] else f"\n{NONE_OF_THESE}") for one in named
    ]
    figure = pictures.answers(loaded, query_x, support_x, names, probabilities, labels)
    write_figure(path, figure)

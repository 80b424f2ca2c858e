"""Files of a person, as a network sees them, and whether a model takes them at all."""

from pathlib import Path

import numpy as np

from chapters.experiments.images import is_ink
from datasets.errors import tell
from zoo.errors import ZooError
from zoo.loaded import Loaded


def check_takes_examples(loaded: Loaded, invert: bool) -> None:
    """ZooError for a model that takes no files, or knows classes by descriptions."""
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


def check_way(loaded: Loaded, classes: int, source: str) -> None:
    """ZooError where there are more classes than a model tells apart."""
    if loaded.way and classes > loaded.way:
        raise ZooError(
            f"{source} has {classes} classes, but {loaded.name} tells at most {loaded.way} "
            "apart; use fewer, or a model without this limit, such as a prototypical network."
        )


def labelled(groups: dict[str, list[Path]]) -> tuple[list[Path], np.ndarray]:
    """Files of all classes one after the other, and their labels, int32 [file].

    Args:
        groups: of ``datasets.readers.folder.class_files``.
    """
    sizes = [len(group) for group in groups.values()]
    paths = [path for group in groups.values() for path in group]
    return paths, np.repeat(np.arange(len(groups), dtype=np.int32), sizes)


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
        advice = "leave --invert out" if invert else "try --invert"  # most of it is paper
        tell(
            f"{loaded.name} knows dark strokes on a light ground, and these pictures look like the "
            f"reverse ({Path(paths[0]).name}, ...); {advice}."
        )
    return x

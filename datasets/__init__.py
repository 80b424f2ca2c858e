"""Data: readers, downloads, splits, generated stand-ins, episodes and pairs."""

import difflib
import importlib

from datasets.dataset import Dataset
from datasets.errors import DataError

# name -> module with load(root, offline, ...); modules are imported when they are asked for.
LOADERS = {
    "omniglot": "datasets.sets.omniglot",
    "strokes": "datasets.standins.strokes",
    "orl_faces": "datasets.sets.faces",
    "sketch_faces": "datasets.standins.sketch_faces",
    "cats_dogs": "datasets.sets.sounds",
    "synth_sounds": "datasets.standins.synth_sounds",
    "spoken_words": "datasets.sets.spoken_words",
    "spoken_digits": "datasets.sets.spoken_digits",
    "synth_words": "datasets.standins.synth_words",
    "emoji": "datasets.sets.emoji",
    "painted_signs": "datasets.standins.painted_signs",
    "emoji_omniglot": "datasets.sets.emoji_omniglot",
    "signs_strokes": "datasets.standins.signs_strokes",
    "digits": "datasets.sets.digits",
    "braille": "datasets.sets.braille",
}


def load(name: str, root=None, offline: bool = False, **options) -> Dataset:
    """Load a set of the catalogue by name.

    Args:
        name: a key of ``LOADERS``.
        root: data folder searched before METAZOO_DATA and the cache.
        offline: forbid downloads.
        **options: passed to the loader (see its module).

    Raises:
        DataError: unknown name, or data that is missing or broken.
    """
    module = importlib.import_module(LOADERS[known(name)])
    return module.load(root=root, offline=offline, **options)


def known(name: str) -> str:
    """The name, if the catalogue has it; otherwise DataError suggests the closest."""
    if name in LOADERS:
        return name
    close = difflib.get_close_matches(name, LOADERS, n=1)
    hint = f"did you mean {close[0]!r}? The" if close else "the"
    raise DataError(f"Unknown data set {name!r}; {hint} sets are {', '.join(LOADERS)}.")


__all__ = ["LOADERS", "DataError", "Dataset", "known", "load"]

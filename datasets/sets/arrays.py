"""Arrays made from many files, kept in the cache folder so that they are made once."""

import contextlib
import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from datasets import home
from datasets.errors import DataError
from datasets.sets import remote


def place(name: str, folder: Path, files: Iterable[Path], more: str = "") -> Path:
    """Where arrays lie that are made from files of a folder; other files have another place.

    Args:
        name: what is made, with every option that changes it.
        folder: of the files.
        files: each counts by name, size and time of its last change; one that is absent does not.
        more: what else the arrays are made from.
    """
    digest = hashlib.sha256(str(folder.resolve()).encode())
    for path in files:
        if path.exists():
            status = path.stat()
            digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    digest.update(more.encode())
    return home.cache_folder() / "arrays" / f"{name}-{digest.hexdigest()[:16]}.npz"


def load(path: Path, *names: str) -> tuple[np.ndarray, ...] | None:
    """The arrays of these names; None when the file is absent or damaged."""
    try:
        with np.load(path, allow_pickle=False) as saved:
            return tuple(saved[name] for name in names)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def save(path: Path, **arrays) -> None:
    """Keep the arrays for the next reading; a cache that cannot be written is only slower."""
    with (
        contextlib.suppress(DataError),
        remote.lock(path),
        remote.part_of(path) as part,
        part.open("wb") as file,  # given a name, savez would add a suffix to it
    ):
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())

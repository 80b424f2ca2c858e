"""Reading whole files with a limit, and putting numbered names in numeric order."""

import re
from pathlib import Path

from datasets.errors import DataError


def regular_file(path: str | Path, limit: int) -> Path:
    """The path, if it is a regular file of at most ``limit`` bytes; else DataError names it."""
    path = Path(path)
    # A device or a pipe may never end, so only regular files are opened.
    if not path.is_file():
        found = "a folder or device, not a file" if path.exists() else "missing"
        raise DataError(f"{path} is {found}; check the path.")
    size = path.stat().st_size
    if size > limit:
        raise DataError(f"{path} has {size:,} bytes; at most {limit:,} are read.")
    return path


def read_bytes(path: str | Path, limit: int) -> bytes:
    """Content of a regular file of at most ``limit`` bytes; DataError names it otherwise."""
    try:
        return regular_file(path, limit).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def is_folder(path: str | Path) -> bool:
    """Whether there is such a folder; there is none of a name that no file can have."""
    try:
        return Path(path).is_dir()
    except OSError:  # pathlib's answer to a name that is too long
        return False


def numeric_order(name: str) -> list[tuple[int, str]]:
    """Sort key that puts ``s2`` before ``s10``: digits compare as numbers, the rest as text."""
    parts = re.split(r"([0-9]+)", name)  # text, digits, text, digits, ...
    return [(int(part), part) if i % 2 else (0, part) for i, part in enumerate(parts)]

"""Writing files so that a reader never sees half of one."""

import json
import os
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Write a part file beside ``path``, flush it to the disk, then rename it.

    The part file of a process that was killed is overwritten by the next one.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):  # a failed write does not know its file
            error.filename = str(path)
        raise


def write_json(path: Path, data) -> None:
    """JSON with stable layout; not-a-number is refused, since JSON has none."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def sync_folder(path: Path) -> None:
    """Flush a folder's entries, so that a rename in it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

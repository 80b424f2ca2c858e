"""Writing files so that a reader never sees half of one, and no two writers meet.

All text is UTF-8 with a line feed at the end of a line, whatever the machine is set to.
"""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock

from chapters.engine.errors import RunError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a part file beside ``path``, flush it to the disk, then rename it.

    The part file of a process that was killed is overwritten by the next one.

    Raises:
        RunError: the folder is gone.
        OSError: the disk is full, or writing is not permitted; it names ``path``.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, FileNotFoundError):
            raise RunError(
                f"{path.parent} is gone, so {path.name} cannot be written; leave a folder alone "
                "while it is written to."
            ) from error
        if isinstance(error, OSError):  # a failed write does not know its file
            error.filename, error.filename2 = str(path), None
        raise


def write_text(path: Path, text: str) -> None:
    """``write_bytes`` of text."""
    write_bytes(path, text.encode())


def write_json(path: Path, data) -> None:
    """JSON with stable layout; not-a-number is refused, since JSON has none."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_figure(path: Path, figure, dpi: int = 120) -> None:
    """A matplotlib figure in the format of the path's ending; it is closed."""
    import matplotlib.pyplot as plt

    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:], dpi=dpi, bbox_inches="tight")
    plt.close(figure)
    write_bytes(path, drawn.getvalue())


def write_film(path: Path, frames, milliseconds: int = 120) -> None:
    """Pictures of bytes [row, column, 3] as a GIF that begins again at its end."""
    from PIL import Image

    first, *others = [Image.fromarray(frame) for frame in frames]
    drawn = io.BytesIO()
    first.save(drawn, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)
    write_bytes(path, drawn.getvalue())


def copy(source: Path, target: Path) -> None:
    """Copy a small file; an error of the disk names ``target``."""
    write_bytes(target, source.read_bytes())


def sync_folder(path: Path) -> None:
    """Flush a folder's entries, so that a rename in it survives a power cut."""
    if os.name == "nt":  # where folders cannot be opened
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(folder: Path, part: Path) -> Iterator[None]:
    """``part`` takes the place of ``folder``; the old one comes back when what follows fails."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    try:
        part.replace(folder)
        sync_folder(folder.parent)
        yield
    except BaseException:
        if folder.exists():
            shutil.rmtree(folder)
        if old.exists():
            old.replace(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path, wait: float, busy: str) -> Iterator[bool]:
    """Hold the lock file ``path``; a thread or process that holds it already may hold it again.

    Args:
        path: the lock file; it stays behind, empty.
        wait: seconds to wait for another process.
        busy: the sentence when it does not let go.

    Yields:
        Whether it was free; otherwise this process holds it already and is in the middle of a task.

    Raises:
        RunError: another process holds it.
    """
    lock = filelock.FileLock(path, timeout=wait, is_singleton=True)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RunError(busy) from None
    except FileNotFoundError as error:
        raise RunError(f"{path.parent} is gone; leave a folder alone while it is used.") from error
    try:
        yield lock.lock_counter == 1
    finally:
        lock.release()

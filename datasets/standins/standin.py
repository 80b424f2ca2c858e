"""Generated stand-ins for the real sets: written once, whole or not at all, into the cache."""

from collections.abc import Callable
from pathlib import Path

from datasets import home
from datasets.readers.files import is_folder
from datasets.sets import remote


def generated_folder(name: str, write: Callable[[Path], None]) -> Path:
    """Folder ``<cache>/generated/<name>``, made by ``write(part)`` unless it is there.

    A killed or failing ``write`` leaves nothing that could be taken for the set, and of several
    processes that start together one writes and the others wait.

    Raises:
        DataError: the cache folder cannot be written.
    """
    folder = home.cache_folder() / "generated" / name
    if not is_folder(folder):
        with remote.lock(folder):
            if not folder.is_dir():  # otherwise another process has made it meanwhile
                with remote.part_of(folder) as part:
                    part.mkdir()
                    write(part)
    return folder

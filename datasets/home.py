"""Where data is looked for: argument, then METAZOO_DATA, then the cache folder."""

import os
from pathlib import Path

from datasets.errors import DataError


def cache_folder() -> Path:
    """Folder for downloads, generated stand-ins and converted arrays."""
    return expand(os.environ.get("METAZOO_CACHE") or Path.home() / ".cache" / "metazoo")


def offline(flag: bool = False) -> bool:
    """True when the argument or METAZOO_OFFLINE forbids the network."""
    return flag or os.environ.get("METAZOO_OFFLINE", "") not in ("", "0")


def search_folders(root: str | Path | None = None) -> list[Path]:
    """Data folders in the order in which they are searched, existing or not."""
    named = [root, os.environ.get("METAZOO_DATA")]
    return [expand(folder) for folder in named if folder] + [cache_folder()]


def expand(folder: str | Path) -> Path:
    """``~`` at the beginning is somebody's home; DataError where nobody has that name."""
    path = os.path.expanduser(folder)  # noqa: PTH111  (pathlib's raises for such a name)
    if os.fspath(path).startswith("~"):  # else a folder ~name would appear in the working directory
        user = Path(path).parts[0]
        raise DataError(
            f"The data folder {path} begins with {user}, but nobody here has that name; write the "
            f"path out, or ./{path} for a folder that is called so."
        )
    return Path(path)

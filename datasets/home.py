"""Where data is looked for: argument, then METAZOO_DATA, then the cache folder."""

import os
from pathlib import Path


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
    """``~`` at the beginning is somebody's home; a name that nobody has stays as it is."""
    return Path(os.path.expanduser(folder))  # noqa: PTH111  (pathlib's raises for such a name)

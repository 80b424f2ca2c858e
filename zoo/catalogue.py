"""The names of the zoo: what the chapters declare, and what was published here besides.

Nothing here imports TensorFlow, so names are listed at once.
"""

import fnmatch
import importlib
import json
import re
from pathlib import Path
from typing import NamedTuple

import chapters
from chapters.engine.configuration import Model, suggest
from zoo import store
from zoo.errors import ZooError

CHAPTERS = sorted(p.parent.name for p in Path(chapters.__file__).parent.glob("ch*/presets.py"))
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Entry(NamedTuple):
    """A name and what is known about it without looking at its weights."""

    name: str
    chapter: str  # "ch03_prototypical"
    model: Model
    published: bool  # whether its weights are here

    @property
    def script(self) -> str:
        """Module of the training script."""
        return f"chapters.{self.chapter}.{self.model.script}"

    @property
    def folder(self) -> Path:
        """Where its weights are, or would be."""
        return store.FOLDER / self.name

    def options(self):
        """The ``Script`` of its training script: options and presets."""
        return presets(self.chapter).SCRIPTS[self.model.script]


def presets(chapter: str):
    """The module of data that a chapter declares."""
    return importlib.import_module(f"chapters.{chapter}.presets")


def declared() -> dict[str, tuple[str, Model]]:
    """Name -> chapter and model, in the order of the chapters.

    Raises:
        ZooError: two models have one name.
    """
    found: dict[str, tuple[str, Model]] = {}
    for chapter in CHAPTERS:
        for name, model in getattr(presets(chapter), "MODELS", {}).items():
            if name in found:
                raise ZooError(
                    f"{name} is declared by {found[name][0]} and by {chapter}; rename one of them."
                )
            found[name] = chapter, model
    return found


def entries() -> dict[str, Entry]:
    """Every name of the zoo. Models published here under a name of their own come last."""
    known = declared()
    by_script = {f"chapters.{c}.{model.script}": (c, model) for c, model in known.values()}
    published = {card.parent.name for card in store.FOLDER.glob("*/card.json")}
    for name in sorted(published - set(known)):
        script = _script(store.FOLDER / name / "config.json")
        if script in by_script:
            known[name] = by_script[script]
    return {
        name: Entry(name, chapter, model, name in published)
        for name, (chapter, model) in known.items()
    }


def find(name: str) -> Entry:
    """The entry of a name; ZooError suggests the closest one to a name that is unknown."""
    known = entries()
    if name not in known:
        raise ZooError(
            f"Unknown model {name!r}{suggest(name, known)}; python -m zoo list names them all."
        )
    return known[name]


def list_models(pattern: str = "*") -> list[str]:
    """Names that have weights, such as ``list_models("*omniglot*")``."""
    return [
        name
        for name, entry in entries().items()
        if entry.published and fnmatch.fnmatchcase(name, pattern)
    ]


def _script(config: Path) -> str | None:
    try:
        return json.loads(config.read_text())["script"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not an entry of the zoo

"""The names of the zoo: what the chapters declare, and what was published here besides.

Nothing here imports TensorFlow, so names are listed at once.
"""

import fnmatch
import importlib.util
import re
from pathlib import Path
from typing import NamedTuple

import chapters
from chapters.engine.configuration import Model, Script, suggest
from zoo.errors import ZooError
from zoo.records import safety, store

CHAPTERS = sorted(path.name for path in Path(chapters.__file__).parent.glob("ch[0-9]*/"))
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

    @property
    def options(self) -> Script:
        """Options and presets of the training script."""
        return _presets(self.chapter).SCRIPTS[self.model.script]


def declared() -> dict[str, Entry]:
    """The names that chapters declare, in the order of the chapters.

    Raises:
        ZooError: two models have one name.
    """
    found: dict[str, Entry] = {}
    for chapter in CHAPTERS:
        for name, model in getattr(_presets(chapter), "MODELS", {}).items():
            if name in found:
                other = found[name].chapter
                raise ZooError(
                    f"{name} is declared by {other} and by {chapter}; rename one of them."
                )
            published = (store.FOLDER / name / store.CARD).is_file()
            found[name] = Entry(name, chapter, model, published)
    return found


def entries() -> dict[str, Entry]:
    """Every name of the zoo. Models published here under names of their own come last."""
    known = declared()
    folders = sorted(card.parent.name for card in store.FOLDER.glob(f"*/{store.CARD}"))
    own = [name for name in folders if name not in known and NAME.fullmatch(name)]
    made = {entry.script: entry for entry in known.values()}
    for name in own:
        try:
            script = safety.read_json(store.FOLDER / name / store.CONFIG).get("script")
        except ZooError as error:
            store.warn(f"{name} is left out: {error}")
            continue
        if script in made:
            known[name] = made[script]._replace(name=name, published=True)
    return known


def find(name: str) -> Entry:
    """The entry of a name; ZooError suggests the closest one to a name that is unknown."""
    known = entries()
    if name not in known:
        raise ZooError(
            f"Unknown model {name!r}{suggest(name, known)}; python -m zoo list names them all."
        )
    return known[name]


def published(name: str) -> Entry:
    """The entry of a name that has weights; ZooError otherwise."""
    entry = find(name)
    if not entry.published:
        raise ZooError(
            f"{name} has no weights here yet; train it with python -m {entry.script} and publish "
            f"the run: python -m zoo publish RUN_FOLDER {name}."
        )
    return entry


def of_run(name: str, script: str) -> Entry:
    """The entry that a run of ``script`` would become under this name.

    Raises:
        ZooError: the name is not fit for a folder or taken, or no chapter declares models of
            this script.
    """
    if not NAME.fullmatch(name):
        raise ZooError(
            f"{name!r} is no name for a model; expected lower-case words with hyphens between, "
            "such as prototypical-leaves-5shot."
        )
    known = entries()
    if name in known and known[name].script != script:
        raise ZooError(f"{name} is a model of {known[name].script}, and this run is of {script}.")
    for entry in known.values():
        if entry.script == script:
            return entry._replace(name=name)
    raise ZooError(f"No chapter declares a model that {script} makes; its MODELS lack it.")


def list_models(pattern: str = "*") -> list[str]:
    """Names that have weights, such as ``list_models("*omniglot*")``."""
    names = [name for name, entry in entries().items() if entry.published]
    return fnmatch.filter(names, pattern)


def _presets(chapter: str):
    """The module of data that a chapter declares; None for a chapter that has none yet."""
    module = f"chapters.{chapter}.presets"
    return importlib.import_module(module) if importlib.util.find_spec(module) else None

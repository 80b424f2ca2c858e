"""The table of ``YOUR_DATA.md``: what to expect of 1, 5 and 20 examples of a class.

python -m zoo.expected_table [KIND ...]     # all of them: half an hour on two cores

Folders of ten classes that no model has seen, as a person would make them, are given to ``zoo
choose``. A line has the baseline and the model that it names; several folders of each kind.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from PIL import Image

import datasets
from chapters.engine import script
from chapters.engine.configuration import Parser, suggest
from chapters.engine.results import interval95_of_runs
from datasets.readers import logmel
from datasets.sets import spoken_digits
from zoo import catalogue, choosing
from zoo.errors import ZooError
from zoo.records import cards
from zoo.records.tables import Table

FOLDERS = 4  # of each kind
CLASSES, FILES = 10, 24  # of a folder, and of each class at most
SHOTS = (1, 5, 20)
PAGE = Path(__file__).with_name("YOUR_DATA.md")
HEAD = ["things", *(f"{shot} each" for shot in SHOTS), "named by `choose`"]

# Class -> pictures [row, column] or [row, column, 3], or sounds [sample].
Files = dict[str, list[np.ndarray]]


class Kind(NamedTuple):
    """Things of one kind."""

    draw: Callable[[np.random.Generator], Files]  # ten classes
    suffix: str


def characters(rng: np.random.Generator) -> Files:
    """Characters of Omniglot that were tested on, drawn dark on white."""
    data = datasets.load("omniglot")
    return _pictures(255 - data.items, data, rng.choice(data.classes("test"), CLASSES, False))


def signs(rng: np.random.Generator) -> Files:
    """Emoji that were tested on, by the hands of several sets."""
    data = datasets.load("emoji").with_least(6)
    return _pictures(data.items, data, rng.choice(data.classes("test"), CLASSES, False))


def faces(rng: np.random.Generator) -> Files:
    """People of whom the published network has seen no picture."""
    data = datasets.load("orl_faces")
    people = cards.read(catalogue.published("siamese-orl-faces").folder)["people"]["test"]
    chosen = [data.class_names.index(name) for name in people][:CLASSES]
    return _pictures(data.items, data, rng.permutation(chosen))


def words(rng: np.random.Generator) -> Files:
    """The ten digits, said by four people on whom nothing was chosen."""
    spoken = spoken_digits.load_spoken()
    return _said(spoken, ~np.isin(spoken.speaker, spoken_digits.CHOSEN_ON), rng)


def words_of_one(rng: np.random.Generator) -> Files:
    """The ten digits, said by one of these people."""
    spoken = spoken_digits.load_spoken()
    person = rng.choice(sorted(set(spoken.speaker.tolist()) - set(spoken_digits.CHOSEN_ON)))
    return _said(spoken, spoken.speaker == person, rng)


def _said(spoken: spoken_digits.Spoken, by: np.ndarray, rng: np.random.Generator) -> Files:
    """Some of the recordings [item] that are marked in ``by``, digit by digit."""
    found = {}
    for number, name in enumerate(spoken.data.class_names):
        of_word = np.flatnonzero((spoken.data.item_class == number) & by)
        found[name] = [spoken.sounds[k] for k in rng.permutation(of_word)[:FILES]]
    return found


KINDS = {
    "handwritten characters": Kind(characters, ".png"),
    "signs in colour": Kind(signs, ".png"),
    "faces, in grey": Kind(faces, ".png"),
    "spoken words, one person": Kind(words_of_one, ".wav"),
    "spoken words, four people": Kind(words, ".wav"),
}
TABLE = Table(PAGE, "expected", HEAD, [*KINDS])


def _pictures(items, data, classes) -> Files:
    return {
        data.class_names[k]: [items[number] for number in data.items_of(k)[:FILES]] for k in classes
    }


def write(files: Files, folder: Path, suffix: str) -> None:
    """Class folders of files."""
    for number, things in enumerate(files.values()):
        (folder / f"class {number}").mkdir(parents=True)
        for position, thing in enumerate(things):
            path = folder / f"class {number}" / f"{position}{suffix}"
            if suffix == ".wav":
                soundfile.write(path, thing, logmel.RATE)
            else:
                Image.fromarray(thing).save(path)


def measure(name: str) -> list[str]:
    """A line of the table, with 95 % intervals over folders."""
    chosen, unlearned, named = {}, {}, []
    for choice in _choices(KINDS[name]):
        named.append(choice.best)
        for shot in choice.shots:
            chosen.setdefault(shot, []).append(choice.honest(shot)["accuracy"])
            hits = next(one.hits for one in choice.tried if one.name == choice.baseline)
            unlearned.setdefault(shot, []).append(hits[shot].mean())
    cells = [_cell(chosen, unlearned, shot) for shot in SHOTS]
    best = " ".join(f"`{model}`" for model in dict.fromkeys(named))
    return [name, *cells, f"{best}; beside {choice.baseline}"]


def _choices(kind: Kind) -> Iterator[choosing.Choice]:
    for seed in range(FOLDERS):
        with tempfile.TemporaryDirectory() as folder:
            write(kind.draw(np.random.default_rng(seed)), Path(folder, "own"), kind.suffix)
            yield choosing.choose(Path(folder, "own"))


def _cell(chosen: dict, unlearned: dict, shot: int) -> str:
    """``93.1 ± 1.2 (71.0)``: chosen, and baseline; of 19 examples where a class has 20 files."""
    found = shot if shot in chosen else max(chosen)
    if found < shot - 1:
        return "-"
    mean, interval = np.mean(chosen[found]), interval95_of_runs(chosen[found])
    return f"{100 * mean:.1f} ± {100 * interval:.1f} ({100 * np.mean(unlearned[found]):.1f})"


def main(argv: list[str] | None = None) -> None:
    """Measure the named kinds, or all, and write the page after each."""
    parser = Parser(prog="python -m zoo.expected_table", description=__doc__, allow_abbrev=False)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}")
    asked = parser.parse_args(argv).kinds
    for name in asked:
        if name not in KINDS:
            raise ZooError(f"Unknown kind {name!r}{suggest(name, KINDS)}; see --help.")
    TABLE.measure(asked or [*KINDS], measure)


if __name__ == "__main__":
    script.run(main)

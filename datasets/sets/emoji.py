"""Emoji: 1,487 signs in colour, each as five to nine open sets have drawn it, with words for it.

The nine files are iconify's: for each sign the inside of an SVG. It is drawn on white with resvg at
twice the size and shrunk. Which signs there are, what they are called, which words describe them
and which split they belong to stands in ``emoji_classes.csv``; its names, groups and keywords are
Unicode's (``emoji_classes_license.txt``). Signs that fewer than five sets draw are not in it, nor
are skin tones.

Two of the hands appear twice, in colour and in black, with the same outlines.
"""

import base64
import csv
import functools
import importlib.util
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.readers.files import read_bytes
from datasets.sets import arrays, sources

TABLE = Path(__file__).with_name("emoji_classes.csv")
PROCESS = Path(__file__).with_name("svg_process.py")
BLACK = ("fluent-emoji-high-contrast", "emojione-monotone")  # outlines of two others, in black
SPLITS = ("train", "val", "test")
# Standard deviation of a picture's values below which it is blank: a square that reaches the edge
# has 4.0, the plainest other drawing 6.4. At another size its outline would have more weight, or
# less, so all are judged at this one.
BLANK, JUDGED = 5.0, 64

NAMESPACE = "http://www.w3.org/2000/svg"
SVG = (
    f'<svg xmlns="{NAMESPACE}" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'width="{side}" height="{side}" viewBox="{box}">{body}</svg>'
)
ELEMENTS = frozenset(
    f"{{{NAMESPACE}}}{name}"
    for name in (
        "svg", "g", "defs", "use", "path", "rect", "circle", "ellipse", "line", "polyline",
        "polygon", "clipPath", "mask", "linearGradient", "radialGradient", "stop", "filter",
        "feBlend", "feColorMatrix", "feFlood", "feGaussianBlur", "feOffset",
    )
)  # fmt: skip
KEYS = ("icons", "aliases")
BOX = {"left": 0, "top": 0, "width": 16, "height": 16}  # iconify's own defaults
TURNS = ("rotate", "hFlip", "vFlip")
REFERENCE = re.compile(r"url\(\s*['\"]?([^'\")]*)", re.IGNORECASE)

# Limits on what is read; the largest that is published is given beside them.
MAX_TABLE, MAX_FILE = 2**20, 2**25  # bytes: 156,347 and 25,557,691
MAX_ALIASES = 4  # from a name to its drawing: 1
MAX_BOX = 10_000  # side of a drawing, and how far from the origin it begins: 128
MAX_DEPTH = 32  # elements in elements: 6
MAX_WORK, MAX_WORK_OF_FILE = 400_000, 2**25  # see ``work``: 190,164 and 8,913,531
ELEMENT_WORK = 100  # characters that an element counts for, besides its own
MAX_SECONDS = 900.0  # for drawing all: 30


@dataclass(frozen=True)
class Sign:
    """A class, which is a row of the table.

    Attributes:
        hexcode: Unicode's number.
        name: what the sign is called in the files.
        label: Unicode's name.
        group, subgroup: Unicode's; a subgroup is all in one split.
        keywords: words for what is seen or meant.
        drawings: how many there are of it.
        split: ``train``, ``val`` or ``test``.
    """

    hexcode: str
    name: str
    label: str
    group: str
    subgroup: str
    keywords: tuple[str, ...]
    drawings: int
    split: str


@dataclass(frozen=True)
class Drawings:
    """Pictures in the order of signs and then of hands.

    Attributes:
        items: uint8 ``[drawing, size, size, 3]``.
        item_class: int32 ``[drawing]``, position of the sign.
        black: bool ``[drawing]``, whether it is a black copy of another hand's.
    """

    items: np.ndarray
    item_class: np.ndarray
    black: np.ndarray


def load(
    root=None, offline: bool = False, size: int = 32, black: bool = True, least: int = 1
) -> Dataset:
    """The signs with the splits of the table: no subgroup is in two of them.

    Args:
        root: data folder searched first (see ``datasets.home``).
        offline: never download.
        size: height and width in pixels of the returned images.
        black: with the two sets that are another one's outlines in black. Without them every sign
            is still a class, of four to seven drawings instead of five to nine.
        least: classes with fewer drawings, black ones not counted where they are left out, are in
            no split (see ``Dataset.with_least``).

    Returns:
        Dataset with items uint8 [11578, size, size, 3], fewer without the black ones; classes named
        by their label; splits ``train``, ``val``, ``test`` and ``all``; words of every class.

    Raises:
        DataError: the data cannot be found or fetched, a file is broken, resvg-py is missing.
    """
    folder = sources.locate("emoji", root, offline)
    signs = read_table(TABLE)
    drawings = read_set(folder, signs, size)
    counts = np.bincount(drawings.item_class, minlength=len(signs))
    for sign, count in zip(signs, counts, strict=True):
        if count != sign.drawings:
            raise DataError(
                f"{folder} holds {count} drawings of {sign.label}, expected {sign.drawings}; move "
                "it away and run `python -m datasets get emoji`."
            )
    return to_dataset("emoji", signs, drawings, black, least, source=str(folder))


def to_dataset(
    name: str,
    signs: Sequence[Sign],
    drawings: Drawings,
    black: bool,
    least: int,
    source: str,
    generated: bool = False,
) -> Dataset:
    """Put signs and their drawings into a Dataset; ``black`` and ``least`` as for ``load``."""
    kept = slice(None) if black else ~drawings.black
    split = np.array([sign.split for sign in signs])
    return Dataset(
        name=name,
        items=drawings.items[kept],
        item_class=drawings.item_class[kept],
        class_names=tuple(sign.label for sign in signs),
        splits={which: np.flatnonzero(split == which) for which in SPLITS}
        | {"all": np.arange(len(signs))},
        generated=generated,
        source=source,
        words=tuple(words(sign) for sign in signs),
    ).with_least(least)


def words(sign: Sign) -> tuple[str, ...]:
    """What describes a sign: its name and its keywords."""
    return (sign.label, *sign.keywords)


@functools.cache
def read_table(path: Path) -> tuple[Sign, ...]:
    """The signs of a table in the form of ``emoji_classes.csv``.

    Raises:
        DataError: the table is missing or broken.
    """
    try:
        text = read_bytes(path, MAX_TABLE).decode("utf-8")
        rows = csv.DictReader(io.StringIO(text), restval="", strict=True)
        signs = tuple(_sign(**row) for row in rows)
    except (ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{path} is no table of signs ({error}).") from error
    names = {sign.name for sign in signs}
    if not signs or len(names) < len(signs) or {sign.split for sign in signs} - {*SPLITS}:
        raise DataError(
            f"{path} is no table of signs, each once, with its split ({', '.join(SPLITS)})."
        )
    return signs


def _sign(*, keywords: str, drawings: str, **texts: str) -> Sign:
    return Sign(keywords=tuple(keywords.split("|")), drawings=int(drawings), **texts)


def read_set(folder: Path, signs: Sequence[Sign], size: int) -> Drawings:
    """Draw the signs out of the nine files of a folder.

    The result is kept as one array in the cache folder, keyed by the signs, by names, sizes and
    times of the files, and by what counts as blank.

    Raises:
        DataError: a file is missing or broken, or resvg-py is missing.
    """
    names = [sign.name for sign in signs]
    paths = [folder / part.layouts[0] for part in sources.EMOJI_PARTS]
    made_with = "\n".join([*names, f"blank below {BLANK} at {JUDGED}"])
    cached = arrays.place(f"emoji-{size}", folder, paths, more=made_with)
    found = _load_cache(cached, size, len(names))
    if found is None:
        found = _draw_all(paths, names, size)
        arrays.save(cached, **vars(found))
    return found


def _load_cache(path: Path, size: int, classes: int) -> Drawings | None:
    """What ``read_set`` returns, from its cache; None when that is absent or damaged."""
    saved = arrays.load(path, "items", "item_class", "black")
    if saved is None:
        return None
    items, item_class, black = saved
    whole = (
        items.shape == (len(item_class), size, size, 3)
        and black.shape == item_class.shape == (len(item_class),)
        and (items.dtype, item_class.dtype, black.dtype) == (np.uint8, np.int32, np.bool_)
        and len(item_class) > 0
        and (np.diff(item_class) >= 0).all()
        and 0 <= item_class[0] <= item_class[-1] < classes
    )
    return Drawings(items, item_class, black) if whole else None


def _draw_all(paths: Sequence[Path], names: Sequence[str], size: int) -> Drawings:
    print(f"Drawing the emoji of {paths[0].parent} once, in about a minute", file=sys.stderr)
    pictures = draw_files(paths, names, size)
    if not pictures:
        raise DataError(f"{paths[0].parent} holds none of the signs; fetch the set again.")
    keys = sorted(pictures)
    black = [path.stem in BLACK for path in paths]
    return Drawings(
        items=np.stack([pictures[key] for key in keys]),
        item_class=np.array([number for number, _ in keys], np.int32),
        black=np.array([black[hand] for _, hand in keys]),
    )


# --- files ----------------------------------------------------------------------------------------


def draw_files(
    paths: Sequence[Path], names: Sequence[str], size: int
) -> dict[tuple[int, int], np.ndarray]:
    """Positions of name and of file to the picture, uint8 [size, size, 3], that it has of it.

    Signs of one tone (on white, three of the white squares) are left out, and so are names that
    stand for another sign turned or mirrored.

    Raises:
        DataError: a file is broken, or asks for more than such pictures can need; resvg-py is
            missing.
    """
    found = [
        (number, hand, svg)
        for hand, path in enumerate(paths)
        for number, svg in _read_file(path, names, 2 * size)
    ]
    pngs, reason = render([svg for _, _, svg in found])
    if reason:
        number, hand, _ = found[len(pngs)]
        raise _refused(paths[hand], names[number], reason)
    pictures = {}
    for (number, hand, _), png in zip(found, pngs, strict=True):
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            picture = image.convert("RGB")
        if np.std(_shrunk(picture, JUDGED)) >= BLANK:
            pictures[number, hand] = np.asarray(_shrunk(picture, size))
    return pictures


def _shrunk(picture: Image.Image, side: int) -> Image.Image:
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def _read_file(path: Path, names: Sequence[str], side: int) -> Iterator[tuple[int, str]]:
    """Position in ``names`` and SVG of what a file has of them."""
    icons = Icons.read(path)
    total = 0
    for number, name in enumerate(names):
        try:
            icon = icons.find(name)
            if icon is None:
                continue
            svg = to_svg(icon, side)
            total += work(svg)
            if total > MAX_WORK_OF_FILE:
                raise ValueError("the drawings up to it are too large")
        except ValueError as error:
            raise _refused(path, name, error) from error
        yield number, svg


def _refused(path: Path, name: str, reason) -> DataError:
    return DataError(
        f"{path} cannot be drawn: {name}: {reason}; move it away and run "
        "`python -m datasets get emoji`."
    )


@dataclass(frozen=True)
class Icons:
    """An iconify file.

    Attributes:
        icons: name to drawing, ``body`` and perhaps ``left``, ``top``, ``width``, ``height``.
        aliases: name to what it stands for, ``parent`` and perhaps what differs from it.
        box: what the file says of those four for drawings that do not.
    """

    icons: dict
    aliases: dict
    box: dict

    @classmethod
    def read(cls, path: Path) -> "Icons":
        """Read a file; DataError if it is none."""
        content = read_bytes(path, MAX_FILE)
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"{path} is not JSON ({reason}).") from error
        tables = [found.get(key, {}) if isinstance(found, dict) else None for key in KEYS]
        if not all(isinstance(table, dict) for table in tables) or not tables[0]:
            raise DataError(f"{path} is no iconify file: expected objects {' and '.join(KEYS)}.")
        box = {side: found[side] for side in BOX if side in found}
        return cls(*tables, box)

    def find(self, name: str) -> dict | None:
        """The drawing of a name with its box, None where there is none as it stands.

        Raises:
            ValueError: names lead in a circle or nowhere, or to what is no drawing.
        """
        chain = []
        while name not in self.icons:
            if name not in self.aliases:
                if chain:
                    raise ValueError("it stands for a sign that is not there")
                return None
            if len(chain) == MAX_ALIASES:
                raise ValueError("it stands for a sign that stands for another, and so on")
            chain.append(_object(self.aliases[name]))
            name = _text(chain[-1].get("parent"))
        icon = BOX | self.box | _object(self.icons[name])
        for alias in reversed(chain):
            icon |= alias
        return None if any(icon.get(turn) for turn in TURNS) else icon


def _object(value) -> dict:
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    return value


def _text(value) -> str:
    if not isinstance(value, str):
        raise ValueError("where text should be there is none")
    return value


# --- drawings -------------------------------------------------------------------------------------


def to_svg(icon: dict, side: int) -> str:
    """An icon as a picture of its own; what is not square lies in the middle.

    Raises:
        ValueError: it has no body or an impossible box.
    """
    for edge in BOX:
        value = icon[edge]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"its {edge} is no number")
        low = 1 if edge in ("width", "height") else -MAX_BOX
        if not low <= value <= MAX_BOX:  # nor is NaN
            raise ValueError(f"its {edge} is not from {low} to {MAX_BOX}")
    box = " ".join(str(icon[edge]) for edge in BOX)
    return SVG.format(side=side, box=box, body=_text(icon.get("body")))


def work(svg: str) -> int:
    """Characters that drawing it goes through, what is referred to being counted every time.

    A drawing consists of shapes, colours and filters alone and refers to nothing but itself, so
    nothing is read from elsewhere; and it cannot blow itself up, as nine lines can that each refer
    to the line before ten times.

    Raises:
        ValueError: it is no XML, holds or refers to something else, or is too large or too deep.
    """
    if "<!" in svg or "<?" in svg:
        raise ValueError("it holds declarations or comments")
    if len(svg) > MAX_WORK:
        raise ValueError("it is too large")
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no XML ({error})") from error
    of_id = {}
    for element in root.iterfind(".//*[@id]"):
        of_id.setdefault(f"#{element.get('id')}", []).append(element)
    total, left = 0, [(root, 0)]
    while left:
        element, depth = left.pop()
        inner = [*element]
        for target in _references(element):
            inner += of_id.get(target, ())
        left += [(each, depth + 1) for each in inner]
        total += ELEMENT_WORK + sum(map(len, element.attrib.values()))
        # Those that are left count for at least so much, so the list cannot grow without end.
        if total + ELEMENT_WORK * len(left) > MAX_WORK or depth > MAX_DEPTH:
            raise ValueError("it is too large or refers to itself")
    return total


def _references(element: ElementTree.Element) -> list[str]:
    """What an element refers to, ``#id`` each; ValueError if it is not of a drawing's."""
    if element.tag not in ELEMENTS:
        raise ValueError(f"it holds an element {element.tag.rpartition('}')[2][:40]!r}")
    found = []
    for name, value in element.attrib.items():
        found += [value.strip()] if name.rpartition("}")[2].lower() == "href" else []
        found += [target.strip() for target in REFERENCE.findall(value)]
    if any(not target.startswith("#") for target in found):
        raise ValueError("it refers to something outside of it")
    return found


def render(svgs: Sequence[str]) -> tuple[list[bytes], str]:
    """PNG of each, on white; and why the first that has none has none, empty if all have.

    Raises:
        DataError: resvg-py is missing.
    """
    if not importlib.util.find_spec("resvg_py"):
        raise DataError(
            "Emoji are drawn with resvg-py; pip install -r requirements-emoji.txt brings it, or "
            "use the generated stand-in 'painted_signs'."
        )
    reason = "it cannot be drawn"
    try:
        output = subprocess.run(
            [sys.executable, "-P", PROCESS],
            input=json.dumps(svgs).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=MAX_SECONDS,
        ).stdout
    except subprocess.TimeoutExpired as late:
        output, reason = late.output or b"", f"it is not drawn after {MAX_SECONDS:g} s"
    pngs = [base64.b64decode(line) for line in output.split(b"\n")[:-1]]
    return pngs, reason if len(pngs) < len(svgs) else ""

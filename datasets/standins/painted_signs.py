"""Painted signs: the generated stand-in for the emoji.

A sign is a mark on a plate, each of a colour: a yellow star on a blue shield. Signs of a subgroup
have the plate in common and are easily confused. Nine hands paint them: each has proportions, a
palette, outlines and ways to shade of its own, and two of the nine are others' outlines in black.
No hand but the first five paints every sign.

They are written to disk as pictures of 64 x 64 pixels beside a table in the form of the emoji's, so
that no SVG has to be drawn. How much hands differ is chosen so that raw pixels tell signs apart
about as well as they do on the emoji.
"""

import colorsys
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.readers.files import read_bytes
from datasets.sets import emoji
from datasets.standins.standin import generated_folder

VERSION = 1  # part of the folder name: to be raised with every change that moves a pixel
SUBGROUPS = {"train": 12, "val": 4, "test": 4}
SIGNS = 6  # of a subgroup
HANDS, ALWAYS = 9, 5  # hands, and the first of them that paint every sign
COPIES = {3: 0, 7: 5}  # hand that is another one's in black: whose
SHARE = 0.6  # of the signs that each of the other hands paints

SIDE = 64  # pixels
FINER = 4  # painted so many times larger, then shrunk
MAX_PICTURE = 2**16  # bytes
COLUMNS = [field.name for field in fields(emoji.Sign)]
FIRST_CODE = 0xE000  # Unicode's first number for private use

COLOURS = {  # name -> hue, saturation, value
    "red": (0.0, 0.8, 0.9),
    "orange": (0.08, 0.85, 0.97),
    "yellow": (0.14, 0.8, 1.0),
    "green": (0.36, 0.7, 0.7),
    "cyan": (0.5, 0.55, 0.9),
    "blue": (0.6, 0.75, 0.85),
    "violet": (0.76, 0.55, 0.8),
    "pink": (0.93, 0.4, 1.0),
    "brown": (0.07, 0.6, 0.5),
    "grey": (0.6, 0.08, 0.65),
}


@dataclass(frozen=True)
class Hand:
    """What all signs of one hand have in common."""

    plate: np.ndarray  # [xy, xy], size, proportions and tilt of the plate
    mark: np.ndarray  # [xy, xy], of the mark on it
    offset: np.ndarray  # [xy] of the mark, where half the picture is 1
    corners: int  # times that corners are cut
    outline: int  # pixels, 0 for none
    ink: tuple[float, float, float]  # hue, saturation, value of outlines
    shift: tuple[float, float, float]  # added to hue, factors on saturation and value
    shade: float  # darker at the bottom by this share
    bare: bool  # leaves the plate away, all but its outline
    black: bool


def load(
    root=None,
    offline: bool = False,
    size: int = 32,
    black: bool = True,
    least: int = 1,
    generator_seed: int = 0,
) -> Dataset:
    """Painted signs, painted on the first call and read from the cache folder afterwards.

    Args:
        root, offline: not needed (nothing is searched for or downloaded); accepted because
            all loaders are called alike.
        size, black, least: as for ``datasets.sets.emoji.load``.
        generator_seed: another seed gives other signs and other hands.

    Returns:
        Dataset with items uint8 [item, size, size, 3], 120 classes named by their label; the splits
        ``train``, ``val``, ``test`` and ``all`` by subgroup; words of every class.

    Raises:
        DataError: the cache folder cannot be written or what it holds cannot be read.
    """
    name = f"painted_signs-v{VERSION}-seed{generator_seed}"
    folder = generated_folder(name, lambda part: write(part, generator_seed)) / "emoji"
    signs = emoji.read_table(folder / "classes.csv")
    drawings = read_set(folder, signs, size)
    return emoji.to_dataset("painted_signs", signs, drawings, black, least, str(folder), True)


def read_set(folder: Path, signs: Sequence[emoji.Sign], size: int) -> emoji.Drawings:
    """Read ``<hand>/<sign>.png`` below a folder.

    Raises:
        DataError: a picture is missing or broken.
    """
    items, item_class, black = [], [], []
    for number, sign in enumerate(signs):
        paths = [folder / str(hand) / f"{sign.name}.png" for hand in range(1, HANDS + 1)]
        found = [(hand, path) for hand, path in enumerate(paths) if path.exists()]
        if len(found) != sign.drawings:
            raise DataError(
                f"{folder} holds {len(found)} pictures of {sign.name}, expected {sign.drawings}; "
                f"remove {folder.parent}, and it is painted again."
            )
        for hand, path in found:
            image = _open(path).resize((size, size), Image.Resampling.LANCZOS)
            items.append(np.asarray(image))
            item_class.append(number)
            black.append(hand in COPIES)
    return emoji.Drawings(np.stack(items), np.array(item_class, np.int32), np.array(black))


def _open(path: Path) -> Image.Image:
    content = read_bytes(path, MAX_PICTURE)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); remove {path.parents[2]}, and it is painted again."
        ) from error


def write(folder: Path, seed: int = 0) -> None:
    """Write ``emoji/classes.csv`` and ``emoji/<hand>/<sign>.png`` below a folder."""
    rng = np.random.default_rng(seed)
    hands = invent_hands(rng)
    for hand in range(1, HANDS + 1):
        (folder / "emoji" / str(hand)).mkdir(parents=True)
    with (folder / "emoji" / "classes.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        for number, words in enumerate(invent_signs(rng)):
            chosen = np.flatnonzero((np.arange(HANDS) < ALWAYS) | (rng.uniform(size=HANDS) < SHARE))
            row = describe(words) | {"hexcode": f"{FIRST_CODE + number:X}", "drawings": len(chosen)}
            table.writerow(row)
            for hand in chosen:
                image = paint(*words[:4], hands[hand])
                image.save(folder / "emoji" / str(hand + 1) / f"{row['name']}.png")


# --- signs and hands ------------------------------------------------------------------------------


def invent_signs(rng: np.random.Generator) -> list[tuple[str, str, str, str, str]]:
    """Plate and its colour, mark and its colour, and split, of every sign.

    No mark is on the same plate twice, so no two signs are alike in black.
    """
    subgroups = [
        (plate, colour, marks)
        for plate in PLATES
        for colour, marks in zip(
            rng.permutation(list(COLOURS)),
            rng.permutation(list(MARKS)).reshape(-1, SIGNS),
            strict=False,
        )
    ]
    splits = [split for split, count in SUBGROUPS.items() for _ in range(count)]
    signs = []
    for split, at in zip(splits, rng.permutation(len(subgroups)), strict=False):
        plate, colour, marks = subgroups[at]
        others = rng.choice([other for other in COLOURS if other != colour], SIGNS)
        for mark, other in zip(marks, others, strict=True):
            signs.append((plate, str(colour), str(mark), str(other), split))
    return signs


def describe(sign: tuple[str, str, str, str, str]) -> dict[str, str]:
    """What the table says of a sign."""
    plate, colour, mark, other, split = sign
    label = f"{other} {mark} on {colour} {plate}"
    return {
        "name": label.replace(" ", "-"),
        "label": label,
        "group": plate,
        "subgroup": f"{colour} {plate}",
        "keywords": "|".join(sorted({plate, colour, mark, other})),
        "split": split,
    }


def invent_hands(rng: np.random.Generator) -> list[Hand]:
    """The nine hands; copies come after those that they copy."""
    hands = []
    for number in range(HANDS):
        if number in COPIES:
            original = hands[COPIES[number]]
            hands.append(replace(original, black=True, outline=3))
        else:
            hands.append(invent_hand(rng))
    return hands


def invent_hand(rng: np.random.Generator) -> Hand:
    """Proportions, palette, outlines and shades of one hand."""
    return Hand(
        plate=stretch(rng, size=rng.uniform(0.72, 0.82), tilt=0.05),
        mark=stretch(rng, size=rng.uniform(0.38, 0.5), tilt=0.12),
        offset=rng.normal(0, 0.03, 2),
        corners=int(rng.integers(0, 3)),
        outline=int(rng.choice([0, 0, 2, 3])),
        ink=(rng.uniform(), rng.uniform(0, 0.5), rng.uniform(0, 0.35)),
        shift=(rng.normal(0, 0.02), rng.uniform(0.75, 1.15), rng.uniform(0.85, 1.1)),
        shade=rng.choice([0.0, rng.uniform(0.1, 0.4)]),
        bare=bool(rng.uniform() < 0.15),
        black=False,
    )


def stretch(rng: np.random.Generator, size: float, tilt: float) -> np.ndarray:
    """A matrix [xy, xy] that scales, by a little more in one direction, and turns."""
    angle = rng.normal(0, tilt)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag(size * np.exp(rng.normal(0, 0.05, 2)))


# --- shapes: lists of polygons [point, xy] from -1 to 1, downwards --------------------------------


def regular(corners: int, inner: float = 1.0, turned: float = 0.0) -> np.ndarray:
    """Points around the middle, the first on top, every other one ``inner`` away from it."""
    angle = 2 * np.pi * (np.arange(corners) / corners + turned) - np.pi / 2
    radius = np.where(np.arange(corners) % 2, inner, 1.0)
    return radius[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def moved(polygon: np.ndarray, x: float, y: float, width: float, height: float) -> np.ndarray:
    """A polygon made smaller, with its middle elsewhere."""
    return polygon * [width, height] + [x, y]


DISC, SQUARE = regular(48), np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.85
PLATES = {
    "disc": [DISC],
    "square": [SQUARE],
    "diamond": [regular(4)],
    "triangle": [regular(3) + [0, 0.2]],
    "hexagon": [regular(6)],
    "shield": [np.array([[-0.8, -0.9], [0.8, -0.9], [0.8, 0.1], [0, 1], [-0.8, 0.1]])],
    "house": [np.array([[0, -1], [0.9, -0.2], [0.9, 0.9], [-0.9, 0.9], [-0.9, -0.2]])],
    "drop": [np.concatenate([[[0, -1]], moved(regular(24)[5:20], 0, 0.25, 0.75, 0.75)])],
    "flag": [np.array([[-1, -0.7], [1, -0.7], [0.6, 0], [1, 0.7], [-1, 0.7]])],
    "gear": [regular(24, 0.82)],
}
MARKS = {
    "star": [regular(10, 0.42)],
    "cross": [moved(SQUARE, 0, 0, 1.1, 0.35), moved(SQUARE, 0, 0, 0.35, 1.1)],
    "ball": [moved(DISC, 0, 0, 0.8, 0.8)],
    "bars": [moved(SQUARE, 0, y, 1.1, 0.22) for y in (-0.65, 0, 0.65)],
    "eyes": [moved(DISC, x, 0, 0.3, 0.5) for x in (-0.5, 0.5)],
    "dots": [moved(DISC, x, y, 0.3, 0.3) for x in (-0.6, 0.6) for y in (-0.6, 0.6)],
    "arrow": [np.array([[0, -1], [0.8, 0], [0.3, 0], [0.3, 1], [-0.3, 1], [-0.3, 0], [-0.8, 0]])],
    "bolt": [np.array([[0.3, -1], [-0.6, 0.2], [0, 0.2], [-0.3, 1], [0.6, -0.2], [0, -0.2]])],
    "wedge": [np.array([[-0.8, -0.8], [0.9, 0], [-0.8, 0.8]])],
    "moon": [
        np.concatenate([regular(24)[12:], moved(regular(24)[1:12], 0, 0, -0.3, 1)]) + [0.4, 0]
    ],
    "face": [
        *(moved(DISC, x, -0.4, 0.2, 0.3) for x in (-0.45, 0.45)),
        np.array([[-0.8, 0.2], [0.8, 0.2], [0.45, 0.75], [-0.45, 0.75]]),
    ],
    "flower": [moved(DISC, *(0.6 * corner), 0.35, 0.35) for corner in regular(5)],
}


# --- painting -------------------------------------------------------------------------------------


def paint(plate: str, colour: str, mark: str, other: str, hand: Hand) -> Image.Image:
    """A sign as one hand paints it, on white."""
    image = Image.new("RGB", (SIDE * FINER, SIDE * FINER), "white")
    below, above = tone(COLOURS[colour], hand), tone(COLOURS[other], hand)
    if hand.black:
        below, above = "white", "black"
    elif hand.bare:
        below = "white"
    outlined = hand.outline or (2 if hand.bare else 0)
    for polygons, matrix, offset, fill in (
        (PLATES[plate], hand.plate, np.zeros(2), below),
        (MARKS[mark], hand.mark, hand.offset, above),
    ):
        for polygon in polygons:
            draw(image, cut(polygon, hand.corners) @ matrix.T + offset, fill, outlined, hand)
    if hand.shade and not hand.black:
        image = shaded(image, hand.shade)
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def draw(image: Image.Image, points: np.ndarray, fill, width: int, hand: Hand) -> None:
    """Fill a polygon and draw along its edge."""
    pen = ImageDraw.Draw(image)
    corners = [tuple(point) for point in ((points + 1) * SIDE * FINER / 2).tolist()]
    pen.polygon(corners, fill=fill)
    if width:
        ink = "black" if hand.black else rgb(hand.ink)
        pen.line([*corners, *corners[:2]], fill=ink, width=width * FINER, joint="curve")


def cut(polygon: np.ndarray, times: int) -> np.ndarray:
    """Corner cutting (Chaikin, 1974) all around."""
    for _ in range(times):
        after = np.roll(polygon, -1, axis=0)
        polygon = np.stack([0.8 * polygon + 0.2 * after, 0.2 * polygon + 0.8 * after], axis=1)
        polygon = polygon.reshape(-1, 2)  # [2 * point, xy]
    return polygon


def shaded(image: Image.Image, share: float) -> Image.Image:
    """Darker towards the bottom, but for what is white."""
    pixels = np.asarray(image, np.float32)  # [height, width, 3]
    factor = 1 - share * np.linspace(0, 1, len(pixels))[:, np.newaxis, np.newaxis]
    dark = np.where(pixels.min(axis=-1, keepdims=True) < 255, pixels * factor, pixels)
    return Image.fromarray(dark.round().astype(np.uint8))


def tone(colour: tuple[float, float, float], hand: Hand) -> tuple[int, int, int]:
    """A colour of the palette as a hand mixes it."""
    hue, saturation, value = colour
    shift, more, lighter = hand.shift
    return rgb((hue + shift, min(1.0, saturation * more), min(1.0, value * lighter)))


def rgb(colour: tuple[float, float, float]) -> tuple[int, int, int]:
    """Hue, saturation and value, from 0 to 1, as three bytes."""
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(*colour))

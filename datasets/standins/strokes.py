"""Stroke characters: the generated stand-in for Omniglot.

An alphabet is a lattice and a pool of strokes that walk over it; a character is one to four strokes
of the pool, so the characters of an alphabet are built of the same parts and easily confused.
Twenty drawers draw each character once, each with a hand of their own, and no two drawings are
equal. They are written to disk as Omniglot's are (105 x 105 pixels, 1 bit, black ink on white) and
read by Omniglot's reader.

The pen and the deviations below are chosen to make the set as hard as Omniglot: about equal are the
mean ink and, on characters never seen, the accuracies of nearest neighbours in pixels, of an
untrained Conv-4 encoder and of one trained for a minute.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from datasets.dataset import Dataset
from datasets.sets import omniglot
from datasets.standins.standin import generated_folder

VERSION = 1  # part of the folder name: to be raised with every change that moves a pixel
ALPHABETS = [("images_background", 24)] * 12 + [("images_evaluation", 20)] * 5  # part, characters
VALIDATION_ALPHABETS = 2  # the last ones of the background set
DRAWERS = 20

POOL = 14  # strokes that the characters of an alphabet share
STROKES = {1: 0.1, 2: 0.3, 3: 0.35, 4: 0.25}  # strokes in a character: probability
STEPS = {1: 0.4, 2: 0.3, 3: 0.2, 4: 0.1}  # steps over the lattice in a stroke: probability
DISTINCT = 80  # pixels in which the ideal drawings of two characters differ at least

SIDE = 105  # pixels
MARGIN = 4  # pixels around a drawing that stay white
EXTENT = 70  # pixels along the longer side of the lattice, for a drawer of mean size
PEN = 5  # pixels

# Standard deviations of what makes two drawings of a character differ: first from drawer to drawer,
SIZE, ASPECT = 0.18, 0.1  # of logarithms
ROTATION, SLANT = 0.07, 0.15  # radians, tangent
OFFSET = 4  # pixels
SLOPPINESS = 0.3  # of its logarithm
# then from drawing to drawing, for a drawer of sloppiness 1. The unit is the lattice's longer side;
PLACE = 0.06  # a place of the lattice: strokes that meet there still nearly meet
STROKE = 0.03  # a whole stroke
POINT = 0.02  # a point of a stroke
OVERSHOOT = 0.1  # the ends of a stroke: share of the first and last step
# here it is pixels.
SHIFT = 3  # the whole drawing
TREMOR = 0.6  # the points that the pen goes through
TREMOR_STEP = 3  # points from one independent deviation to the next
POINT_STEP = 4  # pixels from point to point


@dataclass(frozen=True)
class Stroke:
    """A walk over the lattice."""

    points: np.ndarray  # [point, xy], from 0 to 1
    curved: bool


@dataclass(frozen=True)
class Hand:
    """What all drawings of one drawer have in common."""

    transform: np.ndarray  # [xy, xy], size, slant and rotation
    offset: np.ndarray  # [xy] pixels
    sloppiness: float  # factor on all deviations from drawing to drawing


PERFECT_HAND = Hand(transform=np.eye(2), offset=np.zeros(2), sloppiness=0.0)


def load(root=None, offline: bool = False, size: int = 28, generator_seed: int = 0) -> Dataset:
    """Stroke characters, drawn on the first call and read from the cache folder afterwards.

    Args:
        root, offline: not needed (nothing is searched for or downloaded); accepted because
            all loaders are called alike.
        size: side of the images in pixels.
        generator_seed: another seed gives other alphabets and other drawers.

    Returns:
        Dataset with uint8 ``[item, size, size]`` images and the splits ``train``, ``val``,
        ``test``, ``trainval``, ``background`` and ``evaluation``, all by alphabet.

    Raises:
        DataError: the cache folder cannot be written or what it holds cannot be read.
    """
    name = f"strokes-v{VERSION}-seed{generator_seed}"
    folder = generated_folder(name, lambda part: write(part, generator_seed))
    items, names, part = omniglot.read_set(folder / "omniglot", size)
    source = str(folder / "omniglot")
    return omniglot.to_dataset("strokes", items, names, splits(names, part), source, generated=True)


def splits(names: list[str], part: np.ndarray) -> dict[str, np.ndarray]:
    """Whole alphabets: the last of the background set validate, the evaluation set tests."""
    alphabet = np.array([name.split("/")[0] for name in names])
    validation = np.isin(alphabet, np.unique(alphabet[part == 0])[-VALIDATION_ALPHABETS:])
    return omniglot.official_splits(part) | {
        "train": np.flatnonzero((part == 0) & ~validation),
        "val": np.flatnonzero(validation),
        "test": np.flatnonzero(part == 1),
        "trainval": np.flatnonzero(part == 0),
    }


def write(folder: Path, seed: int = 0) -> None:
    """Write ``omniglot/<part>/<alphabet>/character<NN>/<NNNN>_<drawer>.png`` below a folder."""
    number = 0  # Omniglot's file names count the characters of all alphabets
    for alphabet, (part, n_characters) in enumerate(ALPHABETS, start=1):
        rng = np.random.default_rng([seed, alphabet])
        characters = invent_alphabet(rng, n_characters)
        hands = [invent_hand(rng) for _ in range(DRAWERS)]
        for index, character in enumerate(characters, start=1):
            number += 1
            place = folder / f"omniglot/{part}/Strokes_{alphabet:02d}/character{index:02d}"
            place.mkdir(parents=True)
            for drawer, hand in enumerate(hands, start=1):
                draw(character, hand, rng).save(place / f"{number:04d}_{drawer:02d}.png")


# --- characters and drawers -----------------------------------------------------------------------


def invent_alphabet(rng: np.random.Generator, n_characters: int) -> list[list[Stroke]]:
    """Characters made of a common pool of strokes, no two of which look the same."""
    lattice = rng.integers([2, 3], [4, 5])  # [xy] places
    curved_share = rng.uniform()
    pool = [invent_stroke(rng, lattice, curved_share) for _ in range(POOL)]
    characters, pictures = [], []
    while len(characters) < n_characters:
        n_strokes = pick(rng, STROKES)
        character = [pool[i] for i in rng.choice(POOL, n_strokes, replace=False)]
        picture = np.array(draw(character, PERFECT_HAND, rng))  # [height, width]
        if all(np.sum(picture != other) >= DISTINCT for other in pictures):
            characters.append(character)
            pictures.append(picture)
    return characters


def invent_stroke(rng: np.random.Generator, lattice: np.ndarray, curved_share: float) -> Stroke:
    """A walk that does not turn back on its own line."""
    points, steps = [rng.integers(lattice)], [np.zeros(2)]
    n_steps = pick(rng, STEPS)
    while len(points) <= n_steps:
        # The shorter of two: long steps are rarer than short ones.
        step = min((rng.integers(lattice) - points[-1] for _ in range(2)), key=np.linalg.norm)
        cosine = step @ steps[-1] / (np.linalg.norm(step) * np.linalg.norm(steps[-1]) + 1e-9)
        if step.any() and cosine > -0.8:
            points.append(points[-1] + step)
            steps.append(step)
    return Stroke(np.array(points) / (lattice.max() - 1), bool(rng.uniform() < curved_share))


def pick(rng: np.random.Generator, probability: dict[int, float]) -> int:
    """One of the numbers, each with its probability."""
    return rng.choice(list(probability), p=list(probability.values()))


def invent_hand(rng: np.random.Generator) -> Hand:
    """Size, slant, rotation, place and sloppiness of one drawer."""
    scale = np.diag(np.exp(rng.normal(0, SIZE) + rng.normal(0, ASPECT, 2)))
    slant = np.array([[1, rng.normal(0, SLANT)], [0, 1]])
    angle = rng.normal(0, ROTATION)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Hand(
        transform=rotation @ slant @ scale,
        offset=rng.normal(0, OFFSET, 2),
        sloppiness=np.exp(rng.normal(0, SLOPPINESS)),
    )


# --- drawing --------------------------------------------------------------------------------------


def draw(character: list[Stroke], hand: Hand, rng: np.random.Generator) -> Image.Image:
    """One drawing of a character: 1-bit image, 0 is ink and 1 is paper."""
    image = Image.new("1", (SIDE, SIDE), 1)
    pen = ImageDraw.Draw(image)
    for line in keep_inside(trace(character, hand, rng)):
        pen.line([tuple(point) for point in line.tolist()], fill=0, width=PEN, joint="curve")
    return image


def trace(character: list[Stroke], hand: Hand, rng: np.random.Generator) -> list[np.ndarray]:
    """The lines that the pen follows, ``[point, xy]`` in pixels from the middle of the image."""

    def noise(deviation, shape):
        return rng.normal(0, deviation * hand.sloppiness, shape)

    places = np.unique(np.concatenate([stroke.points for stroke in character]), axis=0)
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    place_moves = dict(zip(map(tuple, places), noise(PLACE, places.shape), strict=True))
    shift = hand.offset + noise(SHIFT, 2)
    lines = []
    for stroke in character:
        points = stroke.points - middle + [place_moves[tuple(place)] for place in stroke.points]
        points += noise(STROKE, 2) + noise(POINT, points.shape)
        points[[0, -1]] += noise(OVERSHOOT, (2, 1)) * (points[[0, -1]] - points[[1, -2]])
        if stroke.curved:
            points = round_corners(points)
        line = even_steps(EXTENT * points @ hand.transform.T + shift, POINT_STEP)
        knots = noise(TREMOR, (len(line) // TREMOR_STEP + 2, 2))
        at = np.arange(len(line)) / TREMOR_STEP
        lines.append(line + between(at, np.arange(len(knots)), knots))
    return lines


def keep_inside(lines: list[np.ndarray]) -> list[np.ndarray]:
    """From pixels around the middle to pixels of the image, shrunk or moved where it must fit."""
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = min(1, (SIDE - 2 * MARGIN) / (high - low).max())
    origin = np.clip(SIDE / 2, MARGIN - scale * low, SIDE - MARGIN - scale * high)
    return [scale * line + origin for line in lines]


def round_corners(points: np.ndarray) -> np.ndarray:
    """Corner cutting (Chaikin, 1974), three times; the ends stay."""
    for _ in range(3):
        start, stop = points[:-1], points[1:]
        cut = np.stack([0.75 * start + 0.25 * stop, 0.25 * start + 0.75 * stop], axis=1)
        cut = cut.reshape(-1, 2)  # [2 * (point - 1), xy]
        points = np.concatenate([points[:1], cut[1:-1], points[-1:]])
    return points


def even_steps(points: np.ndarray, step: float) -> np.ndarray:
    """Points along the same line, about ``step`` pixels apart, at least its two ends."""
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    at = np.concatenate([[0], np.cumsum(lengths)])
    return between(np.linspace(0, at[-1], max(2, round(at[-1] / step) + 1)), at, points)


def between(at: np.ndarray, known_at: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Linear interpolation of points ``[point, xy]``."""
    return np.stack([np.interp(at, known_at, known[:, axis]) for axis in (0, 1)], axis=1)

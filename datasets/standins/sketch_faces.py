"""Sketched faces: the generated stand-in for the ORL faces.

Forty people, ten pictures of each. A person is a set of proportions and tones; a picture adds a
pose, an expression, light and noise. It is painted in layers of soft ellipses, written to disk as
the ORL faces are (``s1/1.pgm``, 92 x 112 pixels, 8 bit) and read by their reader. How much people
and pictures differ is chosen so that raw pixels tell people apart about as well as they do on the
ORL faces.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.dataset import Dataset
from datasets.readers.pgm import write_pgm
from datasets.sets import faces
from datasets.standins.standin import generated_folder

VERSION = 1  # part of the folder name: to be raised with every change that moves a pixel
PEOPLE, PICTURES = faces.PEOPLE, faces.PICTURES
HEIGHT, WIDTH = 112, 92  # pixels
UNIT = 48  # pixels that make one unit: half the height of a mean head
CENTRE = 46, 60  # pixels, x and y of the middle of the head
SOFTNESS = 0.03  # units on both sides of an edge over which it fades
GRAIN = 0.012  # standard deviation of the noise
FRAME = 0.15  # tone of glasses


@dataclass(frozen=True)
class Person:
    """What stays the same in all pictures of a person; lengths in units, tones from 0 to 1."""

    head_width: float
    jaw: float  # how much narrower the head is at the chin than at the temples
    skin: float
    hair: float
    hairline: float  # height above the middle of the head
    parting: float  # slope of the hairline
    hair_volume: float
    hair_length: float  # how far it hangs down beside the head
    eye_distance: float
    eye_height: float
    eye_size: float
    brow_height: float  # above the eyes
    brow_weight: float
    brow_tilt: float
    nose_length: float
    nose_width: float
    mouth_height: float
    mouth_width: float
    lips: float  # thickness
    moustache: float  # darkness, 0 for none
    beard: float  # darkness, 0 for none
    glasses: float  # radius, 0 for none
    clothes: float


@dataclass(frozen=True)
class Picture:
    """What differs between the pictures of a person."""

    x: float  # shift of the head, units
    y: float
    scale: float
    roll: float  # radians
    yaw: float  # shift of the features on the head, units, to the side
    pitch: float  # and downwards
    smile: float  # bend of the mouth, negative for the opposite
    mouth_open: float  # units
    eyes_open: float  # height of the eye over its width
    gaze: float  # to the side, in sizes of the eye
    brows: float  # raised by so much
    wears_glasses: bool  # if the person has any
    light: float  # brighter to the right by this share per unit
    exposure: float  # factor
    background: float


def load(
    root=None, offline: bool = False, test_people: int = 10, seed: int = 0, generator_seed: int = 0
) -> Dataset:
    """Sketched faces, drawn on the first call and read from the cache folder afterwards.

    Args:
        root, offline: not needed (nothing is searched for or downloaded); accepted because
            all loaders are called alike.
        test_people, seed: see ``faces.people_split``.
        generator_seed: another seed gives other people.

    Returns:
        Dataset with items uint8 [400, 112, 92], classes s1 to s40, and the splits ``train``,
        ``test`` and ``all``.

    Raises:
        DataError: the cache folder cannot be written or what it holds cannot be read.
    """
    name = f"sketch_faces-v{VERSION}-seed{generator_seed}"
    folder = generated_folder(name, lambda part: write(part, generator_seed)) / "orl_faces"
    return faces.read_tree(folder, "sketch_faces", True, test_people, seed)


def write(folder: Path, seed: int = 0) -> None:
    """Write ``orl_faces/s<person>/<picture>.pgm`` below a folder."""
    for person, album in enumerate(albums(seed), start=1):
        place = folder / "orl_faces" / f"s{person}"
        place.mkdir(parents=True)
        for number, pixels in enumerate(album, start=1):
            write_pgm(place / f"{number}.pgm", pixels)


def albums(seed: int) -> Iterator[list[np.ndarray]]:
    """For each person the pictures, ``[height, width]`` uint8."""
    for number in range(PEOPLE):
        rng = np.random.default_rng([seed, number])
        person = invent_person(rng)
        backdrop = rng.normal(0.4, 0.03)
        yield [paint(person, invent_picture(rng, backdrop), rng) for _ in range(PICTURES)]


def invent_person(rng: np.random.Generator) -> Person:
    """Proportions and tones; those of most people are near the mean."""

    def sometimes(probability, low, high):
        return rng.uniform(low, high) if rng.uniform() < probability else 0.0

    return Person(
        head_width=rng.normal(0.76, 0.04),
        jaw=rng.uniform(0.05, 0.35),
        skin=np.clip(rng.normal(0.6, 0.07), 0.3, 0.75),
        hair=rng.choice([0.12, 0.2, 0.3, 0.55], p=[0.4, 0.3, 0.2, 0.1]) + rng.normal(0, 0.02),
        hairline=rng.normal(0.68, 0.13),
        parting=rng.normal(0, 0.15),
        hair_volume=rng.uniform(0.03, 0.16),
        hair_length=rng.choice([-0.3, 0.2, 0.9], p=[0.55, 0.25, 0.2]) + rng.normal(0, 0.08),
        eye_distance=rng.normal(0.32, 0.025),
        eye_height=rng.normal(0.1, 0.03),
        eye_size=rng.normal(0.13, 0.012),
        brow_height=rng.normal(0.18, 0.025),
        brow_weight=rng.uniform(0.02, 0.05),
        brow_tilt=rng.normal(0.05, 0.1),
        nose_length=rng.normal(0.42, 0.04),
        nose_width=rng.normal(0.15, 0.025),
        mouth_height=rng.normal(0.53, 0.03),
        mouth_width=rng.normal(0.27, 0.03),
        lips=rng.uniform(0.025, 0.06),
        moustache=sometimes(0.2, 0.3, 0.9),
        beard=sometimes(0.2, 0.2, 0.9),
        glasses=sometimes(0.3, 0.17, 0.23),
        clothes=rng.uniform(0.1, 0.8),
    )


def invent_picture(rng: np.random.Generator, backdrop: float) -> Picture:
    """Pose, expression and light; ``backdrop`` is the person's usual background."""
    unrest = rng.choice([0.3, 1.0])  # some pictures are almost equal, as taken one after the other
    return Picture(
        x=rng.normal(0, 0.05 * unrest),
        y=rng.normal(0, 0.035 * unrest),
        scale=np.exp(rng.normal(0, 0.03 * unrest)),
        roll=rng.normal(0, 0.05 * unrest),
        yaw=rng.normal(0, 0.13 * unrest),
        pitch=rng.normal(0, 0.05 * unrest),
        smile=rng.normal(0.1, 0.3),
        mouth_open=max(0.0, rng.normal(-0.04, 0.07)),
        eyes_open=np.clip(rng.normal(0.5, 0.12), 0.05, 0.7),
        gaze=rng.normal(0, 0.12),
        brows=rng.normal(0, 0.02),
        wears_glasses=rng.uniform() < 0.8,
        light=rng.normal(0, 0.15 * unrest),
        exposure=np.exp(rng.normal(0, 0.04 * unrest)),
        background=backdrop + rng.normal(0, 0.02 * unrest),
    )


# --- painting -------------------------------------------------------------------------------------


def paint(person: Person, picture: Picture, rng: np.random.Generator) -> np.ndarray:
    """One picture, ``[height, width]`` uint8, painted from the backdrop forward."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    right = (columns - CENTRE[0]) / UNIT - picture.x  # [height, width] units
    down = (rows - CENTRE[1]) / UNIT - picture.y
    cos, sin = np.cos(picture.roll) / picture.scale, np.sin(picture.roll) / picture.scale
    x, y = cos * right + sin * down, cos * down - sin * right  # on the head
    # A head that turns shows its features aside, in the middle of the face more than at its edge.
    depth = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    across, below = x - picture.yaw * depth, y - picture.pitch * depth

    image = np.full((HEIGHT, WIDTH), picture.background)
    cover(image, ellipse(right, down, (0, 1.75), (1.25, 0.75)), person.clothes)
    cover(image, ellipse(x, y, (0, 0.9), (0.42, 0.6)), 0.75 * person.skin)
    paint_head(image, x, y, person)
    paint_beard(image, across, below, person)
    paint_mouth(image, across, below, person, picture)
    paint_nose(image, across, below, person)
    for side in (-1, 1):
        paint_eye(image, side * across, below, side * picture.gaze, person, picture)
        if person.glasses and picture.wears_glasses:
            paint_glass(image, side * across, below, person)
    image *= picture.exposure * (1 + picture.light * right)
    image += rng.normal(0, GRAIN, image.shape)
    return np.clip(255 * image, 0, 255).round().astype(np.uint8)


def paint_head(image, x, y, person):
    """Hair that hangs down, ears, head, hair on top."""
    width, volume = person.head_width, person.hair_volume
    hanging = inside(width + volume - np.abs(x)) * inside(y + 0.2) * inside(person.hair_length - y)
    cover(image, hanging, person.hair)
    for side in (-1, 1):
        cover(image, ellipse(x, y, (side * width, 0.1), (0.09, 0.18)), 0.85 * person.skin)
    narrowed = width * (1 - person.jaw * np.clip(y, 0, 1) ** 1.5)  # [height, width]
    head = ellipse(x / narrowed, y, (0, 0), (1, 1))
    cover(image, head, person.skin * (1.08 - 0.3 * x**2 - 0.15 * y**2))
    hairline = person.parting * x + 1.1 * x**2 - person.hairline
    hair = ellipse(x, y, (0, -0.1), (width + volume, 0.9 + volume))
    cover(image, hair * inside(hairline - y, 0.04), person.hair * (1.15 - 0.3 * np.abs(x)))


def paint_beard(image, x, y, person):
    """A beard that reaches up at the sides, and a moustache."""
    face = ellipse(x, y, (0, 0), (person.head_width - 0.03, 1))
    chin = inside(y - person.mouth_height + 0.8 * np.abs(x) - 0.14, 0.08)
    cover(image, person.beard * face * chin, person.hair)
    lip = ellipse(x, y, (0, person.mouth_height - 0.1), (person.mouth_width, 0.06))
    cover(image, person.moustache * lip, person.hair)


def paint_mouth(image, x, y, person, picture):
    """Lips along a line that a smile bends, teeth and dark between them."""
    width = person.mouth_width * (1 + 0.25 * picture.smile)
    bend = y - person.mouth_height - picture.smile * (0.08 - 1.2 * x**2)  # 0 on the line
    lips, opening = person.lips + picture.mouth_open, picture.mouth_open
    cover(image, ellipse(x, bend, (0, 0), (width, lips)), 0.65 * person.skin)
    cover(image, ellipse(x, bend, (0, 0), (0.9 * width, 0.012 + opening)), 0.12)
    if opening > 0.03:
        cover(image, ellipse(x, bend, (0, -opening / 2), (0.7 * width, opening / 3)), 0.8)


def paint_nose(image, x, y, person):
    """A lit ridge, the shadow beside it, the nostrils."""
    tip, half = person.nose_length - person.eye_height, person.nose_length / 2
    cover(image, 0.35 * ellipse(x, y, (0.06, tip - half), (0.06, half)), 0.6 * person.skin)
    cover(image, 0.5 * ellipse(x, y, (0, tip - half), (0.05, half)), 1.2 * person.skin)
    cover(image, 0.5 * ellipse(x, y, (0, tip + 0.02), (person.nose_width, 0.05)), 0.6 * person.skin)
    for side in (-1, 1):
        nostril = ellipse(x, y, (side * 0.5 * person.nose_width, tip + 0.03), (0.03, 0.02))
        cover(image, 0.8 * nostril, 0.15)


def paint_eye(image, x, y, gaze, person, picture):
    """One eye and its brow; ``x`` and ``gaze`` point away from the nose."""
    x, y = x - person.eye_distance, y + person.eye_height  # from the middle of the eye
    size, opening = person.eye_size, person.eye_size * picture.eyes_open
    cover(image, 0.4 * ellipse(x, y, (0, 0), (1.5 * size, 1.1 * size)), 0.6 * person.skin)  # socket
    white = ellipse(x, y, (0, 0), (size, opening))
    cover(image, white, 0.8)
    cover(image, white * ellipse(x, y, (gaze * size, 0), (0.45 * size, 0.45 * size)), 0.1)
    lid = y + opening * (1 - (x / size) ** 2)  # 0 on the edge of the lid
    cover(image, ellipse(x, lid, (0, 0), (1.1 * size, 0.03)), 0.2)
    brow = y + person.brow_height + picture.brows + person.brow_tilt * x - 1.2 * x**2  # 0 on it
    cover(image, 0.9 * ellipse(x, brow, (0, 0), (1.4 * size, person.brow_weight)), person.hair)


def paint_glass(image, x, y, person):
    """A round rim, half the bridge and the arm to the ear; ``x`` points away from the nose."""
    rim = np.hypot(x - person.eye_distance, 1.15 * (y + person.eye_height - 0.02)) - person.glasses
    cover(image, inside(0.022 - np.abs(rim)), FRAME)
    bar = inside(0.02 - np.abs(y + person.eye_height)) * inside(rim)
    cover(image, bar * inside(x) * inside(person.head_width - x), FRAME)


def cover(image: np.ndarray, mask: np.ndarray, tone) -> None:
    """Paint a tone where the mask is 1, nothing where it is 0."""
    image += mask * (tone - image)


def ellipse(x, y, centre, radii) -> np.ndarray:
    """Mask of an ellipse with soft edge."""
    x, y = (x - centre[0]) / radii[0], (y - centre[1]) / radii[1]
    radius = np.hypot(x, y) + 1e-6  # 1 on the edge
    # Distance to the edge to first order: (1 - radius) over the length of the gradient of radius.
    return inside((1 - radius) * radius / (np.hypot(x / radii[0], y / radii[1]) + 1e-6))


def inside(distance, softness=SOFTNESS) -> np.ndarray:
    """0 to 1 with the distance, in units, from outside an edge (negative) to inside it."""
    return np.clip(0.5 + distance / (2 * softness), 0, 1)

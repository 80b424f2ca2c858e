"""Omniglot: 1623 characters of 50 alphabets, each drawn once by 20 people (Lake et al., 2015).

Images become uint8 with ink = 255 and paper = 0. The originals are one bit deep: they are turned to
grey before they are shrunk, since shrinking one-bit pixels drops strokes (erratum E3.13).
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.readers.files import read_bytes
from datasets.sets import arrays, remote, sources

PARTS = ("images_background", "images_evaluation")
DRAWINGS = 20  # drawings of each character, one per person
VALIDATION_ALPHABETS = ("Armenian", "Bengali", "Early_Aramaic", "Hebrew", "Mkhedruli_(Georgian)")
FIRST_TEST_CHARACTER = ("Gurmukhi", 42)
MAX_IMAGE, MAX_UNPACKED = 2**20, 2**28  # bytes of a drawing, and of all of an archive
MEMBER = re.compile(r"(images_\w+)/([^/]+)/character(\d+)/(\d+)_(\d+)\.png$")


def load(root=None, offline: bool = False, size: int = 28) -> Dataset:
    """The 1623 characters with the splits of ``vinyals_splits`` and ``official_splits``.

    Args:
        root: data folder searched first (see ``datasets.home``).
        offline: never download.
        size: height and width in pixels of the returned images.

    Returns:
        Dataset with items uint8 [32460, size, size], classes named ``Alphabet/characterNN``.

    Raises:
        DataError: the data cannot be found or fetched, or a file of it is broken.
    """
    folder = sources.locate("omniglot", root, offline)
    items, names, part = read_set(folder, size)
    splits = vinyals_splits(names, part) | official_splits(part)
    return to_dataset("omniglot", items, names, splits, source=str(folder))


def to_dataset(name, items, names, splits, source, generated=False) -> Dataset:
    """Put ``read_set``'s arrays [class, drawing, size, size] into a Dataset."""
    classes, drawings = items.shape[:2]
    return Dataset(
        name=name,
        items=items.reshape(-1, *items.shape[2:]),  # [class * drawing, size, size]
        item_class=np.repeat(np.arange(classes, dtype=np.int32), drawings),
        class_names=tuple(names),
        splits=splits,
        generated=generated,
        source=source,
    )


def official_splits(part: np.ndarray) -> dict[str, np.ndarray]:
    """The background and evaluation sets of the publisher, as class indices."""
    return {
        "background": np.flatnonzero(part == 0),
        "evaluation": np.flatnonzero(part == 1),
    }


def vinyals_splits(names: list[str], part: np.ndarray) -> dict[str, np.ndarray]:
    """The split of Vinyals et al. as Snell et al. published it, from its rule.

    Validation is five background alphabets (172 characters). Test is the evaluation alphabets in
    name order from character 42 of Gurmukhi to the end (423). Training is the rest (1028); trainval
    is training and validation together.
    """
    alphabet = np.array([name.split("/")[0] for name in names])
    number = np.array([int(name[-2:]) for name in names])
    first_alphabet, first_number = FIRST_TEST_CHARACTER
    validation = np.isin(alphabet, VALIDATION_ALPHABETS)
    after = (alphabet > first_alphabet) | ((alphabet == first_alphabet) & (number >= first_number))
    test = (part == 1) & after
    return {
        "train": np.flatnonzero(~validation & ~test),
        "val": np.flatnonzero(validation),
        "test": np.flatnonzero(test),
        "trainval": np.flatnonzero(~test),
    }


def read_set(folder: Path, size: int = 28) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Read a folder in Omniglot's layout, from its zips or from unpacked folders.

    The result is kept as one array in the cache folder, keyed by names, sizes and times of the
    source files.

    Returns:
        items uint8 [class, drawing, size, size] with ink = 255, drawings in the order of people;
        class names ``Alphabet/characterNN`` (background first, then by name);
        part [class], 0 for background and 1 for evaluation.

    Raises:
        DataError: a part is missing, a character has not 20 drawings, an image is unreadable.
    """
    cached = arrays.place(f"omniglot-{size}", folder, _sources(folder))
    found = _load_cache(cached, size)
    if found is None:
        found = _read_images(folder, size)
        items, names, part = found
        arrays.save(cached, items=items, names=np.array(names), part=part)
    return found


def _load_cache(path: Path, size: int):
    """What ``read_set`` returns, from its cache; None when that is absent or damaged."""
    saved = arrays.load(path, "items", "names", "part")
    if saved is None:
        return None
    items, names, part = saved
    whole = items.shape == (len(names), DRAWINGS, size, size) and items.dtype == np.uint8
    return (items, names.tolist(), part) if whole and part.shape == (len(names),) else None


def _read_images(folder: Path, size: int):
    drawings: dict[tuple[int, str], dict[int, np.ndarray]] = {}
    for member, content in _members(folder):
        match = MEMBER.search(member)
        if match is None:
            continue
        key = PARTS.index(match[1]), f"{match[2]}/character{int(match[3]):02d}"
        by_person = drawings.setdefault(key, {})
        if int(match[5]) in by_person:  # as of character1 beside character01
            raise DataError(
                f"{folder} has drawing {int(match[5])} of {key[1]} twice, the second time as "
                f"{member}; keep one of them."
            )
        by_person[int(match[5])] = _shrink(member, content, size)
    for (_, name), by_person in drawings.items():
        if len(by_person) != DRAWINGS:
            raise DataError(
                f"Omniglot character {name} in {folder} has {len(by_person)} drawings, expected "
                f"{DRAWINGS}; remove the folder and fetch the set again."
            )
    keys = sorted(drawings)
    if {part for part, _ in keys} != {0, 1}:
        raise DataError(
            f"{folder} holds no complete Omniglot: expected {PARTS[0]} and {PARTS[1]}, as zip "
            "files or folders of Alphabet/characterNN/XXXX_NN.png."
        )
    items = np.stack([[drawings[key][person] for person in sorted(drawings[key])] for key in keys])
    return items, [name for _, name in keys], np.array([part for part, _ in keys])


def _members(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every image of both parts."""
    for part in PARTS:
        archive = folder / f"{part}.zip"
        if (folder / part).is_dir():
            for path in sorted((folder / part).glob("*/*/*.png")):
                yield path.relative_to(folder).as_posix(), read_bytes(path, MAX_IMAGE)
        elif archive.is_file():  # a pipe would be waited for without end
            yield from remote.zip_members(archive, ".png", MAX_UNPACKED)


def _shrink(name: str, content: bytes, size: int) -> np.ndarray:
    """PNG bytes to uint8 [size, size], ink = 255."""
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            grey = image.convert("L").resize((size, size), Image.Resampling.BILINEAR)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"Omniglot image {name} cannot be read ({error}).") from error
    return 255 - np.asarray(grey)


def _sources(folder: Path) -> Iterator[Path]:
    """The files that ``read_set`` reads."""
    for part in PARTS:
        unpacked, archive = folder / part, folder / f"{part}.zip"
        yield from sorted(unpacked.glob("*/*/*.png")) if unpacked.is_dir() else [archive]

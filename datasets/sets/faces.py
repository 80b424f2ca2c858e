"""ORL faces (AT&T Laboratories Cambridge): 40 people, 10 grey pictures of 112 x 92 pixels each."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.readers.files import read_bytes
from datasets.readers.pgm import read_pgm
from datasets.sets import remote, sources
from datasets.splits import random_split

PEOPLE, PICTURES = 40, 10
ARCHIVE = "att_faces.zip"
MEMBER = re.compile(r"(?:^|/)s([0-9]+)/([0-9]+)\.pgm$")
MAX_PICTURE, MAX_UNPACKED = 10_000_000, 2**28  # bytes of a picture, and of all of an archive


def load(root=None, offline: bool = False, test_people: int = 10, seed: int = 0) -> Dataset:
    """The 400 pictures, split by person.

    Args:
        root: data folder searched first (see ``datasets.home``).
        offline: never download.
        test_people, seed: see ``people_split``.

    Returns:
        Dataset with items uint8 [400, 112, 92] in the order s1/1, s1/2, ... s40/10, classes s1 to
        s40, and the splits ``train``, ``test`` and ``all``.

    Raises:
        DataError: the data cannot be found or fetched, a picture is broken or missing.
    """
    folder = sources.locate("orl_faces", root, offline)
    faces = read_tree(folder, "orl_faces", test_people=test_people, seed=seed)
    counts = np.bincount(faces.item_class)
    if len(counts) != PEOPLE or (counts != PICTURES).any():
        raise DataError(
            f"{faces.source} holds {len(faces.items)} pictures of {len(counts)} people; the ORL "
            f"faces are {PICTURES} of each of {PEOPLE} people: move it away and run "
            "`python -m datasets get orl_faces`."
        )
    return faces


def read_tree(
    folder: Path, name: str, generated: bool = False, test_people: int = 10, seed: int = 0
) -> Dataset:
    """Read ``s<person>/<picture>.pgm`` below a folder, or inside its ``att_faces.zip``.

    Numbers sort as numbers. Everything else in the folder or archive is ignored.

    Args:
        folder: the folder that holds the archive or the people's folders.
        name, generated: name of the data set, and whether it is a stand-in.
        test_people, seed: see ``people_split``.

    Returns:
        Dataset with items uint8 (uint16 where maxval is above 255) [picture, height, width].

    Raises:
        DataError: no pictures, a broken one, the same one twice, or pictures of different sizes.
    """
    archive = folder / ARCHIVE
    source = archive if archive.is_file() else folder
    pictures = {}  # (person, picture) -> [height, width]
    for member, content in _members(folder):
        match = MEMBER.search(member)
        if match is None:
            continue
        key = tuple(map(int, match.groups()))
        if key in pictures:
            raise DataError(f"{source} holds two pictures s{key[0]}/{key[1]}.pgm; expected one.")
        pictures[key] = read_pgm(content, f"{source}/{member}")
    if not pictures:
        raise DataError(f"{source} holds no pictures; expected s1/1.pgm and so on.")
    sizes = {picture.shape for picture in pictures.values()}
    if len(sizes) > 1:
        raise DataError(f"{source} holds pictures of the sizes {sorted(sizes)}; expected one size.")

    keys = sorted(pictures)
    people, item_class = np.unique([person for person, _ in keys], return_inverse=True)
    return Dataset(
        name=name,
        items=np.stack([pictures[key] for key in keys]),  # [picture, height, width]
        item_class=item_class.astype(np.int32),
        class_names=tuple(f"s{person}" for person in people),
        splits=people_split(len(people), test_people, seed),
        generated=generated,
        source=str(source),
    )


def people_split(n_people: int, test_people: int, seed: int) -> dict[str, np.ndarray]:
    """Splits ``train``, ``test`` and ``all`` by person: nobody tested is seen in training.

    The rule of ``datasets.splits.random_split``; DataError if nobody is left for training.
    """
    return random_split(n_people, {"test": test_people}, seed)


def _members(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every picture, packed or not; nothing is unpacked to disk."""
    archive = folder / ARCHIVE
    if archive.is_file():  # a pipe would be waited for without end
        yield from remote.zip_members(archive, ".pgm", MAX_UNPACKED)
        return
    for path in sorted(folder.glob("s*/*.pgm")):
        yield path.relative_to(folder).as_posix(), read_bytes(path, MAX_PICTURE)

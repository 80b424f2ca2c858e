"""Where the real sets come from, what they must contain, and where they lie on this machine.

Nothing is downloaded that lies in one of the data folders already. Addresses and digests stand here
and nowhere else. The digests are over contents (see ``remote.digest``), so an archive that somebody
packed anew passes and one changed pixel does not.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets import home
from datasets.errors import DataError
from datasets.sets import remote
from datasets.sets.remote import RemoteFile


@dataclass(frozen=True)
class Part:
    """A piece of a set, which may lie on disk in one of several layouts with the same contents.

    Attributes:
        layouts: archives or folders below the set's folder; ``.`` is that folder itself.
        suffix: ending of the files that count.
        files: how many of them there are.
        digest: ``remote.digest`` over them.
        entries: files or folders without which a folder is not the set.
    """

    layouts: tuple[str, ...]
    suffix: str
    files: int
    digest: str
    entries: tuple[str, ...] = ()

    def find(self, folder: Path) -> Path | None:
        """The first layout there is below the set's folder, or None."""
        for layout in self.layouts:
            path = folder / layout
            if path.is_file() or (path.is_dir() and self._is_layout(path)):
                return path
        return None

    def __str__(self) -> str:
        """The layouts in words, for messages."""
        inside = f"{self.entries[0]} ... {self.entries[-1]}" if self.entries else ""
        return " or ".join(inside if layout == "." else layout for layout in self.layouts)

    def _is_layout(self, path: Path) -> bool:
        return any(path.iterdir()) and all((path / name).exists() for name in self.entries)


@dataclass(frozen=True)
class Source:
    """A published set.

    Attributes:
        folder: its folder below each data folder.
        parts: what that folder must hold.
        fetch: downloads what is missing, given the set's folder and whether the network is
            forbidden.
        megabytes: size of the download.
        stand_in: the generated set that replaces it where there is no network.
    """

    folder: str
    parts: tuple[Part, ...]
    fetch: Callable[[Path, bool], None]
    megabytes: float
    stand_in: str

    def missing(self, folder: Path) -> list[str]:
        """The parts that the set's folder does not hold, in words."""
        try:
            return [str(part) for part in self.parts if not part.find(folder)]
        except OSError as error:
            raise DataError(f"Cannot read {folder}: {error.strerror or error}.") from error


# --- Omniglot: 964 + 659 characters, 20 drawings each ---------------------------------------------

# The digests are those of a re-packed copy. The official archives are said to be 9,464,212 and
# 6,462,886 bytes long, which is exactly what packing these contents the way macOS does comes to;
# the addresses themselves could not be tried where this was written.
OMNIGLOT_URL = "https://github.com/brendenlake/omniglot/raw/master/python/"
OMNIGLOT_PARTS = (
    Part(
        layouts=("images_background", "images_background.zip"),
        suffix=".png",
        files=19280,
        digest="965681d611da6116338322cb5ec12e84aa2924e70e04097d158180422f2a00b0",
    ),
    Part(
        layouts=("images_evaluation", "images_evaluation.zip"),
        suffix=".png",
        files=13180,
        digest="58e5d2de2f2256fd136263a0e4d9759f077b8a96597bb3d9dc483bd1716dc960",
    ),
)


def fetch_omniglot(folder: Path, offline: bool = False) -> None:
    """The two official archives, left packed: 32,460 small files would take 130 MB of disk."""
    for part in OMNIGLOT_PARTS:
        if not part.find(folder):
            name = part.layouts[-1]
            archive = RemoteFile(name, OMNIGLOT_URL + name, 20_000_000, part.digest, part.suffix)
            remote.fetch(archive, folder, offline)


# --- ORL faces (AT&T Laboratories Cambridge): 40 people, 10 pictures each -------------------------

# Described at https://cam-orl.co.uk/facedatabase.html; the address could not be tried where this
# was written. The book's companion repository also keeps the pictures, but as 400 single files and
# not for their owner, so it is not a second address.
FACES_PART = Part(
    layouts=("att_faces.zip", "."),
    suffix=".pgm",
    files=400,
    digest="aaffeedf61989e82e6b867591795809959ae628395b4e830ac9812c13aa09dc0",
    entries=tuple(f"s{person}" for person in range(1, 41)),
)
FACES_ARCHIVE = RemoteFile(
    name="att_faces.zip",
    url="https://www.cl.cam.ac.uk/Research/DTG/attarchive/pub/data/att_faces.zip",
    max_bytes=20_000_000,
    digest=FACES_PART.digest,
    suffix=FACES_PART.suffix,
)


def fetch_orl_faces(folder: Path, offline: bool = False) -> None:
    """The official archive, unpacked to ``s1/1.pgm`` ... ``s40/10.pgm`` so that one can look."""
    with remote.lock(folder):
        if FACES_PART.find(folder):
            return
        archive = remote.download(FACES_ARCHIVE, folder.parent, offline)
        remote.extract(archive, folder, FACES_ARCHIVE.suffix, FACES_ARCHIVE.max_bytes)
        archive.unlink()


# --- Cats and dogs: 14 + 14 + 14 clips, 16 kHz mono -----------------------------------------------

# The book's companion repository. The file names were checked, the addresses could not be tried.
CLIPS_URL = (
    "https://raw.githubusercontent.com/sudharsan13296/Hands-On-Meta-Learning-With-Python/master/"
    "02.%20Face%20and%20Audio%20Recognition%20using%20Siamese%20Networks/data/audio/"
)
CLIP_NAMES = (
    *(f"Cats/cat_{clip}.wav" for clip in range(1, 15)),
    *(f"Dogs/dog_barking_{clip}.wav" for clip in range(14)),
    *(f"Sub_dogs/dog_barking_{clip}.wav" for clip in range(70, 84)),
)
CLIPS_PART = Part(
    layouts=(".",),
    suffix=".wav",
    files=42,
    digest="3014683d4113d5df82931e7cd7088bf7d0c279441d1bc8928a342dfdd54067d0",
    entries=("Cats", "Dogs", "Sub_dogs"),
)


def fetch_cats_dogs(folder: Path, offline: bool = False) -> None:
    """The 42 clips, one download each, checked together before the folder gets its name."""
    _fetch_each(folder, CLIPS_PART, CLIPS_URL, CLIP_NAMES, offline)


def _fetch_each(folder: Path, wanted: Part, url: str, names: Sequence[str], offline: bool) -> None:
    with remote.lock(folder):
        if wanted.find(folder):
            return
        with remote.part_of(folder) as part:
            for name in names:
                clip = RemoteFile(name, url + name, max_bytes=2_000_000, digest="")
                remote.download(clip, part, offline)
            remote.check(part, wanted.digest, wanted.suffix, name=url)


# --- Emoji: nine open sets, one file each, as iconify keeps them ----------------------------------

# The files were compared with the hashes of this commit's tree; the addresses could not be tried.
EMOJI_URL = (
    "https://raw.githubusercontent.com/iconify/icon-sets/174ea0808b3b4cdd03a6769baee62d0fc6141c77/"
    "json/"
)
EMOJI_PARTS = tuple(
    Part(layouts=(f"{hand}.json",), suffix=".json", files=1, digest=digest)
    for hand, digest in (
        ("noto", "b3deb286139ed971bb47b42ebc94efc0eebc3002efb8097a3a99f684dcf00314"),
        ("noto-v1", "71d528d911d82b4ffeadc401cac5280d300d4df814a2d406757a2579aeeb81c9"),
        ("twemoji", "ac1ef422058cfd8a4803940a8caea453d00340d18b9a0864085b9d908e46f9a3"),
        ("openmoji", "5940a54d7332581b3931026d581c0d158c14334e5a9fec4b297217ea192a13be"),
        ("fluent-emoji-flat", "8d15d8881d780e399e5aed3d7fe28719a698d3a1643913ab10bf899ca2c6d8bd"),
        (
            "fluent-emoji-high-contrast",
            "efe0eddcb9fddb43eeaa092f1f0ac2aa93361f8d24f40224ecc7bb115065ddb4",
        ),
        ("emojione", "1d82e800aec3664aa46e596ebb06e9fc866fc44605d5eaa8eae6e00941c90875"),
        ("emojione-monotone", "f5d54e3e54cd5114c9ea37d6d96f3d90259333b8f719a4cb6a723185ce140f2b"),
        ("emojione-v1", "44a413d7bc6cedc5caeb5bda732fb959af3185a8e57b547e47212a1cbe082f38"),
    )
)


def fetch_emoji(folder: Path, offline: bool = False) -> None:
    """The files that are not there yet."""
    for part in EMOJI_PARTS:
        if not part.find(folder):
            (name,) = part.layouts
            file = RemoteFile(name, EMOJI_URL + name, 2**25, part.digest, part.suffix)
            remote.fetch(file, folder, offline)


# --- Spoken digits: 6 people, 10 digits, the first 20 of their 50 recordings ----------------------

# Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0; the addresses could not be tried.
DIGITS_URL = (
    "https://raw.githubusercontent.com/Jakobovski/free-spoken-digit-dataset/"
    "26eb9aaf76e81b692f806f9140c2d2777410d7a1/recordings/"
)
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
DIGIT_NAMES = tuple(
    f"{digit}_{speaker}_{number}.wav"
    for digit in range(10)
    for speaker in SPEAKERS
    for number in range(20)
)
DIGITS_PART = Part(
    layouts=(".",),
    suffix=".wav",
    files=len(DIGIT_NAMES),
    digest="ec434465e7a76a0a273338c1dd6264bd8fb3f46ecf0909ffcda105fbe0bcbf0c",
    entries=(DIGIT_NAMES[0], DIGIT_NAMES[-1]),
)


def fetch_spoken_digits(folder: Path, offline: bool = False) -> None:
    """The recordings, one download each, checked together before the folder gets its name."""
    _fetch_each(folder, DIGITS_PART, DIGITS_URL, DIGIT_NAMES, offline)


# --- look-up --------------------------------------------------------------------------------------

SOURCES = {
    "omniglot": Source("omniglot", OMNIGLOT_PARTS, fetch_omniglot, 15.9, "strokes"),
    "orl_faces": Source("orl_faces", (FACES_PART,), fetch_orl_faces, 4.5, "sketch_faces"),
    "cats_dogs": Source("audio_cats_dogs", (CLIPS_PART,), fetch_cats_dogs, 8.7, "synth_sounds"),
    "spoken_digits": Source(
        "spoken_digits", (DIGITS_PART,), fetch_spoken_digits, 8.6, "synth_words"
    ),
    "emoji": Source("emoji", EMOJI_PARTS, fetch_emoji, 82.0, "painted_signs"),
}


def locate(name: str, root: str | Path | None = None, offline: bool = False) -> Path:
    """Folder that holds a real set; the set is downloaded into the cache if no folder does.

    Args:
        name: a key of ``SOURCES``.
        root: data folder searched before METAZOO_DATA and the cache.
        offline: forbid the download, as METAZOO_OFFLINE does.

    Returns:
        ``<data folder>/omniglot`` with ``images_background`` and ``images_evaluation``, each a
        folder or a ``.zip``; ``<data folder>/orl_faces`` with ``att_faces.zip`` or ``s1`` ...
        ``s40``; ``<data folder>/audio_cats_dogs`` with ``Cats``, ``Dogs`` and ``Sub_dogs``;
        ``<data folder>/emoji`` with nine ``.json`` files; ``<data folder>/spoken_digits`` with
        1,200 ``.wav`` files.

    Raises:
        DataError: the set is nowhere and cannot be downloaded; names the ways out.
    """
    found = find(name, root)
    return found or fetch(name, home.cache_folder(), offline, home.search_folders(root))


def find(name: str, root: str | Path | None = None) -> Path | None:
    """Folder that holds the set, or None: argument, METAZOO_DATA, cache, in this order."""
    source = SOURCES[name]
    folders = (folder / source.folder for folder in home.search_folders(root))
    return next((folder for folder in folders if not source.missing(folder)), None)


def fetch(
    name: str,
    data_folder: str | Path,
    offline: bool = False,
    searched: Sequence[Path] = (),
) -> Path:
    """Download a real set into a data folder; what is there already stays.

    ``searched`` are the data folders to name in the error, if not only this one.
    """
    source = SOURCES[name]
    data_folder = home.expand(data_folder)
    folder = data_folder / source.folder
    if not source.missing(folder):
        return folder
    ways_out = (
        f"{_searched(source, searched or [data_folder])} Ways out: copy the data to one of these, "
        f"set METAZOO_DATA to a folder with {source.folder}/ in it, run "
        f"`python -m datasets get {name}` with the network allowed (no --offline, no "
        f"METAZOO_OFFLINE), or use the generated stand-in {source.stand_in!r}."
    )
    if home.offline(offline):
        raise DataError(f"The set {name!r} is missing and the network is forbidden. {ways_out}")
    print(f"Fetching {name} ({source.megabytes} MB) into {folder}", file=sys.stderr)
    try:
        source.fetch(folder, offline)
    except DataError as error:
        raise DataError(f"The set {name!r} is missing. {error} {ways_out}") from error
    return folder


def verify(name: str, root: str | Path | None = None) -> Path:
    """Folder of a set that is present, after comparing the digest of its contents.

    Raises:
        DataError: the set is nowhere, or a part of it differs.
    """
    folder = find(name, root)
    if folder is None:
        searched = _searched(SOURCES[name], home.search_folders(root))
        raise DataError(f"The set {name!r} is missing. {searched}")
    for part in SOURCES[name].parts:
        try:
            remote.check(part.find(folder), part.digest, part.suffix)
        except DataError as error:
            way_out = f"Move it away and run `python -m datasets get {name}`."
            raise DataError(f"{error} {way_out}") from error
    return folder


def _searched(source: Source, data_folders: Sequence[Path]) -> str:
    """Where a set was looked for, and what a folder lacks that looks like it."""
    places = []
    for folder in (data_folder / source.folder for data_folder in data_folders):
        lacks = f" (without {', '.join(source.missing(folder))})" if folder.is_dir() else ""
        places.append(f"{folder}{lacks}")
    return f"Searched: {', '.join(places)}."

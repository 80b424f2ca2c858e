"""Your own data: a folder of class folders, of pictures or of sounds.

    my_data/oak/1.jpg  my_data/oak/2.jpg  my_data/elm/a.png ...

``read_image`` and ``read_sound`` are also what prediction calls for a single file, with the same
options: what the network sees does not depend on the way a file came in.
"""

import contextlib
import os
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from datasets.dataset import Dataset
from datasets.errors import DataError, DataNotice, tell
from datasets.readers import mfcc
from datasets.readers.files import is_folder, numeric_order, regular_file
from datasets.splits import random_split

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # none runs programs
SUFFIXES = {
    "image": (
        ".avif",
        ".bmp",
        ".gif",
        ".jfif",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    ),
    "sound": (
        ".aif",
        ".aifc",
        ".aiff",
        ".au",
        ".flac",
        ".mp3",
        ".oga",
        ".ogg",
        ".opus",
        ".rf64",
        ".wav",
        ".wave",
    ),
}
UNDECODED = {  # endings of pictures and sounds that have to be converted first
    "image": (".cr2", ".dng", ".heic", ".heif", ".jp2", ".jxl", ".nef", ".psd", ".svg"),
    "sound": (".aac", ".amr", ".caf", ".m4a", ".mov", ".mp4", ".webm", ".wma"),
}
SPLITS = {"dev", "eval", "test", "testing", "train", "training", "val", "valid", "validation"}
MAX_BYTES = 2**28
MAX_PIXELS = 50_000_000
VISIBLE, FAINT = 250, 200  # grey above which a pixel is as good as white, or hard to see on it
# What becomes of a picture whose proportions are not those that are wanted.
FITS = {
    "auto": "stretched where that makes it at most half longer, padded otherwise",
    "crop": "its middle is taken",
    "pad": "made longer by the colour of its border",
    "stretch": "stretched",
}
STREAK = 1.5
DARK, LIGHT = 31, 224  # up to and from which the median of a picture is that of a plain ground


def load_folder(
    path: str | Path,
    kind: str = "image",
    *,
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 0,
    fold: int = 0,
    read: Callable | None = None,
    **options,
) -> Dataset:
    """Read a folder of class folders; each class may hold any number of files.

    Classes and files are in the order of their names, numbers as numbers. Hidden files and files
    with other suffixes are ignored; a file that should be readable and is not is an error.

    Args:
        path: folder whose subfolders are the classes.
        kind: "image" or "sound".
        val_fraction, test_fraction: parts of the classes, rounded, that are held out; with few
            classes a split may be empty.
        seed, fold: see ``datasets.splits.random_split``.
        read: what makes an item of a file; ``read_image`` or ``read_sound`` by default.
        **options: passed to it.

    Returns:
        Dataset with what the reader returns, and the splits ``train``, ``val``, ``test``, ``all``.

    Raises:
        DataError: no such folder, fewer than two classes, a class without files of this kind, a
            file that cannot be read.
    """
    classes = class_files(path, kind)
    held_out = {
        "test": round(test_fraction * len(classes)),
        "val": round(val_fraction * len(classes)),
    }
    counts = [len(files) for files in classes.values()]
    read = read or READERS[kind]
    items = [read(file, **options) for files in classes.values() for file in files]
    _tell_of_twins(classes, items)
    if kind == "image":
        _tell_of_mixed_ink(classes, items)
    return Dataset(
        name=Path(path).resolve().name,
        items=np.stack(items),
        item_class=np.repeat(np.arange(len(classes), dtype=np.int32), counts),
        class_names=tuple(classes),
        splits=random_split(len(classes), held_out, seed, fold),
        source=str(path),
    )


def class_files(path: str | Path, kind: str = "image") -> dict[str, list[Path]]:
    """Name of each class -> its files, in the order of names; arguments as for ``load_folder``.

    Raises:
        DataError: no such folder, fewer than two classes, a class without files of this kind.
    """
    folder = Path(path)
    if kind not in READERS:
        raise DataError(f"Unknown kind of data {kind!r}; expected {' or '.join(READERS)}.")
    if not is_folder(folder):
        found = "a file" if os.path.lexists(folder) else "missing"
        raise DataError(f"{folder} is {found}; expected a folder with one folder for each class.")
    classes = [entry for entry in _entries(folder) if entry.is_dir()]
    others = [entry for entry in _entries(folder) if not entry.is_dir()]
    _refuse_splits(folder, kind, classes)
    if len(classes) < 2:
        beside = f"; beside them lie {_by_suffix(others)}" if others else ""
        raise DataError(
            f"{folder} has {len(classes)} class folders; expected at least 2, each with the "
            f"{kind}s of one class{beside}."
        )
    found = {entry.name: _files(entry, kind) for entry in classes}
    _tell_what_is_ignored(folder, kind, others)
    return found


def loose_files(path: str | Path, kind: str = "image") -> list[Path]:
    """Files of a folder without classes, in the order of names.

    Raises:
        DataError: no such folder, or no file of this kind in it.
    """
    folder = Path(path)
    if not is_folder(folder):
        found = "a file" if os.path.lexists(folder) else "missing"
        raise DataError(f"{folder} is {found}; expected a folder of {kind}s.")
    return _files(folder, kind, "folder")


def load_unlabelled(
    path: str | Path,
    kind: str = "image",
    *,
    val_fraction: float = 0.1,
    test_fraction: float = 0.1,
    least: int = 5,
    seed: int = 0,
    **options,
) -> Dataset:
    """Read a folder of files without class folders: each file is a class of its own.

    Args:
        path: folder of files, read in the order of their names.
        kind: "image" or "sound".
        val_fraction, test_fraction: parts of the files, rounded, that are held out.
        least: files of each of these parts, and four times as many altogether.
        seed: of the split.
        **options: passed to ``read_image`` or ``read_sound``.

    Returns:
        Dataset with the splits ``train``, ``val``, ``test``, ``all``.

    Raises:
        DataError: no such folder, too few files of this kind, a file that cannot be read.
    """
    files = loose_files(path, kind)
    if len(files) < 4 * least:
        raise DataError(
            f"{path} has {len(files)} {kind}s; {4 * least} are needed, {least} each to validate on "
            "and to test on and the others to train on."
        )
    fractions = {"test": test_fraction, "val": val_fraction}
    held_out = {name: max(least, round(part * len(files))) for name, part in fractions.items()}
    items = [READERS[kind](file, **options) for file in files]
    _tell_of_twins({file.name: [file] for file in files}, items)
    if kind == "image":
        _tell_of_mixed_ink({"": files}, items)
    return Dataset(
        name=Path(path).resolve().name,
        items=np.stack(items),
        item_class=np.arange(len(files), dtype=np.int32),
        class_names=tuple(file.name for file in files),
        splits=random_split(len(files), held_out, seed),
        source=str(path),
    )


def read_image(
    path: str | Path,
    size: tuple[int, int] = (28, 28),
    channels: int = 1,
    invert: bool = False,
    fit: str = "auto",
) -> np.ndarray:
    """Read one picture of any size and colour.

    It is turned upright (EXIF), its transparent parts become white, and it is brought to ``size``
    with Pillow's bilinear filter, which leaves no pixel out when it shrinks.

    Args:
        path: a picture; of an animation the first frame is taken.
        size: height and width of the result in pixels.
        channels: 1 for grey, 3 for red, green and blue.
        invert: for dark strokes on white paper, where ink is to be the high value.
        fit: a key of ``FITS``: what becomes of a picture of other proportions.

    Returns:
        uint8 ``[height, width]`` for one channel, ``[height, width, channel]`` for three.

    Raises:
        DataError: the file is missing or not a picture that Pillow can decode.
    """
    if channels not in (1, 3):
        raise ValueError(f"pictures have 1 or 3 channels, not {channels}")
    if fit not in FITS:
        raise ValueError(f"fit is {fit!r}; it must be one of {', '.join(FITS)}")
    try:
        with _quiet(), Image.open(regular_file(path, MAX_BYTES), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise DataError(
                    f"{path} has {picture.width} x {picture.height} pixels; at most "
                    f"{MAX_PIXELS:,} are read."
                )
            picture.load()  # broken pixels are no fault of the EXIF block
            picture = _upright(path, picture)
            picture = _on_white(path, _eight_bit(picture)).convert("L" if channels == 1 else "RGB")
    except (DataError, DataNotice):  # notices are errors where a caller wants them to be
        raise
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{path} has more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels; at most {MAX_PIXELS:,} "
            "are read."
        ) from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not a picture ({', '.join(FORMATS)}).") from error
    except Exception as error:  # decoders fail in many ways, and all say: this file is broken
        raise DataError(f"{path} cannot be read as a picture: {error}.") from error
    pixels = np.array(_fitted(picture, size, fit))
    if pixels.min() == pixels.max():
        tell(f"{path} is blank: all its pixels are the same.")
    return 255 - pixels if invert else pixels


def read_sound(path: str | Path, **options) -> np.ndarray:
    """Read one sound: ``datasets.readers.mfcc.read_sound`` without the number of valid frames.

    Returns:
        float32 ``[coefficient, frame]``, not normalised.
    """
    features, _ = mfcc.read_sound(path, **options)
    return features


def _fitted(picture: Image.Image, size: tuple[int, int], fit: str) -> Image.Image:
    """A picture of a height and width."""
    height, width = size
    slimmer = picture.width * height / (picture.height * width)  # than the size; 1 is as slim
    if fit == "auto":
        fit = "stretch" if 1 / STREAK <= slimmer <= STREAK else "pad"
    if fit == "crop":
        return ImageOps.fit(picture, (width, height), Image.Resampling.BILINEAR)
    if fit == "pad":
        ground = _ground(picture)
        return ImageOps.pad(picture, (width, height), Image.Resampling.BILINEAR, color=ground)
    return picture.resize((width, height), Image.Resampling.BILINEAR)


def _ground(picture: Image.Image):
    """The grey or colour that its border has for the most part."""
    pixels = np.asarray(picture)
    border = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
    median = np.median(np.concatenate(border), axis=0).astype(int)
    return tuple(median.tolist()) if median.ndim else int(median)


READERS = {"image": read_image, "sound": read_sound}


def _entries(folder: Path) -> list[Path]:
    """What a folder holds apart from hidden entries, in the order of names."""
    try:
        visible = [
            entry
            for entry in folder.iterdir()
            if not entry.name.startswith(".") and entry.name != "__MACOSX"
        ]
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror or error}.") from error
    return sorted(visible, key=lambda entry: numeric_order(entry.name))


def _files(folder: Path, kind: str, called: str = "class folder") -> list[Path]:
    """Files of a kind in a folder; DataError says what else there is when there are none."""
    entries = _entries(folder)
    wanted = [entry for entry in entries if entry.is_file() and _suffix(entry) in SUFFIXES[kind]]
    if not wanted:
        deeper = [entry for entry in entries if entry.is_dir()]
        if deeper and called == "class folder":
            raise DataError(
                f"The class folder {folder} holds folders ({deeper[0].name} ...) instead of "
                f"{kind}s: give a folder whose folders are the classes, such as that one."
            )
        raise DataError(
            f"The {called} {folder} holds no {kind} (ignored: "
            f"{_by_suffix(entries) or 'nothing'}); {_what_is_read(kind, entries)}."
        )
    others = [entry for entry in entries if entry not in set(wanted)]
    _tell_what_is_ignored(folder, kind, others)
    return wanted


def _refuse_splits(folder: Path, kind: str, classes: list[Path]) -> None:
    """DataError where what should be classes is train, test and so on, with classes inside."""
    if not {entry.name.lower() for entry in classes} <= SPLITS:
        return
    inner = [entry for parent in classes for entry in _entries(parent) if entry.is_dir()]
    if inner:
        raise DataError(
            f"{folder} holds {' and '.join(entry.name for entry in classes)}, which look like "
            f"splits and not like classes of {kind}s: give one of these, or move the class folders "
            f"({inner[0].name} ...) of all into one folder, since classes are split here."
        )


def _tell_what_is_ignored(folder: Path, kind: str, others: list[Path]) -> None:
    """Count what lies beside the files that are read."""
    if others:
        tell(f"{folder}: {_by_suffix(others)} ignored; {_what_is_read(kind, others)}.")


def _what_is_read(kind: str, others: list[Path]) -> str:
    """``images end in .avif, ...``, and what to do with others that a person may have meant."""
    undecoded = sorted({_suffix(entry) for entry in others} & set(UNDECODED[kind]))
    advice = f", so convert {', '.join(undecoded)} to one of these" if undecoded else ""
    return f"{kind}s end in {', '.join(SUFFIXES[kind])}{advice}"


def _by_suffix(entries: list[Path]) -> str:
    """``9 .heic, 1 .png (link to nothing), 1 folder``"""
    kinds = Counter(_kind_of(entry) for entry in entries)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _kind_of(entry: Path) -> str:
    """An entry of a folder in words: its ending, and why it is none that can be read."""
    if entry.is_dir():
        return "folder"
    suffix = _suffix(entry) or "without suffix"
    if not entry.exists():
        return f"{suffix} (link to nothing)"
    return suffix if entry.is_file() else f"{suffix} (pipe or device)"


def _suffix(entry: Path) -> str:
    return entry.suffix.lower()


def _tell_of_twins(classes: dict[str, list[Path]], items: list[np.ndarray]) -> None:
    """The same content in two classes: one of them is wrong, and a test on it means nothing."""
    first: dict[bytes, tuple[str, Path]] = {}
    files = [(name, file) for name, group in classes.items() for file in group]
    for (name, file), item in zip(files, items, strict=True):
        other, twin = first.setdefault(item.tobytes(), (name, file))
        if other != name:
            tell(f"{file} is the same as {twin}, which is of another class.")


def _tell_of_mixed_ink(classes: dict[str, list[Path]], items: list[np.ndarray]) -> None:
    """Black on white and white on black in one class: to a network, these differ in every pixel."""
    grounds = (float(np.median(item)) for item in items)  # ink covers less than half of a picture
    for files in classes.values():
        known = [(file, next(grounds)) for file in files]
        light = [file for file, ground in known if ground >= LIGHT]
        dark = [file for file, ground in known if ground <= DARK]
        if light and dark:
            few, many = sorted([light, dark], key=len)
            tell(
                f"{few[0].parent} mixes light and dark grounds: {_some(few)} against {_some(many)}"
                "; make them alike, since all their pixels differ."
            )


def _some(files: list[Path]) -> str:
    """``3 like 1.png``"""
    return f"{len(files)} like {files[0].name}"


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Sixteen-bit grey to eight bits; everything else is left as it is."""
    if picture.mode != "I" and not picture.mode.startswith("I;16"):
        if picture.mode == "F":
            raise ValueError("floating-point pixels, expected whole numbers")
        return picture
    pixels = np.asarray(picture)
    if pixels.min() < 0 or pixels.max() > 65_535:
        raise ValueError("pixels of more than 16 bits")
    return Image.fromarray((pixels // 257).astype(np.uint8))


@contextlib.contextmanager
def _quiet():
    """Without the decoders' own warnings; what this project tells is told afterwards."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
    for warning in told:
        if issubclass(warning.category, DataNotice):
            tell(str(warning.message))  # outside, where the caller's filters hold


def _upright(path, picture: Image.Image) -> Image.Image:
    """Turned as its EXIF block says; a broken block says nothing, and the pixels are sound."""
    try:
        # Pillow has met the block of a JPEG before, and says nothing of it a second time.
        Image.Exif().load(picture.info.get("exif", b""))
        return ImageOps.exif_transpose(picture)
    except Exception:
        tell(f"{path} has an EXIF block that cannot be read; the picture is taken as upright.")
        return picture


def _on_white(path, picture: Image.Image) -> Image.Image:
    """Transparent parts become white, so that drawings without a background are black on white.

    A drawing in white on nothing would vanish there; it is drawn in black, as its outline says.
    """
    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    drawn = Image.alpha_composite(paper, picture)
    outline = picture.getchannel("A")
    darkest = drawn.convert("L").getextrema()[0]
    if darkest <= FAINT or outline.getextrema()[0] >= VISIBLE:
        return drawn
    if darkest > VISIBLE:
        return ImageOps.invert(outline)
    tell(
        f"{path} is drawn in light ink (grey {darkest}) on a transparent ground, which becomes "
        "white, so little of it is left; draw it darker or on a dark ground."
    )
    return drawn

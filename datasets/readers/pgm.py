"""Strict reader and writer of PGM, the format of the ORL faces.

    P5 <width> <height> <maxval> <one whitespace byte> <pixels>

with comments (# to the end of the line) anywhere before that whitespace byte, as the Netpbm manual
allows. P2 is the same with pixels as decimal numbers. Pillow decodes the pixels; it also accepts
broken files and rescales values by maxval, so the checks and the header it sees are ours.
"""

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from datasets.errors import DataError
from datasets.readers.files import read_bytes

MAX_PIXELS = 50_000_000  # below the size at which Pillow suspects a decompression bomb
MAX_BYTES = 8 * MAX_PIXELS  # P2 spends up to six bytes on a pixel
MAX_HEADER = 65_536  # bytes, comments included
MAX_MAXVAL = 65_535  # two bytes
WHITESPACE = b" \t\n\v\f\r"

# Netpbm: a comment ends with its line, line end included, and is as if it were not there; so
# whitespace of its own still has to separate the numbers, and exactly one byte ends the header.
_COMMENT = rb"(?:#[^\r\n]*[\r\n])"
_GAP = _COMMENT + rb"*\s(?:\s|" + _COMMENT + rb")*"
_NUMBER = rb"([0-9]{1,10})"
_HEADER = re.compile(
    rb"(P[25])" + _GAP + _NUMBER + _GAP + _NUMBER + _GAP + _NUMBER + _COMMENT + rb"*\s"
)


def read_pgm(source: str | Path | bytes, name: str | None = None) -> np.ndarray:
    """Read a P2 or P5 image; values come back as written, not scaled by maxval.

    Args:
        source: path of a file, or its content as bytes.
        name: how error messages call the image; default the path.

    Returns:
        ``[height, width]`` uint8, or uint16 where maxval is above 255.

    Raises:
        DataError: anything but exactly one well-formed image: wrong magic number, header or
            maxval, missing or extra pixels, values above maxval, more than MAX_PIXELS.
    """
    if isinstance(source, bytes):
        name, content = name or "PGM data", source
    else:
        name, content = name or str(source), read_bytes(source, MAX_BYTES)

    magic, width, height, maxval, start = _header(content, name)
    if not 1 <= maxval <= MAX_MAXVAL:
        raise DataError(f"{name}: maxval is {maxval}; PGM allows 1 to {MAX_MAXVAL}.")
    if not 1 <= width * height <= MAX_PIXELS:
        raise DataError(
            f"{name}: header announces {width} x {height} pixels; 1 to {MAX_PIXELS:,} are read."
        )
    raster = content[start:]
    if magic == b"P5":
        _check_binary(raster, width * height, maxval, name)
    else:
        _check_plain(raster, width * height, name)

    # Pillow leaves values alone when maxval is the largest the pixel type holds: announce that.
    ceiling = 255 if magic == b"P5" and maxval < 256 else MAX_MAXVAL
    header = b"%s\n%d %d\n%d\n" % (magic, width, height, ceiling)
    try:
        with Image.open(io.BytesIO(header + raster), formats=["PPM"]) as image:
            pixels = np.array(image)  # [height, width]
    except (OSError, ValueError) as error:
        raise DataError(f"{name}: the pixels cannot be decoded: {error}.") from error
    if pixels.max() > maxval:
        raise DataError(f"{name}: a pixel is {pixels.max()}, above the announced maxval {maxval}.")
    return pixels.astype(np.uint8 if maxval < 256 else np.uint16)


def write_pgm(path: str | Path, pixels: np.ndarray) -> None:
    """Write ``[height, width]`` uint8 (maxval 255) or uint16 (maxval 65535) as P5."""
    if pixels.ndim != 2 or pixels.size == 0 or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"PGM holds [height, width] uint8 or uint16, not {pixels.dtype} {pixels.shape}"
        )
    Image.fromarray(pixels).save(path, format="PPM")


def _header(content: bytes, name: str) -> tuple[bytes, int, int, int, int]:
    """Magic number, width, height, maxval, and where the pixels start."""
    if content[:2] not in (b"P2", b"P5"):
        raise DataError(f"{name}: starts with {content[:2]!r}; a PGM file starts with P2 or P5.")
    match = _HEADER.match(content, 0, MAX_HEADER)
    if not match:
        raise DataError(
            f"{name}: header is {content[:40]!r}; expected {content[:2].decode()}, then width, "
            "height and maxval separated by whitespace."
        )
    magic, *numbers = match.groups()
    width, height, maxval = map(int, numbers)
    return magic, width, height, maxval, match.end()


def _check_binary(raster: bytes, n_pixels: int, maxval: int, name: str) -> None:
    expected = n_pixels * (1 if maxval < 256 else 2)  # two bytes are big-endian
    if len(raster) != expected:
        raise DataError(
            f"{name}: {len(raster):,} bytes of pixels; the header announces exactly {expected:,}."
        )


def _check_plain(raster: bytes, n_pixels: int, name: str) -> None:
    stray = raster.translate(None, b"0123456789" + WHITESPACE)
    if stray:
        raise DataError(f"{name}: {stray[:1]!r} among the pixels; P2 holds decimal numbers only.")
    found = sum(1 for _ in re.finditer(rb"[0-9]+", raster))  # a list would need gigabytes
    if found != n_pixels:
        raise DataError(
            f"{name}: {found:,} pixel values; the header announces exactly {n_pixels:,}."
        )

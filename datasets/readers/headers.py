"""What sound files say about themselves: how much sound they announce, and which are not decoded.

The decoder takes a file that was cut for a shorter one, so the announced length is read here.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# First four bytes of a file of chunks -> byte order of their sizes, name of the chunk of sound, and
# how many of its bytes come before the sound.
CHUNKED = {
    b"RIFF": ("little", b"data", 0),
    b"RF64": ("little", b"data", 0),
    b"FORM": ("big", b"SSND", 8),
}
AU = {b".snd": "big", b"dns.": "little"}  # first four bytes -> byte order
UNKNOWN = 0x7F00_0000  # this or more is written by programs that do not know the length yet
MP3_SLACK = 0.01  # encoders do not agree on what belongs to the length
KILOBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # MPEG-1, layer III
KILOBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # MPEG-2 and 2.5


def sound_bytes(path: str | Path) -> tuple[int, int]:
    """Bytes of sound that a file announces, and bytes there are behind its header.

    Returns:
        Two numbers for WAV, RF64, AIFF and AU, and for an MP3 with a Xing header; zeros for other
        files and where the length is marked as unknown.
    """
    with Path(path).open("rb") as file:
        magic = file.read(4)
        if magic in CHUNKED:
            announced = _in_chunks(file, *CHUNKED[magic])
        elif magic in AU:
            announced = _in_au(file, AU[magic])
        else:
            announced = _in_mp3(file)
        there = Path(path).stat().st_size - file.tell()
    return (announced, there) if announced else (0, 0)


def mp3_seconds(path: str | Path) -> float:
    """How long the frames of an MP3 last, up to the first that is damaged; zero for other files."""
    seconds = 0.0
    with Path(path).open("rb") as file:
        _skip_tag(file)
        while frame := _mp3_frame(file.read(4)):
            length, lasts = frame
            seconds += lasts
            file.seek(length - 4, 1)
    return seconds


def undecoded_kind(path: str | Path) -> str:
    """In words, which of the common kinds that are not decoded a file is; empty for all others."""
    with Path(path).open("rb") as file:
        head = file.read(16)
    if head[4:8] == b"ftyp":
        return "MPEG-4 (.m4a, .mp4)"
    if head[:2] in (b"\xff\xf1", b"\xff\xf9"):
        return "AAC"
    kinds = {b"\x1aE\xdf\xa3": "WebM or Matroska", b"0&\xb2u": "Windows Media", b"#!AM": "AMR"}
    return kinds.get(head[:4], "")


def _in_chunks(file: BinaryIO, order: str, wanted: bytes, lead: int) -> int:
    """Announced bytes of WAV, RF64 or AIFF; the file is left at their beginning."""
    file.seek(12)
    long = 0
    for name, size in _chunks(file, order):
        if name == b"ds64":  # the sizes of RF64, which may need more than four bytes
            long = int.from_bytes(file.read(16)[8:], order)
        if name == wanted:
            file.seek(lead, 1)
            return long or (size - lead if size < UNKNOWN else 0)
    return 0


def _chunks(file: BinaryIO, order: str) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk, the file being at its contents."""
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[4:], order)
        start = file.tell()
        yield head[:4], size
        file.seek(start + size + size % 2)  # chunks begin at even places


def _in_au(file: BinaryIO, order: str) -> int:
    """Announced bytes of AU; the file is left at their beginning."""
    start, size = (int.from_bytes(file.read(4), order) for _ in range(2))
    file.seek(start)
    return size if size < UNKNOWN else 0


def _in_mp3(file: BinaryIO) -> int:
    """Announced bytes of an MP3, by the Xing header in its first frame; the file is left there."""
    _skip_tag(file)
    frame = file.read(64)
    file.seek(-len(frame), 1)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    if frame[:1] != b"\xff" or at < 0 or not flags & 2:
        return 0
    at += 12 if flags & 1 else 8  # the number of frames comes before that of bytes
    announced = int.from_bytes(frame[at : at + 4], "big")
    there = os.fstat(file.fileno()).st_size - file.tell()
    return announced if there < (1 - MP3_SLACK) * announced else min(announced, there)


def _skip_tag(file: BinaryIO) -> None:
    """Go to the first frame of an MP3, behind the tag that may come first."""
    file.seek(0)
    head = file.read(10)
    size = sum(byte << 7 * (3 - place) for place, byte in enumerate(head[6:]))  # of seven bits each
    file.seek(10 + size if head[:3] == b"ID3" else 0)


def _mp3_frame(head: bytes) -> tuple[int, float] | None:
    """Bytes and seconds of a frame of layer III, by its first four bytes; None if it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, kilobits, hertz = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or kilobits in (0, 15) or hertz == 3:  # these mean nothing
        return None
    kilobits = (KILOBITS_1 if version == 3 else KILOBITS_2)[kilobits - 1]
    hertz = (44_100, 48_000, 32_000)[hertz] // {3: 1, 2: 2, 0: 4}[version]
    samples = 1152 if version == 3 else 576
    padding = head[2] >> 1 & 1
    return samples * 1000 // 8 * kilobits // hertz + padding, samples / hertz

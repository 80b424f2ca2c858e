"""Files of an entry, read without trusting them: size, digest and structure before anything else.

Nothing here or behind it runs code from a file: JSON is data, and weights are numbers by name.
"""

import hashlib
import io
import json
from pathlib import Path

from chapters.engine.configuration import shorten
from chapters.engine.results import misfit
from datasets.errors import DataError
from datasets.readers.files import read_bytes
from zoo.errors import ZooError

MAX_WEIGHTS = 64 * 2**20  # bytes of a weights file, and of the numbers it announces
MAX_JSON = 2**20
SIGNATURE = b"\x89HDF\r\n\x1a\n"


def read(path: Path, limit: int) -> bytes:
    """Content of a regular file of at most ``limit`` bytes; ZooError otherwise."""
    try:
        return read_bytes(path, limit)
    except DataError as error:
        raise ZooError(str(error)) from error


def read_json(path: Path) -> dict:
    """A JSON object; ZooError when the file is missing, too long or something else."""
    try:
        found = json.loads(read(path, MAX_JSON), parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise ZooError(f"{path} is not valid JSON ({error}).") from None
    if not isinstance(found, dict):
        raise ZooError(f"{path} holds no JSON object; publish the model again.")
    return found


def _whole(text: str) -> int:
    """A whole number that a float can hold."""
    if len(text) > 300:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def check_fields(path: Path, where: str, found, fields: dict) -> None:
    """ZooError unless ``found`` has these fields.

    Args:
        path: the file.
        where: the part of it, for the sentence.
        found: what stands there.
        fields: name -> type, or types.
    """
    if not isinstance(found, dict):
        raise ZooError(f"{path} has {where}no JSON object; publish the model again.")
    if key := misfit(found, fields):
        raise ZooError(
            f"{path} has {where}{key} = {shorten(repr(found.get(key)))}, which does not belong "
            "there; train and publish the model again."
        )


def read_weights(path: Path, sha256: str | None) -> bytes:
    """Content of a weights file that is what its card says, and holds numbers only.

    Args:
        path: a ``.weights.h5`` file.
        sha256: digest of the file, in hexadecimal; checked before anything is parsed. None where
            no card says it.

    Raises:
        ZooError: missing, too large, another digest, no HDF5, or HDF5 with anything but plain
            arrays of floats.
    """
    content = read(path, MAX_WEIGHTS)
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise ZooError(
            f"{path} has SHA-256 {found[:12]}..., but its card says {str(sha256)[:12]}...: it is "
            "damaged or not the published file; fetch it again."
        )
    if not content.startswith(SIGNATURE):
        raise ZooError(f"{path} is not an HDF5 file of weights; nothing else is loaded.")
    reason = _objection(content)
    if reason:
        raise ZooError(f"{path} {reason}; weights are plain arrays of floats, nothing else.")
    return content


def _objection(content: bytes) -> str:
    """What is wrong with the structure of an HDF5 file; empty when nothing is."""
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _walk(file)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        return f"cannot be read ({error})"


def _walk(file) -> str:
    """Look at every link before it is followed: an external one would open another file."""
    import h5py

    stack, seen, size = [file], set(), 0
    while stack:
        group = stack.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                return f"has a link that leads elsewhere, {name!r}"
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                return f"holds {name!r} twice"
            seen.add(address)
            if isinstance(item, h5py.Group):
                stack.append(item)
                continue
            if not isinstance(item, h5py.Dataset) or item.dtype.kind != "f":
                return f"holds {name!r}, which is no array of floats"
            if item.external or item.is_virtual or item.id.get_create_plist().get_nfilters():
                return f"holds {name!r}, whose numbers are packed or lie in another file"
            size += item.nbytes
            if size > MAX_WEIGHTS:
                return f"announces more than {MAX_WEIGHTS:,} bytes of numbers"
    return ""

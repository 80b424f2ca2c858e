"""Checkpoints that are complete or absent.

A checkpoint is a folder: ``arrays.npz``, ``state.json`` and a manifest with their SHA-256. It is
written under a temporary name, flushed to the disk and renamed. Reading takes the newest one whose
hashes agree and names those that do not. Keras' ``BackupAndRestore`` does neither, and does not
remember the position in the data.
"""

import hashlib
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np

from chapters.engine import files

KEEP = 2  # the newest may be damaged by the machine, so one older stays


def save(folder: Path, step: int, arrays: dict[str, np.ndarray], state: dict) -> None:
    """Write the checkpoint of ``step`` and drop all but the newest ``KEEP``.

    Args:
        folder: where checkpoints lie, one sub-folder each.
        step: training steps done.
        arrays: numeric state; object arrays are refused.
        state: everything else, as JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".part-*"):  # of a killed run
        shutil.rmtree(leftover, ignore_errors=True)
    part = folder / f".part-{os.getpid()}"
    part.mkdir()
    try:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        contents = {"arrays.npz": buffer.getvalue(), "state.json": json.dumps(state).encode()}
        manifest = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
        contents["manifest.json"] = json.dumps(manifest).encode()
        for name, data in contents.items():
            files.write_bytes(part / name, data)
        files.sync_folder(part)
        final = folder / f"step-{step:010d}"
        if final.exists():  # a damaged one, whose step has now been reached again
            shutil.rmtree(final)
        part.replace(final)
        files.sync_folder(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    # Newer ones are damaged, otherwise the run would have gone on from there.
    kept = [path for path in _newest_first(folder) if path <= final][:KEEP]
    for path in _newest_first(folder):
        if path not in kept:
            shutil.rmtree(path)


def load(folder: Path, report=print) -> tuple[dict[str, np.ndarray], dict] | None:
    """Arrays and state of the newest undamaged checkpoint, or None when there is none.

    Every damaged one that is passed over is named through ``report``.
    """
    for path in _newest_first(folder):
        problem, contents = _verify(path)
        if problem:
            report(f"Checkpoint {path} is damaged ({problem}); looking for an older one.")
            continue
        with np.load(io.BytesIO(contents["arrays.npz"]), allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
        return arrays, json.loads(contents["state.json"])
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"), reverse=True)


def _verify(path: Path) -> tuple[str, dict[str, bytes]]:
    """A word on what is wrong (empty when nothing is) and the files' contents."""
    contents = {}
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
        for name in ("arrays.npz", "state.json"):
            contents[name] = (path / name).read_bytes()
            if hashlib.sha256(contents[name]).hexdigest() != manifest[name]:
                return f"{name} does not match its hash", {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{type(error).__name__}: {error}", {}
    return "", contents

"""The run folder: everything about one run, readable by eye.

``config.json`` options, ``run.json`` command, versions and device, ``log.csv`` one row per epoch,
``metrics.json`` results, ``model.weights.h5`` weights, ``checkpoints/`` for ``--resume``, pictures.
"""

import contextlib
import dataclasses
import importlib.metadata
import importlib.util
import json
import platform
import sys
import time
from pathlib import Path

from chapters.engine import files, processor
from chapters.engine.configuration import FREE_ON_RESUME, RunConfig
from chapters.engine.errors import RunError

PACKAGES = ("tensorflow", "keras", "numpy", "librosa", "pillow", "scikit-learn", "matplotlib")
HDF5_OVERHEAD = 1 << 20  # bytes, far more than its headers take


class RunFolder:
    """A run's folder; only the chief of several workers writes into it.

    Args:
        path: the folder.
        config: options of the run.
        script: module name of the script, such as ``chapters.ch03_prototypical.train``.
        chief: false for the other workers of a distributed run, whose writes do nothing.
    """

    def __init__(self, path: Path, config: RunConfig, script: str, chief: bool = True):
        self.path, self.config, self.script, self.chief = path, config, script, chief
        self._events = None  # TensorBoard's writer, once there is something to write

    @classmethod
    def open(cls, config: RunConfig, script: str, device: str = "", chief: bool = True):
        """Create the folder, or find it again with ``--resume``.

        Raises:
            RunError: the folder holds another run, or options differ from those of the run.
        """
        path = _choose(config, script)
        if config.tensorboard and importlib.util.find_spec("tensorboard") is None:
            raise RunError("--tensorboard needs TensorBoard: pip install tensorboard.")
        if config.strategy == "multiworker" and not config.run:
            raise RunError("--strategy multiworker needs --run DIR, a folder all workers can read.")
        folder = cls(path, config, script, chief)
        if (path / "config.json").exists():
            folder._check_same_options()
            folder._compare_processor()
        elif path.is_dir() and any(path.iterdir()) and chief and not config.resume:
            raise RunError(f"{path} is not empty and holds no run; choose another --run folder.")
        if chief:
            _make(path)
            folder.json("config.json", {"script": script, **dataclasses.asdict(config)})
            if not (path / "run.json").exists():  # a continuation keeps the first command
                folder.json("run.json", _circumstances(script, device))
        return folder

    def _check_same_options(self) -> None:
        if not self.config.resume:
            if self.chief:
                raise RunError(
                    f"{self.path} holds a run already; add --resume to go on with it, or choose "
                    "another --run folder."
                )
            return
        saved = json.loads((self.path / "config.json").read_text(encoding="utf-8"))
        now = {"script": self.script, **dataclasses.asdict(self.config)}
        differing = [
            f"{name} was {saved.get(name)!r}, now {value!r}"
            for name, value in now.items()
            if name not in FREE_ON_RESUME and saved.get(name) != value
        ]
        if differing:
            raise RunError(
                f"Cannot resume {self.path} with other options: {'; '.join(differing)}. "
                "Start a new run, or give the options of the old one."
            )

    def lock(self):
        """Context in which no other process may train into this folder.

        Raises:
            RunError: another one does.
        """
        if not self.chief:
            return contextlib.nullcontext()
        busy = (
            f"Another process is training into {self.path}; wait until it has finished, or choose "
            "another --run folder."
        )
        folder = self.path / "checkpoints"
        _add(folder)
        return files.locked(folder / ".lock", 0, busy)

    def _compare_processor(self) -> None:
        """Say when threads or oneDNN are others than at the start of the run."""
        file = self.path / "run.json"
        if not (self.chief and file.exists()):
            return
        began, now = json.loads(file.read_text(encoding="utf-8")), processor.setting()
        began = {name: began.get(name) for name in now}  # None: a run of an older version
        if None not in began.values() and began != now:
            print(
                f"The run began with {processor.wording(**began)}; this continuation has "
                f"{processor.wording(**now)}. It is as valid, but its last bits can differ from "
                "those of an unbroken run."
            )

    def sub(self, name: str) -> "RunFolder":
        """Folder of a part of the run, such as one split of a cross-validation."""
        if self.chief:
            _add(self.path / name)
        return RunFolder(self.path / name, self.config, self.script, self.chief)

    def json(self, name: str, data) -> None:
        """Write data as JSON."""
        if self.chief:
            files.write_json(self.path / name, data)

    def metrics(
        self, method: str, results: list[dict], learner, loop, seconds=None, **more
    ) -> None:
        """Write ``metrics.json``.

        Args:
            method: name of what was trained.
            results: one row per figure, with the conditions it was measured under.
            learner: trained.
            loop: that trained it.
            seconds: of all trainings, where the run has several.
            more: what a script adds.
        """
        self.json(
            "metrics.json",
            {
                "method": method,
                "results": results,
                "parameters": learner.count_params(),
                "steps": loop.step,
                "train_seconds": round(loop.seconds if seconds is None else seconds, 1),
                **more,
            },
        )

    def scalars(self, row: dict[str, float]) -> None:
        """Write a row of the log for TensorBoard, where that was asked for (``--tensorboard``)."""
        if not (self.chief and self.config.tensorboard):
            return
        import tensorflow as tf

        self._events = self._events or tf.summary.create_file_writer(str(self.path / "tensorboard"))
        with self._events.as_default(step=row["step"]):
            for name, value in row.items():
                if name != "step":
                    tf.summary.scalar(name, value)
        self._events.flush()

    def weights(self, model) -> None:
        """Write ``model.weights.h5``; a temporary name first, so that it is whole or absent."""
        if not self.chief:
            return
        part = self.path / ".part.weights.h5"
        try:
            # On a full disk HDF5 brings the interpreter down, so the room is taken first.
            size = sum(variable.numpy().nbytes for variable in model.variables)
            files.write_bytes(part, bytes(size + HDF5_OVERHEAD))
            model.save_weights(part)
            part.replace(self.path / "model.weights.h5")
        finally:
            part.unlink(missing_ok=True)

    def figure(self, name: str, figure) -> None:
        """Save a matplotlib figure as ``name``.png and close it."""
        import matplotlib.pyplot as plt

        if self.chief:
            files.write_figure(self.path / f"{name}.png", figure)
        plt.close(figure)

    def film(self, name: str, frames) -> None:
        """Save pictures of bytes [row, column, 3] as ``name``.gif."""
        if self.chief:
            files.write_film(self.path / f"{name}.gif", frames)


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # as below /proc; other reasons are told by the script
        raise RunError(
            f"{path} cannot be made ({error.strerror}); choose another --run folder."
        ) from error


def _add(path: Path) -> None:
    """Make a folder within a run's, which was there when the run began."""
    try:
        path.mkdir(exist_ok=True)
    except FileNotFoundError as error:
        raise RunError(f"{path.parent} is gone; leave a folder alone while it is used.") from error


def _choose(config: RunConfig, script: str) -> Path:
    """The folder given, or runs/<script>/<preset> with a number when that is taken."""
    if config.run:
        return Path(config.run)
    base = Path("runs") / script.removeprefix("chapters.") / config.preset
    number, path = 1, base
    following = base
    while following.exists():
        path = following
        number += 1
        following = base.with_name(f"{base.name}-{number}")
    return path if config.resume else following


def _circumstances(script: str, device: str) -> dict:
    return {
        "command": " ".join(["python", "-m", script, *sys.argv[1:]]),
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
        "device": device,
        **processor.setting(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }

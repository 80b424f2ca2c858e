"""A zoo of its own for a test, a model to tamper with, and a finished run to publish."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.records import results, store

PUBLISHED = store.FOLDER  # of the project


@pytest.fixture
def own_zoo(tmp_path, monkeypatch) -> Path:
    """An empty folder of models and an empty results.csv, used instead of the project's."""
    monkeypatch.setattr(store, "FOLDER", tmp_path / "weights")
    monkeypatch.setattr(results, "FILE", tmp_path / "results.csv")
    return store.FOLDER


@pytest.fixture
def copied(own_zoo) -> Path:
    """The folder of a copy of the smallest model, in a zoo of its own."""
    return Path(shutil.copytree(PUBLISHED / "maml-sine-5shot", own_zoo / "maml-sine-5shot"))


def draw(folder: Path, classes: int, items: int = 4, seed: int = 0) -> Path:
    """A folder of class folders: pictures of blocks, each class with colours of its own."""
    rng = np.random.default_rng(seed)
    for k in range(classes):
        (folder / f"class {k}").mkdir(parents=True)
        blocks = rng.integers(0, 256, [4, 4, 3])
        for number in range(items):
            pixels = np.clip(blocks + rng.integers(-20, 20, [4, 4, 3]), 0, 255).astype(np.uint8)
            picture = Image.fromarray(pixels).resize((30, 34), Image.Resampling.NEAREST)
            picture.save(folder / f"class {k}" / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def leaves(tmp_path_factory) -> Path:
    """A folder of the user's own: six classes of coloured pictures."""
    return draw(tmp_path_factory.mktemp("own") / "leaves", classes=6)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, leaves) -> Path:
    """The folder of a finished run: chapter 3 on that folder, with a tiny budget."""
    from chapters.ch03_prototypical import train

    run = tmp_path_factory.mktemp("runs") / "leaves"
    train.main(
        [
            "--data", str(leaves), "--channels", "3", "--run", str(run), "--h-dim", "4",
            "--z-dim", "4", "--steps", "4", "--steps-per-epoch", "2", "--steps-per-call", "2",
            "--validation-episodes", "2", "--test-episodes", "5", "--way", "2", "--query", "1",
        ]
    )  # fmt: skip
    return run

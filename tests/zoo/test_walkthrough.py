"""The walkthrough runs from the first cell to the last, and opens as a notebook."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np

import zoo
from tests.zoo.conftest import draw
from zoo.kinds import labelled

FILE = Path(zoo.__file__).with_name("walkthrough.py")


def run(monkeypatch, tmp_path, photos="") -> dict:
    """Variables after the last cell."""
    monkeypatch.setenv("PHOTOS", str(photos))
    monkeypatch.setenv("RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(labelled, "WAYS", (2, 5))
    monkeypatch.setattr(sys, "argv", ["walkthrough.py"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # it sets its own
    return runpy.run_path(str(FILE), run_name="__main__")


def test_ten_photos_become_a_classifier(monkeypatch, tmp_path, capsys):
    left = run(monkeypatch, tmp_path)
    assert sum(map(len, left["known"].values())) == 10
    names = [file.stem.removeprefix("a ") for file in left["new"]]
    assert [answer["name"] for answer in left["answers"]] == names == left["names"]
    expected = [[answer["probabilities"][k] for k in left["known"]] for answer in left["answers"]]
    np.testing.assert_allclose(left["found"], expected, atol=1e-3)
    assert "largest difference from Python" in capsys.readouterr().out
    assert (tmp_path / "results/answers.png").stat().st_size > 0
    assert (tmp_path / "results/classifier/1/saved_model.pb").exists()


def test_photos_of_the_readers_own(monkeypatch, tmp_path):
    photos = tmp_path / "photos"
    draw(photos / "known", classes=3, items=2)
    (photos / "new").mkdir()
    for k in range(3):
        file = photos / "known" / f"class {k}" / "0.png"
        (photos / "new" / f"{k}.png").write_bytes(file.read_bytes())
    left = run(monkeypatch, tmp_path, photos)
    assert left["names"] == [answer["name"] for answer in left["answers"]]
    assert left["names"] == ["class 0", "class 1", "class 2"]


def test_it_opens_as_a_notebook():
    """Every cell is either text in comments or code that says nothing of notebooks."""
    head, *cells = FILE.read_text().split("\n# %%")
    assert head.count('"""') == 2
    kinds = ["text" if cell.startswith(" [markdown]") else "code" for cell in cells]
    assert kinds[:2] == ["text", "code"] and kinds.count("text") == kinds.count("code") == 6
    for kind, cell in zip(kinds, cells, strict=True):
        lines = [line for line in cell.splitlines()[1:] if line]
        assert all(line.startswith("#") for line in lines) == (kind == "text")


def test_photos_that_are_not_there_are_one_sentence(tmp_path):
    root = FILE.parents[1]
    settings = {"PHOTOS": str(tmp_path / "photos"), "RESULTS": str(tmp_path), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-m", "zoo.walkthrough"],
        cwd=root, env=settings, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {tmp_path}/photos/known is missing")

"""The folders that tell what to expect: unseen classes, as many as are said, read as they were."""

import numpy as np
import pytest
import soundfile
from PIL import Image

from zoo import choosing, expected_table
from zoo.errors import ZooError
from zoo.expected_table import KINDS, TABLE

REAL = pytest.mark.real_data


@REAL
@pytest.mark.parametrize("name", KINDS)
def test_classes_are_ten_that_no_model_has_seen(name):
    files = KINDS[name].draw(np.random.default_rng(0))
    again = KINDS[name].draw(np.random.default_rng(0))
    assert list(files) == list(again)
    assert len(files) == (8 if "faces" in name else 10)
    assert all(5 < len(of_class) <= expected_table.FILES for of_class in files.values())


@REAL
def test_spoken_words_are_of_people_on_whom_nothing_was_chosen():
    files = KINDS["spoken words, four people"].draw(np.random.default_rng(0))
    others = KINDS["spoken words, one person"].draw(np.random.default_rng(0))
    assert {len(sounds) for sounds in files.values()} == {24}
    assert {len(sounds) for sounds in others.values()} == {20}


def test_every_kind_has_its_line():
    assert list(TABLE.rows(TABLE.read())) == list(KINDS)


@pytest.mark.parametrize("suffix", [".png", ".wav"])
def test_files_hold_what_was_drawn(suffix, tmp_path):
    rng = np.random.default_rng(0)
    if suffix == ".png":
        things = [rng.integers(0, 256, [8, 9, 3]).astype(np.uint8) for _ in range(2)]
    else:
        things = [rng.uniform(-0.9, 0.9, 800).astype(np.float32) for _ in range(2)]
    expected_table.write({"oak": things, "elm": things}, tmp_path, suffix)
    assert choosing.kind_of(tmp_path) == ("image" if suffix == ".png" else "sound")
    path = tmp_path / "class 1" / f"0{suffix}"
    if suffix == ".png":
        np.testing.assert_array_equal(np.asarray(Image.open(path)), things[0])
    else:
        np.testing.assert_allclose(soundfile.read(path)[0], things[0], atol=2**-15)


def test_a_line_has_means_over_folders(monkeypatch):
    class Choice:
        shots, best, baseline = [1, 5, 19], "model", "pixels"
        tried = (choosing.Tried("pixels", {}, {k: np.array([0.0, 1.0]) for k in (1, 5, 8, 19)}),)

        def honest(self, shot):
            return {"accuracy": {1: 0.5, 5: 0.7, 8: 0.8, 19: 0.9}[shot]}

    monkeypatch.setattr(expected_table, "_choices", lambda kind: [Choice(), Choice()])
    assert expected_table.measure("faces, in grey") == [
        "faces, in grey", "50.0 ± 0.0 (50.0)", "70.0 ± 0.0 (50.0)", "90.0 ± 0.0 (50.0)",
        "`model`; beside pixels",
    ]  # fmt: skip
    Choice.shots = [1, 5, 8]
    assert expected_table.measure("faces, in grey")[3] == "-"


def test_an_unknown_kind_is_told_with_the_closest_one():
    with pytest.raises(ZooError, match="did you mean 'signs in colour'"):
        expected_table.main(["signs in color"])

"""Arrays in the cache folder: other files have another place, and damage is as good as absence."""

import os

import numpy as np
import pytest

from datasets.sets import arrays


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("METAZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_place_depends_on_all_that_the_arrays_are_made_from(tmp_path, cache):
    file = tmp_path / "a"
    file.write_bytes(b"1")
    places = [arrays.place("set-8", tmp_path, [file])]
    assert places[0].parent == cache / "arrays" and places[0].name.startswith("set-8-")
    assert arrays.place("set-8", tmp_path, [file, tmp_path / "absent"]) == places[0]
    places += [
        arrays.place("set-9", tmp_path, [file]),
        arrays.place("set-8", tmp_path / "x", [file]),
        arrays.place("set-8", tmp_path, [file], more="x"),
        arrays.place("set-8", tmp_path, []),
    ]
    os.utime(file, (1, 1))
    places.append(arrays.place("set-8", tmp_path, [file]))
    file.write_bytes(b"12")
    os.utime(file, (1, 1))
    places.append(arrays.place("set-8", tmp_path, [file]))
    assert len(set(places)) == len(places)


def test_what_was_saved_is_loaded_in_the_order_asked_for(cache):
    path = cache / "arrays" / "x.npz"
    arrays.save(path, one=np.arange(3), other=np.array(["a", "b"]))
    other, one = arrays.load(path, "other", "one")
    assert one.tolist() == [0, 1, 2] and other.tolist() == ["a", "b"]
    assert [file.name for file in path.parent.iterdir() if file.suffix != ".lock"] == ["x.npz"]


@pytest.mark.parametrize("content", [b"", b"x", b"PK\3\4", None])
def test_what_cannot_be_read_is_none(cache, content):
    path = cache / "x.npz"
    if content is not None:
        cache.mkdir()
        path.write_bytes(content)
    assert arrays.load(path, "one") is None


def test_objects_and_other_names_are_none(cache):
    cache.mkdir()
    np.savez(cache / "x.npz", one=np.array([{}], object))
    assert arrays.load(cache / "x.npz", "one") is None
    assert arrays.load(cache / "x.npz", "other") is None

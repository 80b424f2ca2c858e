"""Omniglot: reader, polarity, cache, and the Vinyals split from its rule."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from datasets import home
from datasets.errors import DataError
from datasets.sets import omniglot


def write_tiny(folder: Path, drawings: int = 20) -> None:
    """Two alphabets in the layout of the real set; drawing n has a bar of width n."""
    for part, alphabet in (("images_background", "Aa"), ("images_evaluation", "Zz")):
        for character in (1, 2):
            place = folder / part / alphabet / f"character{character:02d}"
            place.mkdir(parents=True)
            for person in range(1, drawings + 1):
                image = Image.new("1", (105, 105), 1)
                ImageDraw.Draw(image).rectangle([0, 0, 5 * person - 1, 104], fill=0)
                image.save(place / f"{character:04d}_{person:02d}.png")


def test_ink_is_bright_and_drawings_are_in_the_order_of_people(tmp_path):
    write_tiny(tmp_path)
    items, names, part = omniglot.read_set(tmp_path)
    assert items.shape == (4, 20, 28, 28)
    assert items.dtype == np.uint8
    assert names[0] == "Aa/character01"
    assert part.tolist() == [0, 0, 1, 1]
    # a bar of 5n of 105 columns covers n / 21 of the picture
    expected = np.arange(1, 21) / 21
    np.testing.assert_allclose(items[0].mean(axis=(1, 2)) / 255, expected, atol=0.01)
    assert items[0, 9, 14, 0] == 255
    assert items[0, 9, 14, 27] == 0


def test_zips_and_folders_give_the_same_arrays(tmp_path):
    write_tiny(tmp_path / "folders")
    (tmp_path / "zips").mkdir()
    for part in omniglot.PARTS:
        with zipfile.ZipFile(tmp_path / "zips" / f"{part}.zip", "w") as archive:
            for path in (tmp_path / "folders" / part).rglob("*.png"):
                archive.write(path, path.relative_to(tmp_path / "folders"))
    first = omniglot.read_set(tmp_path / "folders")
    second = omniglot.read_set(tmp_path / "zips")
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == second[1]


def test_second_reading_comes_from_the_cache_and_a_changed_file_does_not(tmp_path, monkeypatch):
    monkeypatch.setenv("METAZOO_CACHE", str(tmp_path / "cache"))
    write_tiny(tmp_path / "data")
    first = omniglot.read_set(tmp_path / "data")
    assert len(list((home.cache_folder() / "arrays").glob("*.npz"))) == 1

    def refuse(*_):
        raise AssertionError("the images were read again")

    with monkeypatch.context() as patched:
        patched.setattr(omniglot, "_shrink", refuse)
        second = omniglot.read_set(tmp_path / "data")
    np.testing.assert_array_equal(first[0], second[0])

    changed = tmp_path / "data/images_background/Aa/character01/0001_01.png"
    Image.new("1", (105, 105), 0).save(changed)
    third = omniglot.read_set(tmp_path / "data")
    assert third[0][0, 0].min() == 255


def test_a_missing_drawing_is_named(tmp_path):
    write_tiny(tmp_path)
    (tmp_path / "images_evaluation/Zz/character02/0002_20.png").unlink()
    with pytest.raises(DataError, match="Zz/character02 .* 19 drawings, expected 20"):
        omniglot.read_set(tmp_path)


def test_an_unreadable_image_is_named(tmp_path):
    write_tiny(tmp_path)
    (tmp_path / "images_evaluation/Zz/character02/0002_20.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match="0002_20.png cannot be read"):
        omniglot.read_set(tmp_path)


def test_half_a_set_is_refused(tmp_path):
    write_tiny(tmp_path)
    for path in sorted((tmp_path / "images_evaluation").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    with pytest.raises(DataError, match="no complete Omniglot"):
        omniglot.read_set(tmp_path)


@pytest.mark.real_data
def test_sizes_of_all_splits(omniglot_data):
    sizes = {name: len(classes) for name, classes in omniglot_data.splits.items()}
    assert sizes == {
        "train": 1028,
        "val": 172,
        "test": 423,
        "trainval": 1200,
        "background": 964,
        "evaluation": 659,
    }
    assert len({name.split("/")[0] for name in omniglot_data.class_names}) == 50


@pytest.mark.real_data
def test_splits_are_disjoint_by_class(omniglot_data):
    splits = omniglot_data.splits
    train, val, test = (set(splits[name].tolist()) for name in ("train", "val", "test"))
    assert not train & val
    assert not train & test
    assert not val & test
    assert train | val == set(splits["trainval"].tolist())


@pytest.mark.real_data
def test_what_the_split_of_characters_shares_of_alphabets(omniglot_data):
    classes = {name: set(indices.tolist()) for name, indices in omniglot_data.splits.items()}
    alphabets = {
        name: {omniglot_data.class_names[k].split("/")[0] for k in indices}
        for name, indices in classes.items()
    }
    assert len(classes["train"] & classes["evaluation"]) == 236
    assert alphabets["trainval"] & alphabets["test"] == {"Gurmukhi"}
    assert not alphabets["background"] & alphabets["evaluation"]


@pytest.mark.real_data
@pytest.mark.parametrize("split", ["train", "val", "test", "trainval"])
def test_the_rule_gives_the_published_lists(omniglot_data, split):
    lists = [folder / f"omniglot/splits/vinyals/{split}.txt" for folder in home.search_folders()]
    found = [path for path in lists if path.exists()]
    if not found:
        pytest.skip("the published lists are not beside the data")
    published = {line.rsplit("/", 1)[0] for line in found[0].read_text().split()}
    ours = {omniglot_data.class_names[k] for k in omniglot_data.splits[split]}
    assert ours == published


@pytest.mark.real_data
def test_e3_7_every_class_has_twenty_drawings_with_ink(omniglot_data):
    items = omniglot_data.items.reshape(1623, 20, -1)
    assert (items.max(axis=-1) > 0).all()
    # one-bit shrinking leaves 0.079 of the pixels inked; grey shrinking keeps the ink's mean
    assert 0.075 < items.mean() / 255 < 0.085


@pytest.fixture(scope="module")
def omniglot_data():
    """The real set, never downloaded by a test."""
    try:
        return omniglot.load(offline=True)
    except DataError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "other"])
def test_a_damaged_cache_is_made_again(tmp_path, monkeypatch, damage):
    monkeypatch.setenv("METAZOO_CACHE", str(tmp_path / "cache"))
    write_tiny(tmp_path / "data")
    first = omniglot.read_set(tmp_path / "data")
    (cached,) = (home.cache_folder() / "arrays").glob("*.npz")
    content = bytearray(cached.read_bytes())
    if damage == "other":
        np.savez(cached, items=np.zeros(3), names=np.array(["a"]), part=np.zeros(1))
    else:
        content[2000] ^= 0xFF
        kept = {"empty": b"", "cut": content[: len(content) // 2], "flipped": content}[damage]
        cached.write_bytes(bytes(kept))
    second = omniglot.read_set(tmp_path / "data")
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == second[1]
    assert omniglot._load_cache(cached, 28) is not None  # made again


def zipped(folder: Path, change=None) -> Path:
    """The tiny set as two archives; ``change`` gets the first one's writer."""
    write_tiny(folder / "folders")
    target = folder / "zips"
    target.mkdir()
    for part in omniglot.PARTS:
        with zipfile.ZipFile(target / f"{part}.zip", "w") as archive:
            for path in (folder / "folders" / part).rglob("*.png"):
                archive.write(path, path.relative_to(folder / "folders"))
            if change and part == omniglot.PARTS[0]:
                change(archive)
    return target


def with_byte(folder: Path, offset: int, value: bytes, mark: bytes) -> Path:
    """Change bytes after the first ``mark`` of the first archive."""
    target = zipped(folder)
    path = target / f"{omniglot.PARTS[0]}.zip"
    content = bytearray(path.read_bytes())
    at = content.index(mark) + offset
    content[at : at + len(value)] = value
    path.write_bytes(content)
    return target


CENTRAL = b"PK\x01\x02"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda f: with_byte(f, 16, b"\0\0\0\1", CENTRAL), "cannot be unpacked"),  # CRC
        (lambda f: with_byte(f, 8, b"\1", CENTRAL), "cannot be unpacked"),  # encrypted
        (lambda f: with_byte(f, 10, b"\x63", CENTRAL), "cannot be unpacked"),  # unknown method
        (lambda f: with_byte(f, 24, b"\0\0\0\x40", CENTRAL), "at most"),  # 1 GB
        (lambda f: zipped(f, lambda a: a.writestr("../x.png", b"x")), "named outside the folder"),
        (lambda f: zipped(f, lambda a: a.writestr(a.namelist()[0], b"x")), "twice"),
    ],
)
def test_a_damaged_or_odd_archive_is_one_sentence(tmp_path, make, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        omniglot.read_set(make(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("odd", ["folder", "link", "fifo"])
def test_an_odd_file_in_a_folder_is_one_sentence(tmp_path, odd):
    write_tiny(tmp_path)
    path = tmp_path / "images_evaluation/Zz/character02/0002_20.png"
    path.unlink()
    {"folder": path.mkdir, "link": lambda: path.symlink_to("nowhere"),
     "fifo": lambda: os.mkfifo(path)}[odd]()  # fmt: skip
    with pytest.raises(DataError, match="0002_20.png is (a folder or device|missing)"):
        omniglot.read_set(tmp_path)


def test_a_character_under_two_names_is_told(tmp_path):
    write_tiny(tmp_path)
    place = tmp_path / "images_background/Aa"
    shutil.copytree(place / "character01", place / "character1")
    with pytest.raises(DataError, match="drawing 1 of Aa/character01 twice"):
        omniglot.read_set(tmp_path)


def test_a_pipe_instead_of_an_archive_is_not_waited_for(tmp_path):
    for part in omniglot.PARTS:
        os.mkfifo(tmp_path / f"{part}.zip")
    with pytest.raises(DataError, match="no complete Omniglot"):
        omniglot.read_set(tmp_path)


def test_a_cache_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("METAZOO_CACHE", str(tmp_path / "cache"))
    write_tiny(tmp_path)
    arrays, synced = home.cache_folder() / "arrays", []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(list(arrays.glob("*.npz"))))
    omniglot.read_set(tmp_path)
    assert synced == [[]]
    assert len(list(arrays.glob("*.npz"))) == 1


def test_a_drawing_of_more_than_the_cap_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(omniglot, "MAX_IMAGE", 10)
    write_tiny(tmp_path)
    with pytest.raises(DataError, match=r"\.png has .* bytes; at most 10 are read"):
        omniglot.read_set(tmp_path)

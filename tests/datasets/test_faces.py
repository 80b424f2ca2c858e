"""Faces: numeric order from folder and archive, split by person, broken sets refused."""

import zipfile

import numpy as np
import pytest

from datasets.errors import DataError
from datasets.readers.pgm import write_pgm
from datasets.sets import faces, sources


def write_people(folder, people=3, pictures=10, shape=(4, 3)):
    """Person p's picture q is filled with the value 20 p + q, modulo 256."""
    for person in range(1, people + 1):
        (folder / f"s{person}").mkdir(parents=True)
        for picture in range(1, pictures + 1):
            pixels = np.full(shape, (20 * person + picture) % 256, np.uint8)
            write_pgm(folder / f"s{person}" / f"{picture}.pgm", pixels)
    return folder


def zipped(folder, target, prefix=""):
    """Archive of a folder, in reverse order so that nothing can rely on it."""
    target.mkdir(exist_ok=True)
    with zipfile.ZipFile(target / "att_faces.zip", "w") as archive:
        for path in sorted(folder.glob("*/*"), reverse=True):
            archive.write(path, prefix + path.relative_to(folder).as_posix())
    return target


def read(folder, **options):
    return faces.read_tree(folder, "faces", **{"test_people": 1} | options)


def test_people_and_pictures_are_in_numeric_order(tmp_path):
    data = read(write_people(tmp_path, people=12))
    assert data.class_names == tuple(f"s{person}" for person in range(1, 13))
    assert data.items.shape == (120, 4, 3)
    assert data.items.dtype == np.uint8
    expected = [20 * person + picture for person in range(1, 13) for picture in range(1, 11)]
    np.testing.assert_array_equal(data.items[:, 0, 0], expected)
    np.testing.assert_array_equal(data.item_class, np.repeat(np.arange(12), 10))
    assert data.source == str(tmp_path)
    assert not data.generated


@pytest.mark.parametrize("prefix", ["", "att_faces/", "./orl/faces/"])
def test_archive_equals_folder(tmp_path, prefix):
    folder = write_people(tmp_path / "faces")
    unpacked, packed = read(folder), read(zipped(folder, tmp_path / "zip", prefix))
    np.testing.assert_array_equal(packed.items, unpacked.items)
    np.testing.assert_array_equal(packed.item_class, unpacked.item_class)
    assert packed.class_names == unpacked.class_names
    assert packed.source.endswith("att_faces.zip")


def test_other_files_are_ignored(tmp_path):
    folder = write_people(tmp_path)
    for name in ("s1/._1.pgm", "s1/copy.pgm", "s1/11.txt", "README", "sx.pgm"):
        (folder / name).write_bytes(b"no picture")
    assert len(read(folder).items) == 30


def test_nobody_tested_is_seen_in_training(tmp_path):
    data = read(write_people(tmp_path, people=8), test_people=3, seed=5)
    assert len(data.classes("train")) == 5
    assert len(data.classes("test")) == 3
    assert not set(data.classes("train")) & set(data.classes("test"))
    assert len(data.classes("all")) == 8


def test_the_name_and_the_mark_of_a_stand_in(tmp_path):
    data = faces.read_tree(write_people(tmp_path), "sketch_faces", generated=True, test_people=1)
    assert data.name == "sketch_faces"
    assert data.generated


def broken(folder, content, name="s2/3.pgm"):
    (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("pack", [False, True])
def test_a_broken_picture_is_named(tmp_path, pack):
    folder = broken(write_people(tmp_path / "faces"), b"P5 3 4 255\nabc")
    if pack:
        folder = zipped(folder, tmp_path / "zip")
    with pytest.raises(DataError, match=r"s2/3\.pgm: 3 bytes of pixels; .* exactly 12"):
        read(folder)


def test_pictures_of_two_sizes_are_refused(tmp_path):
    folder = broken(write_people(tmp_path), b"P5 1 1 255\na")
    with pytest.raises(DataError, match=r"sizes \[\(1, 1\), \(4, 3\)\]; expected one size"):
        read(folder)


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(DataError, match="holds no pictures; expected s1/1.pgm"):
        read(tmp_path)


def test_the_same_picture_twice_is_told(tmp_path):
    target = zipped(write_people(tmp_path / "faces"), tmp_path / "zip")
    with zipfile.ZipFile(target / "att_faces.zip", "a") as archive:
        archive.writestr("again/s3/4.pgm", b"P5 1 1 255\na")
    with pytest.raises(DataError, match=r"two pictures s3/4\.pgm; expected one"):
        read(target)


def test_a_broken_archive_is_named(tmp_path):
    target = zipped(write_people(tmp_path / "faces"), tmp_path / "zip")
    archive = target / "att_faces.zip"
    content = bytearray(archive.read_bytes())
    archive.write_bytes(content[:200])
    with pytest.raises(DataError, match=r"att_faces\.zip cannot be unpacked"):
        read(target)
    content[60] ^= 255  # a pixel: the checksum of the member no longer fits
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"att_faces\.zip cannot be unpacked .*Bad CRC"):
        read(target)


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    target = zipped(write_people(tmp_path / "faces"), tmp_path / "zip")  # 30 pictures of 23 bytes
    monkeypatch.setattr(faces, "MAX_UNPACKED", 689)
    with pytest.raises(DataError, match="unpacks to 690 bytes; at most 689 are accepted"):
        read(target)
    monkeypatch.setattr(faces, "MAX_UNPACKED", 690)
    assert len(read(target).items) == 30


def test_an_archive_with_a_member_outside_the_folder_is_refused(tmp_path):
    target = zipped(write_people(tmp_path / "faces"), tmp_path / "zip")
    with zipfile.ZipFile(target / "att_faces.zip", "a") as archive:
        archive.writestr("../s4/1.pgm", b"P5 3 4 255\n" + bytes(12))
    with pytest.raises(DataError, match="a member is named outside the folder"):
        read(target)


def test_other_members_of_an_archive_are_ignored(tmp_path):
    target = zipped(write_people(tmp_path / "faces"), tmp_path / "zip")
    with zipfile.ZipFile(target / "att_faces.zip", "a") as archive:
        for name in ("README", "s1/copy.pgm", "s1/._1.pgm", "__MACOSX/s1/1.pgm"):
            archive.writestr(name, b"no picture")
    assert len(read(target).items) == 30


def test_an_incomplete_real_set_is_refused(tmp_path):
    folder = write_people(tmp_path / "orl_faces", people=40)
    (folder / "s7" / "10.pgm").unlink()
    with pytest.raises(DataError, match="399 pictures of 40 people; the ORL faces are 10 of each"):
        faces.load(root=tmp_path, offline=True)


@pytest.mark.real_data
@pytest.mark.skipif(not sources.find("orl_faces"), reason="needs orl_faces: set METAZOO_DATA")
def test_orl_faces():
    data = faces.load(offline=True)
    assert data.name == "orl_faces"
    assert data.items.shape == (400, 112, 92)
    assert data.items.dtype == np.uint8
    assert data.class_names == tuple(f"s{person}" for person in range(1, 41))
    assert (np.bincount(data.item_class) == 10).all()
    assert len(data.classes("train")) == 30
    assert len(data.classes("test")) == 10
    # A person's pictures resemble each other: the nearest other one nearly always shows the same
    # person, which it would not if pictures had lost their rows or their owners.
    pixels = data.items.reshape(400, -1).astype(np.float32)  # [picture, pixel]
    squares = (pixels**2).sum(axis=1)
    distances = squares[:, np.newaxis] + squares - 2 * pixels @ pixels.T  # [picture, picture]
    np.fill_diagonal(distances, np.inf)
    nearest = data.item_class[distances.argmin(axis=1)]
    assert (nearest == data.item_class).mean() > 0.95

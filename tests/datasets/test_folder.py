"""Own data: every common kind of picture, sounds, order, splits, and clear refusals."""

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets.errors import DataError, DataNotice
from datasets.readers import folder as module
from datasets.readers.folder import (
    class_files,
    load_folder,
    load_unlabelled,
    read_image,
    read_sound,
)

SIZE = (6, 8)  # height, width


def encoded(picture, format="PNG", **options):
    content = io.BytesIO()
    picture.save(content, format, **options)
    return content.getvalue()


@pytest.fixture(scope="module")
def picture_file(tmp_path_factory):
    """Writes a picture or bytes to a file and returns its path."""
    folder = tmp_path_factory.mktemp("pictures")

    def write(picture, format="PNG", **options):
        content = picture if isinstance(picture, bytes) else encoded(picture, format, **options)
        path = folder / f"picture.{format.lower()}"
        path.write_bytes(content)
        return path

    return write


def flat(mode, colour, size=(16, 12)):
    return Image.new(mode, size, colour)


def palette(transparent=None):
    picture = Image.new("P", (16, 12), 1)
    picture.putpalette([255, 255, 255, 0, 0, 255, 255, 0, 0])  # white, blue, red
    return picture, {} if transparent is None else {"transparency": transparent}


def sixteen_bit(value):
    return Image.fromarray(np.full((12, 16), value, np.uint16))


# Grey is 0.299 red + 0.587 green + 0.114 blue, as in Pillow (ITU-R 601).
PICTURES = {
    "grey": (flat("L", 100), "PNG", {}, 100, (100,) * 3),
    "one bit white": (flat("1", 1), "PNG", {}, 255, (255,) * 3),
    "one bit black": (flat("1", 0), "TIFF", {}, 0, (0,) * 3),
    "red": (flat("RGB", (255, 0, 0)), "PNG", {}, 76, (255, 0, 0)),
    "opaque": (flat("RGBA", (0, 255, 0, 255)), "PNG", {}, 150, (0, 255, 0)),
    "transparent": (flat("RGBA", (0, 0, 0, 0)), "PNG", {}, 255, (255,) * 3),
    "half transparent": (flat("RGBA", (0, 0, 0, 128)), "PNG", {}, 127, (127,) * 3),
    "grey with alpha": (flat("LA", (0, 0)), "PNG", {}, 255, (255,) * 3),
    "transparent grey": (flat("L", 10), "PNG", {"transparency": 10}, 255, (255,) * 3),
    "palette": (palette()[0], "PNG", {}, 29, (0, 0, 255)),
    "palette gif": (palette()[0], "GIF", {}, 29, (0, 0, 255)),
    "transparent palette": (palette()[0], "PNG", palette(1)[1], 255, (255,) * 3),
    "sixteen bit": (sixteen_bit(257 * 100), "PNG", {}, 100, (100,) * 3),
    "sixteen bit tiff": (sixteen_bit(65_535), "TIFF", {}, 255, (255,) * 3),
    "sixteen bit pgm": (sixteen_bit(257 * 7), "PPM", {}, 7, (7,) * 3),
    "cmyk": (flat("CMYK", (0, 0, 0, 255)), "TIFF", {}, 0, (0,) * 3),
    "webp": (flat("RGB", (9, 9, 9)), "WEBP", {"lossless": True}, 9, (9,) * 3),
    "bmp": (flat("RGB", (1, 2, 3)), "BMP", {}, 2, (1, 2, 3)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture(picture_file, name):
    picture, format, options, grey, colour = PICTURES[name]
    path = picture_file(picture, format, **options)
    one, three = read_image(path, SIZE, channels=1), read_image(path, SIZE, channels=3)
    assert one.dtype == three.dtype == np.uint8
    np.testing.assert_array_equal(one, np.full((6, 8), grey))
    np.testing.assert_array_equal(three, np.full((6, 8, 3), colour))


def test_jpeg_is_upright(picture_file):
    # White above black, stored lying on its side and marked so by EXIF orientation 6.
    upright = np.repeat([255, 0], 16)[:, np.newaxis].astype(np.uint8) * np.ones(32, np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = picture_file(Image.fromarray(np.rot90(upright)), "JPEG", exif=exif, quality=95)
    image = read_image(path, (2, 2))
    np.testing.assert_allclose(image, [[255, 255], [0, 0]], atol=40)


def test_size_is_height_and_width_and_the_picture_is_stretched(picture_file):
    left_dark = np.zeros((10, 40), np.uint8)
    left_dark[:, 20:] = 200
    image = read_image(picture_file(Image.fromarray(left_dark)), (5, 2), fit="stretch")
    assert image.shape == (5, 2)
    np.testing.assert_allclose(image, [[0, 200]] * 5, atol=30)


def wide(colours) -> Image.Image:
    """40 x 10 pixels: a left, a middle and a right part."""
    pixels = np.zeros((10, 40, 3), np.uint8)
    for colour, part in zip(colours, (slice(0, 15), slice(15, 25), slice(25, 40)), strict=True):
        pixels[:, part] = colour
    return Image.fromarray(pixels)


def test_what_becomes_of_a_wide_picture(picture_file):
    red, green, blue = [200, 0, 0], [0, 200, 0], [0, 0, 200]
    path = picture_file(wide([red, green, red]))
    cropped, padded, stretched, auto = (
        read_image(path, (20, 20), 3, fit=fit) for fit in ("crop", "pad", "stretch", "auto")
    )
    assert (cropped[:, 2:-2] == green).all()  # its middle, ten by ten
    np.testing.assert_array_equal(padded[:7], np.broadcast_to(red, (7, 20, 3)))  # its border's
    np.testing.assert_array_equal(padded[10, 10], green)
    np.testing.assert_array_equal(stretched[:, 10], np.broadcast_to(green, (20, 3)))
    np.testing.assert_array_equal(auto, padded)
    other = read_image(picture_file(wide([red, green, blue])), (20, 20), 3, fit="pad")
    assert other.shape == (20, 20, 3)


@pytest.mark.parametrize(("width", "fit"), [(20, "stretch"), (30, "stretch"), (31, "pad")])
def test_a_picture_is_stretched_by_half_at_most(picture_file, width, fit):
    pixels = np.random.default_rng(0).integers(0, 256, (20, width), np.uint8)
    for turned in (pixels, pixels.T):
        path = picture_file(Image.fromarray(np.ascontiguousarray(turned)))
        np.testing.assert_array_equal(
            read_image(path, (20, 20)), read_image(path, (20, 20), fit=fit)
        )


def test_another_way_to_fit_is_a_mistake(picture_file):
    with pytest.raises(ValueError, match="fit is 'squeeze'; it must be one of auto, crop"):
        read_image(picture_file(Image.new("L", (5, 5), 9)), fit="squeeze")


def test_shrinking_averages_instead_of_dropping_pixels(picture_file):
    stripes = np.tile(np.array([[0, 255]], np.uint8), (100, 50))
    image = read_image(picture_file(Image.fromarray(stripes)), (10, 10))
    np.testing.assert_allclose(image, 127.5, atol=10)


def test_a_picture_of_the_wanted_size_is_unchanged(picture_file):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8), np.uint8)
    np.testing.assert_array_equal(read_image(picture_file(Image.fromarray(pixels)), SIZE), pixels)


def test_invert_makes_ink_high(picture_file):
    path = picture_file(flat("L", 250))
    assert (read_image(path, invert=False) == 250).all()
    assert (read_image(path, invert=True) == 5).all()
    transparent = picture_file(flat("RGBA", (0, 0, 0, 0)))
    assert not read_image(transparent, invert=True).any()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not a picture (AVIF, BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP)"),
        (b"<html>", "is not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is not a picture"),
        (encoded(flat("L", 1))[:45], "cannot be read as a picture"),
        (encoded(flat("RGB", (1, 2, 3)), "JPEG")[:-40], "cannot be read as a picture"),
        (b"P5 4 4 255\nabc", "cannot be read as a picture"),
        (b"P5 9999 9999 255\nabc", "has 9999 x 9999 pixels; at most 50,000,000 are read"),
        (encoded(flat("F", 0.5), "TIFF"), "floating-point pixels, expected whole numbers"),
        (encoded(flat("I", 70_000), "TIFF"), "pixels of more than 16 bits"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_unreadable_picture_is_told_in_one_sentence(picture_file, content, told):
    path = picture_file(content)
    with pytest.raises(DataError) as error:
        read_image(path)
    assert str(error.value).startswith(str(path))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.png is missing"):
        read_image(tmp_path / "none.png")


def test_pictures_have_one_or_three_channels(picture_file):
    with pytest.raises(ValueError, match="1 or 3 channels, not 2"):
        read_image(picture_file(flat("L", 1)), channels=2)


@settings(max_examples=150, deadline=2_000)
@given(st.data())
@pytest.mark.filterwarnings("ignore")
def test_fuzz_mutated_pictures(picture_file, data):
    picture, format, options, _, _ = PICTURES[data.draw(st.sampled_from(sorted(PICTURES)))]
    content = bytearray(encoded(picture, format, **options))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, 40) | st.integers(0, len(content)))
        length = data.draw(st.integers(0, 4))
        content[start : start + length] = data.draw(st.binary(max_size=4))
    try:
        image = read_image(picture_file(bytes(content)), SIZE)
    except DataError as error:
        assert str(error)
    else:
        assert image.shape == SIZE
        assert image.dtype == np.uint8


# Folders


def write_pictures(folder, counts):
    """Class folders; picture number n of a class is grey n."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(1, count + 1):
            flat("L", number).save(folder / name / f"{number}.png")
    return folder


def test_folder_of_pictures(tmp_path):
    path = write_pictures(tmp_path / "trees", {"oak 10": 2, "oak 9": 11, "Ψ-ülme": 1})
    data = load_folder(path, size=SIZE)
    assert data.name == "trees"
    assert data.source == str(path)
    assert data.class_names == ("oak 9", "oak 10", "Ψ-ülme")
    assert data.item_class.tolist() == [0] * 11 + [1] * 2 + [2]
    assert data.items.shape == (14, 6, 8)
    assert data.items[:, 0, 0].tolist() == [*range(1, 12), 1, 2, 1]


def test_colour_folder_and_options_reach_the_reader(tmp_path):
    path = write_pictures(tmp_path, {"a": 1, "b": 1})
    data = load_folder(path, size=SIZE, channels=3, invert=True)
    assert data.items.shape == (2, 6, 8, 3)
    assert (data.items == 254).all()


def test_a_single_file_is_read_as_in_the_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 30, 4), np.uint8)
    files = [tmp_path / "a" / "x.png", tmp_path / "b" / "y.png"]
    for file, picture in zip(files, pixels, strict=True):
        Image.fromarray(picture).save(file)
    options = {"size": (9, 7), "channels": 3, "invert": True}
    data = load_folder(tmp_path, **options)
    for item, file in zip(data.items, files, strict=True):
        np.testing.assert_array_equal(read_image(file, **options), item)


def test_hidden_files_and_other_suffixes_are_ignored(tmp_path):
    path = write_pictures(tmp_path, {"a": 2, "b": 2, ".cache": 2})
    for name in ("a/.3.png", "a/Thumbs.db", "a/notes.txt", "README.md"):
        (path / name).write_bytes(b"no picture")
    (path / "a" / "4.PNG").write_bytes(encoded(flat("L", 4)))
    data = load_folder(path)
    assert data.class_names == ("a", "b")
    assert data.items[:, 0, 0].tolist() == [1, 2, 4, 1, 2]


@pytest.mark.parametrize(
    ("classes", "sizes"),
    [(2, (2, 0, 0)), (3, (1, 1, 1)), (5, (3, 1, 1)), (10, (6, 2, 2)), (13, (7, 3, 3))],
)
def test_classes_are_split_by_the_stated_fractions(tmp_path, classes, sizes):
    path = write_pictures(tmp_path, {f"class {number}": 1 for number in range(classes)})
    data = load_folder(path, seed=3)
    splits = [data.classes(name).tolist() for name in ("train", "val", "test")]
    assert tuple(map(len, splits)) == sizes
    assert sorted(sum(splits, [])) == data.classes("all").tolist() == list(range(classes))


def test_seed_decides_the_split(tmp_path):
    path = write_pictures(tmp_path, {f"class {number}": 1 for number in range(20)})
    test = [load_folder(path, seed=seed).classes("test").tolist() for seed in (0, 0, 1)]
    assert test[0] == test[1] != test[2]


def test_folder_of_sounds(tmp_path):
    generator = np.random.default_rng(0)
    for name, seconds in {"whistle/1.wav": 0.5, "whistle/2.flac": 3.0, "clap/1.ogg": 1.0}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, generator.normal(0, 0.1, int(seconds * 22_050)), 22_050)
    data = load_folder(tmp_path, "sound", frames=50)
    assert data.items.shape == (3, 20, 50)
    assert data.items.dtype == np.float32
    assert data.class_names == ("clap", "whistle")
    assert data.item_class.tolist() == [0, 1, 1]
    single = read_sound(tmp_path / "whistle" / "2.flac", frames=50)
    np.testing.assert_array_equal(single, data.items[2])


def test_a_missing_folder_or_a_file_is_told(tmp_path):
    with pytest.raises(DataError, match="none is missing; expected a folder with one folder"):
        load_folder(tmp_path / "none")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="file is a file; expected a folder"):
        load_folder(tmp_path / "file")


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(DataError, match="has 0 class folders; expected at least 2"):
        load_folder(tmp_path)


def test_one_class_only_is_told(tmp_path):
    with pytest.raises(DataError, match="has 1 class folders; expected at least 2"):
        load_folder(write_pictures(tmp_path, {"a": 3}))


def test_a_class_without_files_is_named_and_what_it_holds_is_counted(tmp_path):
    path = write_pictures(tmp_path, {"a": 3, "b": 0})
    with pytest.raises(DataError, match=r"b holds no image \(ignored: nothing\); images end in"):
        load_folder(path)
    for name in ("1.txt", "2.TXT", "x.db", "readme", ".hidden.png"):
        (path / "b" / name).write_bytes(b"")
    with pytest.raises(DataError, match=r"ignored: 1 \.db, 2 \.txt, 1 without suffix"):
        load_folder(path)
    with pytest.raises(DataError, match=r"a holds no sound \(ignored: 3 \.png\); sounds end in"):
        load_folder(path, "sound")


@pytest.mark.parametrize(
    ("kind", "file", "told"),
    [
        ("image", "broken.png", "is not a picture"),
        ("sound", "broken.wav", "cannot be read as a sound"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path, kind, file, told):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(b"neither a picture nor a sound")
    with pytest.raises(DataError, match=rf"a.{file} {told}"):
        load_folder(tmp_path, kind)


def test_an_unknown_kind_is_told(tmp_path):
    with pytest.raises(DataError, match="Unknown kind of data 'video'; expected image or sound"):
        load_folder(tmp_path, "video")


def test_fractions_leave_something_for_training(tmp_path):
    path = write_pictures(tmp_path, {"a": 1, "b": 1})
    with pytest.raises(DataError, match="1 for test and 1 for val of 2 classes"):
        load_folder(path, val_fraction=0.5, test_fraction=0.5 + 0.1)


def test_every_image_suffix_belongs_to_an_allowed_format():
    known = Image.registered_extensions()
    assert {known[suffix] for suffix in module.SUFFIXES["image"]} == set(module.FORMATS)


def test_importing_the_readers_loads_neither_tensorflow_nor_librosa():
    code = (
        "import sys, datasets.readers.folder, datasets.readers.mfcc, datasets.readers.pgm;"
        "import datasets.sets.faces, datasets.sets.sounds;"
        "print({'tensorflow', 'librosa', 'numba'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


# What is read carries what the person put in, or one sentence says what was lost.


def png(path, pixels, mode=None):
    """Write pixels as a PNG and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8), mode).save(path)
    return path


def noise(seed, shape=(8, 8)):
    return np.random.default_rng(seed).integers(0, 256, shape)


def test_files_that_are_left_out_are_counted_by_kind(tmp_path):
    png(tmp_path / "a/1.png", noise(1)), png(tmp_path / "b/1.png", noise(2))
    for number in range(9):
        (tmp_path / f"a/{number}.heic").write_bytes(b"x")
    (tmp_path / "a/more").mkdir()
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    with pytest.warns(DataNotice) as told:
        classes = class_files(tmp_path)
    assert [len(files) for files in classes.values()] == [1, 1]
    said = [str(notice.message) for notice in told]
    assert any(f"{tmp_path / 'a'}: 9 .heic, 1 folder ignored; images end in" in s for s in said)
    assert any(f"{tmp_path}: 1 .md ignored" in s for s in said)


@pytest.mark.parametrize("name", ["x.jfif", "x.pbm", "x.avif"])
def test_more_endings_of_pictures_are_read(tmp_path, name):
    kind = {"x.jfif": "JPEG", "x.pbm": "PPM", "x.avif": "AVIF"}[name]
    for folder in "ab":
        (tmp_path / folder).mkdir()
        picture = Image.fromarray(noise(3).astype(np.uint8))
        (picture.convert("1") if kind == "PPM" else picture).save(tmp_path / folder / name, kind)
    assert load_folder(tmp_path, size=(8, 8)).items.std() > 0


def test_folders_in_folders_are_explained_and_clutter_is_no_class(tmp_path):
    png(tmp_path / "Latin/character01/1.png", noise(1))
    png(tmp_path / "Greek/character01/1.png", noise(2))
    with pytest.raises(
        DataError, match=r"Greek holds folders \(character01 ...\) instead of images"
    ):
        class_files(tmp_path)
    (tmp_path / "Latin/__MACOSX").mkdir()
    png(tmp_path / "Latin/character02/1.png", noise(3))
    assert list(class_files(tmp_path / "Latin")) == ["character01", "character02"]


def test_white_ink_on_nothing_is_a_drawing_not_a_blank(tmp_path):
    ink = np.zeros([8, 8], np.uint8)
    ink[2:6, 3] = 255
    white = np.stack([np.full_like(ink, 255)] * 3 + [ink], axis=-1)
    black = np.stack([np.zeros_like(ink)] * 3 + [ink], axis=-1)
    found = read_image(png(tmp_path / "white.png", white), (8, 8))
    np.testing.assert_array_equal(found, 255 - ink)
    np.testing.assert_array_equal(read_image(png(tmp_path / "black.png", black), (8, 8)), found)


def test_a_blank_picture_is_told(tmp_path):
    with pytest.warns(DataNotice, match=r"1\.png is blank: all its pixels are the same"):
        read_image(png(tmp_path / "1.png", np.full([8, 8], 7)), (8, 8))


def with_exif(picture, kind, block):
    """A picture with any bytes as its EXIF block: in JPEG a segment, in PNG a chunk."""
    content = encoded(picture, kind)
    if kind == "JPEG":
        segment = b"Exif\0\0" + block
        return (
            content[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(segment) + 2) + segment + content[2:]
        )
    chunk = b"eXIf" + block
    framed = struct.pack(">I", len(block)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return content[:33] + framed + content[33:]  # behind the header


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("block", [b"no TIFF header at all", b"II*\0"], ids=["no header", "cut"])
def test_a_broken_exif_block_does_not_cost_the_picture(picture_file, recwarn, kind, block):
    picture = Image.fromarray(noise(1).astype(np.uint8))
    plain = read_image(picture_file(picture, kind), (8, 8))
    assert not recwarn.list
    with pytest.warns(DataNotice, match="EXIF block that cannot be read; .* as upright") as told:
        found = read_image(picture_file(with_exif(picture, kind, block)), (8, 8))
    np.testing.assert_array_equal(found, plain)
    assert len(told) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_whole_exif_block_turns_the_picture(picture_file, recwarn, kind):
    one_entry = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)  # orientation 6, no more entries
    block = b"II*\0" + struct.pack("<I", 8) + one_entry
    picture = Image.fromarray(
        np.repeat([[0], [255]], 8, axis=0).astype(np.uint8) * np.ones((1, 16), np.uint8)
    )
    found = read_image(picture_file(with_exif(picture, kind, block)), (2, 2))
    np.testing.assert_allclose(found, [[255, 0], [255, 0]], atol=40)
    assert not recwarn.list


def test_the_decoders_own_warnings_are_not_shown(tmp_path, monkeypatch, recwarn):
    path = png(tmp_path / "1.png", noise(1, (40, 40)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # the decoder would warn of a bomb
    read_image(path, (8, 8))
    assert not recwarn.list


def test_notices_can_be_filtered_by_the_caller(picture_file):
    broken = picture_file(with_exif(flat("L", 7), "PNG", b"no TIFF header"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("ignore")
        read_image(broken)
    assert not told
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataNotice, match="EXIF block that cannot be read"):
            read_image(broken)


def test_the_same_picture_in_two_classes_is_told(tmp_path):
    png(tmp_path / "a/1.png", noise(1)), png(tmp_path / "b/2.png", noise(1))
    with pytest.warns(DataNotice, match=r"2\.png is the same as .*1\.png, which is of"):
        load_folder(tmp_path, size=(8, 8))


def test_a_folder_whose_name_is_too_long_is_missing():
    with pytest.raises(DataError, match="x is missing; expected a folder"):
        class_files("x" * 300)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_broken_pixels_are_not_taken_for_a_broken_exif_block(picture_file, recwarn, kind):
    content = encoded(Image.fromarray(noise(1, (60, 60)).astype(np.uint8)), kind)
    with pytest.raises(DataError, match="cannot be read as a picture"):
        read_image(picture_file(content[: len(content) // 2]))
    assert not recwarn.list


def test_a_picture_of_ten_gigapixels_is_refused_by_its_header(picture_file):
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum
    with pytest.raises(
        DataError, match=r"has more than [\d,]+ pixels; at most 50,000,000 are read"
    ):
        read_image(picture_file(content + bytes(4) + b"IDAT" + bytes(4)))


def test_light_ink_on_nothing_is_told(tmp_path):
    ink = np.zeros([8, 8], np.uint8)
    ink[2:6, 3] = 255
    for grey, told in {245: True, 201: True, 200: False, 120: False}.items():
        drawing = png(tmp_path / "1.png", np.stack([np.full_like(ink, grey), ink], axis=-1))
        with warnings.catch_warnings(record=True) as notices:
            warnings.simplefilter("always")
            assert read_image(drawing, (8, 8)).min() == grey
        expected = [f"{drawing} is drawn in light ink (grey {grey}) on a transparent ground"]
        assert [str(notice.message).split(",")[0] for notice in notices] == expected * told


def test_a_light_picture_without_transparent_parts_is_not_light_ink(tmp_path, recwarn):
    light = np.stack([noise(1) // 8 + 215, np.full([8, 8], 255)], axis=-1)
    read_image(png(tmp_path / "1.png", light), (8, 8))
    assert not recwarn.list


def drawing(path, number, light):
    """A stroke of its own for each number, on light or on dark ground."""
    pixels = np.full([8, 8], 255)
    pixels[number, 1:7] = 0
    return png(path, pixels if light else 255 - pixels)


@pytest.mark.parametrize("invert", [False, True])
def test_grounds_that_differ_within_a_class_are_told(tmp_path, invert):
    for number in range(5):
        drawing(tmp_path / f"a/{number}.png", number, light=True)
        drawing(tmp_path / f"b/{number}.png", number, light=number in (2, 3))
    with pytest.warns(DataNotice) as told:
        load_folder(tmp_path, size=(8, 8), invert=invert)
    said = [str(notice.message) for notice in told if "mixes" in str(notice.message)]
    mixed = f"{tmp_path / 'b'} mixes light and dark grounds: 2 like 2.png against 3 like 0.png; "
    assert len(said) == 1 and said[0].startswith(mixed)


def test_classes_of_one_ground_each_and_photos_are_no_mixture(tmp_path, recwarn):
    for number in range(3):
        drawing(tmp_path / f"a/{number}.png", number, light=True)
        drawing(tmp_path / f"b/{number}.png", number, light=False)
        day = 127 * (number % 2)
        png(tmp_path / f"c/{number}.png", noise(number) // 2 + day)
    load_folder(tmp_path, size=(8, 8))
    assert not recwarn.list


@pytest.mark.parametrize("names", [("train", "test"), ("Train", "val", "test"), ("training",)])
def test_a_folder_of_splits_is_explained(tmp_path, names):
    for seed, name in enumerate(names):
        (
            png(tmp_path / name / "oak/1.png", noise(seed)),
            png(tmp_path / name / "elm/1.png", noise(9)),
        )
    listed = " and ".join(sorted(names))
    with pytest.raises(
        DataError, match=f"holds {listed}, which look like splits .* into one folder"
    ):
        class_files(tmp_path)


def test_classes_may_be_called_like_splits(tmp_path):
    png(tmp_path / "train/1.png", noise(1)), png(tmp_path / "test/1.png", noise(2))
    assert list(class_files(tmp_path)) == ["test", "train"]


def test_pictures_beside_a_single_class_folder_are_counted(tmp_path):
    for place in ("a/1.png", "2.png", "3.png"):
        png(tmp_path / place, noise(1))
    with pytest.raises(DataError, match=r"has 1 class folders; .*; beside them lie 2 \.png\."):
        class_files(tmp_path)


def test_links_to_nothing_and_pipes_are_told_as_such(tmp_path):
    for name in "ab":
        png(tmp_path / name / "1.png", noise(1))
    (tmp_path / "a/2.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "a/3.png")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.warns(DataNotice) as told:
        class_files(tmp_path)
    said = " ".join(str(notice.message) for notice in told)
    assert f"{tmp_path / 'a'}: 1 .png (link to nothing), 1 .png (pipe or device) ignored" in said
    assert f"{tmp_path}: 1 without suffix (link to nothing) ignored" in said
    (tmp_path / "a/1.png").unlink()
    with pytest.raises(DataError, match=r"ignored: 1 \.png \(link to nothing\), 1 \.png \(pipe"):
        class_files(tmp_path)


def test_files_that_could_be_converted_are_pointed_at(tmp_path):
    for name in ("a/1.wav", "b/1.wave", "b/2.M4A", "b/3.webm", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.warns(DataNotice) as told:
        class_files(tmp_path, "sound")
    (said,) = (str(notice.message) for notice in told)
    assert said.startswith(f"{tmp_path / 'b'}: 1 .m4a, 1 .txt, 1 .webm ignored; sounds end in .aif")
    assert said.endswith(".wave, so convert .m4a, .webm to one of these.")
    (tmp_path / "a/1.wav").rename(tmp_path / "a/1.mp4")
    with pytest.raises(DataError, match=r"ignored: 1 \.mp4\); .* so convert \.mp4 to one of these"):
        class_files(tmp_path, "sound")


@pytest.mark.parametrize(
    ("ending", "format"), [(".aifc", "AIFF"), (".rf64", "RF64"), (".wave", "WAV")]
)
def test_more_endings_of_sounds_are_read(tmp_path, ending, format):
    for name in "ab":
        (tmp_path / name).mkdir()
        sound = np.random.default_rng(ord(name)).normal(0, 0.1, 8_000)
        soundfile.write(tmp_path / name / f"1{ending}", sound, 16_000, format=format)
    assert load_folder(tmp_path, "sound", frames=10).items.shape == (2, 20, 10)


def test_the_page_names_the_endings_that_are_read():
    page = (Path(module.__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for kind, endings in module.SUFFIXES.items():
        listed = " ".join(f"`{ending}`" for ending in endings)
        assert f"| {'pictures' if kind == 'image' else 'sounds'} | {listed} |" in page


def test_a_folder_without_classes_has_a_class_for_every_file(tmp_path):
    write_loose(tmp_path, 24)
    data = load_unlabelled(tmp_path, size=SIZE, seed=3)
    assert data.class_names[:3] == ("0.png", "1.png", "2.png")  # numbers in their order
    assert data.item_class.tolist() == list(range(24)) and data.items.shape == (24, *SIZE)
    parts = [data.classes(split) for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [14, 5, 5]
    assert sorted(np.concatenate(parts)) == list(range(24))
    larger = load_unlabelled(tmp_path, size=SIZE, test_fraction=0.4)
    assert len(larger.classes("test")) == 10


def test_files_without_classes_that_are_too_few_or_twice_are_told(tmp_path):
    write_loose(tmp_path, 19)
    with pytest.raises(DataError, match="has 19 images; 20 are needed, 5 each to validate on"):
        load_unlabelled(tmp_path, size=SIZE)
    (tmp_path / "twin.png").write_bytes((tmp_path / "0.png").read_bytes())
    with pytest.warns(DataNotice, match="twin.png is the same as .*0.png"):
        load_unlabelled(tmp_path, size=SIZE)


def write_loose(folder, count):
    """Pictures that all differ."""
    rng = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, [9, 9], np.uint8)).save(folder / f"{number}.png")

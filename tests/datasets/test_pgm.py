"""PGM: values as written, strict headers, and only DataError for anything else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.errors import DataError
from datasets.readers.pgm import MAX_PIXELS, read_pgm, write_pgm

PIXELS = [[1, 2, 3], [4, 5, 255]]


def assert_pixels(image, expected, dtype):
    np.testing.assert_array_equal(image, expected)
    assert image.dtype == dtype
    assert image.flags.writeable


def test_p5_returns_height_by_width_uint8():
    assert_pixels(read_pgm(b"P5\n3 2\n255\n\x01\x02\x03\x04\x05\xff"), PIXELS, np.uint8)


def test_p2_returns_the_same_image():
    assert_pixels(read_pgm(b"P2 3 2 255\n1 2 3\n4 5\t255\n"), PIXELS, np.uint8)


def test_e2_7_sixteen_bit_pgm_is_big_endian():
    content = b"P5 2 1 65535\n" + bytes([0x01, 0x02, 0xFF, 0xFE])
    assert_pixels(read_pgm(content), [[0x0102, 0xFFFE]], np.uint16)


@pytest.mark.parametrize("maxval", [1, 7, 100, 254, 255, 256, 1000, 40_000, 65_535])
@pytest.mark.parametrize("magic", [b"P2", b"P5"])
def test_values_are_not_scaled_by_maxval(magic, maxval):
    values = np.unique(np.linspace(0, maxval, 500).astype(int))
    raster = (
        " ".join(map(str, values)).encode()
        if magic == b"P2"
        else values.astype("u1" if maxval < 256 else ">u2").tobytes()
    )
    image = read_pgm(magic + b" %d 1 %d\n" % (len(values), maxval) + raster)
    assert_pixels(image, [values], np.uint8 if maxval < 256 else np.uint16)


def test_every_sixteen_bit_value_survives_p2():
    # Also longer than one of the blocks in which Pillow reads the numbers.
    values = np.tile(np.arange(65_536), 4).reshape(512, 512)
    raster = "\n".join(" ".join(map(str, row)) for row in values).encode()
    np.testing.assert_array_equal(read_pgm(b"P2 512 512 65535\n" + raster), values)


@pytest.mark.parametrize(
    "header",
    [
        b"P5\n3 2\n255\n",
        b"P5 3 2 255 ",
        b"P5\r\n3\t2\v255\n",
        b"P5\n# made by hand\n3 2\n255\n",
        b"P5 # one\n# two\r3 # three\n  2\n#\n255\n",
        b"P5# no space before\n\n3 2 255# nor here\n\n",
        b"P5\n#" + b"x" * 5_000 + b"\n3 2 255\n",
    ],
)
def test_e2_8_header_with_and_without_comments(header):
    assert_pixels(read_pgm(header + b"\x01\x02\x03\x04\x05\xff"), PIXELS, np.uint8)


@pytest.mark.parametrize("first", [b"#", b"\n", b" ", b"0"])
def test_one_whitespace_byte_ends_the_header(first):
    image = read_pgm(b"P5 3 1 255\n" + first + b"ab")
    np.testing.assert_array_equal(image, [[first[0], ord("a"), ord("b")]])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "starts with b''; a PGM file starts with P2 or P5"),
        (b"P6 1 1 255\nabc", "starts with b'P6'"),
        (b"\x89PNG\r\n", "a PGM file starts with P2 or P5"),
        (b"P5", "expected P5, then width, height and maxval"),
        (b"P5 3 2", "expected P5, then width, height and maxval"),
        (b"P5 3 2 255", "expected P5, then width"),
        (b"P5 3 -2 255\nabcdef", "expected P5, then width"),
        (b"P5 3x2 255\nabcdef", "expected P5, then width"),
        (b"P53 2 255\nabcdef", "expected P5, then width"),
        (b"P5 3# c\n2 255\nabcdef", "expected P5, then width"),
        (b"P5 3 2 # endless", "expected P5, then width"),
        (b"P5\n#" + b"x" * 70_000 + b"\n3 2 255\nabcdef", "expected P5, then width"),
        (b"P5 3 2 0\nabcdef", "maxval is 0; PGM allows 1 to 65535"),
        (b"P5 3 2 65536\nabcdef", "maxval is 65536"),
        (b"P5 0 2 255\n", "announces 0 x 2 pixels"),
        (b"P5 99999 99999 255\nabc", f"announces 99999 x 99999 pixels; 1 to {MAX_PIXELS:,}"),
        (b"P5 3 2 255\nabcde", "5 bytes of pixels; the header announces exactly 6"),
        (b"P5 3 2 255\nabcdefg", "7 bytes of pixels; the header announces exactly 6"),
        (b"P5 3 2 256\nabcdef", "6 bytes of pixels; the header announces exactly 12"),
        (b"P5 3 1 99\nabd", "a pixel is 100, above the announced maxval 99"),
        (b"P5 1 1 256\n\x01\x01", "a pixel is 257, above the announced maxval 256"),
        (b"P2 3 1 255\n1 2", "2 pixel values; the header announces exactly 3"),
        (b"P2 3 1 255\n1 2 3 4", "4 pixel values; the header announces exactly 3"),
        (b"P2 3 1 100\n1 2 101", "a pixel is 101, above the announced maxval 100"),
        (b"P2 3 1 255\n1 2 70000", "cannot be decoded"),
        (b"P2 3 1 255\n1 2 99999999999", "cannot be decoded"),
        (b"P2 3 1 255\n1 -2 3", "b'-' among the pixels"),
        (b"P2 3 1 255\n1 2_0 3", "b'_' among the pixels"),
        (b"P2 3 1 255\n1 2 3 # end", "b'#' among the pixels"),
    ],
)
def test_a_bad_image_is_told_in_one_sentence(content, told):
    with pytest.raises(DataError) as error:
        read_pgm(content, name="s1/7.pgm")
    assert str(error.value).startswith("s1/7.pgm: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file_folder_and_oversized_file_are_named(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"none\.pgm is missing"):
        read_pgm(tmp_path / "none.pgm")
    with pytest.raises(DataError, match="a folder or device, not a file"):
        read_pgm(tmp_path)
    with pytest.raises(DataError, match="not a file"):
        read_pgm("/dev/zero")
    monkeypatch.setattr("datasets.readers.pgm.MAX_BYTES", 10)
    (tmp_path / "big.pgm").write_bytes(b"P5 3 2 255\nabcdef")
    with pytest.raises(DataError, match=r"big\.pgm has 17 bytes; at most 10 are read"):
        read_pgm(tmp_path / "big.pgm")


def test_error_names_the_file(tmp_path):
    path = tmp_path / "short.pgm"
    path.write_bytes(b"P5 3 2 255\nabc")
    with pytest.raises(DataError, match=r"short\.pgm: 3 bytes of pixels"):
        read_pgm(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_written_images_read_back(tmp_path, dtype):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (5, 7), dtype, True)
    write_pgm(tmp_path / "image.pgm", pixels)
    assert_pixels(read_pgm(tmp_path / "image.pgm"), pixels, dtype)


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint8), np.zeros((0, 2), np.uint8)]
)
def test_writer_refuses_what_pgm_cannot_hold(tmp_path, pixels):
    with pytest.raises(ValueError, match="PGM holds"):
        write_pgm(tmp_path / "image.pgm", pixels)
    assert not (tmp_path / "image.pgm").exists()


def array_or_data_error(content):
    try:
        image = read_pgm(content)
    except DataError as error:
        assert str(error)
    else:
        assert image.ndim == 2
        assert image.dtype in (np.uint8, np.uint16)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"P5 " + tail))
def test_fuzz_arbitrary_bytes(content):
    array_or_data_error(content)


# Headers made of the right kind of pieces in the wrong places reach further than random bytes.
PIECES = st.sampled_from(
    [b"P2", b"P5", b" ", b"\n", b"\r", b"#", b"# c\n", b"0", b"1", b"2", b"255", b"65535"]
    + [b"-1", b"1e3", b"99999999999", b"\x00", b"\xff\xfe", b"_", b"\x1c", b"\xc2\xb2"]
)


@given(st.sampled_from([b"P2", b"P5"]), st.lists(PIECES, max_size=24))
def test_fuzz_headers(magic, pieces):
    array_or_data_error(magic + b" " + b"".join(pieces))


VALID = [
    b"P5\n# c\n3 2\n255\n\x01\x02\x03\x04\x05\xff",
    b"P5 2 2 1000\n" + bytes(range(8)).replace(b"\x04", b"\x03").replace(b"\x06", b"\x02"),
    b"P2\n3 2\n255\n1 2 3\n4 5 255\n",
]


@settings(max_examples=300)
@given(st.data())
def test_fuzz_mutated_valid_files(data):
    content = bytearray(data.draw(st.sampled_from(VALID)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 4))  # 0 only inserts
        content[start : start + length] = data.draw(st.binary(max_size=4))
    array_or_data_error(bytes(content))


@pytest.mark.parametrize("content", VALID)
def test_the_files_that_are_mutated_are_valid(content):
    assert read_pgm(content).size in (4, 6)

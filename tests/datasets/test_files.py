"""Only regular files of bounded size are read; numbered names are put in numeric order."""

import os

import pytest

from datasets.errors import DataError
from datasets.readers.files import numeric_order, read_bytes


def test_content_up_to_the_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(DataError, match="has 5 bytes; at most 4 are read"):
        read_bytes(tmp_path / "a", 4)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe is a folder or device, not a file"):
        read_bytes(tmp_path / "pipe", 10)


def test_an_operating_system_error_names_the_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read: File name too long"):
        read_bytes(tmp_path / ("x" * 300), 10)


def test_numeric_order():
    names = ["s10", "s2", "s1", "b_2_10", "b_2_9", "10", "9", "cat", "Ψ3", "s01"]
    expected = ["9", "10", "b_2_9", "b_2_10", "cat", "s01", "s1", "s2", "s10", "Ψ3"]
    assert sorted(names, key=numeric_order) == expected

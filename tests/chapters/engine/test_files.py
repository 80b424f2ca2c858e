"""A file is whole or absent, whatever stops its writer."""

import json
import os
from pathlib import Path

import pytest

from chapters.engine import files


def test_content_arrives_and_nothing_else_stays(tmp_path):
    files.write_bytes(tmp_path / "a", b"one")
    files.write_bytes(tmp_path / "a", b"two")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"two"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_content_and_leaves_no_part(tmp_path, monkeypatch, error):
    files.write_bytes(tmp_path / "a", b"old")

    def fail(descriptor):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)) as caught:
        files.write_bytes(tmp_path / "a", b"new")
    if isinstance(error, OSError):
        assert caught.value.filename == str(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_the_part_of_a_killed_process_does_not_stay(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", lambda path, missing_ok: None)  # as if killed before it
        patch.setattr(os, "fsync", lambda descriptor: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            files.write_bytes(tmp_path / "a", b"half")
    assert len(list(tmp_path.iterdir())) == 1
    files.write_bytes(tmp_path / "a", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_content_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    path, synced = tmp_path / "a", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(path.exists()))
    files.write_bytes(path, b"x")
    files.sync_folder(tmp_path)
    assert synced == [False, True]


def test_json_is_readable_and_has_no_not_a_number(tmp_path):
    files.write_json(tmp_path / "a.json", {"name": "Åsa", "values": [1, 2.5]})
    text = (tmp_path / "a.json").read_text()
    assert "Åsa" in text and text.endswith("}\n")
    assert json.loads(text) == {"name": "Åsa", "values": [1, 2.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "b.json", {"loss": float("nan")})
    assert not (tmp_path / "b.json").exists()

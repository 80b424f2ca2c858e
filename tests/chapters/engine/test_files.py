"""A file is whole or absent, whatever stops its writer."""

import errno
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from chapters.engine import files, script
from chapters.engine.errors import RunError

SPAWN = multiprocessing.get_context("spawn")


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


def test_text_is_utf8_with_line_feeds(tmp_path):
    files.write_text(tmp_path / "a.txt", "日本 ± \n")
    assert (tmp_path / "a.txt").read_bytes() == "日本 ± \n".encode()


def test_a_folder_that_is_gone_is_one_sentence(tmp_path):
    with pytest.raises(RunError, match=r"run is gone, so log\.csv cannot be written"):
        files.write_bytes(tmp_path / "run" / "log.csv", b"")


def test_a_copy_that_fails_names_what_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "source").write_bytes(b"content")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as caught:
        files.copy(tmp_path / "source", tmp_path / "target")
    assert script.file_error(caught.value).startswith(f"{tmp_path / 'target'}: the disk is full")
    error = OSError(errno.ENOSPC, "No space left on device", "source", None, "target")
    assert script.file_error(error).startswith("target: the disk is full")


def folder(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "file").write_text(content, encoding="utf-8")
    return path


def test_a_folder_is_replaced_by_its_part(tmp_path):
    old, part = folder(tmp_path / "a", "old"), folder(tmp_path / ".a.part", "new")
    with files.replacing(old, part):
        assert (old / "file").read_text(encoding="utf-8") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_comes_back_when_what_follows_fails(tmp_path, there):
    path, part = tmp_path / "a", folder(tmp_path / ".a.part", "new")
    if there:
        folder(path, "old")
    with pytest.raises(KeyboardInterrupt), files.replacing(path, part):
        raise KeyboardInterrupt
    assert path.exists() == there
    assert not there or (path / "file").read_text(encoding="utf-8") == "old"
    assert {found.name for found in tmp_path.iterdir()} <= {"a"}


def hold(path: str, held, free) -> None:
    """In a process: hold the lock until told."""
    with files.locked(Path(path), 0, "busy"):
        held.set()
        free.wait(60)


def test_a_lock_keeps_other_processes_out_and_its_holder_in(tmp_path):
    path = tmp_path / ".lock"
    held, free = SPAWN.Event(), SPAWN.Event()
    other = SPAWN.Process(target=hold, args=(str(path), held, free))
    other.start()
    assert held.wait(60)
    with pytest.raises(RunError, match="busy"), files.locked(path, 0, "busy"):
        pass
    free.set()
    other.join(60)
    with files.locked(path, 5, "busy"), files.locked(path, 5, "busy"):
        pass


def test_a_lock_dies_with_its_process(tmp_path):
    held, free = SPAWN.Event(), SPAWN.Event()
    other = SPAWN.Process(target=hold, args=(str(tmp_path / ".lock"), held, free))
    other.start()
    assert held.wait(60)
    other.kill()
    other.join(60)
    with files.locked(tmp_path / ".lock", 5, "busy"):
        pass

"""Generated folders are whole or not there: errors, kills and races."""

import os
import signal
import subprocess
import sys

import pytest

from datasets.errors import DataError
from datasets.standins.standin import generated_folder

WRITER = """
import sys, time
from datasets.standins.standin import generated_folder

def write(part):
    (part / "first").write_text("1")
    print("writing", flush=True)
    time.sleep(float(sys.argv[1]))
    (part / "second").write_text("2")

print(sorted(path.name for path in generated_folder("set", write).iterdir()), flush=True)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("METAZOO_CACHE", str(tmp_path))
    return tmp_path


def write(part):
    (part / "first").write_text("1")
    (part / "second").write_text("2")


def start_writer(seconds):
    command = [sys.executable, "-c", WRITER, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_written_once_and_then_found(cache):
    folder = generated_folder("set", write)
    assert folder == cache / "generated" / "set"
    assert sorted(path.name for path in folder.iterdir()) == ["first", "second"]

    def never(part):
        raise AssertionError("the set is there already")

    assert generated_folder("set", never) == folder


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_while_writing_leaves_no_folder(cache, error):
    def fail(part):
        (part / "first").write_text("1")
        raise error

    with pytest.raises(error):
        generated_folder("set", fail)
    assert [path for path in (cache / "generated").iterdir() if path.is_dir()] == []
    assert (generated_folder("set", write) / "second").exists()


def test_after_a_kill_the_next_run_starts_afresh(cache):
    writer = start_writer(60)
    assert writer.stdout.readline() == "writing\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert not (cache / "generated" / "set").exists()
    generated_folder("set", write)
    folders = [path.name for path in (cache / "generated").iterdir() if path.is_dir()]
    assert folders == ["set"]  # what the killed run had begun is gone


def test_of_two_that_start_together_one_writes_and_both_read():
    writers = [start_writer(0.5) for _ in range(2)]
    printed = [writer.communicate(timeout=30)[0].splitlines() for writer in writers]
    assert [lines[-1] for lines in printed] == ["['first', 'second']"] * 2
    assert sorted(map(len, printed)) == [1, 2]  # only one of them says "writing"


def test_a_cache_that_cannot_be_written_is_a_data_error(cache):
    (cache / "generated").write_text("a file where the folder should be")
    with pytest.raises(DataError, match="Cannot write .*generated"):
        generated_folder("set", write)


def test_a_cache_whose_name_is_too_long_is_told(monkeypatch):
    monkeypatch.setenv("METAZOO_CACHE", "x" * 300)
    with pytest.raises(DataError, match="Cannot write .*File name too long"):
        generated_folder("a", lambda part: None)

"""Expected failures of a script end in one sentence and an exit code, not in a traceback."""

import errno
import os
import resource
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from chapters.engine import checkpoints, script
from chapters.engine.errors import ConfigError, RunError
from datasets.errors import DataError
from tests.chapters.engine import tiny
from tests.chapters.engine.children import FORKS, Child
from tests.chapters.engine.test_resume import assert_same_result, run_tiny


def ending(error, capsys):
    """Exit code and standard error of a script whose work raises ``error``."""

    def main(argv):
        print("some output")
        raise error

    with pytest.raises(SystemExit) as left:
        script.run(main, [])
    return left.value.code, capsys.readouterr().err


@pytest.mark.parametrize("kind", [DataError, RunError, ConfigError])
def test_our_errors_are_their_sentence(kind, capsys):
    assert ending(kind("Something is wrong."), capsys) == (2, "error: Something is wrong.\n")


@pytest.mark.parametrize("number", script.FILE_ERRORS, ids=errno.errorcode.get)
def test_every_known_file_error_is_one_sentence_with_the_file(number, capsys):
    code, said = ending(OSError(number, os.strerror(number), "runs/x/log.csv"), capsys)
    assert code == 2
    assert said.startswith("error: Cannot write runs/x/log.csv: ")
    assert script.FILE_ERRORS[number] in said
    assert said.count("\n") == 1


def test_a_file_error_without_a_name_is_still_a_sentence(capsys):
    code, said = ending(OSError(errno.ENOSPC, "No space left on device"), capsys)
    assert (code, said[:47]) == (2, "error: Cannot write a file: the disk is full; f")


@pytest.mark.parametrize(
    "allocate", [lambda: tf.fill([2**20, 2**30], 0.0), lambda: np.ones([2**27, 2**27])]
)  # petabytes
def test_what_does_not_fit_into_memory_is_one_sentence(allocate, capsys):
    with pytest.raises(SystemExit) as left:
        script.run(lambda argv: allocate(), [])
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert said.startswith("error: This does not fit into memory; choose smaller sizes (")
    assert said.count("\n") == 1 and said.endswith(").\n")


@pytest.mark.parametrize(
    "error", [ValueError("a defect"), OSError(errno.EIO, "Input/output error"), KeyError("x")]
)
def test_defects_keep_their_traceback(error):
    def main(argv):
        raise error

    with pytest.raises(type(error)):
        script.run(main, [])


def test_the_arguments_arrive():
    given = []
    script.run(given.append, ["--steps", "3"])
    assert given == [["--steps", "3"]]


def test_an_interruption_exits_with_130_and_the_run_goes_on(tmp_path):
    argv = ["--run", str(tmp_path / "r"), "--steps", "400", "--resume"]
    done = FORKS.Event()
    child = Child(tmp_path / "said.txt", run_tiny, argv, None, done)
    assert done.wait(120), child.said
    time.sleep(0.1)
    os.kill(child.process.pid, signal.SIGINT)  # what Ctrl-C sends
    assert child.wait() == 130, child.said
    last = "Stopped. The same command with --resume goes on from the last checkpoint."
    assert child.said.splitlines()[-1] == last
    assert "Traceback" not in child.said
    assert "Resumed at step" in Child(tmp_path / "said.txt", run_tiny, argv).finish()


def said_in_the_end(tmp_path, function, *args):
    """Last line of a child that must end with exit code 2 and without a traceback."""
    child = Child(tmp_path / "said.txt", function, *args)
    assert child.wait() == 2, child.said
    assert "Traceback" not in child.said
    return child.said.splitlines()[-1]


@pytest.mark.parametrize("inside", ["", "/run"])
def test_a_file_where_the_run_folder_should_be(tmp_path, inside):
    (tmp_path / "file").write_text("mine")
    argv = ["--run", f"{tmp_path}/file{inside}"]
    line = said_in_the_end(tmp_path, run_tiny, argv)
    assert line.startswith("error: Cannot write ") and "a file where a folder is expected" in line
    assert (tmp_path / "file").read_text() == "mine"


def run_with_small_files(argv):
    """In a child: no file may have more than 5000 bytes; a checkpoint has more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    script.run(tiny.main, argv)


def test_a_file_that_cannot_be_completed_leaves_nothing_half_written(tmp_path):
    argv = ["--run", str(tmp_path / "r")]
    line = said_in_the_end(tmp_path, run_with_small_files, argv)
    assert "the file would be larger than the system allows" in line
    assert not list((tmp_path / "r/checkpoints").glob("[!.]*"))
    assert [path.name for path in (tmp_path / "r/checkpoints").glob(".*")] == [".lock"]
    assert not list((tmp_path / "r").glob(".*"))


def test_a_full_disk_in_a_checkpoint_keeps_the_older_ones_and_the_run_can_go_on(tmp_path, disk):
    folder, remount = disk
    unbroken, run = tmp_path / "unbroken", folder / "r"
    Child(tmp_path / "said.txt", run_tiny, ["--run", str(unbroken)]).finish()
    assert remount("size=68k")  # config, log and one checkpoint fit, two do not
    argv = ["--run", str(run), "--resume"]
    line = said_in_the_end(tmp_path, run_tiny, argv)
    assert line.startswith(f"error: Cannot write {run}/checkpoints/.part-")
    assert "the disk is full; free some space. A run goes on with --resume." in line
    assert checkpoints.load(run / "checkpoints", pytest.fail)[1]["step"] in (4, 8)
    assert not list((run / "checkpoints").glob(".part*"))
    assert remount("size=4m")
    assert "Resumed at step" in Child(tmp_path / "said.txt", run_tiny, argv).finish()
    assert_same_result(run, unbroken)


def test_a_full_disk_while_writing_the_weights_does_not_crash_the_interpreter(tmp_path, disk):
    folder, remount = disk
    assert remount("size=600k")  # checkpoints fit, the room asked for weights does not
    argv = ["--run", str(folder / "r"), "--resume"]
    assert "the disk is full" in said_in_the_end(tmp_path, run_tiny, argv)
    assert not list((folder / "r").glob("*.h5")) + list((folder / "r").glob(".*"))
    assert remount("size=4m")
    Child(tmp_path / "said.txt", run_tiny, argv).finish()
    assert (folder / "r/model.weights.h5").is_file()


def test_a_read_only_disk(tmp_path, disk):
    folder, remount = disk
    assert remount("ro")
    line = said_in_the_end(tmp_path, run_tiny, ["--run", str(folder / "r")])
    expected = f"Cannot write {folder}/r: the file system is read-only; choose another folder"
    assert expected in line


def print_random(seed):
    """In a child: device, and random numbers of all kinds."""
    import random

    import keras
    import numpy as np
    import tensorflow as tf

    print(script.prepare(seed))
    print(random.random(), np.random.rand(), tf.random.normal([]).numpy())
    print(keras.initializers.GlorotUniform()([2, 2]).numpy().tolist())


def test_prepare_names_the_device_and_seeds_everything(tmp_path):
    said = [
        Child(tmp_path / "said.txt", print_random, seed).finish().splitlines()[-3:]
        for seed in (3, 3, 4)
    ]
    assert said[0] == said[1]
    assert said[0][0] == said[2][0] and ("CPU, " in said[0][0] or "GPU" in said[0][0])
    assert all(a != b for a, b in zip(said[0][1:], said[2][1:], strict=True))

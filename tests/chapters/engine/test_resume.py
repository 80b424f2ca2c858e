"""Kill -9 at any moment, then ``--resume``: the result has the bits of the unbroken run."""

import csv
import json
import random
import signal
import time
from pathlib import Path

import h5py
import keras
import pytest

from chapters.engine import checkpoints, script
from tests.chapters.engine import tiny
from tests.chapters.engine.children import FORKS, Child, die_in_save


def run_tiny(argv, die_at=None, an_epoch_is_done=None):
    """In a child: the tiny script, with ways to be killed.

    When it is to be killed an epoch takes a tenth of a second, so that none comes to its end first.
    """
    slow = []
    if die_at:
        die_in_save(die_at)
    if an_epoch_is_done:
        slow = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: time.sleep(0.05),
            on_epoch_end=lambda epoch, logs: an_epoch_is_done.set(),
        )
    script.run(lambda argv: tiny.main(argv, slow and [slow]), argv)


def run_prototypical(argv, die_at=None, an_epoch_is_done=None):
    """In a child: the real script of chapter 3."""
    from chapters.ch03_prototypical import train
    from chapters.engine import loop

    if die_at:
        die_in_save(die_at)
    save = loop.Loop._save

    def saved(self):
        save(self)
        an_epoch_is_done.set()
        time.sleep(0.2)  # so that no child comes to the end before it is killed

    if an_epoch_is_done:
        loop.Loop._save = saved
    script.run(train.main, argv)


def killed_until_done(folder: Path, run, argv, kills: int, spread: float, start_up: float, seed=0):
    """Run, kill, resume, again and again; then resume to the end.

    In turn a child is killed inside a checkpoint save (it kills itself at a random one of the
    flushes of its next three saves), some time after it has finished an epoch, or at any time since
    its start. Returns how many were killed in which way.
    """
    rng = random.Random(seed)
    counts = {"in a save": 0, "while training": 0, "at any time": 0}
    while sum(counts.values()) < kills:
        way = list(counts)[sum(counts.values()) % 3]
        done = FORKS.Event()
        die_at = rng.randint(1, 15) if way == "in a save" else None
        child = Child(folder / "said.txt", run, [*argv, "--resume"], die_at, done)
        if way == "while training":
            assert done.wait(120), child.said
            time.sleep(rng.uniform(0.0, spread))
        elif way == "at any time":
            time.sleep(rng.uniform(0.0, start_up))
        if way != "in a save":
            child.kill()
        assert child.wait() == -signal.SIGKILL, child.said  # it had not come to its end
        counts[way] += 1
    Child(folder / "said.txt", run, [*argv, "--resume"]).finish()
    return counts


def assert_same_result(folder: Path, unbroken: Path):
    """Weights, optimizer, best weights and history: bit by bit, but for the clock."""
    arrays, state = checkpoints.load(folder / "checkpoints", pytest.fail)
    expected, expected_state = checkpoints.load(unbroken / "checkpoints", pytest.fail)
    assert arrays.keys() == expected.keys()
    assert {name.split("/")[0] for name in arrays} == {"model", "optimizer", "best"}
    for name, array in arrays.items():
        assert array.tobytes() == expected[name].tobytes(), name
    assert state["step"] == expected_state["step"]
    assert [{**row, "seconds": 0} for row in state["history"]] == [
        {**row, "seconds": 0} for row in expected_state["history"]
    ]
    assert weights(folder) == weights(unbroken)
    assert not list(folder.glob(".*"))  # no part of a killed run is left behind
    assert log(folder) == log(unbroken)


def weights(folder):
    """Every array of the weights file as bytes."""
    found = {}
    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None
            )
        )
    assert found
    return found


def log(folder):
    rows = list(csv.DictReader((folder / "log.csv").open()))
    assert rows
    return [{**row, "seconds": ""} for row in rows]


def run_and_compare(tmp_path, kills, epochs):
    argv = ["--steps", str(4 * epochs), "--steps-per-epoch", "4"]
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    Child(tmp_path / "said.txt", run_tiny, [*argv, "--run", str(unbroken)]).finish()
    argv += ["--run", str(killed)]
    counts = killed_until_done(tmp_path, run_tiny, argv, kills, spread=0.25, start_up=1.5)
    print(f"killed {counts}")
    assert_same_result(killed, unbroken)


def test_killed_6_times_the_run_ends_with_the_bits_of_an_unbroken_one(tmp_path):
    run_and_compare(tmp_path, 6, epochs=45)


@pytest.mark.slow
def test_killed_24_times_the_run_ends_with_the_bits_of_an_unbroken_one(tmp_path):
    run_and_compare(tmp_path, 24, epochs=160)


@pytest.mark.parametrize("flush", [1, 5])
def test_killed_inside_the_second_save_the_first_one_serves(tmp_path, flush):
    """Flush 5 comes after the rename: there the second checkpoint is complete already."""
    argv = ["--run", str(tmp_path / "r"), "--resume"]
    child = Child(tmp_path / "said.txt", run_tiny, argv, 5 + flush)
    assert child.wait() == -signal.SIGKILL, child.said
    names = sorted(
        path.name[:5] for path in (tmp_path / "r/checkpoints").iterdir() if path.name != ".lock"
    )
    assert names == ([".part", "step-"] if flush < 5 else ["step-", "step-"])
    said = Child(tmp_path / "said.txt", run_tiny, argv).finish()
    assert f"Resumed at step {4 if flush < 5 else 8} of 12." in said
    assert not list((tmp_path / "r/checkpoints").glob(".part*"))


@pytest.mark.slow
def test_chapter_3_killed_20_times_ends_with_the_bits_of_an_unbroken_run(tmp_path):
    """The script itself, on generated characters: convolutions, episodes, pictures."""
    argv = ["--preset", "quick", "--way", "5", "--steps", "480", "--steps-per-epoch", "2"]
    argv += ["--steps-per-call", "2", "--h-dim", "8", "--z-dim", "8", "--validation-episodes", "5"]
    argv += ["--test-episodes", "10", "--columns", "5w1s"]
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    said = tmp_path / "said.txt"
    Child(said, run_prototypical, [*argv, "--run", str(unbroken)]).finish()
    argv += ["--run", str(killed)]
    counts = killed_until_done(tmp_path, run_prototypical, argv, 21, spread=0.6, start_up=9.0)
    print(f"killed {counts}")
    assert_same_result(killed, unbroken)
    ours, theirs = (json.loads((f / "metrics.json").read_text()) for f in (killed, unbroken))
    assert {**ours, "train_seconds": 0} == {**theirs, "train_seconds": 0}


def test_a_damaged_newest_checkpoint_is_named_and_the_result_is_the_same(tmp_path):
    """Damage between two runs: the run goes on from the one before and ends with the same bits."""
    unbroken, damaged = tmp_path / "unbroken", tmp_path / "damaged"
    Child(tmp_path / "said.txt", run_tiny, ["--run", str(unbroken)]).finish()
    argv = ["--run", str(damaged), "--resume"]
    # Killed at the last flush of the second save: checkpoints of steps 4 and 8 are complete.
    assert Child(tmp_path / "said.txt", run_tiny, argv, 10).wait() == -signal.SIGKILL
    newest = damaged / "checkpoints/step-0000000008/arrays.npz"
    content = bytearray(newest.read_bytes())
    content[1000] ^= 1
    newest.write_bytes(content)
    said = Child(tmp_path / "said.txt", run_tiny, argv).finish()
    assert f"Checkpoint {newest.parent} is damaged (arrays.npz does not match its hash)" in said
    assert "Resumed at step 4 of 12." in said
    assert_same_result(damaged, unbroken)

"""A peer in a process of its own: absent, broken or crashing, it is words and nothing more."""

import os
import signal
from pathlib import Path

import pytest

from chapters.engine import timing
from chapters.engine.apart import Apart

MODULE = """
import os, signal

def steps(path):
    def call():
        print("a line of the library")
        with open(path, "a") as file:
            file.write("x")
    return call

def raising():
    raise ValueError("no such kernel\\nand more")

def killing(after):
    left = [after]
    def call():
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGSEGV)
    return call
"""


@pytest.fixture
def peer(tmp_path, monkeypatch):
    """Function that makes a peer from the module above, which is its library as well."""
    (tmp_path / "fake_peer.py").write_text(MODULE)
    path = os.pathsep.join(map(str, [tmp_path, Path.cwd()]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def make(function, *arguments):
        made.append(Apart("fake_peer", f"fake_peer:{function}", *arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_call_has_finished_when_it_returns(peer, tmp_path):
    steps = peer("steps", str(tmp_path / "calls"))
    steps()
    assert (tmp_path / "calls").read_text() == "x"
    steps()
    assert (tmp_path / "calls").read_text() == "xx"
    assert steps.failure == ""


def test_an_absent_library_is_not_installed():
    absent = Apart("no_such_library", "fake_peer:steps")
    absent()
    assert absent.failure == "not installed"
    absent.close()


def test_a_broken_one_says_why_in_one_line(peer):
    assert peer("raising").failure == "ValueError: no such kernel"


def test_one_that_kills_itself_between_calls_is_told_and_the_others_go_on(peer):
    crashing, calls = peer("killing", 3), []
    timing.time_in_turns({"theirs": crashing, "ours": lambda: calls.append(1)}, repeats=4)
    assert crashing.failure == f"crashed (signal {int(signal.SIGSEGV)})"
    assert len(calls) == 6  # two to warm up, four turns

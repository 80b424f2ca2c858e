"""oneDNN is asked for before TensorFlow is imported, the user's own setting wins, all is told."""

import os
import subprocess
import sys

import pytest

from chapters.engine import processor

NAMES = ("TF_ENABLE_ONEDNN_OPTS", "TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE")


def seen_by(package, **own):
    """oneDNN's variable once a package is imported in a fresh process, and whether Keras is."""
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    code = f"import os, sys, {package}; print(os.environ.get({NAMES[0]!r}), 'keras' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment | own, capture_output=True, text=True
    )
    return told.stdout.split()


@pytest.mark.parametrize("package", ["chapters.ch02_siamese", "chapters.ch03_prototypical"])
def test_metric_learners_ask_for_onednn_before_tensorflow_is_there(package):
    assert seen_by(package) == ["1", "False"]


def test_gradient_learners_leave_the_choice_to_tensorflow():
    assert seen_by("chapters.ch06_maml.presets") == ["None", "False"]


def test_the_users_own_setting_wins():
    assert seen_by("chapters.ch03_prototypical", TF_ENABLE_ONEDNN_OPTS="0") == ["0", "False"]


def test_threads_are_those_tensorflow_may_use(monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda pid: {0, 3, 4}, raising=False)
    assert processor.setting()["threads"] == 3
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "5")
    assert processor.setting()["threads"] == 5


SIDE_BY_SIDE = """
import tensorflow as tf
from chapters.engine import processor, script
{before}
script.prepare(0, side_by_side={asked})
print(processor.setting()["threads"], processor.cores())
"""


@pytest.mark.parametrize(
    ("asked", "before", "own", "expected"),
    [
        (True, "", {}, 1),
        (False, "", {}, processor.cores()),
        (True, "", {"TF_NUM_INTRAOP_THREADS": "3"}, 3),
        (True, "tf.zeros([1]) + 1", {}, processor.cores()),  # it computes already
    ],
)
def test_tasks_side_by_side_have_one_thread_for_an_operation(asked, before, own, expected):
    environment = {k: v for k, v in os.environ.items() if k != processor.THREADS} | own
    code = SIDE_BY_SIDE.format(asked=asked, before=before)
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    threads, cores = told.stdout.split()[-2:]
    assert int(threads) == expected and int(cores) == processor.cores(), told.stderr


def test_the_setting_in_words():
    assert processor.wording(threads=1, onednn=False) == "1 thread, oneDNN off"
    assert processor.wording(threads=2, onednn=True) == "2 threads, oneDNN on"

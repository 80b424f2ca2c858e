"""Own folders are tested on several splits of their classes, and the interval is over splits."""

import json

import numpy as np
import pytest
from scipy import stats

import zoo
from chapters import over_splits
from chapters.engine.errors import ConfigError
from tests.zoo.conftest import draw, own_zoo  # noqa: F401

SCRIPT = "chapters.ch03_prototypical.train"
TINY = [
    "--h-dim", "4", "--z-dim", "4", "--steps", "2", "--steps-per-epoch", "2", "--image-size", "16",
    "--steps-per-call", "2", "--validation-episodes", "2", "--way", "2", "--query", "1",
    "--columns", "2w1s",
]  # fmt: skip


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    """The folder of a run over two splits, and what it printed is left aside."""
    leaves = draw(tmp_path_factory.mktemp("own") / "leaves", classes=6)
    run = tmp_path_factory.mktemp("runs") / "leaves"
    over_splits.main([SCRIPT, "--splits", "2", "--data", str(leaves), "--run", str(run), *TINY])
    return run


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_the_figures_are_means_over_splits_with_students_interval(pooled):
    parts = [metrics(pooled / f"split-{number}") for number in (1, 2)]
    for number, row in enumerate(metrics(pooled)["results"]):
        means = [part["results"][number]["mean"] for part in parts]
        assert row["values"] == means
        assert row["mean"] == pytest.approx(np.mean(means))
        half = stats.t.interval(0.95, 1, np.mean(means), stats.sem(means))[1] - np.mean(means)
        assert row["interval"] == pytest.approx(half if means[0] != means[1] else 0.0, nan_ok=False)
        assert row["runs"] == 2 and row["protocol"].endswith("2 splits of the classes")
    seconds = sum(part["train_seconds"] for part in parts)
    assert metrics(pooled)["train_seconds"] == pytest.approx(seconds)


def test_splits_have_other_test_classes_and_the_first_network_is_kept(pooled):
    seeds = [
        json.loads((pooled / f"split-{number}/config.json").read_text())["seed"]
        for number in (1, 2)
    ]
    assert seeds == [0, 1]
    weights = "model.weights.h5"
    assert (pooled / weights).read_bytes() == (pooled / "split-1" / weights).read_bytes()


def test_the_pooled_run_can_be_published(pooled, own_zoo):  # noqa: F811
    zoo.publish(pooled, "leaves-over-splits", anyway=True)
    assert "2 splits of the classes" in zoo.info("leaves-over-splits")["protocol"]


def test_a_finished_split_is_not_trained_again(pooled, monkeypatch, capsys):
    from chapters.ch03_prototypical import train

    monkeypatch.setattr(train, "main", lambda argv: pytest.fail("trained again"))
    leaves = json.loads((pooled / "config.json").read_text())["data"]
    over_splits.main([SCRIPT, "--splits", "2", "--data", leaves, "--run", str(pooled), *TINY])
    assert "over 2 splits of the classes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["chapters.ch06_maml.train_sine"], "is no script that trains on folders of pictures"),
        (["chapters.ch03_prototypical.tran"], "did you mean 'chapters.ch03_prototypical.train'"),
        ([SCRIPT, "--data", "strokes"], "only the classes of a folder of your own"),
        ([SCRIPT, "--splits", "1"], "must be at least 2"),
        ([SCRIPT, "--nonsense", "1"], "Unknown option --nonsense"),
    ],
)
def test_what_cannot_be_split_is_one_sentence(argv, sentence):
    with pytest.raises(ConfigError, match=sentence):
        over_splits.main(argv)

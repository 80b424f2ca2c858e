"""Own folders are tested on several splits of their classes, and the interval is over splits."""

import json
import shutil

import numpy as np
import pytest
from scipy import stats

import zoo
from chapters import over_splits
from chapters.ch03_prototypical.presets import TrainConfig
from chapters.engine.errors import ConfigError, RunError
from chapters.experiments.images.own_folder import load_own
from tests.zoo.conftest import draw, own_zoo  # noqa: F401
from zoo.records import cards

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
        assert row["interval"] == pytest.approx(stats.t.ppf(0.975, df=1) * stats.sem(means))
        assert row["runs"] == 2 and row["protocol"].endswith("2 splits of the classes")
    seconds = sum(part["train_seconds"] for part in parts)
    assert metrics(pooled)["train_seconds"] == pytest.approx(seconds)


def test_no_class_is_tested_on_twice_and_the_first_network_is_kept(pooled):
    configs = [
        json.loads((pooled / f"split-{number}/config.json").read_text()) for number in (1, 2)
    ]
    assert [config["fold"] for config in configs] == [0, 1]
    for config in configs:
        del config["script"]
    tested = [set(load_own(TrainConfig(**config)).splits["test"]) for config in configs]
    assert len(tested[0]) == len(tested[1]) == 2 and not tested[0] & tested[1]
    weights = "model.weights.h5"
    assert (pooled / weights).read_bytes() == (pooled / "split-1" / weights).read_bytes()


def test_the_pooled_run_can_be_published(pooled, own_zoo):  # noqa: F811
    zoo.publish(pooled, "leaves-over-splits", anyway=True)
    card = zoo.info("leaves-over-splits")
    assert "2 splits of the classes" in card["protocol"]
    assert card["command"].startswith(f"python -m chapters.over_splits {SCRIPT} --preset quick")
    assert card["command"].endswith("--splits 2")
    assert "means over 2 trainings. The weights are of the first" in cards.text(card)


def test_a_finished_split_is_not_trained_again(pooled, monkeypatch, capsys):
    from chapters.ch03_prototypical import train

    monkeypatch.setattr(train, "main", lambda argv: pytest.fail("trained again"))
    leaves = json.loads((pooled / "config.json").read_text())["data"]
    over_splits.main([SCRIPT, "--splits", "2", "--data", leaves, "--run", str(pooled), *TINY])
    assert "over 2 splits of the classes" in capsys.readouterr().out


def test_splits_of_other_options_or_data_are_never_pooled(pooled, tmp_path):
    leaves = json.loads((pooled / "config.json").read_text())["data"]
    own = [SCRIPT, "--splits", "2", "--data", leaves, "--run", str(pooled), *TINY]
    with pytest.raises(RunError, match="other options: --distance was 'euclidean', now 'cosine'"):
        over_splits.main([*own, "--distance", "cosine"])
    others = draw(tmp_path / "others", classes=6)
    with pytest.raises(RunError, match="--data was .*leaves', now .*others'"):
        over_splits.main([*own[:4], str(others), *own[5:]])
    with pytest.raises(RunError, match="is not empty and holds no splits"):
        over_splits.main([*own[:6], str(pooled / "split-1"), *TINY])


def test_a_broken_split_is_one_sentence(pooled, tmp_path):
    copy = shutil.copytree(pooled, tmp_path / "copy")
    leaves = json.loads((pooled / "config.json").read_text())["data"]
    argv = [SCRIPT, "--splits", "2", "--data", leaves, "--run", str(copy), *TINY]
    whole = metrics(copy / "split-1")
    for content, words in (
        ("{", "is not valid JSON"),
        ("[]", "holds no results"),
        (json.dumps({**whole, "results": [{"method": "a"}]}), "has data = 'None' in row 0"),
        (json.dumps({**whole, "method": "nobody"}), "has no result of 'nobody'"),
    ):
        (copy / "split-1/metrics.json").write_text(content)
        with pytest.raises(RunError, match=words):
            over_splits.main(argv)


def test_more_splits_than_blocks_of_classes_are_refused(tmp_path):
    leaves = draw(tmp_path / "leaves", classes=7)
    with pytest.raises(ConfigError, match="make 3 block.s. to test on that share no class"):
        over_splits.main([SCRIPT, "--splits", "4", "--data", str(leaves)])


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["chapters.ch06_maml.train_sine"], "is no script that trains on folders"),
        (["chapters.ch03_prototypical.tran"], "did you mean 'chapters.ch03_prototypical.train'"),
        ([SCRIPT, "--data", "strokes"], "only the classes of a folder of your own"),
        ([SCRIPT, "--splits", "1"], "must be at least 2"),
        ([SCRIPT, "--nonsense", "1"], "Unknown option --nonsense"),
        ([SCRIPT, "--data", ".", "--export", "x"], "--export is for a single run"),
        ([SCRIPT, "--data", ".", "--fold", "1"], "--fold is for a single run"),
    ],
)
def test_what_cannot_be_split_is_one_sentence(argv, sentence):
    with pytest.raises(ConfigError, match=sentence):
        over_splits.main(argv)

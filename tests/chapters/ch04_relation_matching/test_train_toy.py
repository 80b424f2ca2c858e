"""The toy's script as its user runs it."""

import json

import pytest
import tensorflow as tf

from chapters.ch04_relation_matching import toy, train_toy
from chapters.ch04_relation_matching.presets import TOY
from chapters.engine import script

SHORT = ["--records", "200", "--steps", "300", "--steps-per-epoch", "100", "--test-batches", "10"]


@pytest.fixture(scope="module", params=TOY)
def finished(request, tmp_path_factory):
    """A short finished run of each preset: its name, folder and SavedModel."""
    folder = tmp_path_factory.mktemp("run")
    run, exported = folder / "run", folder / "exported"
    argv = ["--preset", request.param, *SHORT, "--run", str(run), "--export", str(exported)]
    train_toy.main(argv)
    return request.param, run, exported


def test_what_is_printed_cannot_be_learned_and_what_is_mended_can(finished):
    preset, run, _ = finished
    metrics = json.loads((run / "metrics.json").read_text())
    mean = {row["method"]: row["mean"] for row in metrics["results"]}
    assert mean["prediction 0.5"] == toy.FLOOR
    if preset == "book":
        assert mean["relation network"] > 0.249 > mean["on the records of the training"]
    else:
        assert mean["relation network"] < 0.05
    assert (run / "toy.png").is_file() and (run / "model.weights.h5").is_file()


def test_rows_say_what_they_were_measured_on(finished):
    preset, run, _ = finished
    rows = json.loads((run / "metrics.json").read_text())["results"]
    assert [row["headline"] for row in rows] == [True, False, False]
    assert [row["split"] for row in rows] == ["test", "train", "test"]
    assert {row["data"].startswith("halves") for row in rows} == {preset == "book"}


def test_saved_model_scores_pairs(finished):
    scores = tf.saved_model.load(str(finished[2])).signatures["relation_scores"]
    a, b = tf.random.uniform([2, 3, 9], seed=1)
    (output,) = scores(a=a, b=b).values()
    assert output.shape == (3, 1)
    assert 0 < float(tf.reduce_min(output)) <= float(tf.reduce_max(output)) < 1


def test_the_lines_and_the_floor_are_printed(tmp_path, capsys):
    train_toy.main(["--preset", "book", *SHORT, "--steps", "100", "--run", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "Episode 100: Loss 0.2" in printed
    assert "prediction 0.5                  0.2500" in printed
    assert "no network is better than 0.25" in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--activation", "sigmoid"], "--activation is 'sigmoid'"),
        (["--records", "0"], "--records is 0; it must be at least 1."),
        (["--strategy", "mirrored"], "--strategy does not apply to this script"),
        (["--learning-rate", "nan"], "--learning-rate is nan"),
    ],
)
def test_bad_options_end_in_one_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        script.run(train_toy.main, arguments)
    assert left.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert sentence in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "runs").exists()

"""The scripts as their user runs them, with a tiny budget on generated data."""

import contextlib
import csv
import io
import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from chapters.ch08_gradient_agreement import train_omniglot, train_sine, train_toy
from chapters.ch08_gradient_agreement.outliers import Outliers
from chapters.ch08_gradient_agreement.presets import OMNIGLOT, SINE, TOY
from chapters.engine import script
from chapters.engine.runs import RunFolder
from chapters.experiments import sine
from chapters.experiments.images import adaptation
from chapters.experiments.sine import fine_tuning
from tests.chapters.presets import each

FILES = {"config.json", "run.json", "log.csv", "metrics.json", "model.weights.h5", "checkpoints"}
# The others repeat these with and without outlier tasks.
FAST = ("quick", "maml_outliers", "ga_reptile")
WEIGHTS = {"weights_over_training.png", "weights_of_batch.png"}
TINY = ["--steps", "2", "--steps-per-epoch", "1", "--steps-per-call", "1"]
TINY_SINE = [
    *TINY, "--hidden", "4", "--no-xla", "--inner-steps", "1", "--test-steps", "1",
    "--test-tasks", "100", "--shown-steps", "1",
]  # fmt: skip
TINY_IMAGES = [
    *TINY, "--data", "strokes", "--filters", "2", "--tasks", "2", "--inner-steps", "1",
    "--test-steps", "1", "--test-query", "1", "--validation-episodes", "2", "--test-episodes", "2",
]  # fmt: skip


def files(folder):
    """Names of what a run left behind."""
    return {path.name for path in folder.iterdir()}


def log(folder):
    """Rows of a run's log."""
    with (folder / "log.csv").open() as opened:
        return list(csv.DictReader(opened))


def results(folder):
    """Rows of a run's results."""
    return json.loads((folder / "metrics.json").read_text())["results"]


def run_sine(preset, folder):
    """Folder and output of a sine preset with a tiny budget."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.MonkeyPatch.context() as patch:
        patch.setattr(fine_tuning, "RATES", (0.01,))
        train_sine.main(["--preset", preset, *TINY_SINE, "--run", str(folder)])
    return folder, printed.getvalue()


@pytest.fixture(scope="module")
def sine_runs(tmp_path_factory):
    """Runs of the presets of every day, and which samplers got outliers meanwhile."""
    runs, spoiled, spoil = {}, [], Outliers.__call__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Outliers, "__call__", lambda self, i: spoiled.append(self.sampler) or spoil(self, i)
        )
        for preset in FAST:
            runs[preset] = run_sine(preset, tmp_path_factory.mktemp(preset))
    return runs, spoiled


@pytest.mark.parametrize("preset", each(SINE, FAST))
def test_every_sine_preset_runs_with_a_tiny_budget(preset, sine_runs, tmp_path):
    folder, printed = sine_runs[0].get(preset) or run_sine(preset, tmp_path / preset)
    assert files(folder) >= FILES | {"learning_curve.png", "error_by_steps.png", "fits.png"}
    base = "Reptile" if "reptile" in preset else "MAML"
    outliers = ", 10% outliers" if "outliers" in SINE[preset] else ""
    plain = preset == "maml_outliers"
    assert (files(folder) >= WEIGHTS) != plain
    assert ("weight_outliers" in log(folder)[0]) == bool(outliers)
    names = [f"{base}{outliers}"] if plain else [f"GA-{base}{outliers}", f"{base}{outliers}"]
    difference = [] if plain else [f"{names[1]} minus {names[0]}"]
    found = list(dict.fromkeys(row["method"] for row in results(folder)))
    assert found == [*names, "joint training", "random weights", "prediction 0", *difference]
    assert all(f"\n{name}  " in printed for name in found)


def test_with_and_without_agreement_start_from_the_same_weights_and_tasks(sine_runs):
    """The loss of the first step is that before it, so it tells of both."""
    folder, _ = sine_runs[0]["quick"]
    agreeing, plain = log(folder), log(folder / "rival")
    assert agreeing[0]["loss"] == plain[0]["loss"]
    assert agreeing[1]["loss"] != plain[1]["loss"]
    for ours, theirs in zip(agreeing, plain, strict=True):
        assert float(theirs["weight_outliers"]) == pytest.approx(0.1)
        assert float(ours["weight_outliers"]) != pytest.approx(0.1)


def test_a_run_of_its_own_without_agreement_is_the_one_shown_beside(sine_runs):
    (with_agreement, _), (alone, _) = (sine_runs[0][name] for name in ("quick", "maml_outliers"))
    beside, own = log(with_agreement / "rival"), log(alone)
    for name in ("loss", "weight_outliers"):
        assert [row[name] for row in beside] == [row[name] for row in own]
    errors = [
        [float(row["val_error"]) for row in log(folder)]
        for folder in (with_agreement / "rival", alone)
    ]
    assert errors[0] == pytest.approx(errors[1])


def test_the_paired_difference_is_that_of_the_means_and_its_interval_smaller(sine_runs):
    ga, plain, *_, paired = results(sine_runs[0]["quick"][0])
    assert paired["method"] == f"{plain['method']} minus {ga['method']}"
    assert paired["mean"] != 0.0
    assert paired["mean"] == pytest.approx(plain["mean"] - ga["mean"], abs=1e-5)
    assert 0 < paired["interval"] < ga["interval"] / 2  # how hard a curve is cancels


def test_no_curve_of_validation_or_test_is_an_outlier(sine_runs):
    assert {sampler.seed for sampler in sine_runs[1]} == {0}  # theirs have seeds of their own
    assert 0 not in (sine.VALIDATION, sine.TEST)


@pytest.mark.parametrize("preset", each(OMNIGLOT, ("quick",)))
def test_every_image_preset_runs_with_a_tiny_budget(preset, tmp_path, monkeypatch):
    curves = {"steps": [0, 1], "support": [0.2, 0.3], "transductive": [0.2, 0.4]}
    monkeypatch.setattr(adaptation, "accuracy_by_steps", lambda *_: curves)  # other chapters run it
    way = 20 if "20way" in preset else 5
    options = [*TINY_IMAGES, "--columns", f"{way}w1s", "--run", str(tmp_path)]
    train_omniglot.main(["--preset", preset, *options])
    pictures = {"learning_curve.png", "accuracy_by_steps.png", "episode.png"}
    assert files(tmp_path) >= FILES | pictures | WEIGHTS
    found = {(row["batch_norm"], row["way"]) for row in results(tmp_path)}
    assert found == {("support", way), ("transductive", way)}
    assert "GA-MAML" in {row["method"] for row in results(tmp_path)}


def test_random_labels_are_for_training_classes_only(tmp_path, monkeypatch):
    curves = {"steps": [0, 1], "support": [0.2, 0.3], "transductive": [0.2, 0.4]}
    monkeypatch.setattr(adaptation, "accuracy_by_steps", lambda *_: curves)
    spoiled, spoil = [], Outliers.__call__
    monkeypatch.setattr(
        Outliers, "__call__", lambda self, i: spoiled.append(self.sampler.name) or spoil(self, i)
    )
    options = ["--base", "reptile", "--outliers", "1", *TINY_IMAGES, "--columns", "5w1s"]
    monkeypatch.setattr(RunFolder, "figure", lambda self, name, figure: plt.close(figure))
    train_omniglot.main(["--preset", "quick", *options, "--run", str(tmp_path)])
    assert set(spoiled) == {"strokes/train"}
    assert "GA-Reptile, 50% outliers" in {row["method"] for row in results(tmp_path)}
    assert "weight_outliers" in log(tmp_path)[0]


@pytest.mark.parametrize("preset", each(TOY, ("quick",)))
def test_e8_7_the_toy_prints_the_lines_of_the_book_and_its_loss_falls(preset, tmp_path, capsys):
    """The book's ten values are noise: its theta hardly moves, and its labels are coin flips."""
    options = ["--test-tasks", "100", "--shown-steps", "0,1", "--run", str(tmp_path)]
    train_toy.main(["--preset", preset, *options])
    assert files(tmp_path) >= FILES | WEIGHTS | {"learning_curve.png"}
    losses = [float(row["loss"]) for row in log(tmp_path)]
    steps = [row["step"] for row in log(tmp_path)]
    lines = [f"Epoch {step}: Loss {loss:.4f}" for step, loss in zip(steps, losses, strict=True)]
    assert len(lines) == 10
    assert "\n".join(lines) in capsys.readouterr().out
    assert np.mean(losses[-3:]) < losses[0] - 0.1


@pytest.mark.parametrize(
    ("main", "arguments", "sentence"),
    [
        (
            train_sine.main,
            ["--no-agreement"],
            "--no-agreement is what --compare compares with; add --no-compare.",
        ),
        (train_sine.main, ["--preset", "ga_mmal"], "(did you mean 'ga_maml'?)"),
        (train_sine.main, ["--base", "reptil"], "--base is 'reptil' (did you mean 'reptile'?)"),
        (train_sine.main, ["--outliers", "10"], "--outliers is 10; it must be less than --tasks"),
        (train_omniglot.main, ["--outliers", "-1"], "--outliers is -1; it must be at least 0."),
        (train_omniglot.main, ["--columns", "20w1s"], "--columns has 20w1s, but the network"),
        (train_toy.main, ["--outliers", "10"], "is 10; it must be less than --tasks, 10."),
        (train_toy.main, ["--agrement"], "(did you mean '--agreement'?)"),
    ],
)
def test_bad_options_end_in_one_sentence(main, arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        script.run(main, arguments)
    assert left.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert sentence in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "runs").exists()

"""The scripts of chapter 6 as their users run them, with tiny budgets.

What is run for many presets is run without graphs: compiling costs more than these few steps.
"""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import train_omniglot, train_sine
from chapters.ch06_maml.presets import OMNIGLOT, SCRIPTS, SINE
from chapters.engine import configuration, script
from chapters.engine.runs import RunFolder
from chapters.experiments import folders
from chapters.experiments.images import adaptation
from chapters.experiments.sine import fine_tuning
from tests.chapters.experiments.test_images import write_folder
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

TINY_IMAGES = [
    "--data", "strokes", "--image-size", "16", "--filters", "2", "--way", "3", "--shot", "1",
    "--query", "1", "--tasks", "1", "--inner-steps", "1", "--test-steps", "1", "--steps", "2",
    "--steps-per-epoch", "1", "--steps-per-call", "1", "--validation-episodes", "2",
    "--test-episodes", "2", "--test-query", "2", "--columns", "3w1s",
]  # fmt: skip
TINY_SINE = [
    "--hidden", "4,4", "--tasks", "2", "--steps", "4", "--steps-per-epoch", "2",
    "--steps-per-call", "2", "--test-tasks", "2", "--shown-steps", "0,1", "--test-steps", "1",
]  # fmt: skip


@pytest.fixture
def in_short(monkeypatch):
    """No graphs, no points on the curve of steps, one rate for the baselines, no pictures."""
    short = {"steps": [0], "support": [0.2], "transductive": [0.2]}
    monkeypatch.setattr(adaptation, "accuracy_by_steps", lambda *arguments: short)
    monkeypatch.setattr(fine_tuning, "RATES", (0.01,))
    monkeypatch.setattr(RunFolder, "figure", lambda self, name, figure: plt.close(figure))
    with without_graphs():
        yield


@pytest.fixture(scope="module")
def images_run(tmp_path_factory):
    """A tiny finished run on generated characters, with its SavedModel."""
    folder = tmp_path_factory.mktemp("images")
    run, exported = folder / "run", folder / "exported"
    with without_graphs():
        train_omniglot.main([*TINY_IMAGES, "--run", str(run), "--export", str(exported)])
    return run, exported


@pytest.fixture(scope="module")
def sine_run(tmp_path_factory):
    """A tiny finished run on curves, compiled with XLA as it is by default."""
    folder = tmp_path_factory.mktemp("sine")
    run, exported = folder / "run", folder / "exported"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fine_tuning, "RATES", (0.01,))
        train_sine.main([*TINY_SINE, "--run", str(run), "--export", str(exported)])
    return run, exported


def results(run):
    return json.loads((run / "metrics.json").read_text())["results"]


FILES = {
    "config.json", "run.json", "log.csv", "metrics.json", "model.weights.h5", "checkpoints",
    "learning_curve.png",
}  # fmt: skip


def test_a_run_on_curves_leaves_everything_in_its_folder(sine_run):
    run, _ = sine_run
    names = {path.name for path in run.iterdir()}
    assert FILES | {"error_by_steps.png", "fits.png", "joint"} <= names
    assert (run / "joint/log.csv").is_file()
    header, *rows = (run / "log.csv").read_text().split()
    assert header == "epoch,step,loss,val_error,seconds"
    assert len(rows) == 2


def test_a_run_on_images_leaves_everything_in_its_folder(images_run):
    run, _ = images_run
    names = {path.name for path in run.iterdir()}
    assert FILES | {"accuracy_by_steps.png", "episode.png"} <= names
    header, *rows = (run / "log.csv").read_text().split()
    assert header == "epoch,step,loss,accuracy,val_accuracy,seconds"
    assert len(rows) == 2


def test_every_score_on_images_names_its_batch_norm_regime(images_run):
    found = {(row["method"], row["batch_norm"]) for row in results(images_run[0])}
    methods = ("untrained network, adapted", "MAML")
    assert found == {(m, regime) for m in methods for regime in ("support", "transductive")}
    for row in results(images_run[0]):
        assert row["generated"] is True
        assert (row["way"], row["shot"], row["query"], row["episodes"]) == (3, 1, 2, 2)
        assert 0.0 <= row["mean"] <= 1.0
        assert row["published"] is None  # the paper measured nothing on generated characters
    curves = json.loads((images_run[0] / "metrics.json").read_text())["accuracy_by_steps"]
    assert curves["steps"] == [0, 1, 2, 5]
    assert len(curves["support"]) == len(curves["transductive"]) == 4


def test_errors_on_curves_stand_beside_the_baselines(sine_run):
    found = {(row["method"], row["measure"]) for row in results(sine_run[0])}
    methods = ("MAML", "joint training", "random weights")
    expected = {(m, f"mse_after_{steps}_steps") for m in methods for steps in (0, 1)}
    assert found == expected | {("prediction 0", "mse_after_0_steps")}


def rebuilt(module, name, arguments, run):
    """The learner of a finished run, from its options and its weights file."""
    config = configuration.parse(SCRIPTS[name], [*arguments, "--run", str(run)])
    learner = module.build_learner(config)
    learner.load_weights(run / "model.weights.h5")
    return learner


@pytest.mark.parametrize(("support", "query"), [(3, 1), (7, 4)])
def test_the_saved_model_of_images_adapts_to_other_numbers_of_items(images_run, support, query):
    run, exported = images_run
    rng = np.random.default_rng(support)
    task = {
        "support_x": tf.constant(rng.random([support, 16, 16, 1]), tf.float32),
        "support_y": tf.constant(np.arange(support) % 3, tf.int32),
        "query_x": tf.constant(rng.random([query, 16, 16, 1]), tf.float32),
    }
    found = tf.saved_model.load(str(exported)).signatures["serve"](**task)["probabilities"]
    learner = rebuilt(train_omniglot, "train_omniglot", TINY_IMAGES, run)
    expected = tf.nn.softmax(learner({name: x[None] for name, x in task.items()})[0])
    assert found.shape == (query, 3)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("support", "query"), [(1, 5), (20, 3)])
def test_the_saved_model_of_curves_adapts_to_other_numbers_of_points(sine_run, support, query):
    run, exported = sine_run
    rng = np.random.default_rng(support)
    sizes = {"support_x": support, "support_y": support, "query_x": query}
    task = {name: tf.constant(rng.normal(size=[n, 1]), tf.float32) for name, n in sizes.items()}
    found = tf.saved_model.load(str(exported)).signatures["serve"](**task)["query_y"]
    learner = rebuilt(train_sine, "train_sine", TINY_SINE, run)
    expected = learner({name: x[None] for name, x in task.items()})[0]
    assert found.shape == (query, 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow  # below, a preset repeats the run on images
def test_a_second_run_with_the_same_seed_has_the_same_numbers(sine_run, tmp_path, monkeypatch):
    monkeypatch.setattr(fine_tuning, "RATES", (0.01,))
    monkeypatch.setattr(RunFolder, "figure", lambda self, name, figure: plt.close(figure))
    train_sine.main([*TINY_SINE, "--run", str(tmp_path / "same")])
    assert results(tmp_path / "same") == results(sine_run[0])


def one_of_each_method(presets):
    """All presets; those of a method that an earlier one has are for ``-m slow``."""
    seen = set()
    for name, options in presets.items():
        method = options.get("method", "maml")
        yield pytest.param(name, marks=[pytest.mark.slow] if method in seen else [])
        seen.add(method)


@pytest.mark.parametrize("preset", one_of_each_method(OMNIGLOT))
def test_every_preset_for_images_runs(preset, images_run, in_short, tmp_path, capsys):
    train_omniglot.main(["--preset", preset, *TINY_IMAGES, "--run", str(tmp_path)])
    assert "classes never seen" in capsys.readouterr().out
    assert len(results(tmp_path)) == 4
    if preset == next(iter(OMNIGLOT)):  # the same options and the same seed
        assert results(tmp_path) == results(images_run[0])


@pytest.mark.parametrize("preset", each(SINE, ("quick", "caml", "blog")))
def test_every_preset_for_curves_runs(preset, in_short, tmp_path, capsys):
    train_sine.main(["--preset", preset, *TINY_SINE, "--run", str(tmp_path)])
    assert "curves never seen" in capsys.readouterr().out
    assert len(results(tmp_path)) == 7


def test_own_folder_of_pictures(in_short, tmp_path, capsys, monkeypatch):
    """Six classes: two each to train on, to validate on and to test on."""
    monkeypatch.setattr(folders, "ENOUGH", 2)
    folder = write_folder(tmp_path / "own", classes=6)
    options = ["--data", folder, "--run", str(tmp_path / "run"), "--columns", "5w1s"]
    train_omniglot.main([*TINY_IMAGES, *options])
    assert "2 classes never seen" in capsys.readouterr().out
    for row in results(tmp_path / "run"):
        assert (row["way"], row["shot"], row["generated"]) == (2, 1, False)


@pytest.mark.parametrize(
    ("main", "arguments", "sentence"),
    [
        (train_omniglot, ["--columns", "5w1s,20w1s"], "test 3-way"),
        (train_omniglot, ["--columns", "5way"], "--columns has '5way'"),
        (train_omniglot, ["--data", "omniglott"], "did you mean 'omniglot'?"),
        (train_omniglot, ["--batch-norm", "stored"], "must be one of transductive, support"),
        (train_omniglot, ["--inner-steps", "-1"], "--inner-steps is -1; it must be at least 0"),
        (train_omniglot, ["--inner-rat", "1"], "did you mean '--inner-rate'?"),
        (train_omniglot, ["--preset", "maml"], "Unknown preset 'maml'"),
        (train_sine, ["--shown-steps", "0,x"], "--shown-steps is '0,x'; expected whole numbers"),
        (train_sine, ["--hidden", "40,0"], "--hidden is '40,0'; expected whole numbers"),
        (train_sine, ["--curves", "cosine"], "--curves is 'cosine'"),
        (train_sine, ["--curves", "reptile", "--shot", "95"], "A grid of 100 points is too small"),
    ],
)
def test_bad_options_end_in_one_sentence(main, arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny = TINY_SINE if main is train_sine else TINY_IMAGES
    assert_one_sentence(main, [*tiny, *arguments], [sentence], capsys)
    assert not (tmp_path / "runs").exists()


def assert_one_sentence(main, arguments, parts, capsys):
    """The script leaves with 2 and says one line that has these parts."""
    with pytest.raises(SystemExit) as left:
        script.run(main.main, arguments)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    for part in parts:
        assert part in said


def test_an_inner_rate_that_is_too_high_for_curves_is_named(capsys, tmp_path):
    """At once, by the loss of the inner loop; XLA would have dropped an assertion."""
    options = ["--inner-rate", "1e6", "--inner-steps", "4", "--seed", "5", "--run", str(tmp_path)]
    parts = ["not finite at step 0", "of batch 0 (seed 5)", "after inner step"]
    parts += ["rate 1e+06: lower the inner rate"]
    assert_one_sentence(train_sine, [*TINY_SINE, *options], parts, capsys)


def test_an_inner_rate_that_is_too_high_for_images_is_named(capsys, tmp_path):
    """In a graph, as it is trained by default."""
    options = ["--inner-rate", "1e38", "--inner-steps", "1", "--seed", "5", "--run", str(tmp_path)]
    parts = ["not finite at step 0", "of batch 0 (seed 5)", "after inner step", "rate 1e+38"]
    assert_one_sentence(train_omniglot, [*TINY_IMAGES, *options], parts, capsys)

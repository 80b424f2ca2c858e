"""The book's toy problem: prints its lines, learns when mended, and cannot when as printed."""

import contextlib
import csv
import io
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import networks, train_toy
from chapters.ch06_maml.presets import TOY
from chapters.engine import script
from chapters.experiments import toy
from chapters.experiments.options import ToyOptions
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

SHORT = ["--steps", "2000", "--steps-per-epoch", "500", "--test-tasks", "200"]


def results(run):
    rows = json.loads((run / "metrics.json").read_text())["results"]
    return {(row["method"], row["measure"]): row for row in rows}


@pytest.fixture(scope="module")
def mended(tmp_path_factory):
    """A short run on tasks that can be learned, and what it prints."""
    run, printed = tmp_path_factory.mktemp("toy") / "run", io.StringIO()
    with contextlib.redirect_stdout(printed):
        train_toy.main([*SHORT, "--run", str(run)])
    return run, printed.getvalue()


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """The same with the labels as the book prints them."""
    run = tmp_path_factory.mktemp("toy") / "run"
    train_toy.main([*SHORT, "--as-printed", "--run", str(run)])
    return run


def test_the_toy_prints_the_books_lines(mended):
    lines = [line for line in mended[1].splitlines() if line.startswith("Epoch")]
    assert [line.split(":")[0] for line in lines] == [
        f"Epoch {step}" for step in (500, 1000, 1500, 2000)
    ]
    assert all(np.isfinite(float(line.rsplit(" ", 1)[1])) for line in lines)


def test_e6_24_printed_losses_are_those_of_the_log_and_possible(tmp_path, capsys):
    """The book's data and first weights cannot give its 100.259: ln 2 and a few units more."""
    options = ["--preset", "book_adml", "--as-printed", "--steps", "4", "--steps-per-epoch", "1"]
    few = ["--test-tasks", "10", "--shown-steps", "0"]
    with without_graphs():
        train_toy.main([*options, *few, "--run", str(tmp_path / "run")])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Epoch")]
    with (tmp_path / "run/log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert lines == [f"Epoch {row['step']}: Loss {float(row['loss']):.4f}" for row in rows]
    assert all(0 < float(row["loss"]) < 10 for row in rows) and len(rows) == 4


def test_training_validation_and_test_have_tasks_of_their_own():
    samplers = toy.samplers(ToyOptions(seed=3))
    assert [sampler.seed for sampler in samplers] == [3, 1_000_003, 2_000_003]


def test_metrics_are_of_fresh_tasks_after_adapting(mended):
    found = results(mended[0])
    assert {measure for _, measure in found} == {
        f"{measure}_after_{steps}_steps"
        for measure in ("loss", "accuracy")
        for steps in (0, 1, 5, 10)
    }
    assert {row["split"] for row in found.values()} == {"test"}
    assert {row["episodes"] for row in found.values()} == {200}


def test_mended_the_loss_on_fresh_tasks_leaves_ln_2_and_adapting_helps(mended):
    found = results(mended[0])
    before, after = (found["MAML", f"loss_after_{steps}_steps"] for steps in (0, 1))
    assert after["mean"] + after["interval"] < math.log(2)
    assert after["mean"] < before["mean"]
    assert found["MAML", "accuracy_after_1_steps"]["mean"] > 0.65


def test_as_printed_no_run_leaves_ln_2_on_fresh_tasks(printed):
    found = results(printed)
    for steps in (0, 1, 5, 10):
        loss = found["MAML", f"loss_after_{steps}_steps"]
        assert loss["mean"] + loss["interval"] >= math.log(2)
        assert abs(found["MAML", f"accuracy_after_{steps}_steps"]["mean"] - 0.5) < 0.02


def test_the_layer_is_the_books_without_bias_and_starts_at_random():
    keras.utils.set_random_seed(0)
    network = networks.logistic_layer(50)
    (theta,) = network.trainable_variables
    assert theta.shape == (50, 1)
    assert np.std(theta) == pytest.approx(1.0, abs=0.3)
    x = tf.constant(np.random.default_rng(0).random([4, 50]), tf.float32)
    np.testing.assert_allclose(network(x), (2 * x - 1) @ np.asarray(theta), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("preset", each(TOY, ("book_adml",)))
def test_every_preset_runs_and_leaves_its_files(preset, tmp_path):
    run = tmp_path / "run"
    tiny = ["--steps", "4", "--steps-per-epoch", "2", "--test-tasks", "10", "--shown-steps", "0,1"]
    train_toy.main(["--preset", preset, *tiny, "--run", str(run)])
    names = {path.name for path in run.iterdir()}
    assert {"config.json", "log.csv", "metrics.json", "learning_curve.png"} <= names


def test_a_diverging_run_ends_in_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        script.run(train_toy.main, ["--inner-rate", "1e38", "--run", str(tmp_path / "run")])
    assert left.value.code == 2
    assert "not finite" in capsys.readouterr().err

"""The scripts of chapter 1 as their users run them, with tiny budgets."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch01_learned_optimizers import fine_tuning, gate_plots, tour, train, train_meta_lstm
from chapters.ch01_learned_optimizers.losses import cross_entropy
from chapters.ch01_learned_optimizers.networks import conv4, strided_block
from chapters.ch01_learned_optimizers.presets import LEARNED, META_LSTM, SCRIPTS
from chapters.ch06_maml import networks as of_chapter_6
from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from datasets import DataError
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

RATES = ["--rates", "0.001,0.003,0.01,0.03,0.1,0.3,1"]
TINY = [
    "--units", "3", "--depth", "1", "--run-steps", "4", "--unroll", "2", "--problems", "2",
    "--steps", "4", "--steps-per-epoch", "2", "--steps-per-call", "2", "--search-problems", "2",
    "--validation-problems", "2", "--test-problems", "3", "--test-steps", "3", *RATES,
]  # fmt: skip
TINY_IMAGES = [
    "--data", "strokes", "--image-size", "16", "--filters", "2", "--units", "2", "--way", "3",
    "--shot", "1", "--query", "1", "--inner-steps", "2", "--test-steps", "2", "--steps", "2",
    "--steps-per-epoch", "1", "--steps-per-call", "1", "--validation-episodes", "2",
    "--test-episodes", "2", "--test-query", "2", "--columns", "3w1s", "--pretraining", "2",
    "--tuning-episodes", "2", *RATES,
]  # fmt: skip


def results(run):
    return json.loads((run / "metrics.json").read_text())["results"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny run of two seeds with its SavedModel; that of one, below, is compiled."""
    folder = tmp_path_factory.mktemp("learned")
    run, exported = folder / "run", folder / "exported"
    with without_graphs():
        train.main([*TINY, "--seeds", "2", "--run", str(run), "--export", str(exported)])
    return run, exported


def test_a_run_leaves_everything_in_its_folder(finished):
    names = {path.name for path in finished[0].iterdir()}
    assert {
        "config.json", "run.json", "metrics.json", "model.weights.h5", "learning_curve.png",
        "losses.png", "updates.png", "seed-0", "seed-1",
    } <= names  # fmt: skip
    log = (finished[0] / "seed-1/log.csv").read_text()
    assert log.startswith("epoch,step,loss,cut,val_final_loss,seconds")


def test_an_exported_rule_goes_on_step_by_step(finished):
    serve = tf.saved_model.load(str(finished[1])).signatures["serve"]
    gradient = tf.constant([0.1, -2.0])
    first = serve(gradient=gradient, state=tf.zeros([2, 6]))
    again = serve(gradient=gradient, state=first["next_state"])
    assert first["update"].shape == (2,) and np.abs(again["update"] - first["update"]).max() > 0


def test_the_weights_are_those_of_the_first_seed(finished, tmp_path):
    train.main([*TINY, "--run", str(tmp_path / "alone")])
    alone = [row["mean"] for row in results(tmp_path / "alone")]
    first = [row["values"][0] for row in results(finished[0])]
    assert alone == pytest.approx(first, rel=1e-6)


def test_a_run_that_was_stopped_ends_with_the_same_numbers(finished, tmp_path):
    run, arguments = tmp_path / "run", [*TINY, "--seeds", "2"]
    with without_graphs():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(train.testing, "run_tests", _stop)
            with pytest.raises(KeyboardInterrupt):
                train.main([*arguments, "--run", str(run)])
        train.main([*arguments, "--run", str(run), "--resume"])
    assert results(run) == results(finished[0])


def test_validation_keeps_the_best_of_several_restarts(tmp_path, monkeypatch):
    run, tested = tmp_path / "run", []
    run_tests = train.testing.run_tests
    monkeypatch.setattr(
        train.testing,
        "run_tests",
        lambda rule, *more: tested.append(rule) or run_tests(rule, *more),
    )
    with without_graphs():
        train.main([*TINY, "--restarts", "3", "--run", str(run)])
    logs = [
        np.genfromtxt(run / f"restart-{k}/log.csv", delimiter=",", names=True) for k in range(3)
    ]
    assert len({float(log["loss"][0]) for log in logs}) == 3  # other weights, other problems
    config = configuration.parse(SCRIPTS["train"], TINY)
    final = train.testing.validation(tested[0], config, 0)()["final_loss"]
    assert final == pytest.approx(min(log["val_final_loss"].min() for log in logs), rel=1e-4)
    kept = json.loads((run / "metrics.json").read_text())
    assert kept["train_seconds"] == pytest.approx(sum(log["seconds"][-1] for log in logs), abs=1)


def _stop(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("preset", each(LEARNED, ("digits",)))
def test_every_preset_runs_with_a_tiny_budget(preset, tmp_path, monkeypatch, capsys):
    two = dict(list(train.testing.NETWORKS.items())[:2])
    monkeypatch.setattr(train.testing, "NETWORKS", two)
    with without_graphs():
        train.main(["--preset", preset, *TINY, "--seeds", "1", "--run", str(tmp_path / "run")])
    said = capsys.readouterr().out
    assert " minus Adam" in said and "rate " in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--unroll", "200"], "--unroll 200 is longer than a run of --run-steps 100"),
        (["--unroll", "30"], "--run-steps 100 is no multiple of --unroll 30"),
        (["--rates", "0.1"], "1 different rates; give at least 7"),
        (["--method", "rnnprop", "--scale", "1"], "--scale is for --method lstm"),
        (["--test-steps", ""], "--test-steps is ''"),
        (["--strategy", "mirrored"], "--strategy does not apply"),
    ],
)
def test_bad_options_are_one_sentence(arguments, sentence, tmp_path):
    with pytest.raises(ConfigError, match=sentence):
        train.main([*arguments, "--run", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()


def test_weights_of_another_architecture_are_refused(finished):
    config = json.loads((finished[0] / "config.json").read_text())
    config.pop("script")
    options = train.LearnedConfig(**{**config, "units": 4})
    with pytest.raises(ValueError):
        train.build_learner(options).load_weights(finished[0] / "model.weights.h5")


# --- meta-LSTM ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def meta_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meta_lstm")
    run, exported = folder / "run", folder / "exported"
    with without_graphs():
        train_meta_lstm.main([*TINY_IMAGES, "--run", str(run), "--export", str(exported)])
    return run, exported


def test_a_meta_lstm_run_leaves_everything_in_its_folder(meta_run):
    names = {path.name for path in meta_run[0].iterdir()}
    pictures = {"learning_curve.png", "gates.png", "episode.png"}
    assert pictures | {"config.json", "metrics.json", "model.weights.h5"} <= names
    metrics = json.loads((meta_run[0] / "metrics.json").read_text())
    others = {f"{rule}, {start} start" for rule in ("SGD", "Adam") for start in STARTS}
    assert {row["method"] for row in metrics["results"]} == {"meta-LSTM", *others}
    assert set(metrics["rates"]) == others
    assert {row["batch_norm"] for row in metrics["results"]} == {"support"}


STARTS = ("random", "pretrained")


def test_an_exported_meta_lstm_adapts_and_predicts(meta_run):
    serve = tf.saved_model.load(str(meta_run[1])).signatures["serve"]
    rng = np.random.default_rng(0)
    x = rng.random([6, 16, 16, 1]).astype(np.float32)
    labels = tf.constant([0, 1, 2], tf.int32)
    found = serve(support_x=x[:3], support_y=labels, query_x=x[3:])["probabilities"]
    assert found.shape == (3, 3)
    np.testing.assert_allclose(tf.reduce_sum(found, axis=1), 1.0, atol=1e-5)


def test_a_meta_lstm_run_goes_on_with_the_same_numbers(meta_run, tmp_path, monkeypatch):
    run = tmp_path / "run"
    found = json.loads((meta_run[0] / "metrics.json").read_text())["rates"]
    monkeypatch.setattr(fine_tuning, "best_rate", lambda *_: next(rates))
    rates = iter(found.values())  # the search, which takes long, would find them again
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fine_tuning, "contenders", _stop)
        with pytest.raises(KeyboardInterrupt), without_graphs():
            train_meta_lstm.main([*TINY_IMAGES, "--run", str(run)])
    with without_graphs():
        train_meta_lstm.main([*TINY_IMAGES, "--run", str(run), "--resume"])
    assert results(run) == results(meta_run[0])


@pytest.mark.parametrize("preset", each(META_LSTM, ()))
def test_every_preset_of_the_meta_lstm_runs_with_a_tiny_budget(preset, tmp_path):
    train_meta_lstm.main(["--preset", preset, *TINY_IMAGES, "--run", str(tmp_path / "run")])


def test_a_cell_that_takes_no_step_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--inner-steps is 0"):
        train_meta_lstm.main(["--inner-steps", "0", "--run", str(tmp_path / "run")])


def test_fine_tuning_is_that_of_keras():
    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
    x = np.random.default_rng(0).normal(size=[1, 6, 4]).astype(np.float32)
    y = np.array([[0, 1, 0, 1, 0, 1]], np.int32)
    for rule, optimizer in (
        ("SGD", keras.optimizers.SGD(0.1)),
        ("Adam", keras.optimizers.Adam(0.1)),
    ):
        learner = fine_tuning.FineTuned(network, cross_entropy, rule, steps=4)
        learner.rate.assign(0.1)
        adapted = learner.adapt(x, y)
        theirs = keras.models.clone_model(network)
        theirs.set_weights(network.get_weights())
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        theirs.compile(optimizer=optimizer, loss=loss)
        theirs.fit(x[0], y[0], batch_size=6, epochs=4, shuffle=False, verbose=0)
        for ours, weight in zip(adapted, theirs.get_weights(), strict=True):
            np.testing.assert_allclose(ours[0], weight, rtol=1e-4, atol=1e-5)


def test_the_network_is_that_of_chapter_6():
    ours, theirs = conv4((28, 28, 1), 5, 32), of_chapter_6.conv4((28, 28, 1), 5, 32)
    for one, other in zip(ours.layers, theirs.layers, strict=True):
        first, second = one.get_config(), other.get_config()
        names = ("filters", "kernel_size", "strides", "padding", "use_bias", "scale", "units")
        assert [first.get(name) for name in names] == [second.get(name) for name in names]
    assert len(strided_block(3)) == 3


def test_gates_are_drawn_for_every_layer():
    network = conv4((16, 16, 1), 3, 2)
    named = gate_plots.layers_of(network)
    assert [name for name, _ in named] == [f"convolution {n}" for n in (1, 2, 3, 4)] + [
        "last layer"
    ]
    places = np.concatenate([where for _, where in named])
    kernels = sum(v.shape.num_elements() for v in network.trainable_variables if v.name == "kernel")
    assert len(set(places)) == len(places) == kernels


# --- the tour -------------------------------------------------------------------------------------


def test_the_tour_prints_every_part_with_its_shape(tmp_path, capsys):
    tour.main(["--way", "3", "--shot", "2", "--query", "4", "--run", str(tmp_path / "run")])
    said = capsys.readouterr().out
    for part in (
        "support_x  [1, 6, 28, 28, 1]",
        "support_y  [1, 6]",
        "query_x    [1, 12, 28, 28, 1]",
    ):
        assert part in said
    for word in ("way", "shot", "metric", "initialisation", "optimizer"):
        assert word in said
    assert (tmp_path / "run/episode.png").exists()


def test_the_tour_answers_by_the_nearest_mean_and_by_gradient_steps():
    rng = np.random.default_rng(0)
    support, query = rng.random([1, 4, 3, 3, 1]), rng.random([1, 5, 3, 3, 1])
    y = np.array([[0, 1, 0, 1]])
    inputs = {"support_x": support, "support_y": y, "query_x": query}
    inputs = {name: tf.constant(x.astype("f" if x.ndim > 2 else "i")) for name, x in inputs.items()}
    means = [support[0][y[0] == k].mean(axis=0) for k in (0, 1)]
    expected = [[-((q - mean) ** 2).sum() for mean in means] for q in query[0]]
    np.testing.assert_allclose(tour.nearest_mean(inputs)[0], expected, rtol=1e-5)

    x = support[0].reshape(4, 9) - support[0].reshape(4, 9).mean(axis=0)
    theta = np.zeros([9, 2])
    for _ in range(tour.STEPS):
        p = np.exp(x @ theta) / np.exp(x @ theta).sum(axis=1, keepdims=True)
        theta -= tour.RATE * x.T @ (p - np.eye(2)[y[0]]) / 4
    asked = query[0].reshape(5, 9) - support[0].reshape(4, 9).mean(axis=0)
    np.testing.assert_allclose(tour.few_steps(inputs)[0], asked @ theta, rtol=1e-4, atol=1e-6)


def test_a_tour_of_too_many_pictures_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="shot 19 \\+ query 9 need 28"):
        tour.main(["--shot", "19", "--query", "9", "--run", str(tmp_path / "run")])

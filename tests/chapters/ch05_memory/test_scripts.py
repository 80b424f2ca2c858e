"""The scripts of chapter 5 as their users run them, with tiny budgets."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch05_memory import measures, report, train_mann, train_ntm
from chapters.ch05_memory.presets import MANN, NTM, SCRIPTS, MANNConfig, NTMConfig
from chapters.engine import configuration, script
from chapters.engine.evaluation import Conditions
from chapters.engine.runs import RunFolder
from datasets.tasks.sequences import CopyTask
from tests.chapters.experiments.test_images import blots
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

TINY = [
    "--rnn-size", "4", "--batch", "2", "--steps", "4", "--steps-per-epoch", "2",
    "--steps-per-call", "2",
]  # fmt: skip
MEMORY = ["--memory-size", "8", "--memory-vector-dim", "3"]
BITS = [*TINY, "--max-length", "3", "--test-lengths", "2,3", "--test-sequences", "4"]
CHARACTERS = [
    *TINY, "--data", "strokes", "--image-size", "8", "--validation-episodes", "2",
    "--test-episodes", "2",
]  # fmt: skip
TINY_NTM, TINY_MANN = [*BITS, *MEMORY], [*CHARACTERS, *MEMORY]
FILES = {
    "config.json", "run.json", "metrics.json", "model.weights.h5", "learning_curve.png",
}  # fmt: skip


@pytest.fixture
def no_pictures(monkeypatch):
    """Pictures are made, but not written."""
    monkeypatch.setattr(RunFolder, "figure", lambda self, name, figure: plt.close(figure))


@pytest.fixture
def in_short(monkeypatch, no_pictures):
    """No graphs, small test batches, no pictures."""
    monkeypatch.setattr(train_ntm, "TEST_BATCH", 4)
    monkeypatch.setattr(train_mann, "TEST_BATCH", 2)
    with without_graphs():
        yield


@pytest.fixture(scope="module")
def ntm_run(tmp_path_factory):
    """A tiny finished run of two seeds; a longer training, below, is compiled as by default."""
    folder = tmp_path_factory.mktemp("ntm")
    run, exported = folder / "run", folder / "exported"
    with without_graphs():
        train_ntm.main([*TINY_NTM, "--seeds", "2", "--run", str(run), "--export", str(exported)])
    return run, exported


@pytest.fixture(scope="module")
def mann_run(tmp_path_factory):
    """A tiny finished run on generated characters, compiled with XLA as it is by default."""
    folder = tmp_path_factory.mktemp("mann")
    run, exported = folder / "run", folder / "exported"
    options = ["--run", str(run), "--export", str(exported), "--preset", "quick", "--length", "4"]
    train_mann.main([*TINY_MANN, *options])
    return run, exported


def metrics(run):
    return json.loads((run / "metrics.json").read_text())


def test_a_copy_run_leaves_everything_in_its_folder(ntm_run):
    run, _ = ntm_run
    names = {path.name for path in run.iterdir()}
    pictures = {"attention.png", "memory.png", "example.png", "errors_by_length.png"}
    assert FILES | pictures | {"seed-0", "seed-1"} <= names
    assert (run / "seed-1/log.csv").read_text().startswith("epoch,step,loss,bits,seconds")


def test_copy_metrics_have_every_seed_and_their_best_median_and_worst(ntm_run):
    found = metrics(ntm_run[0])
    assert [one["seed"] for one in found["seeds"]] == [0, 1]
    assert found["converged"] == sum(one["converged"] for one in found["seeds"])
    for test in ("trained", "length_2", "length_3"):
        wrong = [one["wrong_bits"][test] for one in found["seeds"]]
        rows = {
            r["method"]: r["mean"] for r in found["results"] if r["measure"] == f"bits_at_{test}"
        }
        assert rows == {
            "NTM, LSTM controller, seed 0": wrong[0],  # whose weights are kept
            "NTM, LSTM controller, best of 2": min(wrong),
            "NTM, LSTM controller, median of 2": min(wrong),
            "NTM, LSTM controller, worst of 2": max(wrong),
        }


def test_an_exported_copier_takes_sequences_of_every_length(ntm_run):
    run, exported = ntm_run
    serve = tf.saved_model.load(str(exported)).signatures["serve"]
    config = json.loads((run / "config.json").read_text())
    config.pop("script")
    model = train_ntm.build(NTMConfig(**config))
    model.load_weights(run / "model.weights.h5")
    for length in (1, 3, 7):
        x = CopyTask(2, 8, length, length)(0).x
        expected = tf.sigmoid(model(x))
        np.testing.assert_allclose(serve(x=x)["probabilities"], expected, atol=1e-6)


def test_the_weights_of_a_run_are_those_of_its_first_seed(ntm_run, no_pictures, tmp_path):
    run, _ = ntm_run
    alone = tmp_path / "alone"
    with without_graphs():
        train_ntm.main([*TINY_NTM, "--run", str(alone)])
    assert metrics(alone)["seeds"][0]["wrong_bits"] == metrics(run)["seeds"][0]["wrong_bits"]


def test_a_run_that_was_stopped_ends_with_the_same_numbers(ntm_run, no_pictures, tmp_path):
    run = tmp_path / "run"
    options = [*TINY_NTM, "--seeds", "2", "--run", str(run)]
    original, calls = train_ntm.report.seed_line, []

    def stop(result):
        calls.append(result)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_ntm.report, "seed_line", stop)
        with pytest.raises(KeyboardInterrupt), without_graphs():
            train_ntm.main(options)
    assert len(calls) == 1 and train_ntm.report.seed_line is original
    with without_graphs():
        train_ntm.main([*options, "--resume"])
    assert metrics(run)["results"] == metrics(ntm_run[0])["results"]


def test_a_presentation_run_leaves_everything_in_its_folder(mann_run):
    run, _ = mann_run
    assert FILES | {"accuracy.png", "memory.png"} <= {path.name for path in run.iterdir()}
    first = metrics(run)["results"][0]
    assert first["measure"] == "presentation_1" and first["generated"] is True


def test_an_exported_learner_takes_episodes_of_every_length(mann_run):
    _, exported = mann_run
    signatures = tf.saved_model.load(str(exported)).signatures
    for time in (1, 5, 20):
        images, shown = tf.random.uniform([2, time, 8, 8, 1]), tf.zeros([2, time, 3])
        found = signatures["sequence"](images=images, shown=shown)["probabilities"]
        assert found.shape == (2, time, 3)
        np.testing.assert_allclose(tf.reduce_sum(found, axis=-1), 1, atol=1e-5)
    for support, query in ((1, 1), (7, 4)):
        found = signatures["serve"](
            support_x=tf.random.uniform([support, 8, 8, 1]),
            support_y=tf.zeros([support], tf.int32),
            query_x=tf.random.uniform([query, 8, 8, 1]),
        )["probabilities"]
        assert found.shape == (query, 3)


@pytest.mark.parametrize("preset", each(NTM, ("book", "repeat_copy", "recall", "paper_lstm")))
def test_every_preset_of_the_turing_machine_runs(preset, in_short, tmp_path, capsys):
    tiny = [*(BITS if "model" in NTM[preset] else TINY_NTM), "--seeds", "1"]
    if preset == "repeat_copy":
        tiny += ["--test-repeats", "2", "--max-repeats", "2"]
    train_ntm.main(["--preset", preset, *tiny, "--run", str(tmp_path / "run")])
    shown = capsys.readouterr().out
    assert "Wrong bits per sequence" in shown
    assert ("Output after training" in shown) == (preset == "book")


@pytest.mark.parametrize("preset", each(MANN, ("lstm", "feed_forward", "strings")))
def test_every_preset_of_the_presentations_runs(preset, in_short, tmp_path, capsys):
    tiny = [*(CHARACTERS if "model" in MANN[preset] else TINY_MANN), "--length", "12"]
    train_mann.main(["--preset", preset, *tiny, "--run", str(tmp_path / "run")])
    assert "Right labels in %" in capsys.readouterr().out


def test_sequences_longer_than_the_memory_are_announced(capsys, monkeypatch, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train_ntm, "build", stop)  # after the warnings, before anything is trained
    monkeypatch.setattr(train_mann, "build", stop)
    options = [*TINY_NTM, "--test-lengths", "3,9", "--run", str(tmp_path / "a")]
    with pytest.raises(KeyboardInterrupt):
        train_ntm.main(options)
    warning = "Warning: length 9 has 9 vectors, but the memory has 8 slots"
    shown = capsys.readouterr().out
    assert shown.count("Warning") == 1 and warning in shown
    options = [*TINY_MANN, "--preset", "quick", "--length", "12", "--run", str(tmp_path / "b")]
    with pytest.raises(KeyboardInterrupt):
        train_mann.main(options)
    assert "episodes of 12 pictures are longer than the memory's 8 slots" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("main", "arguments", "sentence"),
    [
        (train_ntm, ["--memory-size", "2"], "3 moves, but the memory has 2 slots"),
        (train_ntm, ["--test-lengths", "0"], "--test-lengths is '0'"),
        (train_ntm, ["--min-length", "9"], "min_length 9 is above max_length 5"),
        (train_ntm, ["--task", "recall"], "needs at least 2 items"),
        (train_ntm, ["--task", "sort"], "it must be one of copy, repeat_copy, recall"),
        (
            train_mann,
            ["--head-num", "60", "--memory-size", "50"],
            "60 heads need at least as many slots",
        ),
        (train_mann, ["--way", "9999"], "classes, but an episode needs 9999"),
        (train_mann, ["--length", "9999"], "an episode shows 9999"),
    ],
)
def test_bad_options_end_in_one_sentence(main, arguments, sentence, capsys, tmp_path):
    with pytest.raises(SystemExit) as end:
        script.run(main.main, ["--preset", "quick", *arguments, "--run", str(tmp_path / "run")])
    assert end.value.code == 2
    shown = capsys.readouterr().err.strip()
    assert sentence in shown and shown.startswith("error: ") and len(shown.splitlines()) == 1


def test_e5_12_every_option_of_the_cell_reaches_it():
    """The book parses a shift range and drops it."""
    options = {"shift_range": 2, "read_head_num": 3, "write_head_num": 2, "memory_init": "random"}
    options |= {"addressing_mode": "content", "controller": "feed_forward"}
    config = configuration.build(SCRIPTS["train_ntm"], "quick", {"preset": "quick", **options})
    cell = train_ntm.build(config).cell
    found = {name: getattr(cell, name, None) for name in options}
    assert found | {"controller": cell.controller_kind} == options
    for name in ("quick", "paper"):  # wide enough for the vectors that are to be stored
        preset = configuration.build(SCRIPTS["train_ntm"], name, {})
        assert preset.memory_vector_dim >= preset.vector_dim


def test_e5_6_and_e5_7_a_short_training_learns_to_copy(no_pictures, tmp_path):
    """The book's 99 updates leave the loss at ln 2. Here two vectors, 2500 updates, no mistake."""
    options = [
        "--rnn-size", "32", "--memory-size", "16", "--memory-vector-dim", "8", "--vector-dim", "3",
        "--max-length", "2", "--steps", "2500", "--steps-per-epoch", "500",
        "--steps-per-call", "500", "--test-lengths", "2", "--test-sequences", "200",
        "--learning-rate", "0.005", "--run", str(tmp_path / "run"),
    ]  # fmt: skip
    train_ntm.main(options)
    found = metrics(tmp_path / "run")["seeds"][0]
    assert found["wrong_bits"]["trained"] < 0.01 * 3 * 1.5  # 1 % of the bits
    log = (tmp_path / "run/log.csv").read_text().split()
    assert len(log) == 1 + 5
    saved = sorted(path.name for path in (tmp_path / "run/checkpoints").glob("step-*"))
    assert saved == ["step-0000002000", "step-0000002500"]  # of five epochs the newest two


def test_the_table_of_one_network_has_one_row():
    wrong = {"trained": np.array([0.0, 1.0])}
    result = {"seed": 3, "seconds": 1.0, "wrong": wrong}
    config = NTMConfig(test_sequences=2)
    lines = report.table([result], {"trained": CopyTask(2, 8, 1, 2)}, config).splitlines()
    assert [line for line in lines if "0.500" in line] and "0 of 1 converged" in lines[-1]


@pytest.mark.parametrize("task", ["copy", "repeat_copy", "recall"])
def test_no_test_of_any_length_has_a_seed_of_training(task):
    config = NTMConfig(task=task, min_length=2, max_length=4, seeds=5, test_lengths="3,6", seed=7)
    training = {train_ntm.training_task(config, 7 + number).seed for number in range(5)}
    tests = train_ntm.test_tasks(config)
    assert training == {7, 8, 9, 10, 11}
    assert {test.seed for test in tests.values()} == {7 + train_ntm.TEST}
    assert len(tests) == (5 if task == "repeat_copy" else 3)


def test_a_published_network_is_tested_on_sequences_of_the_seed_that_is_asked_for(monkeypatch):
    config, seen = NTMConfig(test_lengths="3", max_length=2, seed=4), []

    def test_network(model, seed, tests, config):
        seen.append(({test.seed for test in tests.values()}, config.test_sequences))
        return {"seed": seed, "wrong": {name: np.zeros(2) for name in tests}}

    monkeypatch.setattr(train_ntm, "test_network", test_network)
    rows = train_ntm.evaluate(None, config, Conditions(episodes=33, seed=9))
    assert seen == [({9 + train_ntm.TEST}, 33)]
    assert {row["seed"] for row in rows} <= {9, 9 + train_ntm.TEST}


def test_characters_of_validation_and_test_are_others_and_never_moved():
    config = MANNConfig(way=2, length=4, jitter=3, train_split="train")
    samplers = train_mann.samplers(blots(train=4, val=3, test=3), config)
    names = [sampler.name for sampler in samplers]
    assert names == ["blots/train", "blots/val", "blots/test"]
    assert [sampler.jitter for sampler in samplers] == [3, 0, 0]


def test_fresh_sequences_are_not_those_of_training():
    config = NTMConfig(max_length=4, test_sequences=10)
    tests = train_ntm.test_tasks(config)
    training = train_ntm.training_task(config, config.seed)
    assert tests["trained"].seed != training.seed
    wrong = measures.count_wrong_bits(train_ntm.build(config), tests, 150)
    assert {name: len(counts) for name, counts in wrong.items()} == dict.fromkeys(tests, 200)


def test_tests_of_all_lengths_are_counted_by_one_program(monkeypatch):
    config = NTMConfig(rnn_size=4, memory_size=8, memory_vector_dim=3, test_lengths="1,6")
    tests, model, traced = train_ntm.test_tasks(config), train_ntm.build(config), []
    call = type(model).call
    monkeypatch.setattr(type(model), "call", lambda *a, **k: traced.append(1) or call(*a, **k))
    measures.count_wrong_bits(model, tests, 1)
    assert len(tests) == 3 and len(traced) == 1

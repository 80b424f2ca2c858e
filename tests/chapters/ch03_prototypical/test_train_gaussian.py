"""The Gaussian scripts as their user runs them, with a tiny budget on generated pictures."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical import compare_gaussian, robustness, train_gaussian
from chapters.ch03_prototypical.presets import COMPARE, GAUSSIAN, SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.evaluation import interval95, interval95_over
from chapters.engine.results import interval95_of_runs
from chapters.engine.runs import RunFolder
from chapters.experiments.options import Column
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

TINY = [
    "--data", "strokes", "--h-dim", "4", "--z-dim", "4", "--steps", "4", "--steps-per-epoch", "2",
    "--steps-per-call", "2", "--validation-episodes", "5", "--test-episodes", "5", "--way", "5",
    "--shot", "2", "--query", "2", "--columns", "5w2s,5w1s", "--test-query", "3",
]  # fmt: skip
NAME, PLAIN = train_gaussian.NAMES.values()


def metrics_of(run):
    """``metrics.json`` of a run."""
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny finished run with its SavedModel."""
    folder = tmp_path_factory.mktemp("run")
    run, exported = folder / "run", folder / "exported"
    argv = ["--preset", "quick", *TINY, "--run", str(run), "--export", str(exported)]
    with without_graphs():
        train_gaussian.main(argv)
    return run, exported


def test_a_run_leaves_everything_in_its_folder(finished):
    run, _ = finished
    expected = {
        "config.json", "run.json", "log.csv", "metrics.json", "model.weights.h5", "checkpoints",
        "learning_curve.png", "episode.png", "damaged.json", "damaged.png", "confidence.png",
    }  # fmt: skip
    assert expected <= {path.name for path in run.iterdir()}
    assert (run / "log.csv").read_text().startswith("epoch,step,loss,accuracy,val_accuracy,seconds")


def test_metrics_hold_whole_and_damaged_tests_and_no_rival_among_them(finished):
    rows = metrics_of(finished[0])["results"]
    damaged = [row for row in rows if " of " in row["method"]]
    assert {row["method"] for row in rows if row not in damaged} == {
        "pixels, nearest neighbour", "untrained encoder", NAME,
    }  # fmt: skip
    assert {row["method"] for row in damaged} == {
        f"{NAME}, {share} % of {what}".replace(" %", "%")
        for share in (25, 50, 75, 100)
        for what in robustness.HIT.values()
    }
    assert {(row["way"], row["shot"]) for row in damaged} == {(5, 2)}  # one example needs no trust
    assert not any(row["rival"] or row["headline"] for row in damaged)
    for row in rows:
        assert row["generated"] is True and row["batch_norm"] == "stored" and row["episodes"] == 5
        assert 0.0 <= row["mean"] <= 1.0 and row["published"] is None


def test_the_test_without_damage_is_the_usual_one(finished):
    rows = metrics_of(finished[0])["results"]
    usual = next(row for row in rows if row["method"] == NAME and row["shot"] == 2)
    found = robustness.read(finished[0])[Column(5, 2)]
    for what in robustness.HIT:
        assert found[what, 0.0].mean() == pytest.approx(usual["mean"], abs=1e-5)


def test_saved_model_adapts_to_other_ways_and_shots(finished):
    serve = tf.saved_model.load(str(finished[1])).signatures["serve"]
    rng = np.random.default_rng(0)
    output = serve(
        support_x=tf.constant(rng.random([9, 28, 28, 1]), tf.float32),
        support_y=tf.constant([0, 1, 2, 0, 1, 2, 2, 2, 2]),
        query_x=tf.constant(rng.random([4, 28, 28, 1]), tf.float32),
    )
    assert output["probabilities"].shape == (4, 3)
    np.testing.assert_allclose(tf.reduce_sum(output["probabilities"], axis=1), 1.0, atol=1e-6)


def test_a_second_run_with_the_same_seed_has_the_same_numbers(finished, tmp_path):
    with without_graphs():
        train_gaussian.main(["--preset", "quick", *TINY, "--run", str(tmp_path)])
    assert metrics_of(finished[0])["results"] == metrics_of(tmp_path)["results"]


# quick is run above, and other networks below; emoji are drawn by their stand-in.
@pytest.mark.parametrize("preset", each(GAUSSIAN, ()))
def test_every_preset_runs_with_a_tiny_budget(preset, tmp_path, capsys):
    data = ["--data", "painted_signs"] if preset == "emoji" else []
    train_gaussian.main(["--preset", preset, *TINY, *data, "--run", str(tmp_path / preset)])
    assert f"Accuracy in % of the {NAME}, by share of damaged images" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ["--component", "diagonal", "--inverse-transform-type", "other"],
        ["--plain", "--component", "diagonal"],
    ],
)
def test_other_networks_are_trained(options, tmp_path):
    one_shot = ["--columns", "5w1s", "--damaged-queries", "0.5"]
    train_gaussian.main([*TINY, *options, *one_shot, "--run", str(tmp_path)])
    metrics = metrics_of(tmp_path)
    plain = "--plain" in options
    assert metrics["method"] == (PLAIN if plain else NAME)
    assert (tmp_path / "confidence.png").exists() != plain
    # 3 x 3 weights of 1, 4, 4 to 4, 4, 4 channels, then of 4 to 8; four batch norms with averages
    size = 9 * (4 + 16 + 16 + 32) + 4 * (4 + 4 + 4 + 8)
    assert metrics["parameters"] == size + (0 if plain else 3)


def test_the_networks_of_a_pair_begin_with_the_same_weights():
    configs = [
        configuration.build(SCRIPTS["train_gaussian"], "quick", {"plain": plain, "data": "strokes"})
        for plain in (False, True)
    ]
    weights = []
    for config in configs:
        script.prepare(config.seed)
        weights.append(train_gaussian.build_learner(config).get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def told(finished, monkeypatch):
    """Networks are not trained: a run has the files of a finished one, and random accuracies."""
    trained = []

    def train(config):
        trained.append((config.seed, config.plain, config.resume))
        run = RunFolder.open(config, "chapters.ch03_prototypical.train_gaussian")
        rng = np.random.default_rng([config.seed, config.plain])
        values = {condition: rng.random(5) for condition in robustness.CONDITIONS}
        robustness.write(run, {Column(5, 2): values})
        run.json("metrics.json", metrics_of(finished[0]))

    monkeypatch.setattr(train_gaussian, "train", train)
    return trained


def compare(run, *more):
    """Two pairs."""
    argv = ["--preset", "quick", *TINY, "--seeds", "2", "--run", str(run), *more]
    compare_gaussian.main(argv)


def test_the_comparison_is_in_pairs_over_episodes_and_seeds(told, tmp_path):
    compare(tmp_path)
    rows = {(row["method"], row["shot"]): row for row in metrics_of(tmp_path)["results"]}
    found = {
        (kind, seed): robustness.read(tmp_path / f"seed-{seed}-{kind}")[Column(5, 2)]
        for kind in ("plain", "gaussian")
        for seed in (0, 1)
    }
    for what, share in robustness.CONDITIONS:
        if what == "all" and share == 0:
            continue  # the same test as of "support"
        words = f", {share:.0%} of {robustness.HIT[what]}" if share else ""
        row = rows[f"{compare_gaussian.DIFFERENCE}{words}", 2]
        means = [
            float(np.mean(found["gaussian", s][what, share] - found["plain", s][what, share]))
            for s in (0, 1)
        ]
        assert row["runs"] == 2 and row["values"] == pytest.approx(means, abs=1e-6)
        assert row["mean"] == pytest.approx(np.mean(means), abs=1e-6)
        assert row["interval"] == pytest.approx(interval95_of_runs(means), abs=1e-6)
    assert metrics_of(tmp_path)["method"] == compare_gaussian.DIFFERENCE
    assert (tmp_path / "compared.png").exists()


def test_a_comparison_goes_on_where_it_stopped(told, tmp_path, capsys):
    compare(tmp_path)
    before = metrics_of(tmp_path)
    assert told == [(0, False, False), (0, True, False), (1, False, False), (1, True, False)]
    (tmp_path / "metrics.json").unlink()
    (tmp_path / "seed-1-gaussian/metrics.json").unlink()
    told.clear()
    compare(tmp_path, "--resume")
    assert told == [(1, False, True)]
    assert metrics_of(tmp_path)["results"] == before["results"]
    assert "over 2 seeds (Student's t)" in capsys.readouterr().out


@pytest.mark.slow
def test_networks_of_a_comparison_are_runs_of_the_training_script(tmp_path, capsys):
    argv = ["--preset", "quick", *TINY, "--seed", "1", "--seeds", "1", "--run", str(tmp_path)]
    compare_gaussian.main(argv)
    assert "95 % interval over episodes" in capsys.readouterr().out
    for kind, plain in (("plain", True), ("gaussian", False)):
        config = json.loads((tmp_path / f"seed-1-{kind}/config.json").read_text())
        assert config["script"] == "chapters.ch03_prototypical.train_gaussian"
        assert (config["seed"], config["plain"], config["preset"]) == (1, plain, "quick")
        assert (tmp_path / f"seed-1-{kind}/model.weights.h5").exists()


def test_an_interval_is_over_seeds_or_over_the_episodes_of_one():
    values = np.random.default_rng(0).random([3, 40])
    assert interval95_over(values) == interval95_of_runs(values.mean(axis=1))
    assert interval95_over(values[:1]) == interval95(values[0])


def test_presets_of_the_comparison_are_those_of_the_training():
    for name, values in COMPARE.items():
        assert {key: value for key, value in values.items() if key != "seeds"} == GAUSSIAN[name]
    names = {field.name for field in dataclasses.fields(SCRIPTS["compare_gaussian"].config)}
    assert names - {field.name for field in dataclasses.fields(SCRIPTS["train_gaussian"].config)} \
        == {"seeds"}  # fmt: skip


@pytest.mark.parametrize(
    ("main", "arguments", "sentence"),
    [
        (train_gaussian, ["--component", "sphere"], "it must be one of radius, diagonal"),
        (train_gaussian, ["--damaged-support", "1.5"], "--damaged-support is 1.5; it must be at"),
        (train_gaussian, ["--damaged-queries", "-1"], "--damaged-queries is -1.0; it must be at"),
        (train_gaussian, ["--shrink", "1"], "--shrink is 1; it must be at least 2."),
        (compare_gaussian, ["--plain"], "--plain does not apply to this script, which trains both"),
        (compare_gaussian, ["--seeds", "0"], "--seeds is 0; it must be at least 1."),
    ],
)
def test_bad_options_end_in_one_sentence(main, arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        script.run(main.main, arguments)
    assert left.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and sentence in printed and printed.count("\n") == 1
    assert not (tmp_path / "runs").exists()

"""The training script as its user runs it, with a tiny budget on generated data."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from chapters.ch04_relation_matching import train_relation as train
from chapters.ch04_relation_matching.presets import RELATION, SCRIPTS, RelationConfig
from chapters.engine import configuration, script
from chapters.experiments import images
from datasets.errors import DataNotice
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

TINY = [
    "--data", "strokes", "--h-dim", "4", "--z-dim", "4", "--r-dim", "4", "--steps", "4",
    "--steps-per-epoch", "2", "--steps-per-call", "2", "--validation-episodes", "5",
    "--test-episodes", "5", "--way", "3", "--shot", "1", "--query", "2", "--columns", "5w1s,5w5s",
    "--test-query", "3",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny finished run with its SavedModel."""
    folder = tmp_path_factory.mktemp("run")
    run, exported = folder / "run", folder / "exported"
    with without_graphs():
        train.main(["--preset", "quick", *TINY, "--run", str(run), "--export", str(exported)])
    return run, exported


def test_a_run_leaves_everything_in_its_folder(finished):
    expected = {
        "config.json", "run.json", "log.csv", "metrics.json", "model.weights.h5", "checkpoints",
        "learning_curve.png", "episode.png", "relation_scores.png",
    }  # fmt: skip
    assert expected <= {path.name for path in finished[0].iterdir()}
    header, *rows = (finished[0] / "log.csv").read_text().split()
    assert header == "epoch,step,loss,accuracy,val_accuracy,seconds"
    assert len(rows) == 2


def test_metrics_name_both_regimes_and_the_honest_one_stands_for_the_method(finished):
    rows = json.loads((finished[0] / "metrics.json").read_text())["results"]
    ours = [row for row in rows if row["method"] == "relation network"]
    regimes = ["stored", "stored", "transductive", "transductive"]
    assert [row["batch_norm"] for row in ours] == regimes
    assert [row["headline"] for row in ours] == [True, False, False, False]
    others = {row["method"] for row in rows if row["method"] != "relation network"}
    assert others == {"pixels, nearest neighbour", "untrained encoder"}
    assert all(row["generated"] and row["published"] is None for row in rows)


def test_saved_model_answers_any_number_of_classes_and_items(finished):
    serve = tf.saved_model.load(str(finished[1])).signatures["serve"]
    rng = np.random.default_rng(0)
    output = serve(
        support_x=tf.constant(rng.random([9, 28, 28, 1]), tf.float32),
        support_y=tf.constant([0, 1, 2, 0, 1, 2, 2, 2, 2]),
        query_x=tf.constant(rng.random([4, 28, 28, 1]), tf.float32),
    )
    assert output["probabilities"].shape == (4, 3)
    np.testing.assert_allclose(tf.reduce_sum(output["probabilities"], axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("preset", each(RELATION, ("paper_20way_5shot",)))  # quick is run above
def test_every_preset_runs_with_a_tiny_budget(preset, tmp_path, capsys):
    data = ["--data", "painted_signs"] if preset == "emoji" else []
    train.main(["--preset", preset, *TINY, *data, "--run", str(tmp_path / preset)])
    printed = capsys.readouterr().out
    assert "relation network" in printed
    assert printed.count("transductive:") == 1


@pytest.mark.parametrize("preset", RELATION)
def test_presets_have_the_four_columns_and_tasks_that_their_data_can_fill(preset):
    config = configuration.build(SCRIPTS["train_relation"], preset, {})
    columns = {str(column) for column in images.parse_columns(config.columns)}
    assert columns == {"5w1s", "20w1s", "5w5s", "20w5s"} or preset == "quick"
    assert config.shot + config.query <= (5 if preset == "emoji" else 20)


def test_the_gradient_of_each_function_is_shortened_on_its_own():
    long, short = [tf.constant([3.0, 4.0]), tf.constant([12.0])], [tf.constant([0.3])]
    assert float(tf.linalg.global_norm(train.clipped(long, 0.5))) == pytest.approx(0.5)
    np.testing.assert_allclose(train.clipped(long, 6.5)[0], [1.5, 2.0], rtol=1e-6)
    np.testing.assert_allclose(train.clipped(short, 0.5)[0], short[0])
    np.testing.assert_array_equal(train.clipped(long, 0.0)[1], long[1])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"shots": "sum", "columns": "5w1s,5w5s,20w5s"}, "the tests 5w5s, 20w5s have"),
        ({"shots": "sum", "columns": "5w1s", "shot": 5}, "the tests 5w1s have"),
        ({"shots": "sum", "columns": "5w1s,20w1s"}, ""),
        ({"shots": "mean", "columns": "5w1s,5w5s"}, ""),
    ],
)
def test_a_test_whose_sums_are_of_another_size_is_told(options, told, recwarn):
    train.tell_of_other_shots(dataclasses.replace(RelationConfig(), **options))
    said = [str(w.message) for w in recwarn if w.category is DataNotice]
    assert (len(said) == 1 and told in said[0]) if told else not said


def test_own_folder_in_colour(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name in ("ä", "日", "c", "d", "e", "f", "g", "h"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, [20 + number, 30, 3], dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "own" / name / f"{number}.png")
    options = ["--steps", "2", "--steps-per-epoch", "2", "--test-episodes", "5", "--channels", "3"]
    folder, run = str(tmp_path / "own"), str(tmp_path / "run")
    small = ["--h-dim", "4", "--z-dim", "4", "--r-dim", "4", "--validation-episodes", "5"]
    train.main(["--data", folder, "--run", run, *small, *options])
    assert "classes never seen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "quik"], "Unknown preset 'quik' (did you mean 'quick'?)"),
        (["--objective", "mse"], "--objective is 'mse'"),
        (["--shots", "total"], "--shots is 'total'"),
        (["--clip", "-1"], "--clip is -1.0; it must be at least 0.0."),
        (["--image-size", "16"], "Images of 16 x 16 pixels are too small"),
        (["--columns", "5way"], "--columns has '5way'"),
        (["--way", "5000"], "5000-way tasks need 5000"),
        (["--shot", "18"], "shot 18 + query 5 need 23"),
    ],
)
def test_bad_options_end_in_one_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        script.run(train.main, arguments)
    assert left.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert sentence in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_class_without_examples_gets_no_probability():
    """An exported graph is given labels 0 and 2, and cannot refuse them."""
    config = dataclasses.replace(RelationConfig(), h_dim=4, z_dim=4, r_dim=4)
    learner = train.build_learner(config)
    x = tf.constant(np.random.default_rng(0).random([3, 28, 28, 1]), tf.float32)
    serve = tf.function(learner.serving(), autograph=False)
    answer = serve(x, tf.constant([0, 2, 2]), x)["probabilities"].numpy()
    np.testing.assert_allclose(answer[:, 1], 0, atol=1e-6)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-6)

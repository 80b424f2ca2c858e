"""The semi-supervised script as its user runs it, with a tiny budget on generated characters."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from chapters.ch03_prototypical import train_semi_supervised, unlabelled_tests
from chapters.ch03_prototypical.presets import SCRIPTS, SEMI_SUPERVISED
from chapters.engine import configuration, script
from chapters.engine.evaluation import Conditions, Score
from chapters.engine.results import interval95_of_runs
from chapters.experiments import images
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

TINY = [
    "--data", "strokes", "--h-dim", "4", "--z-dim", "4", "--steps", "4", "--steps-per-epoch", "2",
    "--steps-per-call", "2", "--validation-episodes", "5", "--test-episodes", "10",
    "--columns", "5w1s", "--test-query", "3",
]  # fmt: skip
main = train_semi_supervised.main


def results(run):
    """Rows of its ``metrics.json``."""
    return json.loads((run / "metrics.json").read_text())["results"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny finished run over two label splits with its SavedModel."""
    folder = tmp_path_factory.mktemp("run")
    run, exported = folder / "run", folder / "exported"
    more = ["--label-splits", "2", "--run", str(run), "--export", str(exported)]
    with without_graphs():
        main(["--preset", "quick", *TINY, *more])
    return run, exported


def test_a_run_leaves_everything_in_its_folder(finished):
    expected = {
        "config.json", "run.json", "log.csv", "metrics.json", "model.weights.h5", "checkpoints",
        "learning_curve.png", "episode.png", "refinement.png", "label-split-2",
    }  # fmt: skip
    assert expected <= {path.name for path in finished[0].iterdir()}
    assert (finished[0] / "label-split-2/log.csv").exists()


def test_the_figures_are_means_over_label_splits_with_students_interval(finished):
    rows = [row for row in results(finished[0]) if "values" in row]
    assert {row["label"] for row in rows} == {
        "5-way 1-shot, no distractors", "5-way 1-shot, 5 distractor classes",
    }  # fmt: skip
    for row in rows:
        assert row["runs"] == len(row["values"]) == 2
        assert row["mean"] == pytest.approx(np.mean(row["values"]))
        assert row["interval"] == pytest.approx(interval95_of_runs(row["values"]))
        assert "2 runs" in row["protocol"] and row["generated"] is True


def test_one_figure_stands_for_the_method_the_one_that_is_tested_as_it_was_trained(finished):
    heads = [row for row in results(finished[0]) if row["headline"]]
    (head,) = [row for row in heads if row["method"] == "masked soft k-means"]
    assert heads == [head]
    assert head["label"] == "5-way 1-shot, 5 distractor classes"


def test_distractors_change_nothing_where_unlabelled_items_are_ignored(finished):
    rows = [r for r in results(finished[0]) if r["method"] == unlabelled_tests.IGNORED]
    assert len(rows) == 2
    assert rows[0]["values"] == rows[1]["values"]


def test_saved_model_has_an_entrance_for_unlabelled_items(finished):
    signatures = tf.saved_model.load(str(finished[1])).signatures
    assert {"serve", "serve_full", "embed"} <= set(signatures)
    rng = np.random.default_rng(0)
    output = signatures["serve_full"](
        support_x=tf.constant(rng.random([3, 28, 28, 1]), tf.float32),
        support_y=tf.constant([0, 1, 2]),
        unlabelled_x=tf.constant(rng.random([7, 28, 28, 1]), tf.float32),
        query_x=tf.constant(rng.random([4, 28, 28, 1]), tf.float32),
    )
    np.testing.assert_allclose(tf.reduce_sum(output["probabilities"], axis=1), 1.0, atol=1e-6)


def test_a_finished_run_that_is_resumed_has_the_same_numbers(finished):
    """Both networks are restored, each from its own folder."""
    first, more = results(finished[0]), ["--label-splits", "2", "--run", str(finished[0])]
    with without_graphs():
        main(["--preset", "quick", *TINY, *more, "--resume"])
    assert results(finished[0]) == first


@pytest.mark.parametrize("preset", each(SEMI_SUPERVISED, ("cluster", "supervised")))
def test_every_preset_runs_with_a_tiny_budget(preset, tmp_path, capsys):
    sizes = ["--labelled", "0.3", "--test-unlabelled", "2"] if preset == "emoji" else []
    main(["--preset", preset, *TINY, *sizes, "--run", str(tmp_path / preset)])
    printed = capsys.readouterr().out
    method = SEMI_SUPERVISED[preset].get("method", "masked")
    name = unlabelled_tests.NAMES[method]
    assert f"\n{name}" in printed and "5 distractor classes" in printed
    methods = {row["method"] for row in results(tmp_path / preset)}
    beside = unlabelled_tests.INFERENCE if method == "supervised" else unlabelled_tests.IGNORED
    assert {name, beside, "pixels, nearest neighbour", "untrained encoder"} == methods


def test_signs_of_five_to_nine_pictures_are_enough(tmp_path):
    """Painted signs stand for the emoji: uneven classes, in colour."""
    sizes = [option for option in TINY if option not in ("--data", "strokes")]
    with without_graphs():
        main(["--preset", "emoji", "--data", "painted_signs", *sizes, "--run", str(tmp_path)])
    rows = [row for row in results(tmp_path) if "distractors" in row["label"]]
    assert {row["query"] for row in rows} == {2}  # of 6 pictures: a support, 3 unlabelled


def options(*arguments):
    """The configuration of a command line."""
    return configuration.parse(SCRIPTS["train_semi_supervised"], list(arguments))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--method", "supervised"], [94.62, 94.62, 97.45, 95.08]),
        (["--method", "masked"], [None, 97.30, None, None]),
        (["--method", "masked", "--distractors", "0"], [97.52, None, None, None]),
        (["--method", "soft", "--way", "4"], [None] * 4),
    ],
)
def test_figures_are_published_where_a_network_is_tested_as_it_was_trained(arguments, expected):
    """As in the paper's table: each column is of networks that were trained for it."""
    config = options(*TINY, *arguments)
    data = dataclasses.replace(images.load(config)[0], name="omniglot")
    *_, tests = unlabelled_tests.samplers(data, config)
    score = Score(0.5, 0.1, 10, 0, "stored")
    names = unlabelled_tests.contenders(None, config.method)
    scores = {name: dict.fromkeys(tests, score) for name in names}
    rows = unlabelled_tests.rows([scores], tests, data, config)
    assert [row["published"] for row in rows] == expected
    assert sum(row["headline"] for row in rows) == 1


def test_the_zoo_measures_as_the_script_did(finished):
    config = options("--preset", "quick", *TINY)
    learner = train_semi_supervised.build_learner(config)
    learner.load_weights(finished[0] / "model.weights.h5")  # of the first network
    with without_graphs():
        found = unlabelled_tests.evaluate(learner, config, Conditions(episodes=10))
        other = unlabelled_tests.evaluate(learner, config, Conditions(way=3, shot=2, episodes=5))
    known = [r for r in results(finished[0]) if r["method"] == "masked soft k-means"]
    assert [row["mean"] for row in found] == [row["values"][0] for row in known if "values" in row]
    assert [(row["way"], row["shot"]) for row in other] == [(3, 2), (3, 2)]


def draw(folder, classes, items):
    """A folder of class folders."""
    rng = np.random.default_rng(0)
    for k in range(classes):
        (folder / f"class {k}").mkdir(parents=True)
        for number in range(items):
            pixels = rng.integers(0, 256, [20 + number, 30, 3], dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"class {k}" / f"{number}.png")
    return str(folder)


@pytest.mark.parametrize(
    ("classes", "items"), [(8, 4), pytest.param(20, 6, marks=pytest.mark.slow), (6, 3)]
)
def test_own_folder_of_few_pictures_is_split_so_that_every_part_has_some(
    classes, items, tmp_path, capsys
):
    folder = draw(tmp_path / "own", classes, items)
    small = ["--steps", "2", "--steps-per-epoch", "2", "--validation-episodes", "5",
             "--test-episodes", "5", "--h-dim", "4", "--z-dim", "4"]  # fmt: skip
    with pytest.warns() as told:
        main(["--data", folder, "--run", str(tmp_path / "run"), *small])
    assert any("--labelled 0.1 becomes" in str(one.message) for one in told)
    rows = results(tmp_path / "run")
    assert rows and all(0 <= row["mean"] <= 1 for row in rows)
    assert "no distractors" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--unlabelled", "0"], "--unlabelled is 0; it must be at least 1."),
        (["--unlabelled", "19"], "has 18 unlabelled items (90% of 20), but 19 are asked for"),
        (["--labelled", "1.0"], "has 0 unlabelled items (0% of 20), but 5 are asked for"),
        (["--labelled", "0.05"], "has 1 labelled items (5% of 20), but shot 1 + query 1 need 2"),
        (["--query", "2"], "has 2 labelled items (10% of 20), but shot 1 + query 2 need 3"),
        (["--test-unlabelled", "19"], "need 21; use fewer or add items"),
        (["--distractors", "5000"], "way 5 + distractors 5000 need 5005"),
        (["--test-distractors", "5000"], "way 5 + distractors 5000 need 5005"),
        (["--method", "mask"], "--method is 'mask' (did you mean 'masked'?)"),
        (
            ["--method", "supervised", "--distractors", "3"],
            "has no effect with --method supervised",
        ),
    ],
)
def test_bad_options_end_in_one_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        script.run(main, ["--data", "strokes", *arguments])
    assert left.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert sentence in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "runs").exists()

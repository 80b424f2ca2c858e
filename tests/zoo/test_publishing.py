"""From a run on a folder of one's own to a model that predicts, and nothing half-written."""

import importlib
import json
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest

import zoo
from chapters.engine import files
from chapters.engine.errors import RunError
from chapters.engine.results import Result, share
from chapters.engine.runs import RunFolder
from chapters.experiments.images import adaptation
from tests.chapters.graphs import without_graphs
from tests.zoo.conftest import PUBLISHED, draw
from zoo.errors import ZooError
from zoo.kinds import labelled
from zoo.records import cards, results, store


@pytest.fixture
def published(own_zoo, finished_run):
    """The name of the finished run as a model of a zoo of its own."""
    zoo.publish(finished_run, "my-leaves", anyway=True)
    return "my-leaves"


def test_a_run_on_an_own_folder_becomes_a_model_that_predicts(published, leaves, tmp_path):
    assert zoo.list_models() == ["my-leaves"]
    loaded = zoo.load(published)
    assert loaded.item_shape == (28, 28, 3)
    asked = sorted(leaves.glob("*/0.png"))
    for path in asked:  # the only example of its class: at distance zero
        (tmp_path / "support" / path.parent.name).mkdir(parents=True)
        shutil.copy(path, tmp_path / "support" / path.parent.name)
    answers = zoo.predict(loaded, tmp_path / "support", asked)
    assert [answer["name"] for answer in answers] == [path.parent.name for path in asked]


@pytest.mark.parametrize(
    ("chapter", "options"),
    [
        ("ch06_maml", "--method anil --zero-head --inner-rate 1"),
        ("ch07_meta_sgd_reptile", "--method reptile --inner-optimizer adam --keep-moments"),
    ],
)
def test_a_short_run_of_a_learner_that_adapts_becomes_a_model(
    chapter, options, own_zoo, tmp_path, monkeypatch
):
    """With all its weights: a zero head has none of its own, kept moments are weights as well."""
    curves = {"steps": [0], "support": [0.2], "transductive": [0.2]}
    monkeypatch.setattr(adaptation, "accuracy_by_steps", lambda *_: curves)
    monkeypatch.setattr(RunFolder, "figure", lambda self, name, figure: plt.close(figure))
    tiny = "--data strokes --image-size 16 --filters 2 --way 3 --query 1 --tasks 1 --steps 2"
    tiny += " --steps-per-epoch 2 --steps-per-call 1 --validation-episodes 2 --test-episodes 2"
    tiny += " --test-query 2 --columns 3w1s --test-steps 2"
    script = importlib.import_module(f"chapters.{chapter}.train_omniglot")
    with without_graphs():
        script.main([*tiny.split(), *options.split(), "--run", str(tmp_path / "run")])
        zoo.publish(tmp_path / "run", "short", anyway=True)
        loaded = zoo.load("short")
        rows = zoo.evaluate("short", episodes=2)
    assert [(row["way"], row["shot"], row["batch_norm"]) for row in rows] == [(3, 1, "support")]
    trained = script.build_learner(loaded.config)
    trained.load_weights(tmp_path / "run" / "model.weights.h5")
    for ours, theirs in zip(loaded.learner.weights, trained.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_its_card_and_options_know_no_place_of_this_machine(published, leaves, own_zoo):
    card = zoo.info(published)
    assert card["data"]["license"].startswith("unknown")
    assert card["command"].startswith("python -m chapters.ch03_prototypical.train --preset quick")
    assert zoo.load(published).config.data == "leaves/"
    for file in own_zoo.glob("my-leaves/*.json"):
        assert str(leaves.parent) not in file.read_text()
    assert str(leaves.parent) not in results.FILE.read_text()
    assert cards.fixed_output(zoo.load(published)) == card["output"]


def test_a_folder_that_has_grown_is_refused_since_its_classes_would_be_split_anew(
    published, leaves, tmp_path
):
    classes = zoo.info(published)["classes"]
    assert {split: len(names) for split, names in classes.items()} == {
        "train": 2, "val": 2, "test": 2
    }  # fmt: skip
    grown = shutil.copytree(leaves, tmp_path / "leaves")
    shutil.copytree(grown / "class 0", grown / "class 9")
    with pytest.raises(ZooError, match="has other classes than my-leaves .*class 9, "):
        zoo.evaluate(published, data=str(grown), episodes=5)
    with pytest.raises(ZooError, match="is no folder; give the folder of class folders"):
        zoo.evaluate(published, data=str(tmp_path / "nothing"))


def test_it_is_evaluated_where_its_folder_is_given(published, leaves):
    rows = zoo.evaluate(published, data=str(leaves), episodes=5)
    assert [(row["way"], row["data"]) for row in rows] == [(2, "leaves")]
    with pytest.raises(ZooError, match="trained on a folder leaves/; give it with --data"):
        zoo.evaluate(published)


def test_publishing_again_replaces(published, finished_run, own_zoo):
    (own_zoo / published / "stale").write_text("old")
    zoo.publish(finished_run, published, anyway=True)
    assert not (own_zoo / published / "stale").exists()
    assert {row["name"] for row in results.read()} == {published}


@pytest.mark.parametrize("missing", ["config.json", "metrics.json", "run.json", "model.weights.h5"])
def test_an_unfinished_run_is_refused(own_zoo, finished_run, tmp_path, missing):
    run = shutil.copytree(finished_run, tmp_path / "run")
    (run / missing).unlink()
    with pytest.raises(ZooError, match=f"holds no {missing}; publish the folder of a finished"):
        zoo.publish(run, "mine", anyway=True)
    assert not own_zoo.exists()
    assert not results.FILE.exists()


def test_what_does_not_load_leaves_nothing_and_keeps_what_was_there(
    published, finished_run, tmp_path, own_zoo
):
    before = {path: path.read_bytes() for path in own_zoo.rglob("*") if path.is_file()}
    rows = results.FILE.read_text()
    run = shutil.copytree(finished_run, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "h_dim": 5}))
    with pytest.raises(RunError, match="does not fit the model of config.json"):
        zoo.publish(run, published, anyway=True)
    after = {path: path.read_bytes() for path in own_zoo.rglob("*") if path.is_file()}
    assert after == before
    assert results.FILE.read_text() == rows
    assert [path.name for path in own_zoo.iterdir()] == [published]


def test_a_model_of_another_folder_tells_new_classes_apart(published, tmp_path):
    support = draw(tmp_path / "new", classes=3, seed=9)
    answers = zoo.predict(published, support, [support / "class 1" / "2.png"])
    assert answers[0]["name"] == "class 1"
    assert set(answers[0]["probabilities"]) == {"class 0", "class 1", "class 2"}
    assert support.parent / "weights" == store.FOLDER  # the project's own zoo was not touched


def test_a_publication_that_fails_at_its_end_brings_the_old_entry_back(
    published, finished_run, own_zoo, monkeypatch
):
    before = {path: path.read_bytes() for path in own_zoo.rglob("*") if path.is_file()}

    write = files.write_text

    def full(path, text):
        if path == results.FILE:  # what is written last
            raise OSError(28, "No space left on device", str(path))
        write(path, text)

    monkeypatch.setattr(files, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        zoo.publish(finished_run, published, anyway=True)
    after = {path: path.read_bytes() for path in own_zoo.rglob("*") if path.is_file()}
    assert after == before
    assert [path.name for path in own_zoo.iterdir()] == [published]


def test_doubtful_figures_are_published_only_when_asked_and_the_card_says_so(
    own_zoo, finished_run, tmp_path
):
    run = shutil.copytree(finished_run, tmp_path / "run")
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    for row in metrics["results"]:
        row |= {"mean": 0.5, "interval": 0.1, "episodes": 599}
    (run / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    with pytest.raises(ZooError, match="tested on 599 episodes.*not better than 'pixels.*--anyw"):
        zoo.publish(run, "mine")
    assert not (own_zoo / "mine").exists() and not results.FILE.exists()
    zoo.publish(run, "mine", anyway=True)
    assert "Doubt: tested on 599 episodes, fewer than 600" in cards.text(zoo.info("mine"))


ROW = Result("ours", share("accuracy", "5-way"), 0.9, 0.01, "points", 0, way=5).row()


@pytest.mark.parametrize(
    ("changes", "doubts"),
    [
        ({"method": "pixels", "mean": 0.5}, 0),
        ({"method": "pixels", "mean": 0.885}, 1),  # within the intervals
        ({"method": "pixels", "mean": 0.95, "way": 20}, 0),  # another test
        ({"method": "pixels", "mean": 0.95}, 1),
        ({"method": "ours minus pixels", "mean": 0.95, "rival": False}, 0),
        ({"method": "pixels", "mean": 0.5, "episodes": 100}, 0),  # a baseline may have few
    ],
)
def test_a_model_must_be_above_its_baselines_outside_the_intervals(changes, doubts):
    assert len(cards.doubts("ours", [ROW, {**ROW, **changes}])) == doubts
    error = {**ROW, "better": "smaller", "mean": -0.9}
    turned = {**error, **changes, "mean": -changes["mean"]}
    assert len(cards.doubts("ours", [error, turned])) == doubts  # smaller is better


def test_where_a_difference_was_measured_it_decides():
    """On the same tasks: the intervals of the two hold what the tasks have in common."""
    near = {**ROW, "method": "pixels", "mean": 0.885}
    apart = {**ROW, "method": "ours minus pixels", "mean": 0.015, "rival": False}
    assert not cards.doubts("ours", [ROW, near, {**apart, "interval": 0.01}])
    assert cards.doubts("ours", [ROW, near, {**apart, "interval": 0.02}])
    smaller = [{**row, "better": "smaller"} for row in (ROW, near, {**apart, "interval": 0.01})]
    assert cards.doubts("ours", smaller)


def test_a_model_of_ones_own_is_exported_on_ones_own_pictures(
    own_zoo, finished_run, leaves, tmp_path, monkeypatch
):
    monkeypatch.setattr(labelled, "WAYS", (2, 3))
    zoo.publish(finished_run, "leaves", anyway=True)
    said = zoo.export("leaves", "savedmodel", tmp_path / "model", data=f"{leaves}/")
    assert "4 tasks (random, leaves)" in said
    assert "2 tasks (random)" in zoo.export("leaves", "savedmodel", tmp_path / "other")
    with pytest.raises(ZooError, match="tested on omniglot; --data is for models trained"):
        monkeypatch.setattr(store, "FOLDER", PUBLISHED)
        name = "prototypical-omniglot-1shot"
        zoo.export(name, "savedmodel", tmp_path / "third", data=str(leaves))

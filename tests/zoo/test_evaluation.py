"""Evaluations repeat the figures of the cards, and refuse what does not fit a model."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from chapters.engine.errors import RunError
from datasets.errors import DataError
from tests.chapters.graphs import without_graphs
from zoo import evaluation


@pytest.fixture(scope="module")
def curves():
    return zoo.load("maml-sine-5shot")


def test_curves_give_the_figures_of_the_card(curves):
    published = {row["measure"]: row for row in curves.card["results"] if row["method"] == "MAML"}
    rows = zoo.evaluate(curves, episodes=1000)
    assert [row["measure"] for row in rows] == list(published)
    for row in rows:
        card = published[row["measure"]]
        assert row["mean"] == pytest.approx(card["mean"], rel=1e-3)
        assert row["interval"] == pytest.approx(card["interval"], rel=1e-3)
        assert row["episodes"] == 1000
        assert row["method"] == "maml-sine-5shot"


def test_without_options_tasks_are_those_of_the_card(curves, monkeypatch):
    asked = []
    monkeypatch.setattr(
        evaluation, "function", lambda name: lambda *args: asked.append(args[-1]) or []
    )
    zoo.evaluate(curves)
    zoo.evaluate(curves, seed=3, shot=2, episodes=None)
    assert [(one.episodes, one.seed, one.shot) for one in asked] == [(1000, 0, None), (1000, 3, 2)]


def test_shot_query_and_seed_are_those_asked_for(curves):
    def error(**asked):
        with without_graphs():
            *_, last = zoo.evaluate(curves, episodes=50, **asked)
        return last

    few, many = error(shot=2), error(shot=20, query=7)
    assert (few["shot"], many["shot"], many["query"]) == (2, 20, 7)
    assert few["mean"] > 2 * many["mean"]
    assert error(seed=1)["mean"] == error(seed=1)["mean"] != error(seed=2)["mean"]


def test_the_blogs_network_learns_either_curve_from_one_initialisation():
    """Predicting 0 costs 2 / pi, and nothing that does not adapt costs less."""
    blog = zoo.load("maml-sine-blog")
    errors = {row["measure"]: row["mean"] for row in zoo.evaluate(blog, episodes=100)}
    assert errors["mae_after_0_steps"] == pytest.approx(2 / np.pi, abs=0.03)
    assert errors["mae_after_5_steps"] < 0.15

    rng = np.random.default_rng(0)
    x = tf.constant(rng.uniform(-2 * np.pi, 2 * np.pi, [20, 4, 1]), tf.float32)
    grid = tf.tile(tf.linspace(-6.0, 6.0, 100)[None, :, None], [20, 1, 1])  # [task, point, 1]
    upright, inverted = (
        blog.learner.predict_with(blog.learner.adapt(x, y, 5), grid).numpy()
        for y in (tf.sin(x), tf.sin(x + np.pi))
    )
    sine = np.sin(grid)
    for fitted, sign in ((upright, 1), (inverted, -1)):
        amplitude = (fitted * sine).mean(axis=1) / (sine**2).mean(axis=1)  # [task, 1]
        assert np.all(sign * amplitude > 0.3)  # four points can lie badly
        assert np.mean(amplitude) == pytest.approx(sign, abs=0.15)


@pytest.mark.real_data
def test_prototypical_networks_give_the_figure_of_the_card():
    model = zoo.load("prototypical-omniglot-5shot")
    (row,) = zoo.evaluate(model, way=20, shot=1, episodes=40)
    (card,) = [
        row
        for row in model.card["results"]
        if row["method"] == model.card["method"] and (row["way"], row["shot"]) == (20, 1)
    ]
    assert row["mean"] == pytest.approx(card["mean"], abs=2 * row["interval"])
    assert (row["data"], row["split"], row["batch_norm"]) == ("omniglot", "test", "stored")


@pytest.mark.real_data
def test_adapting_learners_are_honest_unless_asked():
    model = zoo.load("maml-omniglot-5way")
    (honest,) = zoo.evaluate(model, episodes=30)
    (transductive,) = zoo.evaluate(model, episodes=30, batch_norm="transductive")
    assert honest["batch_norm"] == "support"
    assert transductive["batch_norm"] == "transductive"
    assert honest["mean"] != transductive["mean"]
    assert min(honest["mean"], transductive["mean"]) > 0.9


@pytest.mark.real_data
def test_siamese_networks_are_tested_on_people_and_clips_they_never_met():
    for name, most in (("siamese-orl-faces", 8), ("siamese-cats-dogs", 2)):
        model = zoo.load(name)
        drawn, auc, *_ = zoo.evaluate(model, way=most, episodes=20)
        assert (drawn["measure"], drawn["way"]) == ("naming_accuracy", most)
        assert auc["measure"] == "auc"
        assert auc["interval"] is None  # every pair: nothing is drawn
        assert drawn["mean"] > 1.2 / most
        with pytest.raises(DataError, match=f"needs? {most + 1}"):
            zoo.evaluate(model, way=most + 1, episodes=20)


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("maml-sine-5shot", {"way": 5}, "--way 5 does not apply: a curve has no classes"),
        ("maml-sine-5shot", {"batch_norm": "stored"}, "--batch-norm stored does not apply"),
        ("maml-sine-5shot", {"data": "folder"}, "--data is for models trained on a folder"),
        ("maml-omniglot-5way", {"way": 7}, "output for each class .allowed: 5"),
        ("maml-omniglot-5way", {"batch_norm": "stored"}, "allowed: support, transductive"),
        ("prototypical-omniglot-1shot", {"batch_norm": "support"}, "allowed: stored, trans"),
        ("siamese-orl-faces", {"batch_norm": "stored"}, "has no batch norm"),
        ("maml-sine-5shot", {"episodes": 1}, "--episodes is 1; it must be at least 2"),
        ("maml-sine-5shot", {"shot": 0}, "--shot is 0; it must be at least 1"),
        ("maml-sine-5shot", {"way": 1}, "--way is 1; it must be at least 2"),
        ("maml-sine-5shot", {"seed": -1}, "--seed is -1; it must be at least 0"),
        ("maml-sine-5shot", {"seed": 2**31}, "below 2"),
    ],
)
def test_what_does_not_fit_a_model_is_refused(name, asked, words):
    with pytest.raises(RunError, match=words) as raised:
        zoo.evaluate(name, **asked)
    assert "\n" not in str(raised.value)

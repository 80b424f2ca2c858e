"""Adaptation to images: networks and mappings by option, regimes of the tests, ways that agree.

The whole experiment is run by the scripts of the chapters (``ch06_maml/test_scripts.py``).
"""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions, Score
from chapters.experiments import images
from chapters.experiments.images import adaptation
from chapters.experiments.options import AdaptationOptions
from datasets.dataset import Dataset
from datasets.tasks.episodes import EpisodeSampler
from tests.chapters.experiments.test_images import blots, write_folder

SCRIPTS = [
    f"chapters.{chapter}.train_omniglot"
    for chapter in ("ch06_maml", "ch07_meta_sgd_reptile", "ch08_gradient_agreement")
]


@pytest.mark.parametrize(
    ("network", "mapping", "gpus", "expected"),
    [
        ("conv4", "auto", [], "sequential"),
        ("conv4", "auto", ["GPU:0"], "batched"),
        ("dense4", "auto", [], "batched"),
        ("conv4", "batched", [], "batched"),
        ("conv4", "sequential", ["GPU:0"], "sequential"),
        ("dense4", "sequential", [], "sequential"),
    ],
)
def test_mapping_is_the_faster_one_unless_it_is_named(
    network, mapping, gpus, expected, monkeypatch
):
    monkeypatch.setattr(adaptation.script, "gpus", lambda: gpus)
    config = AdaptationOptions(network=network, mapping=mapping)
    assert adaptation.mapping(config) == expected


def test_a_test_of_another_way_than_the_training_is_refused(monkeypatch):
    monkeypatch.setattr(adaptation.images, "load", lambda config: (None, config))
    config = AdaptationOptions(data="strokes", way=5, columns="5w1s,4w1s")
    with pytest.raises(ConfigError, match="--columns has 4w1s, but .* --way 5 .*; test 5-way."):
        adaptation.load(config)


def test_for_a_folder_all_ways_are_that_of_its_smallest_split(tmp_path):
    folder = write_folder(tmp_path, classes=12)
    config = AdaptationOptions(data=folder, way=5, shot=1, query=2, columns="5w1s")
    data, fitted = adaptation.load(config)
    assert min(len(data.classes(split)) for split in ("train", "val", "test")) == fitted.way == 2
    assert fitted.columns == "2w1s"


class Recorder:
    """A learner that answers by the arguments it gets: right only if they are as expected."""

    def __init__(self, steps, honest):
        self.steps, self.honest = steps, honest

    def adapt(self, support_x, support_y, steps=None):
        """Labels by the mean pixel, kept for ``predict_with``."""
        return support_x, support_y, steps

    def predict_with(self, weights, query_x, support_x=None):
        """The class of the support item with the same mean, when all is as expected."""
        support, labels, steps = weights
        score = -tf.abs(_mean(query_x)[:, :, None] - _mean(support)[:, None])  # [task, query, item]
        nearest = tf.gather(labels, tf.argmax(score, axis=-1), batch_dims=1)
        right = steps == self.steps and (support_x is not None) == self.honest
        return tf.one_hot(nearest if right else (nearest + 1) % 3, 3)


def _mean(x):
    return tf.reduce_mean(x, axis=[2, 3, 4])  # [task, item]


@pytest.mark.parametrize("steps", [None, 2])
@pytest.mark.parametrize("regime", adaptation.REGIMES)
def test_evaluation_adapts_for_the_steps_and_normalises_as_the_regime_says(regime, steps):
    items = np.repeat(np.arange(0, 240, 60, dtype=np.uint8), 3)[:, None, None] * np.ones(
        [8, 8], np.uint8
    )  # fmt: skip
    item_class = np.repeat(np.arange(4), 3).astype(np.int32)
    data = Dataset("greys", items, item_class, tuple("abcd"), {"test": np.arange(4)})
    sampler = EpisodeSampler(data, "test", 3, 1, 2, tasks=2)

    def accuracy(learner):
        return adaptation.evaluator(learner, sampler, 4, regime, steps)()

    score = accuracy(Recorder(steps, honest=regime == "support"))
    assert (score.mean, score.batch_norm) == (1.0, regime)
    assert accuracy(Recorder(steps, honest=regime != "support")).mean == 0.0
    assert accuracy(Recorder(7, honest=regime == "support")).mean == 0.0


@pytest.mark.parametrize("regime", adaptation.REGIMES)
@pytest.mark.parametrize(("split", "monitor"), [("train", "val_accuracy"), ("trainval", "")])
def test_validation_classes_choose_the_weights_unless_they_are_trained_on(
    regime, split, monitor, monkeypatch
):
    """In the batch-norm regime of the training, and after the inner steps of a test."""
    made, judged = {}, []
    monkeypatch.setattr(adaptation, "Loop", lambda *_, **options: made.update(options))

    def evaluator(*arguments):
        judged.append(arguments)
        return lambda: Score(0.25, 0.1, 9, 0, regime)

    monkeypatch.setattr(adaptation, "evaluator", evaluator)
    config = AdaptationOptions(batch_norm=regime, train_split=split, validation_episodes=9)
    tasks = SimpleNamespace(way=5, shot=1), SimpleNamespace(way=5, shot=1)
    adaptation.loop(None, "learner", None, *tasks, None, config, None)
    assert judged == [("learner", tasks[1], 9, regime)]
    assert (made["validate"](), made["monitor"]) == ({"accuracy": 0.25}, monitor)


@pytest.mark.parametrize("asked", [None, *adaptation.REGIMES])
def test_a_published_learner_is_honest_unless_it_is_asked_otherwise(asked, monkeypatch):
    """On test classes: the score is of the sampler that the experiment tests with."""
    data = blots(train=5, val=2, test=4)
    monkeypatch.setattr(images.tasks, "load", lambda config: (data, config))
    judged = []

    def evaluator(learner, sampler, episodes, regime):
        judged.append((sampler.name, sampler.seed, sampler.way, episodes, regime))
        return lambda: Score(0.5, 0.1, episodes, sampler.seed, regime)

    monkeypatch.setattr(adaptation, "evaluator", evaluator)
    config = AdaptationOptions(way=3, columns="3w1s", rotations=False, seed=2, test_query=2)
    (row,) = adaptation.evaluate(None, config, Conditions(episodes=7, seed=5, batch_norm=asked))
    regime = asked or "support"
    assert judged == [("blots/test", 5, 3, 7, regime)]
    assert (row["batch_norm"], row["split"], row["seed"]) == (regime, "test", 5)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_untrained_network_beside_a_result_is_another_one(script, monkeypatch, tmp_path):
    shown = []

    class Tested(BaseException):
        """All there is to see has been seen."""

    def test(name, learner, untrained, *rest):
        shown.extend([learner, untrained])
        raise Tested

    monkeypatch.setattr(adaptation, "test", test)
    monkeypatch.setattr(adaptation, "loop", lambda *_: lambda: [{"step": 1}])
    data = blots(train=20, val=8, test=8)
    monkeypatch.setattr(images, "load", lambda config: (data, config))
    tiny = [
        "--filters",
        "2",
        "--columns",
        "5w1s",
        "--test-query",
        "2",
        "--query",
        "2",
        "--shot",
        "1",
    ]
    with pytest.raises(Tested):
        importlib.import_module(script).main([*tiny, "--run", str(tmp_path / "run")])
    learner, untrained = shown
    assert learner is not untrained and learner.network is not untrained.network
    ours, theirs = (one.network.trainable_variables[0].numpy() for one in shown)
    assert ours.shape == theirs.shape and np.all(ours != theirs)

"""Adaptation to images: networks and mappings by option, regimes of the tests, ways that agree.

The whole experiment is run by the scripts of the chapters (``ch06_maml/test_scripts.py``).
"""

import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.errors import ConfigError
from chapters.experiments.images import adaptation
from chapters.experiments.options import AdaptationOptions
from datasets.dataset import Dataset
from datasets.tasks.episodes import EpisodeSampler
from tests.chapters.experiments.test_images import write_folder


@pytest.mark.parametrize(
    ("network", "mapping", "expected"),
    [
        ("conv4", "auto", "sequential"),
        ("dense4", "auto", "batched"),
        ("conv4", "batched", "batched"),
        ("dense4", "sequential", "sequential"),
    ],
)
def test_mapping_is_the_faster_one_unless_it_is_named(network, mapping, expected):
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

"""Pictures of image experiments show what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf

from chapters.experiments import pictures
from datasets.dataset import Dataset
from datasets.episodes import EpisodeSampler


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_an_episode_shows_every_image_and_whether_it_was_classified_right():
    rng = np.random.default_rng(0)
    items = rng.integers(0, 256, [12, 8, 8], dtype=np.uint8)
    item_class = np.repeat(np.arange(3), 4).astype(np.int32)
    data = Dataset("noise", items, item_class, tuple("abc"), {"test": np.arange(3)})
    task = EpisodeSampler(data, "test", 3, 1, 2).episode(0)

    def learner(inputs, training):
        """Sure of class 0, whatever it sees."""
        assert not training
        return tf.one_hot(tf.zeros(inputs["query_x"].shape[:2], tf.int32), 3) * 10.0

    axes = np.reshape(pictures.episode(learner, task).axes, [3, 3])
    for k in range(3):
        np.testing.assert_allclose(axes[k, 0].images[0].get_array(), task.support_x[0, k, ..., 0])
        assert axes[k, 0].get_title() == f"support {k}"
        for column in (1, 2):
            query = task.query_x[0, 2 * k + column - 1, ..., 0]
            np.testing.assert_allclose(axes[k, column].images[0].get_array(), query)
            assert axes[k, column].get_title() == "0: 100%"
            right = "tab:green" if k == 0 else "tab:red"
            assert axes[k, column].title.get_color() == right


def test_the_curve_has_a_line_per_regime_and_marks_the_steps_in_use():
    curves = {"steps": [0, 1, 5], "support": [0.2, 0.8, 0.9], "transductive": [0.2, 0.9, 0.95]}
    (axis,) = pictures.accuracy_by_steps(curves, used=1).axes
    honest, transductive, used = axis.lines
    np.testing.assert_allclose(honest.get_xydata(), [[0, 20], [1, 80], [5, 90]])
    np.testing.assert_allclose(transductive.get_ydata(), [20, 90, 95])
    np.testing.assert_array_equal(used.get_xdata(), [1, 1])

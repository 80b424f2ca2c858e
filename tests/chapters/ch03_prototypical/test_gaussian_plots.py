"""Pictures of Gaussian networks: regions have the size that their precision says."""

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.patches import Ellipse
from sklearn.decomposition import PCA

from chapters.ch03_prototypical import gaussian_plots
from chapters.ch03_prototypical.robustness import CONDITIONS
from chapters.engine.figures import SMALL, plt
from chapters.experiments.options import Column
from datasets.tasks.episodes import Episode

WAY, SHOT = 3, 2


class Told:
    """Embeddings are the items themselves; precisions 4 where they are whole, 1 where damaged."""

    def embed(self, x):
        """[item, 6]"""
        return x

    def confidence(self, x):
        """[item, 6]; the first number of an item says whether it is damaged."""
        return tf.where(x[:, :1] > 0, 1.0, 4.0) * tf.ones_like(x)


class Tasks:
    """Random items, every other one damaged."""

    def hit(self, index):
        """[task, support]"""
        return [tf.constant([[True, False] * WAY]), None]

    def episode(self, index):
        """One task."""
        x = np.random.default_rng(int(index)).normal(size=[1, WAY * SHOT, 6])
        x[..., 0] = np.where(self.hit(index)[0], 1.0, -1.0)
        labels = tf.constant(np.repeat(np.arange(WAY, dtype=np.int32), SHOT)[None])
        x = tf.constant(x, tf.float32)
        return Episode(x, labels, x, labels, tf.range(WAY)[None])


@pytest.fixture(autouse=True)
def closed():
    """No figure stays open."""
    yield
    plt.close("all")


def test_regions_of_damaged_examples_are_dashed_and_as_large_as_they_should():
    figure = gaussian_plots.confidence(Told(), Tasks(), ["a", "日", "a long name"])
    left, right = figure.axes
    regions = [patch for patch in left.patches if isinstance(patch, Ellipse)]
    assert len(regions) == WAY * SHOT
    for region, damaged in zip(regions, [True, False] * WAY, strict=True):
        # a sphere of radius 1 / sqrt(s) is a circle of that radius in every plane
        np.testing.assert_allclose(
            [region.width, region.height], 2.0 if damaged else 1.0, rtol=1e-5
        )
        assert (region.get_linestyle() in ("--", "dashed")) == damaged
    assert "0.5 whole" in right.get_title() and "1 damaged" in right.get_title()
    names = [text.get_text() for text in figure.legends[0].texts]
    assert {"a", "a long name", "whole", "damaged"} <= set(names)
    assert min(text.get_fontsize() for text in figure.legends[0].texts) >= SMALL


def test_a_region_is_the_covariance_in_the_plane():
    """Random points of the Gaussian, seen in the plane, have the ellipse's axes as deviations."""
    rng = np.random.default_rng(1)
    pca, precision = PCA(2).fit(rng.normal(size=[20, 4])), np.array([1.0, 4.0, 9.0, 100.0])
    ellipse = gaussian_plots._region((0, 0), precision, pca, "k", False)
    seen = rng.normal(size=[100_000, 4]) / np.sqrt(precision) @ pca.components_.T
    turn = np.radians(ellipse.angle)
    for angle, length in ((turn, ellipse.width), (turn + np.pi / 2, ellipse.height)):
        along = seen @ [np.cos(angle), np.sin(angle)]
        np.testing.assert_allclose(2 * along.std(), length, rtol=0.02)


def found(seeds=None, level=0.8):
    """Accuracies of two kinds of tasks under all conditions."""
    rng = np.random.default_rng(2)
    shape = [30] if seeds is None else [seeds, 30]
    return {
        column: {condition: level + 0.1 * rng.random(shape) for condition in CONDITIONS}
        for column in (Column(5, 5), Column(20, 5))
    }


def test_accuracy_against_share_has_a_panel_for_every_kind_of_task():
    figure = gaussian_plots.against_share({"ours": found()})
    assert [axis.get_title() for axis in figure.axes] == ["5-way 5-shot", "20-way 5-shot"]
    names = [text.get_text() for text in figure.legends[0].texts]
    assert names == ["ours, examples damaged", "ours, all images damaged"]


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_comparison_shows_both_and_their_difference(seeds):
    pairs = {"plain": found(seeds), "ours": found(seeds, 0.85), "difference": found(seeds, 0.05)}
    figure = gaussian_plots.compared(pairs, "difference")
    assert len(figure.axes) == 4
    names = [text.get_text() for text in figure.legends[0].texts]
    assert len(names) == 4 and all(name.startswith(("plain", "ours")) for name in names)
    below = figure.axes[2]
    assert len(below.containers) == 2  # with intervals, for what is hit

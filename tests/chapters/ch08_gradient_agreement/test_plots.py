"""Pictures of agreement weights show the numbers they are given, and the outliers as such."""

import matplotlib.colors
import numpy as np
import pytest

from chapters.ch08_gradient_agreement import plots
from chapters.engine.figures import plt


@pytest.fixture(autouse=True)
def closed():
    """No figure outlives its test."""
    yield
    plt.close("all")


def labels(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize("outliers", [0, 2])
def test_bars_are_the_weights_in_order_and_outlier_tasks_have_a_colour(outliers):
    w = np.array([0.3, -0.1, 0.2, 0.05, 0.35])
    figure = plots.weights_of_batch(w, outliers)
    bars = figure.axes[0].patches
    assert [bar.get_height() for bar in bars] == sorted(w)
    outlier_colour = matplotlib.colors.to_rgba(plots.OUTLIERS)
    assert [bar.get_height() for bar in bars if bar.get_facecolor() == outlier_colour] == sorted(
        w[5 - outliers :]
    )
    assert ("outliers: random targets" in labels(figure)) == bool(outliers)
    assert list(figure.axes[0].lines[-1].get_ydata()) == [0.2, 0.2]  # 1/n


@pytest.mark.parametrize("outliers", [0, 1])
def test_the_course_of_a_training_has_outlier_tasks_and_others_apart(outliers):
    history = [
        {"step": step, "weight_min": -0.1, "weight_max": 0.3 + step}
        | ({"weight_others": 0.12, "weight_outliers": 0.02 * step} if outliers else {})
        for step in (1, 2, 3)
    ]
    figure = plots.weights_over_training(history, 10, outliers)
    lines = {line.get_label(): list(line.get_ydata()) for line in figure.axes[0].lines}
    assert lines.pop("1/n, all agree") == [0.1, 0.1]
    expected = {"the others, mean": [0.12] * 3, "outliers, mean": [0.02, 0.04, 0.06]}
    assert lines == (expected if outliers else {})
    (band,) = figure.axes[0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (-0.1, 3.3)
    assert len(labels(figure)) == 2 + len(lines)

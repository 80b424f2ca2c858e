"""The picture of the learned rates."""

import numpy as np

from chapters.ch07_meta_sgd_reptile import plots
from chapters.engine.figures import plt


def test_every_rate_is_counted_once_in_each_of_its_two_panels():
    learned = {
        "mlp/dense_7/kernel": np.array([[0.1, -0.2, 0.3, 0.4]]),
        "mlp/dense_7/bias": np.full(4, 0.1),
        "mlp/dense_8/kernel": np.array([[-0.1], [-0.3], [0.2], [0.0]]),
    }
    figure = plots.rates(learned)
    names = [axis.get_ylabel() for axis in figure.axes]
    assert names == ["all weights", "layer 1\nkernel", "layer 1\nbias", "layer 2\nkernel"]
    counts = [sum(bar.get_height() for bar in axis.patches) for axis in figure.axes]
    assert counts == [12, 4, 4, 4]
    notes = [axis.texts[0].get_text() for axis in figure.axes]
    assert notes[1:3] == ["mean 0.150\n25% below 0", "mean 0.100\n0% below 0"]
    assert all(axis.texts[0].get_position()[0] > 1 for axis in figure.axes)  # beside the bars
    plt.close(figure)


def test_a_single_layer_and_equal_rates_can_be_drawn():
    figure = plots.rates({"dense/kernel": np.full([50, 1], 0.5)})
    assert len(figure.axes) == 1
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == 50
    plt.close(figure)

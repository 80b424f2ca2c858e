"""Pictures of the sine experiment show what they are given."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.evaluation import Score
from chapters.engine.figures import BASELINES, METHODS, WIDTH
from chapters.experiments.sine import pictures as sine_pictures
from datasets.tasks.sinusoid import SineTasks


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


class Flat:
    """Predicts the number of steps it was adapted for."""

    def adapt(self, support_x, support_y, steps):
        """The number itself."""
        return float(steps)

    def predict_with(self, weights, query_x):
        """A level line."""
        return tf.fill(query_x.shape, weights)


def test_fits_show_truth_support_points_and_a_line_per_number_of_steps():
    curves = SineTasks(5, 1, tasks=2, seed=3)
    figure = sine_pictures.fits({"a": Flat(), "b": Flat(), "c": Flat()}, curves, [0, 1, 5])
    axes = np.reshape(figure.axes, [2, 3])
    amplitude, phase, _ = (p.numpy() for p in curves.parameters(0))
    inputs, _ = curves(0)
    for row in range(2):
        for column in range(3):
            *fits, truth, support = axes[row, column].lines
            assert [set(line.get_ydata()) for line in fits] == [{0.0}, {1.0}, {5.0}]
            x = truth.get_xdata()
            assert (x[0], x[-1], len(x)) == (-5.0, 5.0, 200)
            expected = amplitude[row] * np.sin(x + phase[row])
            np.testing.assert_allclose(truth.get_ydata(), expected, atol=1e-5)
            np.testing.assert_allclose(support.get_xdata(), inputs["support_x"][row, :, 0])
            np.testing.assert_allclose(support.get_ydata(), inputs["support_y"][row, :, 0])
    assert [axis.get_title() for axis in axes[0]] == ["a", "b", "c"]
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("x", "y")
    assert figure.get_figwidth() <= WIDTH
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names[:3] == ["after 0 steps", "after 1 step", "after 5 steps"]
    assert set(names[3:]) == {"truth", "support points"}


def test_ep_2_the_truth_of_phase_pi_is_drawn_as_minus_sine():
    curves = SineTasks(4, 1, amplitude=(1, 1), phases=(math.pi,), x_range=(-6, 6))
    (axis,) = sine_pictures.fits({"a": Flat()}, curves, [0]).axes
    _, truth, support = axis.lines
    for line in (truth, support):
        np.testing.assert_allclose(line.get_ydata(), -np.sin(line.get_xdata()), atol=1e-5)


def test_error_by_steps_draws_a_line_or_a_level():
    def score(mean):
        return Score(mean, 0.1, 10, 0, "stored")

    scores = {"ours": {0: score(4.0), 5: score(0.5)}, "prediction 0": {0: score(3.0)}}
    (axis,) = sine_pictures.error_by_steps(scores).axes
    ours, level = axis.lines
    np.testing.assert_allclose(ours.get_xydata(), [[0, 4.0], [5, 0.5]])
    assert set(level.get_ydata()) == {3.0}
    assert axis.get_yscale() == "log"
    assert axis.get_xlabel() == "inner steps"
    assert all(tick == round(tick) for tick in axis.get_xticks())


def test_a_method_has_its_own_colour_and_baselines_are_grey():
    score = Score(1.0, 0.1, 10, 0, "stored")
    scores = {
        name: {0: score, 5: score} for name in ("GA-MAML, 10% outliers", "MAML", "joint training")
    }
    (axis,) = sine_pictures.error_by_steps(scores).axes
    expected = [METHODS["GA-MAML"], METHODS["MAML"], BASELINES["joint training"][0]]
    assert [line.get_color() for line in axis.lines] == expected
    assert [text.get_text() for text in axis.texts] == ["1"] * 6  # few points: their values


def test_the_learning_curve_shows_training_and_validation():
    history = [{"step": n, "loss": 1.0 / n, "val_error": 2.0 / n} for n in (10, 20, 30, 40)]
    (axis,) = sine_pictures.learning_curve(history, 1, 10).axes
    training, validation = axis.lines
    np.testing.assert_allclose(training.get_xydata(), [[n, 1 / n] for n in (10, 20, 30, 40)])
    np.testing.assert_allclose(validation.get_ydata(), [2 / n for n in (10, 20, 30, 40)])

"""The sine experiment: families of curves, networks by option, errors after inner steps.

The whole experiment is run by the scripts of the chapters (``ch06_maml/test_scripts.py``).
"""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.errors import ConfigError
from chapters.engine.objectives import squared_error
from chapters.experiments import sine
from chapters.experiments.baselines import FineTuning
from chapters.experiments.options import SineOptions

PI = math.pi


@pytest.mark.parametrize(
    ("curves", "amplitude", "phase", "frequency", "x"),
    [
        ("maml", (0.1, 5), (0, PI), (1, 1), 5),
        ("meta_sgd", (0.1, 5), (0, PI), (0.8, 1.2), 5),
        ("reptile", (0.1, 5), (0, 2 * PI), (1, 1), 5),
        ("book", (0.1, 5), (0, PI), (1, 1), 5),
        ("full_circle", (0.1, 5), (0, 2 * PI), (1, 1), 5),
        ("blog", (1, 1), (0, PI), (1, 1), 2 * PI),
        ("blog_between", (1, 1), (0, PI), (1, 1), 2 * PI),
    ],
)
def test_families_have_the_ranges_of_their_sources(curves, amplitude, phase, frequency, x):
    tasks = sine.sampler(SineOptions(curves=curves), 0, shot=5, query=5, tasks=500)
    found = tasks.parameters(0)
    ranges = {"amplitude": amplitude, "phase": phase, "frequency": frequency}
    for name, (low, high) in ranges.items():
        values = getattr(found, name).numpy()
        assert low - 1e-6 <= values.min() <= low + 0.05 * (high - low) + 1e-6, name
        assert high - 0.05 * (high - low) - 1e-6 <= values.max() <= high + 1e-6, name
    if curves == "blog":
        np.testing.assert_allclose(np.unique(found.phase), [0.0, PI], rtol=1e-6)
    inputs, _ = tasks(0)
    assert x * 0.98 < float(tf.reduce_max(tf.abs(inputs["support_x"]))) <= x


@pytest.mark.parametrize("curves", ["reptile", "book"])
def test_families_on_a_grid_have_a_hundred_inputs(curves):
    tasks = sine.sampler(SineOptions(curves=curves), 0, shot=10, query=10, tasks=500)
    assert len(np.unique(tasks(0)[0]["support_x"])) == 100


def test_training_validation_and_test_have_curves_of_their_own():
    config = SineOptions(seed=3)
    seeds = [sine.sampler(config, part, 1, 1, 1).seed for part in (0, sine.VALIDATION, sine.TEST)]
    assert seeds == [3, 1_000_003, 2_000_003]


def test_the_network_is_that_of_the_options():
    network = sine.network(SineOptions(hidden="7, 5", activation="tanh"))
    assert [layer.units for layer in network.layers] == [7, 5, 1]
    assert network.layers[0].activation is keras.activations.tanh


def test_the_blogs_first_weights_are_uniform():
    """To 1 in the first layer, then to 1/sqrt(inputs)."""
    network = sine.network(SineOptions(hidden="400,300", init="blog"))
    kernels = network.trainable_variables[::2]
    for kernel, limit in zip(kernels, (1.0, 1 / math.sqrt(400), 1 / math.sqrt(300)), strict=True):
        largest = np.abs(kernel).max()
        assert 0.95 * limit < largest <= limit
        assert abs(np.mean(kernel)) < 0.1 * limit


@pytest.mark.parametrize("hidden", ["40,x", "", "40,,40", "0"])
def test_widths_that_are_not_numbers_are_refused(hidden):
    with pytest.raises(ConfigError, match=f"--hidden is {hidden!r}"):
        sine.network(SineOptions(hidden=hidden))


def test_optimizers_and_mappings_by_name():
    variables = [tf.Variable([1.0])]
    for name, kind in (("adam", keras.optimizers.Adam), ("sgd", keras.optimizers.SGD)):
        made = sine.optimizer(SineOptions(optimizer=name), 0.25, variables)
        assert type(made) is kind and made.built
        assert float(made.learning_rate) == 0.25
    assert sine.mapping(SineOptions()) == "batched"
    assert sine.mapping(SineOptions(mapping="sequential")) == "sequential"


def small_learner(rate=0.0):
    config = SineOptions(hidden="8", activation="tanh")
    return FineTuning(sine.network(config), squared_error, rate), config


@pytest.mark.parametrize("steps", [0, 3])
def test_the_error_is_that_of_the_adapted_network_on_the_query_points(steps):
    learner, config = small_learner(0.05)
    curves = sine.sampler(config, sine.TEST, 5, 7, 4)
    score = sine.error_after(learner, curves, steps, tasks=8)()
    errors = []
    for index in range(2):
        inputs, query_y = curves(index)
        weights = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
        prediction = learner.predict_with(weights, inputs["query_x"])
        errors.append(np.mean((prediction - query_y) ** 2))
    assert score.mean == pytest.approx(np.mean(errors), rel=1e-5)
    assert score.episodes == 8


def test_the_baselines_rate_is_the_one_with_the_smallest_validation_error(monkeypatch):
    """A rate that diverges is no candidate, though its error is not a number."""
    monkeypatch.setattr(sine, "RATES", (0.001, 0.1, 1e6))
    monkeypatch.setattr(sine, "VALIDATION_TASKS", 20)
    learner, config = small_learner()
    curves = sine.sampler(config, sine.VALIDATION, 10, 10, 20)
    sine._choose_rate(learner, curves, steps=20)
    assert learner.rate == 0.1

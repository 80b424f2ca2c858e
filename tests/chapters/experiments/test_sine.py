"""The sine experiment: families of curves, errors after inner steps.

The whole experiment is run by the scripts of the chapters (``ch06_maml/test_scripts.py``).
"""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import networks
from chapters.ch06_maml.losses import squared_error
from chapters.engine.evaluation import Conditions, Score
from chapters.engine.runs import RunFolder
from chapters.experiments import sine
from chapters.experiments.options import SineOptions
from chapters.experiments.sine import fine_tuning, testing
from chapters.experiments.sine.fine_tuning import FineTuning

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
    assert [curves.seed for curves in sine.samplers(config)] == seeds


def test_a_published_learner_is_tested_on_test_curves_of_the_seed_that_is_asked_for(monkeypatch):
    tested = []

    def error_after(learner, curves, steps, tasks):
        tested.append((curves.seed, curves.shot, curves.query, steps, tasks))
        return lambda: Score(0.5, 0.1, tasks, curves.seed, "stored")

    monkeypatch.setattr(testing, "error_after", error_after)
    config = SineOptions(seed=3, shown_steps="0,5", test_shot=4)
    sine.evaluate(None, config, Conditions(episodes=30, seed=8, query=6))
    assert tested == [(2_000_008, 4, 6, steps, 30) for steps in (0, 5)]


def test_baselines_learn_on_training_curves_and_validation_chooses_their_rates(
    monkeypatch, tmp_path
):
    config, looped, chosen = SineOptions(hidden="4", shown_steps="0,3"), [], []

    def loop(step, learner, optimizer, training, validation, run, config, **options):
        looped.append((learner, training, validation))
        return lambda: None

    def choose_rate(learner, validation, steps):
        chosen.append((learner, validation, steps))

    monkeypatch.setattr(fine_tuning, "loop", loop)
    monkeypatch.setattr(fine_tuning, "choose_rate", choose_rate)
    training, validation, _ = sine.samplers(config)
    networks_ = [networks.sine_network(config) for _ in range(2)]
    run = RunFolder(tmp_path, config, "tests.sine", chief=False)
    found = sine.baselines(networks_, squared_error, training, validation, run, config)
    joint, random = found[sine.JOINT], found[sine.RANDOM]
    assert [one.network for one in (joint, random)] == networks_
    assert looped == [(joint, training, validation)]
    assert chosen == [(joint, validation, 3), (random, validation, 3)]


def test_optimizers_and_mappings_by_name():
    variables = [tf.Variable([1.0])]
    for name, kind in (("adam", keras.optimizers.Adam), ("sgd", keras.optimizers.SGD)):
        config = SineOptions(optimizer=name, learning_rate=0.25)
        made = sine.outer_optimizer(config, variables)
        assert type(made) is kind and made.built
        assert float(made.learning_rate) == 0.25
    assert sine.mapping(SineOptions()) == "batched"
    assert sine.mapping(SineOptions(mapping="sequential")) == "sequential"


def small_learner(rate=0.0):
    config = SineOptions(hidden="8", activation="tanh")
    return FineTuning(networks.sine_network(config), squared_error, rate), config


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
    monkeypatch.setattr(fine_tuning, "RATES", (0.001, 0.1, 1e6))
    monkeypatch.setattr(fine_tuning, "VALIDATION_TASKS", 20)
    learner, config = small_learner()
    curves = sine.sampler(config, sine.VALIDATION, 10, 10, 20)
    sine.choose_rate(learner, curves, steps=20)
    assert learner.rate == 0.1

"""Sine tasks: known facts of the distribution, one curve per task, a function of (seed, index)."""

import math

import numpy as np
import pytest
import tensorflow as tf

from datasets.errors import DataError
from datasets.tasks.sinusoid import SineTasks

FULL_CIRCLE = (0.0, 2 * math.pi)
BLOG = {"amplitude": (1, 1), "phases": (0, math.pi), "x_range": (-2 * math.pi, 2 * math.pi)}
FORMS = {
    "any input": {},
    "frequency": {"frequency": (0.8, 1.2)},
    "phases": BLOG,
    "grid": {"grid": 50},
    "replacement": {"grid": 100, "replacement": True},
}


def points(sampler, index=0):
    """x, y [task, shot + query] as NumPy arrays."""
    inputs, query_y = sampler(index)
    x = np.concatenate([inputs["support_x"], inputs["query_x"]], axis=1)
    y = np.concatenate([inputs["support_y"], query_y], axis=1)
    return x[..., 0], y[..., 0]


def waves(x):
    """[cos x, sin x]: every curve of frequency 1 is a combination of these."""
    return np.stack([np.cos(x), np.sin(x)], axis=-1)


def best_combination(x, y):
    """Least squares of y on cos x and sin x."""
    return np.linalg.lstsq(waves(x), y, rcond=None)[0]


def test_shapes_types_and_ranges_are_as_documented():
    sampler = SineTasks(5, 10, tasks=1000)
    inputs, query_y = sampler(0)
    shapes = {name: tuple(value.shape) for name, value in inputs.items()}
    assert shapes == {
        "support_x": (1000, 5, 1),
        "support_y": (1000, 5, 1),
        "query_x": (1000, 10, 1),
    }
    assert query_y.shape == (1000, 10, 1) and query_y.dtype == tf.float32
    amplitude, phase, frequency = (p.numpy() for p in sampler.parameters(0))
    x, _ = points(sampler)
    for values, low, high in ((amplitude, 0.1, 5), (phase, 0, math.pi), (x, -5, 5)):
        span = high - low
        assert low <= values.min() < low + 0.01 * span
        assert high - 0.01 * span < values.max() <= high
        assert abs(values.mean() - (low + high) / 2) < 0.04 * span  # 4 standard errors of 1000
    np.testing.assert_array_equal(frequency, 1)


def test_amplitude_phase_and_inputs_are_independent():
    sampler = SineTasks(1, 1, tasks=20_000, frequency=(0.8, 1.2))
    x, _ = points(sampler)
    drawn = np.stack([*sampler.parameters(3), *points(sampler, 3)[0].T])
    off_diagonal = np.corrcoef(drawn) - np.eye(len(drawn))
    assert np.abs(off_diagonal).max() < 0.03


def test_e7_18_predicting_zero_costs_4_25_and_the_best_fixed_function_3():
    x, y = points(SineTasks(5, 5, tasks=40_000))
    assert np.mean(y**2) == pytest.approx(4.25, abs=0.1)
    assert best_combination(x.ravel(), y.ravel()) == pytest.approx([1.623, 0], abs=0.05)
    assert np.mean((y - 1.623 * np.cos(x)) ** 2) == pytest.approx(3.0, abs=0.1)


def test_er_1_only_phases_of_the_full_circle_make_zero_the_best_fixed_function():
    x, y = points(SineTasks(5, 5, tasks=40_000, phase=FULL_CIRCLE))
    assert best_combination(x.ravel(), y.ravel()) == pytest.approx([0, 0], abs=0.05)


def test_ep_1_the_blog_has_two_tasks_and_zero_costs_2_over_pi():
    sampler = SineTasks(4, 4, tasks=20_000, **BLOG)
    x, y = points(sampler)
    sign = np.where(sampler.parameters(0).phase.numpy() == 0, 1, -1)
    np.testing.assert_allclose(y, sign[:, None] * np.sin(x), atol=2e-6)
    assert sign.mean() == pytest.approx(0, abs=0.03)
    assert np.abs(y).mean() == pytest.approx(2 / math.pi, abs=0.01)


def test_ep_3_the_outer_loss_is_of_new_points_of_the_same_curve():
    inputs, query_y = SineTasks(4, 4, tasks=100, **BLOG)(0)
    sign = np.sign(inputs["support_y"] * np.sin(inputs["support_x"]))  # +1 or -1, [task, 4, 1]
    np.testing.assert_array_equal(sign, np.tile(sign[:, :1], [1, 4, 1]))
    np.testing.assert_allclose(query_y, sign * np.sin(inputs["query_x"]), atol=2e-6)
    assert not np.isin(inputs["query_x"], inputs["support_x"]).any()


def test_e6_1_support_and_query_are_of_the_same_task():
    """Two numbers fitted to the support set alone foretell the query set, and are the task's."""
    sampler = SineTasks(5, 10, tasks=50)
    x, y = points(sampler)
    for task in range(50):
        a, b = best_combination(x[task, :5], y[task, :5])
        np.testing.assert_allclose(waves(x[task, 5:]) @ [a, b], y[task, 5:], atol=1e-3)
        # A sin(x + b) = A sin b cos x + A cos b sin x
        parameters = [float(p[task]) for p in sampler.parameters(0)]
        assert [np.hypot(a, b), np.arctan2(a, b), 1] == pytest.approx(parameters, abs=1e-3)


@pytest.mark.parametrize("options", FORMS.values(), ids=FORMS)
def test_eager_graph_and_xla_draw_the_same_tasks(options):
    sampler = SineTasks(10, 10, tasks=25, seed=4, **options)
    eager = tf.nest.flatten(sampler(7))
    for xla in (False, True):
        graph = tf.nest.flatten(tf.function(sampler, jit_compile=xla)(tf.constant(7)))
        for a, b in zip(eager, graph, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_same_seed_and_index_give_the_same_tasks_others_do_not():
    first = points(SineTasks(5, 5, tasks=3, seed=1), 5)
    np.testing.assert_array_equal(first, points(SineTasks(5, 5, tasks=3, seed=1), 5))
    for seed, index in ((1, 6), (2, 5), (5, 1)):
        assert not np.isin(first, points(SineTasks(5, 5, tasks=3, seed=seed), index)).any()


def test_index_may_be_a_64_bit_tensor():
    numbers = tf.data.Dataset.range(3).map(SineTasks(2, 2))
    np.testing.assert_array_equal(list(numbers)[2][1], SineTasks(2, 2)(2)[1])


def test_e7_14_points_of_a_grid_are_distinct_without_replacement():
    x, _ = points(SineTasks(10, 40, tasks=200, grid=50))
    np.testing.assert_allclose(np.sort(x), np.tile(np.linspace(-5, 5, 50), [200, 1]), atol=1e-5)
    assert abs(x[:, :10].mean()) < 0.25  # support points lie anywhere, not at one end


def test_e7_14_the_book_s_draw_with_replacement_has_39_5_distinct_points_of_50():
    x, _ = points(SineTasks(25, 25, tasks=2000, grid=100, replacement=True))
    distinct = [len(np.unique(row)) for row in x]
    assert np.mean(distinct) == pytest.approx(100 * (1 - 0.99**50), abs=0.3)  # 39.5
    np.testing.assert_allclose(np.unique(x), np.linspace(-5, 5, 100), atol=1e-5)


def test_curve_gives_every_task_at_shared_inputs():
    sampler = SineTasks(1, 1, tasks=3, frequency=(0.5, 2))
    x = np.linspace(-5, 5, 7, dtype=np.float32)
    task = sampler.parameters(0)
    curves = sampler.curve(task, x[:, None])
    assert curves.shape == (3, 7, 1)
    for k in range(3):
        amplitude, phase, frequency = (p.numpy()[k] for p in task)
        np.testing.assert_allclose(
            curves[k, :, 0], amplitude * np.sin(frequency * x + phase), atol=1e-5
        )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shot": 0}, ["shot 0", "at least 1"]),
        ({"amplitude": (5, 1)}, ["amplitude is (5, 1)", "low first"]),
        ({"phase": (0, math.inf)}, ["phase is (0, inf)", "finite"]),
        ({"x_range": (1, 1)}, ["x_range is (1, 1)"]),
        ({"phases": ()}, ["phases is empty"]),
        ({"grid": 9}, ["grid of 9", "need 10"]),
        ({"grid": -1}, ["grid of -1"]),
        ({"replacement": True}, ["needs a grid"]),
    ],
)
def test_impossible_tasks_are_refused_when_the_sampler_is_built(options, words):
    with pytest.raises(DataError) as caught:
        SineTasks(**{"shot": 5, "query": 5, **options})
    for word in words:
        assert word in str(caught.value)

"""The meta-gradient by hand: against central differences, against tapes, against a closed form."""

import numpy as np
import pytest

from chapters.ch06_maml import gradcheck, train_sine
from chapters.ch06_maml.numpy_maml import (
    adapt,
    add_scaled,
    gradient,
    hessian_vector_product,
    initialise,
    loss,
    meta_gradient,
    meta_loss,
)
from chapters.ch06_maml.presets import SCRIPTS
from chapters.engine import configuration
from chapters.experiments import sine

RATE = 0.05


def problem(widths=(1, 6, 5, 1), tasks=3, seed=0):
    """Weights, biases among them, and tasks of five and of seven random points."""
    rng = np.random.default_rng(seed)
    weights = [w + 0.3 * rng.normal(size=w.shape) for w in initialise(widths, seed)]
    sizes = ((5, widths[0]), (5, widths[-1]), (7, widths[0]), (7, widths[-1]))
    return weights, [tuple(rng.normal(size=size) for size in sizes) for _ in range(tasks)]


def flat(weights):
    return np.concatenate([np.ravel(w) for w in weights])


def error(found, expected):
    return gradcheck.relative_error(flat(found), flat(expected))


@pytest.mark.parametrize("widths", [(1, 6, 5, 1), (3, 4, 2), (2, 1), (1, 4, 4, 4, 1)])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_meta_gradient_equals_central_differences_and_nested_tapes(widths, steps):
    weights, tasks = problem(widths)
    hand = meta_gradient(weights, tasks, RATE, steps)
    differences, smooth = gradcheck.central_differences(weights, tasks, RATE, steps)
    assert np.mean(flat(smooth)) > 0.9
    kept = flat(smooth)
    assert gradcheck.relative_error(flat(hand)[kept], flat(differences)[kept]) < 1e-6
    assert error(hand, gradcheck.tape_gradient(weights, tasks, RATE, steps)) < 1e-9


def test_a_weight_at_a_kink_is_left_out_of_the_differences():
    weights, tasks = problem((1, 3, 1), tasks=1)
    x = tasks[0][2]
    weights[1][2] = -x[0, 0] * weights[0][0, 2]  # unit 2 switches at the first query point
    _, smooth = gradcheck.central_differences(weights, tasks, RATE, 0)
    assert [list(np.ravel(s)) for s in smooth[:2]] == [[True, True, False]] * 2
    assert smooth[2].all() and smooth[3].all()


def test_hessian_vector_product_equals_differences_of_the_gradient():
    weights, [(x, y, *_), *_] = problem()
    vector = [np.random.default_rng(1).normal(size=w.shape) for w in weights]
    h = 1e-6
    ahead, behind = (gradient(add_scaled(weights, s, vector), x, y) for s in (h, -h))
    expected = [(a - b) / (2 * h) for a, b in zip(ahead, behind, strict=True)]
    assert error(hessian_vector_product(weights, x, y, vector), expected) < 1e-7


def test_first_order_is_the_mean_query_gradient_at_the_adapted_weights():
    """What is left when the Hessian term is dropped, and it makes a difference."""
    weights, tasks = problem()
    at_adapted = [
        flat(gradient(adapt(weights, x, y, RATE, 3)[-1], *query)) for x, y, *query in tasks
    ]
    first_order = flat(meta_gradient(weights, tasks, RATE, 3, first_order=True))
    np.testing.assert_allclose(first_order, np.mean(at_adapted, axis=0), rtol=1e-12, atol=1e-14)
    exact = flat(meta_gradient(weights, tasks, RATE, 3))
    assert gradcheck.relative_error(first_order, exact) > 0.01


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_on_a_quadratic_second_order_is_first_order_times_the_known_matrix(steps):
    """One dense layer: H = (2 / n) [x 1]^T [x 1] everywhere, the factor is (I - alpha H)^steps."""
    weights, tasks = problem((3, 1), tasks=1)
    design = np.column_stack([tasks[0][0], np.ones(5)])
    hessian = 2 / 5 * design.T @ design
    exact = flat(meta_gradient(weights, tasks, RATE, steps))
    first_order = flat(meta_gradient(weights, tasks, RATE, steps, first_order=True))
    factor = np.linalg.matrix_power(np.eye(4) - RATE * hessian, steps)
    np.testing.assert_allclose(exact, factor @ first_order, rtol=1e-12, atol=1e-14)
    if steps == 1:  # the difference is -alpha H g'
        difference = -RATE * hessian @ first_order
        np.testing.assert_allclose(exact - first_order, difference, rtol=1e-10)


def test_without_steps_or_rate_it_is_the_gradient_of_joint_training():
    weights, tasks = problem()
    joint = np.mean([flat(gradient(weights, *query)) for _, _, *query in tasks], axis=0)
    for rate, steps in ((RATE, 0), (0.0, 3)):
        np.testing.assert_allclose(flat(meta_gradient(weights, tasks, rate, steps)), joint)


@pytest.mark.parametrize("first_order", [False, True])
def test_every_weight_receives_gradient(first_order):
    weights, tasks = problem()
    weights[1:4] = weights[1] + 1, np.abs(weights[2]), weights[3] + 1  # no ReLU is off everywhere
    assert np.all(flat(meta_gradient(weights, tasks, 1e-3, 1, first_order)) != 0)


def test_adaptation_lowers_the_support_loss_and_leaves_the_start_alone():
    weights, [(x, y, *_), *_] = problem()
    before = flat(weights)
    losses = [loss(point, x, y) for point in adapt(weights, x, y, RATE, 5)]
    assert len(losses) == 6 and all(np.diff(losses) < 0)
    np.testing.assert_array_equal(flat(weights), before)


def test_meta_training_on_one_task_lowers_the_meta_loss():
    weights, tasks = problem()
    before = meta_loss(weights, tasks, RATE, 1)
    for _ in range(50):
        weights = add_scaled(weights, -0.02, meta_gradient(weights, tasks, RATE, 1))
    assert meta_loss(weights, tasks, RATE, 1) < 0.9 * before


@pytest.fixture
def tiny_check(monkeypatch):
    monkeypatch.setattr(gradcheck, "WIDTHS", (1, 4, 4, 1))


def test_the_command_prints_a_row_per_weight_and_passes(tiny_check, capsys):
    gradcheck.main(["--steps", "2"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("W_1", "b_1", "W_3", "b_3", "passed"))


def test_the_command_exits_with_1_if_the_gradient_is_wrong(tiny_check, monkeypatch, capsys):
    right = gradcheck.numpy_maml.meta_gradient
    monkeypatch.setattr(
        gradcheck.numpy_maml, "meta_gradient", lambda *a: right(*a, first_order=True)
    )
    with pytest.raises(SystemExit) as caught:
        gradcheck.main([])
    assert caught.value.code == 1
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--steps", "-1"], "--steps: -1 is given"), (["--rate", "1e99"], "diverge at --rate 1e.99")],
)
def test_the_command_refuses_what_it_cannot_check(tiny_check, arguments, words):
    with pytest.raises(gradcheck.ConfigError, match=words):
        gradcheck.main(arguments)


# Errata of the README "MAML in raw numpy".


def test_er_2_the_gradient_of_a_task_is_by_w_and_not_by_the_adapted_weights():
    """f = w x + b at x = -1, 1; set A is y = 0, set B is y = x: everything is known by hand.

    L_A = w^2 + b^2, so W' = (1 - 2 alpha) W; L_B = (w' - 1)^2 + b'^2.
    """
    x, w, b, kept = np.array([[-1.0], [1.0]]), 3.0, 0.5, 1 - 2 * RATE
    weights = [np.array([[w]]), np.array([b])]
    found = flat(meta_gradient(weights, [(x, 0 * x, x, x)], RATE, 1))
    by_adapted = np.array([2 * (kept * w - 1), 2 * kept * b])  # dW' of the README
    np.testing.assert_allclose(found, kept * by_adapted, rtol=1e-12)


def test_er_3_rates_and_widths_that_are_left_open_are_mamls():
    """alpha 0.01 inside, Adam at 0.001 outside, two hidden layers of 40; ten points, 5 + 5."""
    config = configuration.build(SCRIPTS["train_sine"], "raw_numpy", {})
    learner = train_sine.build_learner(config)
    optimizer = sine.outer_optimizer(config, learner.trainable_variables)
    assert learner.inner_rate == 0.01
    assert type(optimizer).__name__ == "Adam"
    assert float(optimizer.learning_rate) == pytest.approx(0.001)
    shapes = [tuple(variable.shape) for variable in learner.trainable_variables]
    assert shapes == [(1, 40), (40,), (40, 40), (40,), (40, 1), (1,)]
    training, _, _ = sine.samplers(config)
    assert (training.shot, training.query, config.steps) == (5, 5, 10_000)

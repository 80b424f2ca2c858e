"""The unrolled run: its numbers, its gradient, and problems that break."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch01_learned_optimizers import unroll
from chapters.ch01_learned_optimizers.hand_made import sgd
from chapters.ch01_learned_optimizers.learned import LSTMRule, RNNprop
from chapters.ch01_learned_optimizers.problems import Quadratics
from chapters.engine.errors import RunError


@pytest.fixture
def problem():
    return Quadratics(4, dims=3, seed=7)


@pytest.fixture
def rule():
    keras.utils.set_random_seed(1)
    return LSTMRule(units=4, depth=2, preprocessing="none", scale=0.1)


class Float64Rule:
    """An LSTM of one layer on one number, in float64, with the weights as an argument."""

    def __init__(self, weights, units):
        self.weights, self.units = weights, units

    def start(self, shape):
        return tf.zeros([*shape, 2 * self.units], tf.float64)

    def step(self, gradient, state):
        gradient = tf.stop_gradient(gradient)
        h, c = tf.split(state, 2, axis=-1)
        kernel, recurrent, bias, head = self.weights
        gates = gradient[..., None] * kernel + tf.einsum("...u,ug->...g", h, recurrent) + bias
        i, f, g, o = tf.split(gates, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return tf.einsum("...u,u->...", h, head), tf.concat([h, c], axis=-1)


class Float64Quadratics:
    """Three quadratics in float64."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.data = {
            "w": tf.constant(rng.normal(size=[3, 2, 2])),
            "y": tf.constant(rng.normal(size=[3, 2])),
            "start": tf.constant(rng.normal(size=[3, 2])),
        }

    def loss(self, theta, data, t):
        return tf.reduce_sum((tf.linalg.matvec(data["w"], theta) - data["y"]) ** 2, axis=-1)


def recorded_gradients(rule, problem, steps):
    """The gradients that a run is fed, in its order."""
    theta, state, fed = problem.data["start"], rule.start([3, 2]), []
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            loss = problem.loss(theta, problem.data, 0)
        fed.append(tape.gradient(loss, theta))
        update, state = rule.step(fed[-1], state)
        theta = theta + update
    return fed


def loss_with_fed(weights, fed, problem, units):
    """Sum of the losses when these gradients are fed in, whatever the weights are."""
    rule = Float64Rule(weights, units)
    theta, state, total = problem.data["start"], rule.start([3, 2]), 0.0
    for gradient in fed:
        update, state = rule.step(gradient, state)
        theta = theta + update
        total += float(tf.reduce_mean(problem.loss(theta, problem.data, 0)))
    return total


def test_the_meta_gradient_is_that_of_central_differences():
    """In float64, with the gradients that are fed in held fixed: they are constants."""
    units, steps, problem = 3, 5, Float64Quadratics()
    rng = np.random.default_rng(1)
    shapes = [(4 * units,), (units, 4 * units), (4 * units,), (units,)]
    weights = [tf.constant(0.5 * rng.normal(size=shape)) for shape in shapes]
    rule = Float64Rule(weights, units)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        _, run = unroll.begin(rule, problem, problem.data)
        found, _ = unroll.advance(rule, problem, problem.data, run, steps)
        loss = unroll.meta_loss(found.loss, "sum")
    gradients = tape.gradient(loss, weights)
    fed = recorded_gradients(rule, problem, steps)
    assert float(loss) == pytest.approx(loss_with_fed(weights, fed, problem, units), rel=1e-12)
    for number, gradient in enumerate(gradients):
        for place in rng.permutation(list(np.ndindex(*weights[number].shape)))[:6]:
            place, ends = tuple(place), []
            for change in (1e-6, -1e-6):
                moved = weights[number].numpy().copy()
                moved[place] += change
                others = [*weights[:number], tf.constant(moved), *weights[number + 1 :]]
                ends.append(loss_with_fed(others, fed, problem, units))
            expected = (ends[0] - ends[1]) / 2e-6
            np.testing.assert_allclose(gradient[place], expected, rtol=1e-6, atol=1e-8)


def test_the_gradient_is_with_respect_to_theta_e1_1(problem):
    """What is fed in is tape.gradient(f, theta), at every step."""
    data, seen = problem(0), []

    class Recorder:
        def start(self, shape):
            return ()

        def step(self, gradient, state):
            seen.append(gradient)
            return -0.01 * gradient, state

    _, run = unroll.begin(Recorder(), problem, data)
    for _ in range(3):
        before = run.theta
        _, run = unroll.advance(Recorder(), problem, data, run, 1)
        with tf.GradientTape() as tape:
            tape.watch(before)
            loss = problem.loss(before, data, 0)
        np.testing.assert_allclose(seen[-1], tape.gradient(loss, before), rtol=1e-6)


def test_gradient_descent_by_hand(problem):
    data = problem(0)
    found = unroll.trajectory(sgd(0.02), problem, data, 4).numpy()
    for n in range(problem.tasks):
        w, y, theta = (data[name][n].numpy() for name in ("w", "y", "start"))
        for t in range(5):
            error = w @ theta - y
            np.testing.assert_allclose(found[t, n], error @ error, rtol=1e-4)
            theta = theta - 0.02 * 2 * w.T @ error


def test_stretches_chain_what_is_remembered(problem, rule):
    """Two stretches are one run: theta, memory and the last gradient go on."""
    data = problem(0)
    _, run = unroll.begin(rule, problem, data)
    whole, end = unroll.advance(rule, problem, data, run, 6)
    first, middle = unroll.advance(rule, problem, data, run, 2)
    second, last = unroll.advance(rule, problem, data, middle, 4)
    parts = tf.concat([first.loss, second.loss], axis=0)
    np.testing.assert_allclose(parts, whole.loss, rtol=1e-5)
    for one, other in zip(tf.nest.flatten(end), tf.nest.flatten(last), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    fresh = unroll.advance(rule, problem, data, middle._replace(state=run.state), 4)[0]
    assert np.abs(fresh.loss - second.loss).max() > 1e-6


def test_the_sum_and_the_final_loss_e1_2(problem, rule):
    _, run = unroll.begin(rule, problem, problem(0))
    loss = unroll.advance(rule, problem, problem(0), run, 3)[0].loss.numpy()  # [time, problem]
    expected = {"sum": loss.sum(axis=0), "final": loss[-1], "log": np.log(loss).sum(axis=0)}
    for kind, by_problem in expected.items():
        found = unroll.meta_loss(tf.constant(loss), kind)
        np.testing.assert_allclose(found, by_problem.mean(), rtol=1e-5)


def gradients_of(rule, problem, data, steps=4):
    _, run = unroll.begin(rule, problem, data)
    with tf.GradientTape() as tape:
        found, run = unroll.advance(rule, problem, data, run, steps)
        loss = unroll.meta_loss(found.loss, "sum")
    return tape.gradient(loss, rule.trainable_variables), found, run


@pytest.mark.parametrize("make", [LSTMRule, RNNprop])
@pytest.mark.parametrize("broken", ["nan", "inf", "explodes"])
def test_a_problem_that_breaks_does_not_poison_the_others(problem, make, broken):
    keras.utils.set_random_seed(2)
    rule, data = make(units=4, depth=1), problem(0)
    w, y = data["w"].numpy(), data["y"].numpy()
    w[1] *= {"nan": np.nan, "inf": np.inf, "explodes": 1e6}[broken]
    if broken == "explodes":  # close to its minimum, with cliffs all around
        y[1] = w[1] @ data["start"][1].numpy() + 1.0
    bad = {**data, "w": tf.constant(w), "y": tf.constant(y)}
    gradients, found, run = gradients_of(rule, problem, bad)
    assert found.cut.numpy()[:, 1].all() and not np.delete(found.cut.numpy(), 1, axis=1).any()
    assert np.isfinite(run.theta).all() and np.isfinite(found.loss).all()
    others = {name: tf.gather(x, [0, 2, 3]) for name, x in data.items()}
    without, kept, _ = gradients_of(rule, problem, others)
    np.testing.assert_allclose(np.delete(found.loss, 1, axis=1), kept.loss, rtol=1e-4)
    for all_of_them, three in zip(gradients, without, strict=True):
        np.testing.assert_allclose(4 * all_of_them, 3 * three, rtol=1e-3, atol=1e-5)


def test_a_broken_problem_has_the_limit_for_a_loss_in_a_test(problem):
    data = problem(0)
    data["y"] = tf.tensor_scatter_nd_update(data["y"], [[0, 0]], [np.nan])
    found = unroll.trajectory(sgd(0.001), problem, data, 2).numpy()
    assert (found[:, 0] == unroll.EXPLODED).all() and np.isfinite(found).all()
    away = unroll.trajectory(sgd(1e3), problem, problem(0), 4).numpy()
    np.testing.assert_allclose(away[-1], unroll.EXPLODED * away[0], rtol=1e-6)


def test_a_compiled_run_is_the_eager_one(problem, rule):
    data = problem(0)
    run = tf.function(lambda data: unroll.trajectory(rule, problem, data, 5), jit_compile=True)
    np.testing.assert_allclose(run(data), unroll.trajectory(rule, problem, data, 5), rtol=1e-4)


def test_a_problem_without_parameters_is_one_sentence(rule, problem):
    with pytest.raises(RunError, match="no parameters, so there is nothing to optimize"):
        unroll.begin(rule, problem, {"start": tf.zeros([3, 0])})


def test_f_is_differentiated_once_in_a_step(problem, rule):
    """No second derivative of what is optimized: the outer tape sees a constant gradient."""
    point = tf.Variable(problem(0)["start"])
    with tf.GradientTape() as tape:
        theta = tf.convert_to_tensor(point)
        limit = tf.fill([problem.tasks], 1e9)
        loss, _, gradient = unroll.evaluate(problem, theta, problem(0), tf.constant(0), limit)
        total = tf.reduce_sum(gradient)
    assert tape.gradient(total, point) is None
    assert np.isfinite(loss).all()

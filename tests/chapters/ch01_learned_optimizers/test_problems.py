"""What is optimized, against NumPy; and that every split has pictures of its own."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch01_learned_optimizers.problems import DigitNetworks, Quadratics, Scaled


def test_the_loss_of_a_quadratic_by_hand():
    problem = Quadratics(3, dims=4, seed=1)
    data = problem(0)
    theta = np.random.default_rng(0).normal(size=[3, 4]).astype(np.float32)
    found = problem.loss(tf.constant(theta), data, 0)
    for n in range(3):
        error = data["w"][n].numpy() @ theta[n] - data["y"][n].numpy()
        np.testing.assert_allclose(found[n], error @ error, rtol=1e-5)


def test_quadratics_are_of_standard_normal_numbers():
    data = Quadratics(4000, seed=2)(0)
    for name in ("w", "y"):
        assert abs(float(tf.reduce_mean(data[name]))) < 0.02
        assert float(tf.math.reduce_std(data[name])) == pytest.approx(1, abs=0.02)
    assert data["start"].shape == (4000, 10)


@pytest.mark.parametrize("make", [Quadratics, lambda n, seed: DigitNetworks(n, seed=seed)])
def test_problems_are_a_function_of_seed_and_index(make):
    problem = make(2, seed=3)
    compiled = tf.function(problem, jit_compile=True)
    for name, x in problem(5).items():
        np.testing.assert_allclose(compiled(tf.constant(5))[name], x, atol=1e-6)
        assert not np.array_equal(make(2, seed=4)(5)[name], x)
        assert not np.array_equal(problem(6)[name], x)


@pytest.mark.parametrize(("hidden", "activation"), [((6,), "sigmoid"), ((6, 5), "relu")])
def test_the_loss_of_a_network_by_hand(hidden, activation):
    problem = DigitNetworks(2, hidden, activation, minibatch=7)
    data = problem(0)
    theta = data["start"] + 0.1
    squash = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0)}
    found = problem.loss(theta, data, tf.constant(3))
    for n in range(2):
        numbers, units = theta[n].numpy(), (64, *hidden, 10)
        picture = data["order"][n].numpy()[21:28]
        x = problem.x.numpy()[picture]
        for depth, (inputs, outputs) in enumerate(zip(units, units[1:], strict=False)):
            kernel, numbers = numbers[: inputs * outputs], numbers[inputs * outputs :]
            bias, numbers = numbers[:outputs], numbers[outputs:]
            x = x @ kernel.reshape(inputs, outputs) + bias
            x = squash[activation](x) if depth < len(hidden) else x
        assert not numbers.size and problem.coordinates == theta.shape[1]
        chances = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        right = chances[np.arange(7), problem.y.numpy()[picture]]
        np.testing.assert_allclose(found[n], -np.log(right).mean(), rtol=1e-4)


def test_minibatches_go_through_all_pictures_before_one_comes_again():
    problem = DigitNetworks(1, minibatch=100, split="val")
    order = problem(0)["order"][0].numpy()
    assert sorted(order) == list(range(len(problem.y)))
    theta = problem(0)["start"]
    first, again = (problem.loss(theta, problem(0), tf.constant(t)) for t in (0, 4))
    assert len(problem.y) == 400
    np.testing.assert_array_equal(first, again)


def test_splits_of_the_digits_share_no_picture():
    sets = [
        {x.tobytes() for x in DigitNetworks(1, split=split).x.numpy()}
        for split in ("train", "val", "test")
    ]
    assert sum(map(len, sets)) == len(set.union(*sets))


def test_other_units_leave_the_loss_and_scale_the_gradient():
    inner = Quadratics(3, seed=5)
    problem = Scaled(inner, spread=2.0)
    data = problem(0)
    units = data["units"].numpy()
    assert np.exp(-2) <= units.min() < 0.4 and 2.5 < units.max() <= np.exp(2)
    theta = inner(0)["start"]
    np.testing.assert_allclose(data["units"] * data["start"], theta, rtol=1e-5)
    start = data["start"]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([start, theta])
        scaled, plain = problem.loss(start, data, 0), inner.loss(theta, data, 0)
    np.testing.assert_allclose(scaled, plain, rtol=1e-5)
    np.testing.assert_allclose(
        tape.gradient(scaled, start), units * tape.gradient(plain, theta), rtol=1e-4
    )

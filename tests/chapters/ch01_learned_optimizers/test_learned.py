"""Learned rules against NumPy, coordinate by coordinate."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch01_learned_optimizers.learned import LSTMRule, RNNprop
from chapters.ch01_learned_optimizers.preprocessing import log_sign

RULES = {
    "lstm": lambda: LSTMRule(units=5, depth=2),
    "plain": lambda: LSTMRule(units=5, depth=1, preprocessing="none", scale=1.0),
    "rnnprop": lambda: RNNprop(units=5, depth=2),
}


@pytest.fixture(params=RULES)
def rule(request):
    keras.utils.set_random_seed(3)
    made = RULES[request.param]()
    for variable in made.trainable_variables:  # biases of 0 would hide that they are added
        variable.assign(variable + 0.1 * tf.random.normal(variable.shape))
    return made


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(cell, x, h, c):
    """One coordinate, by the equations: gates input, forget, candidate, output."""
    kernel, recurrent, bias = (np.float64(w) for w in cell.get_weights())
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def by_hand(rule, gradients):
    """Updates of one coordinate, gradient by gradient."""
    units, updates = rule.units, []
    states = [(np.zeros(units), np.zeros(units)) for _ in rule.cells]
    mean = square = 0.0
    for t, gradient in enumerate(np.float64(gradients), 1):
        if isinstance(rule, RNNprop):
            mean = rule.beta * mean + (1 - rule.beta) * gradient
            square = rule.beta * square + (1 - rule.beta) * gradient**2
            correction = 1 - rule.beta**t
            size = np.sqrt(square / correction) + 1e-8
            x = np.array([gradient / size, mean / correction / size])
            x = x @ rule.project.kernel.numpy() + rule.project.bias.numpy()
            x = np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)
        elif rule.preprocessing == "none":
            x = np.array([gradient])
        elif abs(gradient) >= np.exp(-10):
            x = np.array([np.log(abs(gradient)) / 10, np.sign(gradient)])
        else:
            x = np.array([-1, np.exp(10) * gradient])
        for number, cell in enumerate(rule.cells):
            states[number] = lstm(cell, x, *states[number])
            x = states[number][0]
        out = float((x @ rule.head.kernel.numpy() + rule.head.bias.numpy())[0])
        rnnprop = isinstance(rule, RNNprop)
        updates.append(0.1 * np.tanh(out) if rnnprop else rule.scale * out)
    return updates


def test_updates_are_those_of_the_equations(rule):
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=[4, 6]) * np.array([[1e-6], [1e-3], [1.0], [100.0]])
    gradients = gradients.astype(np.float32)
    expected = [by_hand(rule, row) for row in gradients]
    np.testing.assert_allclose(rule(gradients), expected, rtol=2e-4, atol=1e-6)


def test_coordinates_share_weights_but_no_memory(rule):
    """What one coordinate does depends on its own gradients alone, wherever it stands."""
    gradients = np.random.default_rng(1).normal(size=[5, 4]).astype(np.float32)
    together = rule(gradients).numpy()
    order = [3, 0, 4, 1, 2]
    np.testing.assert_allclose(rule(gradients[order]), together[order], atol=1e-6)
    others = gradients.copy()
    others[1:] *= 7
    np.testing.assert_allclose(rule(others)[0], together[0], atol=1e-6)


def test_any_arrangement_of_coordinates_is_the_same(rule):
    gradient = np.random.default_rng(2).normal(size=[2, 3]).astype(np.float32)
    update, state = rule.step(tf.constant(gradient), rule.start([2, 3]))
    flat, flat_state = rule.step(tf.constant(gradient.ravel()), rule.start([6]))
    assert update.shape == (2, 3) and state.shape == (2, 3, rule.memory)
    np.testing.assert_allclose(tf.reshape(update, [-1]), flat, atol=1e-7)
    np.testing.assert_allclose(tf.reshape(state, [6, -1]), flat_state, atol=1e-7)


def test_a_chain_of_steps_is_one_series(rule):
    """What is remembered goes from one step to the next."""
    gradients = np.random.default_rng(3).normal(size=[3, 5]).astype(np.float32)
    state, updates = rule.start([3]), []
    for gradient in gradients.T:
        update, state = rule.step(tf.constant(gradient), state)
        updates.append(update.numpy())
    np.testing.assert_allclose(np.stack(updates, axis=1), rule(gradients), atol=1e-6)
    again, _ = rule.step(tf.constant(gradients[:, -1]), rule.start([3]))
    assert np.abs(again - updates[-1]).max() > 1e-4  # without its memory it would be another


def test_nothing_is_learned_through_the_gradient_that_is_fed_in(rule):
    gradient = tf.Variable([0.3, -2.0])
    with tf.GradientTape() as tape:
        update, _ = rule.step(tf.convert_to_tensor(gradient), rule.start([2]))
    assert tape.gradient(update, gradient) is None


def test_rnnprop_does_not_know_the_size_of_a_loss():
    keras.utils.set_random_seed(0)
    rule = RNNprop()
    gradients = np.random.default_rng(4).normal(size=[6, 8]).astype(np.float32)
    np.testing.assert_allclose(rule(1e3 * gradients), rule(gradients), atol=1e-5)
    assert np.abs(rule(gradients)).max() <= 0.1
    assert np.isfinite(rule(np.zeros([2, 3], np.float32))).all()


def test_log_sign_by_hand():
    values = [np.exp(-3), -np.exp(2), 0.0, np.exp(-12), -np.exp(-11), 1.0]
    expected = [
        [-0.3, 1], [0.2, -1], [-1, 0], [-1, np.exp(-2)], [-1, -np.exp(-1)], [0, 1],
    ]  # fmt: skip
    np.testing.assert_allclose(log_sign(tf.constant(values, tf.float32)), expected, atol=1e-6)


def test_log_sign_has_no_jump_where_small_values_begin():
    edge = np.exp(-10.0)
    below, above = log_sign(tf.constant([edge * (1 - 1e-4), edge * (1 + 1e-4)], tf.float64))
    np.testing.assert_allclose(below, above, atol=2e-4)


def test_a_rule_survives_saving(rule, tmp_path):
    rule.save(tmp_path / "rule.keras")
    again = keras.saving.load_model(tmp_path / "rule.keras")
    gradients = np.random.default_rng(5).normal(size=[3, 4]).astype(np.float32)
    np.testing.assert_array_equal(again(gradients), rule(gradients))
    assert again.memory == rule.memory

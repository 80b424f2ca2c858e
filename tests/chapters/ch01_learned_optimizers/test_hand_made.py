"""Hand-made rules are those of Keras, step for step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch01_learned_optimizers import hand_made

KERAS = {
    "SGD": lambda rate: keras.optimizers.SGD(rate),
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "NAG": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "RMSprop": lambda rate: keras.optimizers.RMSprop(rate),
    "Adam": lambda rate: keras.optimizers.Adam(rate),
}


@pytest.mark.parametrize("name", hand_made.RULES)
def test_a_rule_is_the_optimizer_of_keras(name):
    rng = np.random.default_rng(0)
    theta = rng.normal(size=7).astype(np.float32)
    variable, rule = tf.Variable(theta), hand_made.RULES[name](0.03)
    theirs, state = KERAS[name](0.03), rule.start([7])
    for _ in range(6):
        gradient = tf.constant(rng.normal(size=7), tf.float32)
        theirs.apply([gradient], [variable])
        update, state = rule.step(gradient, state)
        theta = theta + update
        np.testing.assert_allclose(theta, variable.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", hand_made.RULES)
def test_a_rate_for_each_row_is_each_rate_alone(name):
    gradients = np.random.default_rng(1).normal(size=[3, 2, 4]).astype(np.float32)
    rates = [0.1, 2.0]
    rule = hand_made.RULES[name](tf.constant(rates)[:, None])
    state, together = rule.start([2, 4]), []
    for gradient in gradients:
        update, state = rule.step(tf.constant(gradient), state)
        together.append(update.numpy())
    for row, rate in enumerate(rates):
        alone = hand_made.RULES[name](rate)
        state = alone.start([4])
        for t, gradient in enumerate(gradients):
            update, state = alone.step(tf.constant(gradient[row]), state)
            np.testing.assert_allclose(update, together[t][row], rtol=1e-5)

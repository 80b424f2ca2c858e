"""A learned rule as an ordinary Keras optimizer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch01_learned_optimizers.learned import LSTMRule, RNNprop
from chapters.ch01_learned_optimizers.optimizer import LearnedOptimizer
from chapters.engine.errors import RunError


@pytest.fixture(params=[LSTMRule, RNNprop])
def rule(request):
    keras.utils.set_random_seed(0)
    made = request.param(units=4, depth=2)
    for variable in made.trainable_variables:
        variable.assign(variable + 0.1 * tf.random.normal(variable.shape))
    return made


def small_model():
    layers = [keras.layers.Input((3,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(2)]
    return keras.Sequential(layers)


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=[32, 3]).astype(np.float32), rng.integers(0, 2, 32)


LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def test_updates_are_those_of_the_rule(rule):
    variables = [tf.Variable(np.ones([2, 3], np.float32)), tf.Variable(np.zeros(4, np.float32))]
    optimizer = LearnedOptimizer(rule)
    expected, states = [v.numpy() for v in variables], [rule.start(v.shape) for v in variables]
    rng = np.random.default_rng(1)
    for _ in range(4):
        gradients = [tf.constant(rng.normal(size=v.shape), tf.float32) for v in variables]
        optimizer.apply(gradients, variables)
        for n, gradient in enumerate(gradients):
            update, states[n] = rule.step(gradient, states[n])
            expected[n] = expected[n] + update.numpy()
    for variable, theta in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable, theta, atol=1e-6)


def test_it_trains_a_model_that_fit_compiles(rule):
    x, y = data()
    model = small_model()
    model.compile(optimizer=LearnedOptimizer(rule), loss=LOSS)
    before = [w.copy() for w in model.get_weights()]
    phi = [w.copy() for w in rule.get_weights()]
    model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    assert all(np.abs(a - b).max() > 0 for a, b in zip(before, model.get_weights(), strict=True))
    for kept, weight in zip(phi, rule.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, weight)  # the rule learns no more


def test_state_and_rule_are_saved_and_restored(rule, tmp_path):
    x, y = data()
    model = small_model()
    model.compile(optimizer=LearnedOptimizer(rule), loss=LOSS)
    model.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert int(again.optimizer.iterations) == 4
    for one in (model, again):
        one.fit(x, y, epochs=1, batch_size=16, shuffle=False, verbose=0)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    fresh = small_model()  # without its memory it goes on otherwise
    fresh.set_weights(keras.saving.load_model(tmp_path / "model.keras").get_weights())
    fresh.compile(optimizer=LearnedOptimizer(rule), loss=LOSS)
    fresh.fit(x, y, epochs=1, batch_size=16, shuffle=False, verbose=0)
    apart = [
        np.abs(a - b).max() for a, b in zip(fresh.get_weights(), again.get_weights(), strict=True)
    ]
    assert max(apart) > 1e-5


def test_a_model_without_weights_is_one_sentence(rule):
    with pytest.raises(RunError, match="no trainable weights, so there is nothing to optimize"):
        LearnedOptimizer(rule).build([])


def test_rows_of_an_embedding_are_updated():
    model = keras.Sequential([keras.layers.Embedding(6, 3), keras.layers.Flatten()])
    keras.utils.set_random_seed(0)
    model.compile(optimizer=LearnedOptimizer(RNNprop(units=4)), loss="mse")
    x, y = np.array([[0], [1]]), np.ones([2, 3], np.float32)
    before = model.predict(x, verbose=0)
    model.fit(x, y, verbose=0)
    assert np.abs(model.predict(x, verbose=0) - before).max() > 0

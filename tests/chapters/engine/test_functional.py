"""Calling a model with given weights: same numbers, gradients to any order, no side effects."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.functional import add_scaled, as_tensors, call_with_weights, interpolate

RATE = 0.3


def smooth_network(dtype="float64"):
    """4 inputs, 5 tanh units, 2 outputs."""
    keras.utils.set_random_seed(1)
    layer = {"dtype": dtype, "bias_initializer": "random_normal"}
    return keras.Sequential(
        [
            keras.layers.Input((4,), dtype=dtype),
            keras.layers.Dense(5, activation="tanh", **layer),
            keras.layers.Dense(2, **layer),
        ]
    )


def random_like(weights, seed):
    rng = np.random.default_rng(seed)
    return [tf.constant(rng.normal(size=w.shape), w.dtype) for w in weights]


def data(seed, dtype=tf.float64):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.normal(size=[6, 4]), dtype), tf.constant(rng.normal(size=[6, 2]), dtype)


def squared_error(model, weights, x, y):
    return tf.reduce_mean((call_with_weights(model, weights, x, training=True) - y) ** 2)


def test_call_with_weights_equals_assigning_them():
    model, (x, _) = smooth_network(), data(2)
    given, before = random_like(model.trainable_variables, 3), as_tensors(model.trainable_variables)
    with_given = call_with_weights(model, given, x)
    for variable, kept in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, kept)  # the call changed nothing
    for variable, value in zip(model.trainable_variables, given, strict=True):
        variable.assign(value)
    np.testing.assert_array_equal(with_given, model(x))


def test_what_the_call_would_write_is_dropped():
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.BatchNormalization()])
    before = as_tensors(model.non_trainable_variables)
    x = tf.random.normal([8, 3]) + 5.0
    in_training = call_with_weights(model, model.trainable_variables, x, training=True)
    for variable, kept in zip(model.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, kept)
    assert abs(float(tf.reduce_mean(in_training))) < 1e-5  # it did use the batch's statistics
    assert float(tf.reduce_mean(call_with_weights(model, model.trainable_variables, x))) > 4.0


def test_gradients_reach_the_given_weights():
    model, (x, y) = smooth_network(), data(4)
    given = random_like(model.trainable_variables, 5)
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = squared_error(model, given, x, y)
    found = tape.gradient(loss, given)
    for variable, value in zip(model.trainable_variables, given, strict=True):
        variable.assign(value)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
    expected = tape.gradient(loss, model.trainable_variables)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        assert np.abs(ours).min() > 0.0


def loss_after_one_step(model, weights, first_order=False):
    """Inner step on one batch, loss on another: what MAML differentiates."""
    (support_x, support_y), (query_x, query_y) = data(6), data(7)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        inner = squared_error(model, weights, support_x, support_y)
    gradients = tape.gradient(inner, weights)
    if first_order:
        gradients = [tf.stop_gradient(g) for g in gradients]
    return squared_error(model, add_scaled(weights, -RATE, gradients), query_x, query_y)


def meta_gradient(model, weights, **options):
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = loss_after_one_step(model, weights, **options)
    return [g.numpy() for g in tape.gradient(loss, weights)]


def test_second_order_gradient_equals_central_differences():
    model = smooth_network()
    weights = as_tensors(model.trainable_variables)
    found = meta_gradient(model, weights)
    loss_at = tf.function(lambda *w: loss_after_one_step(model, list(w)))
    h = 1e-5
    for number, weight in enumerate(weights):
        expected = np.zeros(weight.shape)
        for place in np.ndindex(*weight.shape):
            at = []
            for sign in (1, -1):
                moved = weight.numpy().copy()
                moved[place] += sign * h
                at.append(loss_at(*weights[:number], tf.constant(moved), *weights[number + 1 :]))
            expected[place] = (at[0] - at[1]) / (2 * h)
        difference = np.linalg.norm(found[number] - expected) / np.linalg.norm(expected)
        assert difference < 1e-6

    # The first-order gradient is another one, so the test above can tell them apart.
    first_order = meta_gradient(model, weights, first_order=True)
    assert np.linalg.norm(first_order[0] - found[0]) / np.linalg.norm(found[0]) > 1e-2


@pytest.mark.parametrize("curvature", [0.5, 1.0, 2.0])
def test_orders_differ_by_the_known_factor_on_a_quadratic(curvature):
    """One weight w, losses a/2 (w - s)^2 on the support and 1/2 (w' - q)^2 on the query.

    The inner step is w' = w - r a (w - s), so dw'/dw = 1 - r a. The meta-gradient is (w' - q) at
    first order and (w' - q) (1 - r a) at second order.
    """
    w, s, q = 1.5, 0.25, -1.0
    model = keras.Sequential(
        [keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False, dtype="float64")]
    )
    one = tf.ones([1, 1], tf.float64)
    gradients = {}
    for first_order in (False, True):
        weights = [tf.constant([[w]], tf.float64)]
        with tf.GradientTape() as outer:
            outer.watch(weights)
            with tf.GradientTape() as inner:
                inner.watch(weights)
                support = curvature / 2 * (call_with_weights(model, weights, one)[0, 0] - s) ** 2
            step = inner.gradient(support, weights)
            if first_order:
                step = [tf.stop_gradient(g) for g in step]
            adapted = add_scaled(weights, -RATE, step)
            query = 0.5 * (call_with_weights(model, adapted, one)[0, 0] - q) ** 2
        gradients[first_order] = float(outer.gradient(query, weights)[0][0, 0])
    after = w - RATE * curvature * (w - s)
    assert gradients[True] == pytest.approx(after - q, rel=1e-12)
    assert gradients[False] == pytest.approx((after - q) * (1 - RATE * curvature), rel=1e-12)


def test_weight_arithmetic_equals_numpy():
    rng = np.random.default_rng(8)
    a = [rng.normal(size=shape) for shape in ([2, 3], [4], [])]
    b = [rng.normal(size=np.shape(x)) for x in a]
    for found, x, y in zip(add_scaled(a, -0.4, b), a, b, strict=True):
        np.testing.assert_allclose(found, x - 0.4 * y)
    for found, x, y in zip(interpolate(a, b, 0.2), a, b, strict=True):
        np.testing.assert_allclose(found, 0.8 * x + 0.2 * y)
    with pytest.raises(ValueError, match="zip"):
        add_scaled(a, 1.0, b[:2])

"""The update happens whole or not at all, and names what takes no part."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.update import NOT_FINITE, apply_gradients


def setting(optimizer=None):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.layers.Input((3,)), keras.layers.Dense(4, name="first"), keras.layers.Dense(1)]
    )
    optimizer = optimizer or keras.optimizers.Adam(0.1)
    optimizer.build(model.trainable_variables)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(x, training=True) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        apply_gradients(optimizer, loss, gradients, model.trainable_variables)
        return loss

    return model, optimizer, step


def everything(model, optimizer):
    return [np.asarray(v) for v in [*model.variables, *optimizer.variables]]


def good():
    return tf.constant([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]])


def test_the_update_is_the_optimizers():
    model, optimizer, step = setting()
    twin, twin_optimizer, _ = setting()
    for _ in range(3):
        tf.function(step)(good())
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(twin(good()) ** 2)
        gradients = tape.gradient(loss, twin.trainable_variables)
        twin_optimizer.apply(gradients, twin.trainable_variables)
    for a, b in zip(everything(model, optimizer), everything(twin, twin_optimizer), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("graph", [True, False])
def test_a_loss_that_is_not_finite_changes_nothing(bad, graph):
    model, optimizer, step = setting()
    step(good())
    before = everything(model, optimizer)
    run = tf.function(step) if graph else step
    for _ in range(5):
        with pytest.raises(tf.errors.InvalidArgumentError, match=NOT_FINITE):
            run(tf.constant([[1.0, bad, 1.0]]))
        for now, then in zip(everything(model, optimizer), before, strict=True):
            np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("graph", [True, False])
def test_a_gradient_that_is_not_finite_changes_nothing_although_the_loss_is(graph):
    """The square root at zero: loss 0, gradient infinite (times 0: not a number)."""
    weight = tf.Variable([0.0, 4.0])
    other = tf.Variable(1.0)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build([weight, other])

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sqrt(weight)) * other
        apply_gradients(optimizer, loss, tape.gradient(loss, [weight, other]), [weight, other])

    with pytest.raises(tf.errors.InvalidArgumentError, match=NOT_FINITE):
        (tf.function(step) if graph else step)()
    np.testing.assert_array_equal(weight, [0.0, 4.0])
    assert float(other) == 1.0
    assert all(np.all(np.asarray(v) == 0) for v in optimizer.variables[2:])


def test_in_a_loop_of_the_graph_the_steps_before_the_failure_count_and_no_other():
    """Step 7 of 30 fails: the counter of the optimizer must say 7, every time."""
    model, optimizer, step = setting(keras.optimizers.SGD(1e-3))

    @tf.function
    def run():
        for index in tf.range(30):
            step(tf.where(index == 7, np.nan, 1.0) * good())

    twin, _, twin_step = setting(keras.optimizers.SGD(1e-3))
    for _ in range(7):
        twin_step(good())
    start = everything(model, optimizer)
    for _ in range(20):
        for variable, value in zip([*model.variables, *optimizer.variables], start, strict=True):
            variable.assign(value)
        with pytest.raises(tf.errors.InvalidArgumentError, match=NOT_FINITE):
            run()
        assert int(optimizer.iterations) == 7
        for now, then in zip(model.variables, twin.variables, strict=True):
            np.testing.assert_allclose(now, then, rtol=1e-6)


def test_a_variable_that_no_gradient_reaches_is_named():
    model, optimizer, _ = setting()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model.layers[1](tf.ones([2, 4])) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    before = everything(model, optimizer)
    with pytest.raises(ValueError, match="no gradient reaches .*first/kernel.*first/bias"):
        apply_gradients(optimizer, loss, gradients, model.trainable_variables)
    for now, then in zip(everything(model, optimizer), before, strict=True):
        np.testing.assert_array_equal(now, then)

"""TAML's outer step: MAML without a weight, and the gradient of its objective with one."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from chapters.ch06_maml import maml as chapter_6
from chapters.ch09_frontiers import maml, taml
from chapters.ch09_frontiers.inequality import MEASURES, entropy
from chapters.ch09_frontiers.losses import cross_entropy, squared_error


def network(outputs=3):
    keras.utils.set_random_seed(1)
    return keras.Sequential([layers.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(outputs)])


def batch(tasks=4, way=3):
    rng = np.random.default_rng(2)
    x = rng.normal(size=[2, tasks, 2 * way, 4]).astype(np.float32)
    y = np.tile(np.repeat(np.arange(way), 2), (tasks, 1)).astype(np.int32)
    inputs = {"support_x": x[0], "support_y": y, "query_x": x[1]}
    return {name: tf.constant(value) for name, value in inputs.items()}, tf.constant(y)


class Recorder:
    """An optimizer that keeps the gradients it is given."""

    def apply(self, gradients, variables):
        self.gradients = [g.numpy() for g in gradients]


def gradients_of(step, optimizer, tasks):
    metrics = step(tasks)
    return optimizer.gradients, metrics


@pytest.mark.parametrize("mapping", ["batched", "sequential"])
@pytest.mark.parametrize("term", taml.TERMS)
def test_without_weight_the_gradient_is_maml_s_bit_for_bit(term, mapping):
    ours, theirs = Recorder(), Recorder()
    learner = maml.MAML(network(), cross_entropy, 0.1, inner_steps=2)
    other = chapter_6.MAML(network(), cross_entropy, 0.1, inner_steps=2)
    found, _ = gradients_of(taml.train_step(learner, ours, mapping, term, 0.0), ours, batch())
    expected, _ = gradients_of(chapter_6.train_step(other, theirs, mapping), theirs, batch())
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)


def objective(learner, tasks, term, weight, adapted):
    """The objective as it is printed, all tasks at once."""
    inputs, y = tasks
    after = learner(inputs, training=True)
    first = taml.before(learner, inputs)
    losses, initial = cross_entropy(y, after), cross_entropy(y, first)
    if term == "entropy":
        extra = tf.reduce_mean(entropy(after) - entropy(first))
    else:
        extra = MEASURES[term](losses if adapted else initial)
    return tf.reduce_mean(losses) + weight * extra


@pytest.mark.parametrize("mapping", ["batched", "sequential"])
@pytest.mark.parametrize("term", taml.TERMS)
@pytest.mark.parametrize("adapted", [False, True])
def test_e9_4_and_e9_5_the_gradient_is_that_of_the_objective(term, mapping, adapted):
    learner, optimizer = maml.MAML(network(), cross_entropy, 0.1), Recorder()
    step = taml.train_step(learner, optimizer, mapping, term, 0.7, adapted)
    found, _ = gradients_of(step, optimizer, batch())
    with tf.GradientTape() as tape:
        loss = objective(learner, batch(), term, 0.7, adapted)
    expected = tape.gradient(loss, learner.trainable_variables)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("term", MEASURES)
def test_tasks_and_their_order(term):
    """The same tasks in another order are the same batch."""
    learner, optimizer = maml.MAML(network(), cross_entropy, 0.1), Recorder()
    step = taml.train_step(learner, optimizer, "batched", term, 0.5)
    first, _ = gradients_of(step, optimizer, batch())
    order = [2, 0, 3, 1]
    again, _ = gradients_of(step, optimizer, tf.nest.map_structure(
        lambda x: tf.gather(x, order), batch()
    ))  # fmt: skip
    for one, two in zip(first, again, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_what_is_logged():
    learner, optimizer = maml.MAML(network(), cross_entropy, 0.1), Recorder()
    metrics = taml.train_step(learner, optimizer, "batched", "gini", 0.5)(batch())
    initial = cross_entropy(batch()[1], taml.before(learner, batch()[0]))
    assert float(metrics["inequality"]) == pytest.approx(float(MEASURES["gini"](initial)), rel=1e-5)
    assert {"loss", "accuracy", "initial_loss", "entropy_before", "entropy_after"} <= set(metrics)


def test_inequality_is_for_regression_too():
    keras.utils.set_random_seed(3)
    curves = keras.Sequential([layers.Input((1,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    learner, optimizer = maml.MAML(curves, squared_error, 0.01), Recorder()
    rng = np.random.default_rng(4)
    x, y = (tf.constant(rng.normal(size=[2, 5, 6, 1]), tf.float32) for _ in range(2))
    tasks = {"support_x": x[0], "support_y": y[0], "query_x": x[1]}, y[1]
    metrics = taml.train_step(learner, optimizer, "batched", "theil", 0.1)(tasks)
    assert "inequality" in metrics and "entropy_before" not in metrics
    assert all(np.isfinite(g).all() for g in optimizer.gradients)

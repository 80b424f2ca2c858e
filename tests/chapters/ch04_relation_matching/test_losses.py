"""Losses of the relation network against loops, at known constants, and their gradients."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch04_relation_matching import losses


def random_logits(tasks=2, query=6, way=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, way, [tasks, query])
    return tf.constant(labels, tf.int32), tf.constant(rng.normal(size=[tasks, query, way]) * 3)


def test_squared_error_equals_a_loop_over_pairs():
    labels, logits = random_logits()
    total = 0.0
    for (t, j, i), logit in np.ndenumerate(logits.numpy()):
        total += (1 / (1 + np.exp(-logit)) - int(labels[t, j] == i)) ** 2
    np.testing.assert_allclose(losses.squared_error(labels, logits), total / 48, rtol=1e-12)


def test_cross_entropy_equals_a_loop_over_queries():
    labels, logits = random_logits()
    total = 0.0
    for (t, j), label in np.ndenumerate(labels.numpy()):
        row = logits[t, j].numpy()
        total -= np.log(np.exp(row[label]) / np.exp(row).sum())
    np.testing.assert_allclose(losses.cross_entropy(labels, logits), total / 12, rtol=1e-12)


@pytest.mark.parametrize("way", [2, 5, 20])
def test_errors_of_somebody_who_knows_nothing(way):
    labels = tf.range(way)[None]
    constant = np.log((1 / way) / (1 - 1 / way))  # a score of 1 / way
    for shift in (-0.3, 0.3):  # the best constant
        worse = losses.squared_error(labels, tf.fill([1, way, way], constant + shift))
        assert worse > losses.squared_error(labels, tf.fill([1, way, way], constant))
    found = losses.squared_error(labels, tf.fill([1, way, way], constant))
    np.testing.assert_allclose(found, (way - 1) / way**2, rtol=1e-5)
    np.testing.assert_allclose(
        losses.cross_entropy(labels, tf.zeros([1, way, way])), np.log(way), rtol=1e-6
    )


@pytest.mark.parametrize("objective", losses.OBJECTIVES.values())
def test_gradients_equal_finite_differences(objective):
    labels, logits = random_logits(tasks=1, query=3, way=3)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = objective(labels, logits)
    gradient = tape.gradient(loss, logits).numpy()
    for place in np.ndindex(*gradient.shape):
        step = np.zeros(gradient.shape)
        step[place] = 1e-6
        slope = (objective(labels, logits + step) - objective(labels, logits - step)) / 2e-6
        assert gradient[place] == pytest.approx(float(slope), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("objective", losses.OBJECTIVES.values())
def test_saturated_logits_are_finite(objective):
    logits = tf.Variable([[[1e4, -1e4], [-1e4, 1e4]]])
    for labels in ([[0, 1]], [[1, 0]]):
        with tf.GradientTape() as tape:
            loss = objective(tf.constant(labels), logits)
        assert np.isfinite(loss)
        assert np.isfinite(tape.gradient(loss, logits)).all()


def test_labels_of_another_shape_are_refused_instead_of_broadcast():
    with pytest.raises(ValueError, match="differ in shape"):
        losses.score_error(tf.zeros([5]), tf.zeros([5, 1]))

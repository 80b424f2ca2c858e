"""Losses of tasks against NumPy, and where they must stay finite."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import losses

RNG = np.random.default_rng(1)
LOGITS = RNG.normal(size=[3, 4, 5])  # [task, item, way]
LABELS = RNG.integers(0, 5, size=[3, 4])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_cross_entropy_equals_numpy():
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)
    chosen = np.take_along_axis(p, LABELS[..., None], axis=-1)[..., 0]
    found = losses.cross_entropy(tf.constant(LABELS), tf.constant(LOGITS))
    np.testing.assert_allclose(found, -np.log(chosen).mean(axis=1))


def test_binary_cross_entropy_equals_numpy():
    y, p = LABELS % 2, sigmoid(LOGITS[..., 0])
    found = losses.binary_cross_entropy(tf.constant(y), tf.constant(LOGITS[..., :1]))
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(axis=1)
    np.testing.assert_allclose(found, expected)


def test_errors_equal_numpy():
    y, prediction = RNG.normal(size=[2, 3, 4, 2])
    squared = losses.squared_error(tf.constant(y), tf.constant(prediction))
    np.testing.assert_allclose(squared, ((y - prediction) ** 2).mean(axis=(1, 2)))
    absolute = losses.absolute_error(tf.constant(y), tf.constant(prediction))
    np.testing.assert_allclose(absolute, np.abs(y - prediction).mean(axis=(1, 2)))


@pytest.mark.parametrize(
    "name", ["cross_entropy", "binary_cross_entropy", "squared_error", "absolute_error"]
)
def test_each_task_has_a_loss_of_its_own(name):
    """A change in the second task changes its loss alone."""
    objective = getattr(losses, name)
    labels = tf.constant(LABELS % 2)
    y = labels if "entropy" in name else tf.cast(labels, tf.float64)[..., None]
    prediction = tf.constant(LOGITS[..., : 5 if name == "cross_entropy" else 1])
    changed = prediction * [[[1.0]], [[3.0]], [[1.0]]]
    difference = np.abs(objective(y, changed) - objective(y, prediction))
    assert difference.shape == (3,)
    assert difference[1] > 0.01 and difference[0] == difference[2] == 0


# Errata of chapter 6 (the numbers are those of the chapter's ERRATA.md).


def test_e6_2_the_loss_falls_as_the_prediction_comes_near_the_label():
    """Without the minus sign of the cross-entropy it would rise."""
    for y in (0, 1):
        towards = tf.linspace(-4.0, 4.0, 9)[:, None, None] * (2 * y - 1)  # [task, 1, 1]
        labels = tf.fill([9, 1], y)
        binary = losses.binary_cross_entropy(labels, towards).numpy()
        both = tf.concat([tf.zeros_like(towards), towards], axis=-1)
        for found in (binary, losses.cross_entropy(labels, both).numpy()):
            assert np.all(np.diff(found) < 0)
            assert np.all(found > 0)


def test_e6_13_a_saturated_output_has_a_finite_loss_and_gradient():
    """Confidently wrong by a logit of 1000: the loss is 1000 and still says which way to go."""
    with np.errstate(divide="ignore"):
        assert np.log(1 - sigmoid(37.0)) == -np.inf  # what the book computes
    logit = tf.constant([[[1000.0]], [[-1000.0]]])
    with tf.GradientTape() as tape:
        tape.watch(logit)
        found = losses.binary_cross_entropy(tf.constant([[0], [1]]), logit)
    np.testing.assert_allclose(found, [1000.0, 1000.0])
    np.testing.assert_allclose(tf.squeeze(tape.gradient(found, logit)), [1.0, -1.0])
    wrong = tf.constant([[[1000.0, 0.0]]])
    np.testing.assert_allclose(losses.cross_entropy(tf.constant([[1]]), wrong), [1000.0])

"""Contrastive loss and distances against loops and hand values."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch02_siamese.losses import contrastive_loss
from chapters.ch02_siamese.models import ENERGIES, cosine_distance, euclidean_distance


def loss_by_loop(label, energy, margin):
    total = 0.0
    for y, e in zip(label.ravel(), energy.ravel(), strict=True):
        total += y * e**2 + (1 - y) * max(margin - e, 0.0) ** 2
    return total / label.size


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_contrastive_loss_equals_a_loop_over_pairs(margin):
    random = np.random.default_rng(0)
    label = random.integers(0, 2, [40, 1]).astype(np.float32)
    energy = random.uniform(0, 2.5, [40, 1]).astype(np.float32)
    expected = loss_by_loop(label, energy, margin)
    assert float(contrastive_loss(label, energy, margin)) == pytest.approx(expected, rel=1e-5)


def test_label_1_pulls_together_and_label_0_pushes_apart():
    energy = tf.Variable([[0.4], [0.4]])
    with tf.GradientTape() as tape:
        loss = contrastive_loss([[1.0], [0.0]], energy)
    gradient = tape.gradient(loss, energy).numpy().ravel()
    # d/dE of E^2 / 2 and of (1 - E)^2 / 2, the halves from the mean of two pairs
    np.testing.assert_allclose(gradient, [0.4, -0.6], rtol=1e-6)


def test_floors_of_a_constant_distance():
    """Balanced labels, margin 1: 0.5 when everything collapses, 0.25 at the best constant."""
    label = [[1.0], [0.0]]
    losses = {e: float(contrastive_loss(label, [[e], [e]])) for e in np.linspace(0, 1, 101)}
    assert losses[0.0] == pytest.approx(0.5)
    best = min(losses, key=losses.get)
    assert best == pytest.approx(0.5)
    assert losses[best] == pytest.approx(0.25)


def test_e2_20_a_perfect_prediction_costs_nothing_and_vector_labels_are_refused():
    label, perfect = tf.constant([[1.0], [0.0], [1.0]]), tf.constant([[0.0], [1.0], [0.0]])
    assert contrastive_loss(label, perfect) == 0.0
    with pytest.raises(ValueError, match="differ in shape"):
        contrastive_loss(label[:, 0], perfect)  # would broadcast to [3, 3]
    with pytest.raises(ValueError, match="differ in shape"):
        contrastive_loss(label[:2], perfect)


def test_whole_number_labels_are_taken():
    assert contrastive_loss(np.array([[1], [0]]), tf.constant([[0.0], [2.0]])) == 0.0


def test_euclidean_distance_equals_a_loop():
    random = np.random.default_rng(1)
    a, b = random.normal(size=[2, 7, 5]).astype(np.float32)
    expected = [[math.sqrt(sum((p - q) ** 2 for p, q in zip(x, y, strict=True)))]
                for x, y in zip(a, b, strict=True)]  # fmt: skip
    np.testing.assert_allclose(euclidean_distance(a, b), expected, rtol=1e-5)


def test_cosine_distance_equals_a_loop():
    random = np.random.default_rng(2)
    a, b = random.normal(size=[2, 7, 5]).astype(np.float32)
    expected = []
    for x, y in zip(a, b, strict=True):
        dot = sum(p * q for p, q in zip(x, y, strict=True))
        lengths = math.sqrt(sum(p * p for p in x)) * math.sqrt(sum(q * q for q in y))
        expected.append([1 - dot / lengths])
    np.testing.assert_allclose(cosine_distance(a, b), expected, atol=1e-6)


def test_cosine_distance_of_parallel_right_angled_and_opposite():
    a, b = [[1.0, 0.0]] * 3, [[7.0, 0.0], [0.0, 0.2], [-3.0, 0.0]]
    found = cosine_distance(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(found, [[0.0], [1.0], [2.0]], atol=1e-6)


@pytest.mark.parametrize("energy", ENERGIES)
def test_e2_2_every_energy_is_zero_for_an_item_and_itself(energy):
    x = tf.constant(np.random.default_rng(3).normal(size=[20, 8]), tf.float32)
    x = tf.concat([x, tf.zeros([1, 8]), 1e-6 * x[:1], 1e6 * x[:1]], axis=0)
    np.testing.assert_array_equal(ENERGIES[energy](x, x), np.zeros([23, 1]))


@pytest.mark.parametrize("energy", ENERGIES)
def test_every_energy_is_symmetric_and_not_negative(energy):
    random = np.random.default_rng(4)
    a, b = tf.constant(random.normal(size=[2, 30, 6]), tf.float32)
    np.testing.assert_allclose(ENERGIES[energy](a, b), ENERGIES[energy](b, a))
    assert (ENERGIES[energy](a, b).numpy() >= 0).all()


@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("value", [0.0, 1.0, -3.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_e2_5_the_gradient_is_finite_where_both_items_are_equal(energy, value, label):
    a, b = tf.Variable(tf.fill([4, 3], value)), tf.Variable(tf.fill([4, 3], value))
    with tf.GradientTape() as tape:
        loss = contrastive_loss(tf.fill([4, 1], label), ENERGIES[energy](a, b))
    for gradient in tape.gradient(loss, [a, b]):
        assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("energy", ENERGIES)
def test_gradients_equal_finite_differences(energy):
    random = np.random.default_rng(5)
    a, b = (tf.constant(random.normal(size=[3, 4])) for _ in range(2))  # float64
    label = tf.constant([[1.0], [0.0], [0.0]], tf.float64)

    def loss(x):
        return contrastive_loss(label, ENERGIES[energy](x, b), margin=3.0)

    theirs, ours = tf.test.compute_gradient(loss, [a], delta=1e-5)
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_dead_units_do_not_stop_training():
    """An encoder whose ReLU gives zero for everything: distance 0, finite gradient (E2.5)."""
    encoder = keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(3, activation="relu")])
    encoder.layers[0].bias.assign([-100.0] * 3)
    with tf.GradientTape() as tape:
        distance = euclidean_distance(encoder(tf.ones([2, 2])), encoder(tf.zeros([2, 2])))
        loss = contrastive_loss(tf.constant([[1.0], [0.0]]), distance)
    assert all(np.isfinite(g.numpy()).all() for g in tape.gradient(loss, encoder.weights))

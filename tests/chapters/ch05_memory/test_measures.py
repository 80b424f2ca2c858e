"""Wrong bits, and right labels at each presentation, against loops and by hand."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch05_memory import measures
from datasets.tasks.sequences import CopyTask, Sequences

RNG = np.random.default_rng(0)


def some_batch():
    y = RNG.integers(0, 2, [3, 5, 4]).astype("f")
    asked = np.array([0, 0, 1, 1, 0], "f")
    return Sequences(tf.zeros([3, 5, 5]), tf.constant(y), tf.constant(asked), tf.constant(4))


def test_wrong_bits_equal_a_loop_over_bits():
    batch, logits = some_batch(), RNG.normal(size=[3, 5, 4]).astype("f")
    expected = np.zeros(3)
    for n in range(3):
        for t in (2, 3):
            for bit in range(4):
                expected[n] += bool(logits[n, t, bit] > 0) != bool(batch.y[n, t, bit] > 0)
    np.testing.assert_array_equal(measures.wrong_bits(batch, logits), expected)


def test_the_loss_equals_a_loop_and_looks_only_where_it_is_asked():
    batch, logits = some_batch(), RNG.normal(size=[3, 5, 4]).astype("f")
    p = 1 / (1 + np.exp(-logits[:, 2:4].astype("d")))
    y = batch.y.numpy()[:, 2:4]
    expected = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    np.testing.assert_allclose(measures.sequence_loss(batch, logits), expected, rtol=1e-5)
    logits[:, [0, 1, 4]] = 1e9
    np.testing.assert_allclose(measures.sequence_loss(batch, logits), expected, rtol=1e-5)


def test_knowing_nothing_costs_ln_2_and_half_of_the_bits():
    batch = CopyTask(500, 8, 10, 10)(0)
    loss = float(measures.sequence_loss(batch, tf.zeros(batch.y.shape)))
    assert loss == pytest.approx(np.log(2), rel=1e-4)
    assert np.mean(measures.wrong_bits(batch, tf.zeros(batch.y.shape))) == pytest.approx(40, abs=1)


def test_right_labels_and_right_strings():
    label = tf.constant([[0, 2, 1]])
    logits = tf.one_hot([[0, 1, 1]], 3)
    np.testing.assert_array_equal(measures.is_right(label, logits), [[True, False, True]])
    letters = tf.constant(RNG.integers(0, 5, [2, 3, 5]), tf.int32)
    logits = tf.reshape(tf.one_hot(letters, 5), [2, 3, 25]).numpy()
    assert np.all(measures.is_right(letters, logits))
    assert float(measures.label_loss(letters, 50 * logits)) < 1e-6
    logits[0, 1] = np.roll(logits[0, 1], 1)  # one letter or more is wrong
    assert measures.is_right(letters, logits).numpy().sum() == 5


def test_chance_costs_ln_5():
    label = tf.constant(RNG.integers(0, 5, [2, 3]))
    assert float(measures.label_loss(label, tf.zeros([2, 3, 5]))) == pytest.approx(np.log(5))


def test_accuracy_by_presentation_equals_a_loop():
    class_of = RNG.integers(0, 3, [20, 12])
    right = RNG.random([20, 12]) < 0.5
    found = measures.by_presentation(right, class_of, (1, 2, 5))
    for number, values in found.items():
        expected = []
        for episode in range(20):
            hits, seen = [], [0, 0, 0]
            for t in range(12):
                seen[class_of[episode, t]] += 1
                if seen[class_of[episode, t]] == number:
                    hits.append(right[episode, t])
            if hits:
                expected.append(np.mean(hits))
        np.testing.assert_allclose(values, expected)


def test_the_best_guess_by_hand():
    """Classes 1, 1, 0, 2, 0 of three: a third, known, a half, all that is left, known."""
    np.testing.assert_allclose(
        measures.best_guess(np.array([[1, 1, 0, 2, 0]]), 3), [[1 / 3, 1, 1 / 2, 1, 1]]
    )

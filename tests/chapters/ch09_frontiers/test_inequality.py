"""Measures of inequality against closed forms, and their gradients."""

import math

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch09_frontiers import inequality
from chapters.ch09_frontiers.inequality import MEASURES

CHECK = (0.5, 1.0, 2.0, 4.0)


def measured(measure, losses):
    return float(measure(tf.constant(losses, tf.float64)))


@pytest.mark.parametrize(
    ("name", "value"), [("gini", 0.38333), ("theil", 0.24938), ("variance_of_logarithms", 0.60057)]
)
def test_values_of_the_check_vector(name, value):
    # ln 2 apart each: V = (ln 2)^2 times the variance of 0, 1, 2, 3, which is 5 / 4
    expected = 1.25 * math.log(2) ** 2 if name == "variance_of_logarithms" else value
    assert measured(MEASURES[name], CHECK) == pytest.approx(expected, abs=1e-5)
    assert measured(MEASURES[name], CHECK) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("theil", (0.5 * math.log(0.5) + 1.5 * math.log(1.5)) / 2),
        ("gini", 0.25),
        ("generalised_entropy", 0.125),
        ("atkinson", 1 - math.sqrt(3) / 2),
        ("variance_of_logarithms", (math.log(3) / 2) ** 2),
    ],
)
def test_one_and_three_by_hand(name, value):
    assert measured(MEASURES[name], (1.0, 3.0)) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("name", MEASURES)
def test_equal_losses_are_not_unequal(name):
    assert measured(MEASURES[name], [0.7] * 5) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", MEASURES)
def test_neither_scale_nor_order_matters(name):
    losses = np.random.default_rng(0).gamma(2.0, size=7)
    value = measured(MEASURES[name], losses)
    assert value > 0
    assert measured(MEASURES[name], 50 * losses) == pytest.approx(value, rel=1e-9)
    assert measured(MEASURES[name], losses[::-1]) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("name", MEASURES)
def test_gradients_are_those_of_central_differences(name):
    losses = np.random.default_rng(1).gamma(2.0, size=6)
    x = tf.constant(losses)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = MEASURES[name](x)
    gradient = tape.gradient(value, x).numpy()
    for n in range(6):
        ends = []
        for change in (1e-6, -1e-6):
            moved = losses.copy()
            moved[n] += change
            ends.append(measured(MEASURES[name], moved))
        assert gradient[n] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8)


def test_e9_1_gini_ends_below_one():
    assert measured(inequality.gini, [1.0, 0, 0, 0, 0]) == pytest.approx(1 - 1 / 5)


def test_e9_2_theil_is_relative_to_the_mean():
    """Without the bar every loss is divided by itself, and all lists have 0."""
    shares = np.array(CHECK) / np.sum(CHECK)
    assert measured(inequality.theil, CHECK) == pytest.approx(
        math.log(4) + (shares * np.log(shares)).sum()
    )
    assert measured(inequality.theil, [1e9, 1e-9, 1e-9, 1e-9]) == pytest.approx(
        math.log(4), rel=1e-6
    )


def test_e9_3_it_is_the_variance_of_logarithms():
    assert "variance_of_logarithms" in MEASURES
    assert measured(inequality.variance_of_logarithms, CHECK) == pytest.approx(
        np.var(np.log(CHECK))
    )


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_generalised_entropy_by_hand(alpha):
    share = np.array(CHECK) / np.mean(CHECK)
    expected = {
        0.0: -np.log(share).mean(),
        1.0: (share * np.log(share)).mean(),
    }.get(alpha, (share**alpha - 1).mean() / (alpha * (alpha - 1) or 1))
    found = float(inequality.generalised_entropy(tf.constant(CHECK, tf.float64), alpha))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0])
def test_atkinson_by_hand(epsilon):
    losses = np.array(CHECK)
    if epsilon == 1:
        expected = 1 - np.exp(np.log(losses).mean()) / losses.mean()
    else:
        mean = (losses ** (1 - epsilon)).mean() ** (1 / (1 - epsilon))
        expected = 1 - mean / losses.mean()
    assert float(inequality.atkinson(tf.constant(losses), epsilon)) == pytest.approx(expected)


@pytest.mark.parametrize("name", MEASURES)
def test_a_loss_of_zero_leaves_everything_finite(name):
    x = tf.constant([0.0, 1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = MEASURES[name](x)
    assert np.isfinite(value) and np.isfinite(tape.gradient(value, x)).all()


def test_entropy_by_hand_and_in_its_range():
    logits = np.random.default_rng(2).normal(size=[2, 3, 4]) * 3
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = -(p * np.log(p)).sum(axis=-1).mean(axis=-1)
    found = inequality.entropy(tf.constant(logits)).numpy()
    np.testing.assert_allclose(found, expected)
    assert (found > 0).all() and (found < math.log(4)).all()
    same = inequality.entropy(tf.zeros([1, 2, 4], tf.float64))
    assert float(same[0]) == pytest.approx(math.log(4))


def test_entropy_and_its_gradient_are_finite_where_a_prediction_is_certain():
    logits = tf.constant([[[1e4, 0.0, -1e4]]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = inequality.entropy(logits)
    assert float(value[0]) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(tape.gradient(value, logits)).all()

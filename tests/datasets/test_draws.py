"""Random numbers: the right distributions, the same with and without XLA."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from datasets.tasks import draws


@pytest.mark.parametrize(("draw", "expected"), [(draws.uniform, "uniform"), (draws.normal, "norm")])
def test_numbers_follow_the_distribution(draw, expected):
    """Kolmogorov and Smirnov; independent columns."""
    numbers = draw([200, 500], tf.constant([3, 1])).numpy()
    assert stats.kstest(numbers.ravel(), expected).pvalue > 0.001
    columns = np.corrcoef(numbers[:, :20].T) - np.eye(20)
    assert np.abs(columns).max() < 0.3  # 4 standard errors of 200


def test_uniform_numbers_never_reach_one():
    numbers = draws.uniform([10_000_000], tf.constant([0, 0])).numpy()
    assert numbers.min() >= 0 and 1 - 1e-6 < numbers.max() < 1


@pytest.mark.parametrize("draw", [draws.uniform, draws.normal])
def test_eager_graph_and_xla_give_the_same_numbers(draw):
    seed = tf.constant([5, 11])
    eager = draw([25, 23], seed)
    for xla in (False, True):
        compiled = tf.function(lambda s: draw([25, 23], s), jit_compile=xla)
        np.testing.assert_allclose(eager, compiled(seed), atol=1e-5)


@pytest.mark.parametrize("draw", [draws.uniform, draws.normal])
def test_both_halves_of_the_seed_count(draw):
    first = draw([100], tf.constant([1, 2]))
    np.testing.assert_array_equal(first, draw([100], tf.constant([1, 2])))
    for seed in ([2, 1], [1, 3], [0, 2]):
        assert not np.isclose(first, draw([100], tf.constant(seed))).all()


def test_normal_numbers_are_finite_even_where_the_uniform_one_is_zero():
    seed = tf.constant([0, 8])
    assert (draws.uniform([2, 1_000_000], seed)[0].numpy() == 0).any()
    assert np.isfinite(draws.normal([1_000_000], seed)).all()

"""Policies: probabilities, draws and divergences by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from chapters.engine.per_task import repeat_for_tasks
from chapters.experiments.acting.policies import CategoricalPolicy, GaussianPolicy

SEED = tf.constant([3, 4])


def network(outputs):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(outputs)])


def seen(tasks=2, items=5):
    return tf.constant(np.random.default_rng(0).normal(size=[tasks, items, 3]).astype(np.float32))


def gaussian(log_std=-0.3):
    policy = GaussianPolicy(network(2), log_std)
    return policy, repeat_for_tasks(policy.parameters(), 2)


def test_normal_densities_are_scipy_s():
    policy, weights = gaussian()
    found = policy.distribution(weights, seen())
    action = policy.act(found, policy.noise([2, 5], SEED))
    expected = stats.norm.logpdf(action, found.mean, np.exp(-0.3)).sum(axis=-1)
    np.testing.assert_allclose(policy.log_probability(found, action), expected, rtol=1e-4)


def test_the_divergence_of_normal_policies_is_the_mean_of_log_ratios():
    policy, old = gaussian()
    new = [w + 0.2 for w in old]
    a, b = (policy.distribution(weights, seen(2, 1)) for weights in (old, new))
    noise = policy.noise([2, 200_000], SEED)
    action = policy.act(a, noise)
    ratio = policy.log_probability(a, action) - policy.log_probability(b, action)
    np.testing.assert_allclose(
        tf.reduce_mean(ratio, axis=1), policy.divergence(a, b)[:, 0], rtol=0.02, atol=0.002
    )
    np.testing.assert_allclose(policy.divergence(a, a), 0, atol=1e-7)


def test_choices_are_drawn_as_often_as_their_probabilities():
    policy = CategoricalPolicy(network(4))
    weights = repeat_for_tasks(policy.parameters(), 2)
    found = policy.distribution(weights, seen(2, 1))
    choices = policy.act(found, policy.noise([2, 40_000], SEED)).numpy()
    for task in range(2):
        shares = np.bincount(choices[task], minlength=4) / 40_000
        np.testing.assert_allclose(shares, np.exp(found[task, 0]), atol=0.01)
    np.testing.assert_allclose(
        policy.log_probability(found, choices[:, :1]),
        np.take_along_axis(found.numpy(), choices[:, :1, None], axis=-1)[..., 0],
    )
    other = tf.nn.log_softmax(found + seen(2, 1)[..., :1] * [1.0, 0, 0, 0])
    p, q = np.exp(found), np.exp(other)
    expected = (p * np.log(p / q)).sum(axis=-1)
    np.testing.assert_allclose(policy.divergence(found, other), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", [GaussianPolicy, CategoricalPolicy])
def test_the_weights_of_a_task_are_its_own_and_a_policy_survives_saving(kind, tmp_path):
    policy = kind(network(2))
    weights = repeat_for_tasks(policy.parameters(), 2)
    moved = [tf.stack([w[0], w[1] + 1]) for w in weights]
    before, after = (policy.distribution(w, seen()) for w in (weights, moved))
    for one, other in zip(tf.nest.flatten(before), tf.nest.flatten(after), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        assert (one[1] != other[1]).numpy().any() or kind is CategoricalPolicy
    policy.save(tmp_path / "policy.keras")
    again = keras.saving.load_model(tmp_path / "policy.keras")
    np.testing.assert_array_equal(again(seen()[0]), policy(seen()[0]))
    assert len(again.parameters()) == len(policy.parameters())


@pytest.mark.parametrize("compiled", [False, True])
def test_three_derivatives_are_finite_where_an_action_is_the_mean(compiled):
    """TRPO through an inner step has three; a power of 2 has none of them at 0."""
    policy = GaussianPolicy(keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(2)]))
    x, actions = tf.ones([1, 3, 1]), tf.constant([[[0.0, 0.0], [0.0, 1.0], [-2.0, 0.0]]])

    def derivatives(mean):
        weights = [tf.zeros([1, 1, 2]), mean, tf.zeros([1, 2])]
        with tf.GradientTape() as third:
            third.watch(mean)
            with tf.GradientTape() as second:
                second.watch(mean)
                with tf.GradientTape() as first:
                    first.watch(mean)
                    p = policy.log_probability(policy.distribution(weights, x), actions)
                    p = tf.reduce_sum(tf.exp(p))
                one = first.gradient(p, mean)
            two = second.gradient(one, mean)
        return one, two, third.gradient(two, mean)

    function = tf.function(derivatives, autograph=False, jit_compile=compiled)
    for derivative in function(tf.zeros([1, 2])):
        assert np.isfinite(derivative).all()

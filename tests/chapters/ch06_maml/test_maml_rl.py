"""MAML for policies: gradients against exact ones and differences, and who drew what."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import policy_gradient
from chapters.ch06_maml.maml_rl import MAMLPolicy
from chapters.ch06_maml.policy_gradient import Experience, experience, surrogate
from chapters.experiments.acting.policies import CategoricalPolicy, GaussianPolicy
from chapters.experiments.acting.trajectories import Trajectories, rollout
from datasets.worlds import Navigation

SEED = tf.constant([1, 2])


def navigator(hidden=4, **options):
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.layers.Input((2,)),
            keras.layers.Dense(hidden, activation="tanh"),
            keras.layers.Dense(2),
        ]
    )
    return MAMLPolicy(GaussianPolicy(network, log_std=-0.5), 0.3, **options)


def chooser():
    """A policy of two choices that sees nothing but a constant."""
    network = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(2, use_bias=False)])
    policy = CategoricalPolicy(network)
    network.set_weights([np.array([[0.3, -0.4]])])
    return policy


def test_the_gradient_on_a_bandit_is_the_exact_one():
    """d E[r] / d logit_k = p_k (r_k - E[r]); every choice once, weighted by its probability."""
    policy, reward = chooser(), np.array([1.0, 3.0])
    p = np.exp([0.3, -0.4]) / np.exp([0.3, -0.4]).sum()
    expected = p * (reward - p @ reward)
    # E over choices of log pi(a) A: as many steps as choices, A = 2 p_a r_a
    seen = Experience(
        tf.ones([1, 2, 1]), tf.constant([[0, 1]]), tf.constant([2 * p * reward], tf.float32),
        tf.ones([1, 2]), tf.constant([np.log(p)], tf.float32),
    )  # fmt: skip
    for kind in policy_gradient.INNER:
        weights = [tf.convert_to_tensor(v)[None] for v in policy.parameters()]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = surrogate(policy, weights, seen, kind)
        found = tape.gradient(value, weights)[0].numpy().ravel()
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_surrogates_have_one_gradient_and_two_hessians_at_the_old_policy():
    """The likelihood ratio has the Hessian of the expected return, the other has not."""
    policy, reward = chooser(), np.array([1.0, 3.0])
    logits = np.array([0.3, -0.4])

    def expected_return(x):
        p = np.exp(x) / np.exp(x).sum()
        return p @ reward

    exact = np.zeros([2, 2])
    step = 1e-3
    for i in range(2):
        for j in range(2):
            for si in (1, -1):
                for sj in (1, -1):
                    x = logits.copy()
                    x[i] += si * step
                    x[j] += sj * step
                    exact[i, j] += si * sj * expected_return(x) / (4 * step**2)
    p = np.exp(logits) / np.exp(logits).sum()
    seen = Experience(
        tf.ones([1, 2, 1]), tf.constant([[0, 1]]), tf.constant([2 * p * reward], tf.float32),
        tf.ones([1, 2]), tf.constant([np.log(p)], tf.float32),
    )  # fmt: skip
    hessians = {}
    for kind in policy_gradient.INNER:
        weights = [tf.convert_to_tensor(v)[None] for v in policy.parameters()]
        with tf.GradientTape() as outer:
            outer.watch(weights)
            with tf.GradientTape() as inner:
                inner.watch(weights)
                value = surrogate(policy, weights, seen, kind)
            gradient = inner.gradient(value, weights)[0]
        hessians[kind] = outer.jacobian(gradient, weights)[0].numpy().reshape(2, 2)
    np.testing.assert_allclose(hessians["likelihood_ratio"], exact, atol=1e-3)
    assert np.abs(hessians["log_likelihood"] - exact).max() > 0.1


@pytest.mark.parametrize("first_order", [False, True])
def test_the_meta_gradient_is_that_of_differences_with_the_same_random_numbers(
    first_order, float64
):
    learner, world = navigator(first_order=first_order), Navigation(horizon=4)
    task = tf.cast(world.tasks(2, SEED), tf.float32)
    with_tasks = _double(learner, world, task)
    phases, after, theta = with_tasks

    def objective(theta):
        weights = learner.adapted(theta, phases, 2)
        return tf.reduce_mean(surrogate(learner.policy, weights, after))

    with tf.GradientTape() as tape:
        tape.watch(theta)
        value = objective(theta)
    gradients = [g.numpy() for g in tape.gradient(value, theta)]
    step, apart = 1e-5, 0.0
    for number, part in enumerate(theta):
        index = tuple(0 for _ in part.shape)
        losses = []
        for sign in (1, -1):
            moved = part.numpy().copy()
            moved[index] += sign * step
            shifted = [*theta[:number], tf.constant(moved), *theta[number + 1 :]]
            losses.append(float(objective(shifted)))
        expected = (losses[0] - losses[1]) / (2 * step)
        apart = max(apart, abs(gradients[number][index] - expected) / (abs(expected) + 1e-3))
    assert (apart < 1e-5) != first_order  # first order leaves a part out


def _double(learner, world, task):
    """Experience before and after the inner step in double precision, and theta."""
    rng = np.random.default_rng(3)
    theta = [tf.convert_to_tensor(v) for v in learner.parameters()]

    def made():
        shape = [2, 3, 4]
        found = Trajectories(
            *(tf.constant(rng.normal(size=[*shape, n])) for n in (2, 2)),
            tf.constant(rng.normal(size=shape)),
            tf.ones(shape, tf.float64),
        )
        weights = [tf.tile(w[None], [2, *[1] * len(w.shape)]) for w in theta]
        return found, weights

    found, weights = made()
    phase = experience(learner.policy, weights, found, 0.9)
    after, _ = made()
    adapted = learner.adapted(theta, [phase], 2)
    return [phase], experience(learner.policy, adapted, after, 0.9), theta


def test_e6_14_trajectories_after_the_step_are_of_the_adapted_policy(monkeypatch):
    learner, world, recorded = navigator(inner_steps=2), Navigation(horizon=3), []

    def watched(world, policy, weights, *arguments):
        recorded.append([np.array(w) for w in weights])
        return rollout(world, policy, weights, *arguments)

    monkeypatch.setattr(policy_gradient, "rollout", watched)
    task = world.tasks(2, SEED)
    phases, weights, drawn = policy_gradient.act_and_adapt(learner, world, task, 3, SEED)
    assert len(recorded) == 3 and len(phases) == 2 and len(drawn) == 3
    for one, other in zip(recorded[-1], weights, strict=True):
        np.testing.assert_array_equal(one, other)
    for before, after in zip(recorded, recorded[1:], strict=False):
        assert any((a != b).any() for a, b in zip(before, after, strict=True))
    theta = [v.numpy() for v in learner.parameters()]
    for one, other in zip(theta, recorded[0], strict=True):
        np.testing.assert_array_equal(np.stack([one, one]), other)
    # and new ones after every step, with other chances
    assert (drawn[0].action != drawn[1].action).numpy().any()


def test_e6_15_the_step_goes_uphill_on_what_was_earned():
    learner, world = navigator(), Navigation(horizon=4)
    task = world.tasks(2, SEED)
    phases, weights, _ = policy_gradient.act_and_adapt(learner, world, task, 20, SEED)
    start = learner.start(2)
    before, after = (surrogate(learner.policy, w, phases[0]) for w in (start, weights))
    assert (after > before).numpy().all()


def test_an_accepted_step_stays_within_its_bound():
    learner, world = navigator(), Navigation(horizon=5)
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build(learner.parameters())
    step = policy_gradient.outer_step(learner, optimizer, world, trajectories=6, bound=0.01)

    @tf.function(autograph=False)
    def run(index):
        return step((world.tasks(3, tf.stack([4, index])), ()), tf.stack([5, index]))

    found = [run(tf.constant(index)) for index in range(50)]
    divergences = np.array([float(one["divergence"]) for one in found])
    accepted = np.array([float(one["accepted"]) for one in found])
    assert accepted.mean() > 0.8 and (divergences <= 0.01).all()
    assert (divergences[accepted == 1] > 1e-4).all()  # as far as allowed, or nearly


def test_a_policy_learns_to_find_goals():
    learner, world = navigator(hidden=16), Navigation(horizon=10)
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build(learner.parameters())
    step = policy_gradient.outer_step(learner, optimizer, world, trajectories=10)

    @tf.function(autograph=False)
    def run(index):
        return step((world.tasks(10, tf.stack([4, index])), ()), tf.stack([5, index]))

    found = [float(run(tf.constant(index))["return"]) for index in range(25)]
    assert np.mean(found[-5:]) > np.mean(found[:5]) + 0.5

"""Trajectories and advantages, against loops; ends of trajectories included."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.per_task import repeat_for_tasks
from chapters.experiments.acting import advantages as module
from chapters.experiments.acting.policies import CategoricalPolicy, GaussianPolicy
from chapters.experiments.acting.trajectories import Trajectories, flat, returns, rollout
from datasets.worlds import Bandits, Navigation

SEED = tf.constant([1, 2])


def policy_of(world):
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [keras.layers.Input((world.observation,)), keras.layers.Dense(world.actions)]
    )
    return (CategoricalPolicy if world.discrete else GaussianPolicy)(network)


def drawn(world, tasks=3, count=4, seed=SEED):
    policy = policy_of(world)
    weights = repeat_for_tasks(policy.parameters(), tasks)
    task = world.tasks(tasks, seed)
    return rollout(world, policy, weights, task, count, seed), policy, weights, task


@pytest.mark.parametrize("world", [Navigation(horizon=6), Bandits(horizon=6)], ids=lambda w: w.name)
def test_a_rollout_is_what_a_loop_over_steps_gives(world):
    found, policy, weights, task = drawn(world)
    beginning, chance, moving = tf.unstack(tf.random.split(SEED, 3))
    noise = policy.noise([6, 3, 4], chance)
    state, alive = world.start(task, 4, beginning), np.ones([3, 4])
    for time in range(6):
        seen = world.observe(task, state)
        action = policy.act(policy.distribution(weights, seen), noise[time])
        state, reward, ended = world.step(task, state, action, tf.random.fold_in(moving, time))
        np.testing.assert_allclose(found.observation[:, :, time], seen, atol=1e-6)
        np.testing.assert_allclose(found.action[:, :, time], action, atol=1e-6)
        np.testing.assert_allclose(found.reward[:, :, time], reward * alive, atol=1e-6)
        np.testing.assert_array_equal(found.alive[:, :, time], alive)
        alive = alive * (1 - ended.numpy())


def test_the_same_seed_gives_the_same_bits_and_a_graph_the_same_numbers():
    world = Navigation(horizon=5)
    one, policy, weights, task = drawn(world)
    again = rollout(world, policy, weights, task, 4, SEED)
    graph = tf.function(lambda seed: rollout(world, policy, weights, task, 4, seed))(SEED)
    other = rollout(world, policy, weights, task, 4, SEED + 1)
    for a, b, c in zip(one, again, graph, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, atol=1e-5)
    assert (one.action != other.action).numpy().any()


def test_nothing_is_earned_after_the_end():
    class Near(Navigation):
        """Goals under the start: a small step ends the trajectory or not."""

        def tasks(self, count, seed):
            return tf.zeros([count, 2])

    world = Near(horizon=30)
    found, *_ = drawn(world, tasks=2, count=60)
    alive, reward = found.alive.numpy(), found.reward.numpy()
    assert (np.diff(alive, axis=-1) <= 0).all()  # who has ended stays so
    ended = alive[..., -1] == 0
    assert ended.any() and (reward[alive == 0] == 0).all()
    np.testing.assert_allclose(returns(found), reward.sum(axis=-1), rtol=1e-5)


def example(tasks=2, count=3, steps=5):
    rng = np.random.default_rng(0)
    alive = np.ones([tasks, count, steps])
    alive[0, 1, 3:] = alive[1, 2, 1:] = 0
    return Trajectories(
        *(
            tf.constant(x.astype(np.float32))
            for x in (
                rng.normal(size=[tasks, count, steps, 2]),
                rng.normal(size=[tasks, count, steps, 2]),
                rng.normal(size=[tasks, count, steps]) * alive,
                alive,
            )
        )
    )


def test_returns_are_discounted_by_loops():
    reward = example().reward.numpy()
    expected = np.zeros_like(reward)
    for t in range(5):
        for k in range(t, 5):
            expected[..., t] += 0.9 ** (k - t) * reward[..., k]
    np.testing.assert_allclose(module.discounted(reward, 0.9), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(module.discounted(reward, 0.0), reward)


def test_the_baseline_is_ridge_regression_task_by_task_on_steps_alive():
    found = example(count=8)
    values = module.discounted(found.reward, 0.95)
    fitted = module.baseline(found, values).numpy()
    phi, alive = flat(module.features(found)).numpy(), flat(found.alive).numpy() > 0
    for task in range(2):
        a, y = phi[task][alive[task]].astype(float), flat(values)[task].numpy()[alive[task]]
        ridge = module.RIDGE * alive[task].sum() * np.eye(a.shape[1])
        weights = np.linalg.solve(a.T @ a + ridge, a.T @ y)
        np.testing.assert_allclose(
            flat(fitted)[task].numpy()[alive[task]], a @ weights, rtol=0.02, atol=0.02
        )


def test_advantages_have_mean_zero_and_deviation_one_over_steps_alive():
    found = example(count=8)
    apart = module.advantages(found, 0.99).numpy()
    alive = found.alive.numpy() > 0
    assert (apart[~alive] == 0).all()
    for task in range(2):
        own = apart[task][alive[task]]
        assert own.mean() == pytest.approx(0, abs=1e-5) and own.std() == pytest.approx(1, abs=1e-3)

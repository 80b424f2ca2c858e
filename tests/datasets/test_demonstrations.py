"""Demonstrations: what the expert does, one colour in all of a task, and no reward (E9.6, E9.7)."""

import numpy as np
import pytest
import tensorflow as tf

from datasets import DataError
from datasets.tasks.demonstrations import Demonstrations
from datasets.worlds import Navigation, Reacher


def test_e9_7_a_demonstration_is_what_the_expert_does_from_its_first_step():
    world = Reacher(horizon=6)
    sampler = Demonstrations(world, shot=1, query=2, tasks=3, seed=4)
    task, seen, action = sampler.shown(2)
    assert seen.shape == (3, 3, 6, 16) and action.shape == (3, 3, 6, 2)
    seed = tf.random.fold_in(tf.constant([4, 8]), 2)
    which, beginning, _ = tf.unstack(tf.random.split(seed, 3))
    np.testing.assert_array_equal(task, world.tasks(3, which))
    state = world.start(task, 3, beginning)
    for time in range(6):
        np.testing.assert_allclose(seen[:, :, time], world.observe(task, state), atol=1e-6)
        np.testing.assert_allclose(action[:, :, time], world.expert(state), atol=1e-6)
        state, _, _ = world.step(task, state, action[:, :, time], seed)


def test_support_and_queries_are_other_demonstrations_of_one_task():
    sampler = Demonstrations(Reacher(horizon=5), shot=2, query=1, tasks=2)
    inputs, query_y = sampler(0)
    assert inputs["support_x"].shape == (2, 10, 16) and inputs["support_y"].shape == (2, 10, 2)
    assert inputs["query_x"].shape == (2, 5, 16) and query_y.shape == (2, 5, 2)
    seen = np.concatenate([inputs["support_x"], inputs["query_x"]], axis=1)
    colours = seen[..., [8, 9, 10, 13, 14, 15]]
    np.testing.assert_array_equal(colours, np.broadcast_to(colours[:, :1], colours.shape))
    assert np.abs(colours[0, 0] - colours[1, 0]).max() > 0.01
    places = np.stack([inputs["support_x"][0, 0, 6:8], inputs["query_x"][0, 0, 6:8]])
    assert np.abs(places[0] - places[1]).max() > 0.01


def test_e9_6_no_reward_is_asked_for():
    class Unpaid(Reacher):
        """A world that pays nothing that could be learned from."""

        def step(self, *arguments):
            state, reward, ended = super().step(*arguments)
            return state, reward * np.nan, ended

    expected, y = Demonstrations(Reacher(horizon=4), tasks=2, seed=1)(3)
    found, other = Demonstrations(Unpaid(horizon=4), tasks=2, seed=1)(3)
    np.testing.assert_array_equal(found["support_y"], expected["support_y"])
    np.testing.assert_array_equal(other, y)


def test_the_same_seed_and_index_give_the_same_and_a_graph_too():
    sampler = Demonstrations(Reacher(horizon=4), tasks=2, seed=1)
    (one, y), (other, z) = sampler(3), tf.function(sampler)(tf.constant(3))
    for name, x in one.items():
        np.testing.assert_allclose(other[name], x, atol=1e-5)
    np.testing.assert_allclose(z, y, atol=1e-4)
    assert (sampler(4)[1] != y).numpy().any()


def test_what_does_not_fit_is_one_sentence():
    with pytest.raises(DataError, match="must all be at least 1"):
        Demonstrations(Reacher(), shot=0)
    with pytest.raises(DataError, match="navigation has no expert"):
        Demonstrations(Navigation())

"""Demonstrations: what the expert does, one colour in all of a task, and no reward (E9.6, E9.7)."""

import numpy as np
import pytest
import tensorflow as tf

from datasets import DataError
from datasets.tasks.demonstrations import Demonstrations
from datasets.worlds import Navigation, Reacher
from datasets.worlds.reacher import OTHER


def test_e9_7_a_demonstration_is_what_the_expert_does_from_its_first_step():
    world = Reacher(horizon=6)
    sampler = Demonstrations(world, shot=2, query=1, tasks=3, seed=4)
    inputs, _ = sampler(2)
    seed = tf.random.fold_in(tf.constant([4, 8]), 2)
    which, first, _ = tf.unstack(tf.random.split(seed, 3))
    task = world.tasks(3, which)
    np.testing.assert_array_equal(sampler.task(2), task)
    state = world.start(task, 2, tf.random.split(first)[0])
    seen = inputs["support_x"].numpy().reshape(3, 2, 6, 12)
    done = inputs["support_y"].numpy().reshape(3, 2, 6, 2)
    for time in range(6):
        np.testing.assert_allclose(seen[:, :, time], world.observe(task, state), atol=1e-6)
        np.testing.assert_allclose(done[:, :, time], world.expert(state), atol=1e-6)
        state, _, _ = world.step(task, state, done[:, :, time], seed)


def test_support_and_queries_are_other_demonstrations_of_one_task():
    sampler = Demonstrations(Reacher(horizon=5, side=8), shot=2, query=1, tasks=2)
    inputs, query_y = sampler(0)
    assert inputs["support_x"].shape == (2, 10, 6 + 192) and query_y.shape == (2, 5, 2)
    assert inputs["support_y"].shape == (2, 10, 2) and inputs["query_x"].shape == (2, 5, 6 + 192)
    first, second = inputs["support_x"][0, 0], inputs["query_x"][0, 0]
    assert np.abs(first[6:] - second[6:]).max() > 0.1  # targets lie elsewhere
    assert np.abs(sampler.task(0)[0] - sampler.task(0)[1]).max() > 0.01


def test_queries_are_steps_of_several_demonstrations():
    sampler = Demonstrations(Reacher(horizon=7), query=3, tasks=2, seed=1)
    inputs, query_y = sampler(0)
    seed = tf.random.fold_in(tf.constant([1, 8]), 0)
    second = tf.random.split(seed, 3)[2]
    states, action = sampler._acted(sampler.world, sampler.task(0), 3, second)
    seen = sampler.world.observe(sampler.task(0), states).numpy().reshape(2, 3, 7, 12)
    times = [(0, 0), (0, 3), (0, 6), (1, 1), (1, 4), (2, 2), (2, 5)]
    expected = np.stack([seen[:, number, time] for number, time in times], axis=1)
    np.testing.assert_allclose(inputs["query_x"], expected, atol=1e-6)
    done = action.numpy().reshape(2, 3, 7, 2)
    expected = np.stack([done[:, number, time] for number, time in times], axis=1)
    np.testing.assert_allclose(query_y, expected, atol=1e-6)


def test_tasks_that_there_are_a_number_of_come_again_with_other_beginnings():
    few = Demonstrations(Reacher(horizon=3), tasks=40, seed=1, among=5)
    batches = [few.task(index).numpy() for index in range(4)]
    assert len(np.unique(np.concatenate(batches).reshape(160, -1), axis=0)) == 5
    beginnings = [few(index)[0]["support_x"].numpy()[:, 0] for index in range(2)]
    assert len(np.unique(np.concatenate(beginnings), axis=0)) == 80
    many = Demonstrations(Reacher(horizon=3), tasks=40, seed=1)
    assert len(np.unique(many.task(0).numpy().reshape(40, -1), axis=0)) == 40


def test_who_is_only_watched_tells_neither_joints_nor_actions():
    robot, other = Reacher(horizon=4), Reacher(horizon=4, arm=OTHER, watched=True)
    inputs, query_y = Demonstrations(robot, tasks=2, seed=1, shown_by=other)(3)
    plain, same_y = Demonstrations(robot, tasks=2, seed=1)(3)
    assert not inputs["support_y"].numpy().any() and not inputs["support_x"].numpy()[..., :6].any()
    np.testing.assert_allclose(
        inputs["support_x"][..., 6:], plain["support_x"][..., 6:], atol=1e-6
    )  # fmt: skip
    np.testing.assert_allclose(inputs["query_x"], plain["query_x"], atol=1e-6)
    np.testing.assert_allclose(query_y, same_y, atol=1e-6)


def test_states_that_are_shown_are_those_of_the_support_set():
    sampler = Demonstrations(Reacher(horizon=4), shot=2, tasks=2, seed=1)
    task, states = sampler.shown(3)
    seen = sampler.world.observe(task, states)
    np.testing.assert_allclose(seen, sampler(3)[0]["support_x"], atol=1e-6)


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

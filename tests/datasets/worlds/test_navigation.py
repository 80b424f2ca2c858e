"""The point and its goal, against loops and a closed form."""

import numpy as np
import pytest
import tensorflow as tf

from datasets import DataError
from datasets.worlds import Navigation

SEED = tf.constant([1, 2])


def test_goals_are_in_the_square_and_a_function_of_the_seed():
    goals = Navigation().tasks(2000, SEED).numpy()
    assert np.abs(goals).max() <= 0.5 and np.abs(goals).max() > 0.49
    assert np.abs(goals.mean(axis=0)).max() < 0.03
    np.testing.assert_array_equal(goals, Navigation().tasks(2000, SEED))


@pytest.mark.parametrize("reward", ["distance", "squared"])
def test_moves_and_rewards_by_hand(reward):
    world = Navigation(horizon=3, reward=reward)
    goal = np.array([[0.3, -0.2]], np.float32)
    place, state = np.zeros(2), world.start(goal, 1, SEED)
    for action in ([1.0, 0.5], [7.0, -0.2], [-9.0, 0.0]):
        place = place + 0.1 * np.clip(action, -1, 1)
        state, earned, ended = world.step(goal, state, tf.constant([[action]]), SEED)
        np.testing.assert_allclose(state[0, 0], place, atol=1e-6)
        distance = np.sqrt(((place - goal[0]) ** 2).sum())
        expected = -distance if reward == "distance" else -(distance**2)
        assert float(earned[0, 0]) == pytest.approx(expected, abs=1e-6)
        assert bool(ended[0, 0]) == (distance < 0.01)


@pytest.mark.parametrize("reward", ["distance", "squared"])
def test_the_return_of_who_knows_the_goal_is_its_closed_form(reward):
    world = Navigation(horizon=8, reward=reward, ends=False)
    goals = world.tasks(50, SEED)
    act, state, total = world.best(goals), world.start(goals, 1, SEED), 0.0
    for _ in range(8):
        state, earned, _ = world.step(goals, state, act(state), SEED)
        total += earned[:, 0]
    np.testing.assert_allclose(total, world.best_return(goals), atol=1e-5)


def test_nobody_who_does_not_know_the_goal_earns_more():
    world = Navigation(horizon=8, ends=False)
    goals = world.tasks(20, SEED)
    rng = np.random.default_rng(0)
    for _ in range(20):
        state, total = world.start(goals, 1, SEED), 0.0
        for _ in range(8):
            moves = tf.constant(rng.uniform(-1, 1, [20, 1, 2]).astype(np.float32))
            state, earned, _ = world.step(goals, state, moves, SEED)
            total += earned[:, 0]
        assert (total <= world.best_return(goals) + 1e-5).numpy().all()


def test_what_makes_no_world_is_one_sentence():
    with pytest.raises(DataError, match="A horizon of 0 leaves no step"):
        Navigation(horizon=0)
    with pytest.raises(DataError, match="reward is 'both'"):
        Navigation(reward="both")

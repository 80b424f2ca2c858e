"""The worlds as gymnasium environments: its own check, and the same trajectories as in a graph."""

import numpy as np
import pytest
import tensorflow as tf

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402

from datasets import DataError  # noqa: E402
from datasets.worlds import WORLDS, gym  # noqa: E402


@pytest.mark.parametrize("name", WORLDS)
def test_gymnasium_finds_nothing_wrong(name):
    environment = gymnasium.make(f"metazoo/{name.capitalize()}-v0")
    check_env(environment.unwrapped, skip_render_check=True)


def test_a_world_that_draws_itself_is_seen_and_another_says_so():
    environment = gymnasium.make("metazoo/Reacher-v0", render_mode="rgb_array").unwrapped
    check_env(environment)
    environment.reset(seed=1)
    before = environment.render()
    assert before.shape == (96, 96, 3) and before.dtype == np.uint8
    environment.step(np.ones(2, np.float32))
    assert (environment.render() != before).any()
    assert gym.Environment("reacher").render() is None
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset first"):
        gym.Environment("reacher", render_mode="rgb_array").render()
    with pytest.raises(DataError, match="the only one is 'rgb_array'"):
        gym.Environment("reacher", render_mode="human")
    with pytest.raises(DataError, match="navigation draws no pictures"):
        gym.Environment("navigation", render_mode="rgb_array")


@pytest.mark.parametrize("name", WORLDS)
def test_equal_actions_make_equal_trajectories(name):
    environment = gymnasium.make(f"metazoo/{name.capitalize()}-v0", task_seed=4).unwrapped
    environment.action_space.seed(0)
    seen, _ = environment.reset(seed=7)
    world, task = WORLDS[name](), WORLDS[name]().tasks(1, tf.constant([4, 0]))
    state = world.start(task, 1, tf.constant([environment._seed, 0]))
    for time in range(5):
        np.testing.assert_allclose(world.observe(task, state)[0, 0], seen, atol=1e-6)
        action = environment.action_space.sample()
        seen, reward, ended, late, _ = environment.step(action)
        seed = tf.constant([environment._seed, 1 + time])
        batched = tf.constant(np.asarray(action)[None, None])
        batched = tf.cast(batched, tf.int32) if world.discrete else batched
        state, earned, _ = world.step(task, state, batched, seed)
        assert reward == pytest.approx(float(earned[0, 0]), abs=1e-6)
        assert not ended and not late


def test_the_goal_stays_over_reset_and_follows_from_its_own_seed():
    one = gymnasium.make("metazoo/Navigation-v0", task_seed=1).unwrapped
    goal = one.task.numpy()
    one.reset(seed=5)
    one.reset(seed=6)
    np.testing.assert_array_equal(one.task, goal)
    other = gymnasium.make("metazoo/Navigation-v0", task_seed=2).unwrapped
    assert not np.array_equal(other.task, goal)


def test_time_is_up_at_the_horizon_and_actions_outside_are_refused():
    environment = gym.Environment("navigation", horizon=3)
    environment.reset(seed=0)
    still = np.zeros(2, np.float32)
    assert [environment.step(still)[3] for _ in range(3)] == [False, False, True]
    with pytest.raises(gymnasium.error.InvalidAction, match="give one that it contains"):
        environment.step(np.array([2.0, 0.0], np.float32))
    longer = gymnasium.make("metazoo/Navigation-v0", horizon=120)
    longer.reset(seed=0)
    assert [longer.step(still)[3] for _ in range(120)].index(True) == 119
    with pytest.raises(gymnasium.error.NameNotFound):
        gymnasium.make("metazoo/Nowhere-v0")

"""The cheetah, against gymnasium's own, whose model it reads."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from datasets import DataError
from datasets.worlds import Cheetah
from datasets.worlds.cheetah import COST, JOINTS, NOISE, PLACE, SPEEDS

SEED = tf.constant([1, 2])


def test_a_run_is_that_of_gymnasiums_cheetah(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo logs warnings where it is started
    environment = pytest.importorskip("gymnasium").make("HalfCheetah-v5", ctrl_cost_weight=COST)
    theirs = environment.unwrapped
    world, forwards = Cheetah(), tf.ones([1])
    theirs.reset(seed=0)
    state = world.start(forwards, 1, SEED)
    first = state[0, 0].numpy()
    theirs.set_state(first[PLACE:SPEEDS], first[SPEEDS:])
    rng = np.random.default_rng(0)
    for _ in range(10):  # a run is chaotic: roundings grow by ten in every twenty steps or so
        action = rng.uniform(-1, 1, 6).astype(np.float32)
        seen, reward, ended, *_ = theirs.step(action)
        state, ours, over = world.step(forwards, state, tf.constant(action[None, None]), SEED)
        np.testing.assert_allclose(world.observe(forwards, state)[0, 0], seen, rtol=1e-5, atol=1e-5)
        assert float(ours[0, 0]) == pytest.approx(reward, rel=1e-4, abs=1e-4)
        assert not ended and not over[0, 0]
    assert world.simulator.seconds == pytest.approx(theirs.dt)


def test_both_directions_come_as_often_and_are_paid_for_opposite_ways():
    world = Cheetah()
    directions = world.tasks(6, SEED).numpy()
    assert sorted(directions) == [-1, -1, -1, 1, 1, 1]
    alone = {float(world.tasks(1, tf.constant([seed, 0]))[0]) for seed in range(10)}
    assert alone == {-1, 1}
    both = tf.constant([1.0, -1.0])
    state = tf.repeat(world.start(both[:1], 3, SEED), 2, axis=0)  # the same in both tasks
    action = tf.fill([2, 3, 6], 0.5)
    moved, reward, _ = world.step(both, state, action, SEED)
    way = moved[0, :, PLACE] - state[0, :, PLACE]
    np.testing.assert_allclose(reward[0] - reward[1], 2 * way / world.simulator.seconds, rtol=1e-5)
    np.testing.assert_allclose(reward[0] + reward[1], [-2 * COST * 6 * 0.25] * 3, rtol=1e-4)


def test_a_step_is_a_function_of_state_and_action_whatever_runs_beside():
    world, tasks = Cheetah(), tf.ones([4])
    state, action = world.start(tasks, 5, SEED), tf.random.stateless_uniform([4, 5, 6], SEED, -1, 1)
    for _ in range(20):
        state, *_ = world.step(tasks, state, action, SEED)
    together = world.step(tasks, state, action, SEED)[0]
    for task in range(4):
        alone = world.step(tasks[:1], state[task : task + 1], action[task : task + 1], SEED)[0]
        np.testing.assert_array_equal(alone[0], together[task])


def test_actions_are_cut_and_the_place_is_not_seen():
    world, task = Cheetah(), tf.ones([1])
    state = world.start(task, 1, SEED)
    large, one = (world.step(task, state, tf.fill([1, 1, 6], size), SEED) for size in (9.0, 1.0))
    np.testing.assert_array_equal(large[0], one[0])
    np.testing.assert_array_equal(large[1], one[1])
    elsewhere = state + tf.one_hot(PLACE, state.shape[-1], dtype=tf.float64)
    np.testing.assert_array_equal(world.observe(task, elsewhere), world.observe(task, state))
    speeds = world.observe(task, large[0])[0, 0, JOINTS - 1 :]
    np.testing.assert_allclose(speeds, large[0][0, 0, SPEEDS:], rtol=1e-6)
    assert float(speeds[0]) == float(world.observe(task, large[0])[0, 0, world.FORWARDS])


def test_it_begins_standing_but_for_some_noise():
    begun = Cheetah().start(tf.ones([2]), 2000, SEED).numpy()
    assert not begun[..., 0].any()  # the time
    pose, speeds = begun[..., PLACE:SPEEDS], begun[..., SPEEDS:]
    assert np.abs(pose).max() <= NOISE and pose.std() == pytest.approx(NOISE / 3**0.5, rel=0.02)
    assert speeds.std() == pytest.approx(NOISE, rel=0.02)


def test_loading_the_model_warns_nobody(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Cheetah()
    assert not any(tmp_path.iterdir()) and "WARNING" not in capfd.readouterr().err


def test_without_mujoco_it_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(DataError, match="needs MuJoCo and gymnasium .* requirements-mujoco.txt"):
        Cheetah()

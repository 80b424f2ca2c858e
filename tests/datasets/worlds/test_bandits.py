"""Slot machines: arms pay as often as they should."""

import numpy as np
import pytest
import tensorflow as tf

from datasets import DataError
from datasets.worlds import Bandits


def test_an_arm_pays_as_often_as_its_chance():
    world = Bandits(arms=3)
    chances = tf.constant([[0.1, 0.5, 0.9]])
    state = world.start(chances, 4000, tf.constant([0, 0]))
    for arm, chance in enumerate(chances[0]):
        pulls = tf.fill([1, 4000], arm)
        state, reward, ended = world.step(chances, state, pulls, tf.constant([3, arm]))
        assert float(tf.reduce_mean(reward)) == pytest.approx(float(chance), abs=0.025)
        assert set(np.unique(reward)) <= {0.0, 1.0} and not ended.numpy().any()


def test_the_last_pull_and_its_reward_are_seen():
    world = Bandits(arms=3)
    chances = tf.constant([[0.0, 1.0, 0.5]])
    state = world.start(chances, 2, tf.constant([0, 0]))
    assert not world.observe(chances, state).numpy().any()  # before the first pull
    state, *_ = world.step(chances, state, tf.constant([[0, 1]]), tf.constant([0, 1]))
    assert world.observe(chances, state).numpy().tolist() == [[[1, 0, 0, 0], [0, 1, 0, 1]]]


def test_e6_16_the_number_of_arms_stays_and_the_arms_differ():
    world = Bandits(arms=4)
    chances = world.tasks(500, tf.constant([0, 1])).numpy()
    assert chances.shape == (500, 4) and world.actions == 4
    assert len(np.unique(chances.argmax(axis=1))) == 4
    with pytest.raises(DataError, match="1 arm\\(s\\) leave nothing to choose"):
        Bandits(arms=1)

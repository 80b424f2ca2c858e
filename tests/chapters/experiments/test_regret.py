"""Regret of slot machines against loops, and Thompson sampling against what is known of it."""

import numpy as np
import tensorflow as tf

from chapters.ch06_maml import train_acting
from chapters.ch06_maml.presets import SCRIPTS
from chapters.engine import configuration
from chapters.experiments import acting
from chapters.experiments.acting import regret
from chapters.experiments.acting.testing import phases
from tests.chapters.graphs import without_graphs

TINY = [
    "--world", "bandits", "--arms", "3", "--horizon", "2", "--hidden", "4", "--test-tasks", "2",
    "--test-trajectories", "4", "--shown-steps", "0,1",
]  # fmt: skip
CHANCES = np.array([[0.9, 0.1, 0.5], [0.2, 0.3, 0.25]], np.float32)


def test_pulls_before_a_step_count_in_their_order():
    config = configuration.parse(SCRIPTS["train_acting"], TINY)
    learner, world = train_acting.build_learner(config), acting.make_world(config)
    task = tf.constant(CHANCES)
    with without_graphs():
        found = regret.of_learner(learner, world, task, config, 5)
        drawn = [d.action.numpy() for _, d in phases(learner, world, task, config, 5)]
    assert found.shape == (2, 2 * 4 * 2)  # two phases of four trajectories of two pulls
    for machine in range(2):
        total, pull = 0.0, 0
        for actions in drawn:
            for trajectory in range(4):
                for time in range(2):
                    arm = actions[machine, trajectory, time]
                    total += CHANCES[machine].max() - CHANCES[machine, arm]
                    np.testing.assert_allclose(found[machine, pull], total, rtol=1e-5)
                    pull += 1


def test_chance_loses_the_mean_gap_with_every_pull():
    found = regret.at_random(CHANCES, 10)
    np.testing.assert_allclose(found[0, 9], 10 * (0.9 - 0.5), rtol=1e-5)
    np.testing.assert_allclose(np.diff(found[1]), 0.3 - 0.25, rtol=1e-4)


def test_thompson_sampling_finds_the_best_arm():
    machines = np.repeat(CHANCES[:1], 200, axis=0)
    found = regret.thompson(machines, 400, seed=0)
    assert (np.diff(found, axis=1) >= 0).all()
    by_chance = regret.at_random(machines, 400)
    first, last = found[:, 9].mean(), (found[:, -1] - found[:, -101]).mean()
    assert first > 0.8 * 0.5 * by_chance[:, 9].mean()  # it knows nothing at first
    assert last < 0.05 * 100 * 0.4  # of the last hundred pulls hardly one is wrong
    np.testing.assert_array_equal(found, regret.thompson(machines, 400, seed=0))


def test_one_arm_that_never_pays_less_costs_nothing():
    equal = np.full([3, 4], 0.5, np.float32)
    assert not regret.thompson(equal, 20, seed=1).any()
    assert not regret.at_random(equal, 20).any()

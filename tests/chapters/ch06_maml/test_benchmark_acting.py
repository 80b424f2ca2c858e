"""What the benchmark of acting compares does the same thing."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import benchmark_acting, train_acting
from chapters.ch06_maml.presets import SCRIPTS
from chapters.engine import configuration
from chapters.experiments import acting
from tests.chapters.graphs import without_graphs


def test_the_peer_of_the_benchmark_earns_the_same():
    pytest.importorskip("gymnasium")
    arguments = ["--horizon", "4", "--tasks", "2", "--trajectories", "3", "--hidden", "5,4"]
    config = configuration.parse(SCRIPTS["train_acting"], arguments)
    learner, world = train_acting.build_learner(config), acting.make_world(config)
    learner.policy.log_std.assign([-20.0, -20.0])  # hardly any chance
    goals = tf.constant([[0.3, -0.2], [0.1, 0.4]])
    with without_graphs():
        ours = benchmark_acting.in_graph(world, learner, goals, config.trajectories)()
    theirs = benchmark_acting.by_gymnasium(learner, goals.numpy(), config, config.horizon)()
    ours = np.reshape(ours, [-1, config.horizon])  # [task * trajectory, time]
    np.testing.assert_allclose(ours, theirs.T, rtol=1e-3, atol=1e-4)

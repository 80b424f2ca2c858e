"""First-order steps to begin with: which step is taken when, and what a broken run remembers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import maml, train_omniglot
from chapters.ch06_maml.losses import squared_error
from chapters.ch06_maml.maml import MAML
from chapters.ch06_maml.presets import SCRIPTS
from chapters.ch06_maml.warm_start import switched_step
from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from datasets.tasks.sinusoid import SineTasks
from tests.chapters.meta_gradients import regression, tanh_network


def trained(weights, orders):
    """Weights after a training step of each order, one after the other: True is first-order."""
    network, optimizer = tanh_network(), keras.optimizers.Adam(0.1)
    network.set_weights(weights)
    optimizer.build(network.trainable_variables)
    steps = {
        first: maml.train_step(
            MAML(network, squared_error, 0.5, first_order=first), optimizer, "batched"
        )
        for first in (True, False)
    }
    for number, first in enumerate(orders):
        steps[first](regression(seed=number, dtype=tf.float32))
    return network.get_weights()


@pytest.mark.parametrize("compiler", [tf.function, lambda step: step])
@pytest.mark.parametrize("after", [0, 2, 5])
def test_the_first_steps_are_first_order_and_the_others_are_not(after, compiler):
    network, optimizer = tanh_network(), keras.optimizers.Adam(0.1)
    start = network.get_weights()
    optimizer.build(network.trainable_variables)
    first, then = (
        maml.train_step(MAML(network, squared_error, 0.5, first_order=one), optimizer, "sequential")
        for one in (True, False)
    )
    step = compiler(switched_step(first, then, optimizer, after))
    for number in range(5):
        metrics = step(regression(seed=number, dtype=tf.float32), tf.constant([0, number]))
        assert set(metrics) == {"loss"}
    orders = [number < after for number in range(5)]
    for ours, theirs in zip(network.get_weights(), trained(start, orders), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    if after == 2:
        other = trained(start, [False] * 5)
        assert (
            max(np.abs(a - b).max() for a, b in zip(other, network.get_weights(), strict=True))
            > 1e-3
        )


def test_only_the_step_that_is_due_is_computed():
    optimizer, taken = keras.optimizers.SGD(0.1), []

    def noting(name):
        def step(batch, seed):
            tf.py_function(lambda: taken.append(name), [], [])
            optimizer.iterations.assign_add(1)
            return {"loss": batch}

        return step

    step = tf.function(switched_step(noting("first"), noting("then"), optimizer, 2))
    for _ in range(4):
        step(tf.constant(1.0), tf.constant([0, 0]))
    assert taken == ["first", "first", "then", "then"]


def ending(folder, *lengths):
    """Weights of a run on curves that was broken off after each length but the last."""
    for steps in lengths:
        keras.utils.set_random_seed(0)
        network, optimizer = tanh_network(1), keras.optimizers.Adam(0.1)
        optimizer.build(network.trainable_variables)
        learner, cheap = (
            MAML(network, squared_error, 0.5, first_order=first) for first in (False, True)
        )
        first, then = (maml.train_step(one, optimizer, "batched") for one in (cheap, learner))
        options = {"run": str(folder), "resume": steps != lengths[0]}
        Loop(
            switched_step(first, then, optimizer, 2),
            SineTasks(3, 3, tasks=2),
            model=learner,
            optimizer=optimizer,
            run=RunFolder.open(configuration.build(SCRIPTS["train_sine"], "quick", options), "w"),
            steps=steps,
            steps_per_epoch=1,
            verbose=0,
        )()
    return network.get_weights()


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_a_run_broken_before_at_or_after_the_change_ends_with_the_same_bits(broken, tmp_path):
    expected = ending(tmp_path / "unbroken", 4)
    found = ending(tmp_path / "broken", broken, 4)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_warm_start_is_named_and_runs_on_one_device():
    config = configuration.build(SCRIPTS["train_omniglot"], "maml_20way_warm", {"filters": 2})
    assert train_omniglot.name_of(config) == "MAML, warm start"
    learner = train_omniglot.build_learner(config)
    config = configuration.build(
        SCRIPTS["train_omniglot"], "maml_20way_warm", {"filters": 2, "strategy": "mirrored"}
    )
    with pytest.raises(ConfigError, match="runs on one device: use --strategy none or"):
        train_omniglot.outer_step(config, learner, keras.optimizers.Adam())

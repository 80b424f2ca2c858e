"""Tasks on several devices are weighed against each other as on one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml.losses import squared_error
from chapters.ch08_gradient_agreement.gradient_agreement import (
    GradientAgreement,
    maml_step,
    reptile_step,
)
from chapters.engine import strategies
from tests.chapters.engine.children import Child
from tests.chapters.engine.test_strategies import split_cpu
from tests.chapters.meta_gradients import regression, tanh_network

STEPS = {"maml": maml_step, "reptile": reptile_step}


def update_and_save(name, devices, path):
    """In a child: one step on four tasks shared by ``devices``; weights and metrics to a file."""
    split_cpu(devices)
    strategy = strategies.make("mirrored" if devices > 1 else "none")
    keras.utils.set_random_seed(1)
    with strategy.scope():
        learner = GradientAgreement(tanh_network(), squared_error, 0.2, inner_steps=2)
        optimizer = keras.optimizers.SGD(1.0)
        optimizer.build(learner.trainable_variables)
    step = STEPS[name](learner, optimizer, "batched", outliers=1)
    batch = regression(tasks=4, dtype=tf.float32)

    @tf.function
    def run():
        told = strategy.run(lambda: step(strategies.share(batch, strategy)))
        return {k: strategy.reduce(tf.distribute.ReduceOp.MEAN, v, None) for k, v in told.items()}

    told = {name: value.numpy() for name, value in run().items()}
    weights = [variable.numpy() for variable in learner.trainable_variables]
    np.savez(path, *weights, **told)


@pytest.mark.parametrize("name", STEPS)
def test_two_devices_take_the_step_of_one(tmp_path, name):
    results = []
    for devices in (1, 2):
        path = tmp_path / f"{devices}.npz"
        Child(tmp_path / f"{devices}.txt", update_and_save, name, devices, str(path)).finish()
        results.append(np.load(path))
    one, two = results
    assert set(one.files) == set(two.files) >= {"weight_outliers", "weight_others", "loss"}
    for array in one.files:
        np.testing.assert_allclose(two[array], one[array], rtol=1e-5, atol=1e-6, err_msg=array)

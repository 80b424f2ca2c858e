"""Outlier tasks: which tasks they are, what is random about them, and that a seed repeats them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import networks
from chapters.ch06_maml.losses import squared_error
from chapters.ch08_gradient_agreement.gradient_agreement import GradientAgreement, maml_step
from chapters.ch08_gradient_agreement.outliers import Outliers
from datasets.tasks.hyperplanes import HyperplaneTasks
from datasets.tasks.sinusoid import SineTasks

TASKS, OUTLIERS = 5, 2


def samplers(kind=SineTasks, **options):
    plain = kind(10, 6, TASKS, seed=3, **options)
    return plain, Outliers(plain, OUTLIERS)


@pytest.mark.parametrize("kind", [SineTasks, HyperplaneTasks])
def test_only_the_last_tasks_change_and_only_their_targets(kind):
    plain, spoiled = samplers(kind)
    (inputs, query_y), (found, found_y) = plain(4), spoiled(4)
    for name in ("support_x", "query_x"):
        np.testing.assert_array_equal(found[name], inputs[name])
    for before, after in ((inputs["support_y"], found["support_y"]), (query_y, found_y)):
        assert after.shape == before.shape
        assert after.dtype == before.dtype
        same = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
        assert same == [True] * (TASKS - OUTLIERS) + [False] * OUTLIERS
    assert (spoiled.tasks, spoiled.seed) == (plain.tasks, plain.seed)


def test_outlier_targets_are_those_of_the_batch_and_tell_nothing_about_the_inputs():
    plain, spoiled = samplers()
    inputs, query_y = plain(0)
    pool = np.concatenate([np.ravel(inputs["support_y"]), np.ravel(query_y)])
    found, found_y = spoiled(0)
    assert np.isin(found["support_y"][-OUTLIERS:], pool).all()
    assert np.isin(found_y[-OUTLIERS:], pool).all()

    plain = HyperplaneTasks(50, 50, tasks=40)
    labels, drawn = plain(0)[1][-20:], Outliers(plain, 20)(0)[1][-20:]
    assert abs(np.mean(labels == drawn) - 0.5) < 0.06  # a thousand coins


def test_a_seed_and_an_index_repeat_them_in_graphs_too():
    _, spoiled = samplers()
    again = samplers()[1](7)
    tf.nest.map_structure(np.testing.assert_array_equal, spoiled(7), again)
    compiled = tf.function(spoiled, jit_compile=True)(tf.constant(7))
    np.testing.assert_allclose(compiled[1], again[1], rtol=1e-5, atol=1e-5)
    assert not np.array_equal(spoiled(8)[1], again[1])


def test_e8_8_after_some_training_an_outlier_task_counts_less_than_the_others():
    tasks = Outliers(SineTasks(20, 10, tasks=10, seed=0), 1)
    learner = GradientAgreement(networks.mlp(1, 1, [20, 20], "relu"), squared_error, 0.01)
    optimizer = keras.optimizers.Adam(0.003)
    optimizer.build(learner.trainable_variables)
    step = maml_step(learner, optimizer, "batched", outliers=1)

    @tf.function
    def surplus(first, count):
        """By how much the others' mean weight is above that of the outlier task: [step]."""

        def one(index):
            told = step(tasks(index))
            return told["weight_others"] - told["weight_outliers"]

        return tf.map_fn(one, tf.range(first, first + count), fn_output_signature=tf.float32)

    surplus(0, 200)
    found = surplus(200, 600).numpy()
    assert found.mean() > 3 * found.std() / np.sqrt(len(found))

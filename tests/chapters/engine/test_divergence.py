"""An inner loop that diverges is located: task, batch, step."""

import keras
import pytest
import tensorflow as tf

from chapters.ch06_maml.losses import squared_error
from chapters.ch06_maml.maml import MAML
from chapters.engine.divergence import explain_divergence
from datasets.tasks.sinusoid import SineTasks


def learner(rate, steps=3):
    network = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    return MAML(network, squared_error, rate, inner_steps=steps)


@pytest.mark.parametrize(("rate", "step"), [(1e25, 1), (1e10, 2)])
def test_an_inner_loop_that_diverges_is_located(rate, step):
    """The square of a weight of 1e20 overflows; at a rate of 1e10 it takes a second step."""
    said = explain_divergence(learner(rate), SineTasks(5, 5, tasks=2, seed=3), index=7)
    assert "task 0 of batch 7 (seed 3)" in said
    assert f"not finite after inner step {step}, rate {rate:g}: lower the inner rate" in said


def test_the_first_task_that_diverges_is_named():
    class OneWild(SineTasks):
        """Targets of the second task, and of the third, are huge."""

        def __call__(self, index):
            inputs, query_y = super().__call__(index)
            wild = tf.constant([1.0, 1e18, 1e18, 1.0])[:, None, None]
            return {**inputs, "support_y": inputs["support_y"] * wild}, query_y

    said = explain_divergence(learner(10.0), OneWild(5, 5, tasks=4), index=0)
    assert "The support loss of task 1 of batch 0" in said


def test_a_loop_that_stays_finite_needs_no_explanation():
    assert explain_divergence(learner(0.01), SineTasks(5, 5, tasks=2), index=0) == ""

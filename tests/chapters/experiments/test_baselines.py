"""Joint training and fine-tuning: what a meta-learned initialisation is compared with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import networks
from chapters.ch06_maml.losses import cross_entropy, squared_error
from chapters.experiments import sine
from chapters.experiments.options import SineOptions
from chapters.experiments.sine.fine_tuning import FineTuning, joint_step
from tests.chapters.meta_gradients import classification, regression, tanh_network


def linear(inputs, outputs):
    return keras.Sequential([keras.layers.Input((inputs,)), keras.layers.Dense(outputs)])


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_fine_tuning_is_gradient_descent_on_each_tasks_support_set(float64, steps):
    learner = FineTuning(linear(2, 1), squared_error, 0.1)
    inputs, _ = regression()
    found = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
    for task in range(3):
        w, b = (v.numpy() for v in learner.trainable_variables)
        x, y = inputs["support_x"][task].numpy(), inputs["support_y"][task].numpy()
        for _ in range(steps):
            slope = 2 * (x @ w + b - y) / len(x)
            w, b = w - 0.1 * x.T @ slope, b - 0.1 * slope.sum(axis=0)
        np.testing.assert_allclose(found[0][task], w, rtol=1e-10)
        np.testing.assert_allclose(found[1][task], b, rtol=1e-10)
        predicted = learner.predict_with(found, inputs["query_x"])[task]
        np.testing.assert_allclose(predicted, inputs["query_x"][task] @ w + b, rtol=1e-10)


def test_the_rate_is_that_of_the_moment(float64):
    """The experiment tries several."""
    learner, (inputs, _) = FineTuning(linear(2, 1), squared_error, 0.0), regression()
    still = learner.adapt(inputs["support_x"], inputs["support_y"], 2)
    learner.rate = 0.1
    moved = learner.adapt(inputs["support_x"], inputs["support_y"], 2)
    np.testing.assert_array_equal(still[0], np.stack([learner.trainable_variables[0]] * 3))
    assert np.abs(moved[0] - still[0]).min() > 0


@pytest.mark.parametrize(
    ("network", "objective", "batch"),
    [
        (tanh_network, squared_error, regression),
        (lambda: linear(2, 3), cross_entropy, classification),
    ],
)
def test_a_joint_step_is_an_ordinary_one_on_all_query_points(float64, network, objective, batch):
    learner, (inputs, query_y) = FineTuning(network(), objective, 0.0), batch()
    variables = learner.trainable_variables
    with tf.GradientTape() as tape:
        prediction = learner.network(tf.reshape(inputs["query_x"], [-1, 2]))
        together = tf.reshape(query_y, [1, -1, *query_y.shape[2:]])
        loss = objective(together, prediction[None])[0]
    expected = [v - 0.5 * g for v, g in zip(variables, tape.gradient(loss, variables), strict=True)]
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build(variables)
    found = joint_step(learner, optimizer)((inputs, query_y))
    np.testing.assert_allclose(found["loss"], loss, rtol=1e-12)
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-10, atol=1e-12)


# Erratum of the README "MAML in raw numpy".


def trained_jointly(curves: str):
    """What a network trained on all curves of a family predicts at x [point]."""
    keras.utils.set_random_seed(0)
    config = SineOptions(curves=curves)
    tasks = sine.sampler(config, 0, shot=1, query=10, tasks=100)
    learner = FineTuning(networks.mlp(1, 1, activation="tanh"), squared_error, 0.0)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 1000))
    optimizer.build(learner.trainable_variables)
    step = joint_step(learner, optimizer)

    @tf.function(jit_compile=True)
    def train():
        for index in tf.range(1000):
            step(tasks(index))

    train()
    x = np.linspace(-5, 5, 101, dtype=np.float32)
    return x, learner.network(x[:, None]).numpy()[:, 0]


def test_er_1_joint_training_learns_the_mean_curve_which_is_not_always_zero():
    """Phase in [0, pi]: E[A sin(x + b)] = E[A] 2 / pi cos x = 1.62 cos x."""
    x, mean = trained_jointly("maml")
    expected = (0.1 + 5.0) / 2 * 2 / np.pi * np.cos(x)
    assert np.corrcoef(mean, np.cos(x))[0, 1] > 0.98
    assert np.sqrt(np.mean((mean - expected) ** 2)) < 0.2
    _, mean = trained_jointly("full_circle")
    assert np.sqrt(np.mean(mean**2)) < 0.2

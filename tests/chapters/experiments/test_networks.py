"""The networks of the experiments: sizes that the papers give, and two errata of chapter 7."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from chapters.experiments import networks


def trainable(network) -> int:
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def test_conv4_is_the_papers_network_for_omniglot():
    network = networks.conv4((28, 28, 1), 5)
    kernels, offsets = 9 * 64 + 3 * 9 * 64 * 64, 4 * 64
    assert trainable(network) == kernels + offsets + 64 * 5 + 5 == 111_749
    assert network.count_params() == 111_749 + 4 * 128 == 112_261  # and stored averages
    convolutions = [layer for layer in network.layers if isinstance(layer, layers.Conv2D)]
    assert [layer.output.shape[1:3] for layer in convolutions] == [(14,) * 2, (7,) * 2, (4,) * 2,
                                                                   (2,) * 2]  # fmt: skip
    assert network.output_shape == (None, 5)


def test_dense4_has_the_papers_layers():
    network = networks.dense4((28, 28, 1), 5)
    sizes = [28 * 28, 256, 128, 64, 64]
    kernels = sum(a * b for a, b in zip(sizes, sizes[1:], strict=False))
    assert trainable(network) == kernels + sum(sizes[1:]) + 64 * 5 + 5
    assert network.output_shape == (None, 5)


def test_the_sine_network_has_the_papers_layers():
    network = networks.mlp(1, 1)
    assert network.count_params() == (40 + 40) + (40 * 40 + 40) + (40 + 1)
    other = networks.mlp(3, 2, (5,), dtype="float64")(tf.zeros([4, 3], tf.float64))
    assert (other.shape, other.dtype) == ((4, 2), tf.float64)


@pytest.mark.parametrize("build", [networks.conv4, networks.dense4])
def test_way_and_filters_are_free(build):
    assert build((20, 20, 3), 7)(tf.zeros([2, 20, 20, 3])).shape == (2, 7)
    assert networks.conv4((28, 28, 1), 5, filters=2).layers[0].filters == 2


# Errata of chapter 7 (the numbers are those of the table in the chapter's README).


def books_network():
    """64 units and one output, all weights from U(0, 1), tanh everywhere."""
    uniform = {"kernel_initializer": keras.initializers.RandomUniform(0, 1)}
    dense = [layers.Dense(units, "tanh", **uniform) for units in (64, 1)]
    return keras.Sequential([layers.Input((1,)), *dense])


def test_e7_10_the_output_is_linear_and_reaches_an_amplitude_of_five():
    x = tf.linspace(-5.0, 5.0, 50)[:, None]
    y = 5.0 * tf.sin(x)
    network = networks.mlp(1, 1, activation="tanh")
    assert network.layers[-1].activation is keras.activations.linear
    optimizer = keras.optimizers.Adam(0.02)
    optimizer.build(network.trainable_variables)

    @tf.function(jit_compile=True)
    def train():
        for _ in tf.range(1500):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((network(x) - y) ** 2)
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply(gradients, network.trainable_variables)

    train()
    assert float(tf.reduce_mean((network(x) - y) ** 2)) < 0.1
    best = tf.clip_by_value(y, -1.0, 1.0)  # of a tanh
    assert float(tf.reduce_mean((best - y) ** 2)) > 7.0


def share_of_zero_gradients(network) -> float:
    """Share of inputs in (-5, 5) for which the output has a gradient of exactly zero."""
    x = tf.linspace(-5.0, 5.0, 50)[:, None]
    with tf.GradientTape() as tape:
        y = network(x)
    per_input = tape.jacobian(y, network.trainable_variables)  # [input, 1, ...] each
    flat = np.concatenate([np.reshape(g, [50, -1]) for g in per_input], axis=1)
    return float(np.mean(np.all(flat == 0, axis=1)))


def test_e7_11_no_unit_is_saturated_at_the_start():
    for seed in range(5):
        keras.utils.set_random_seed(seed)
        for activation in ("tanh", "relu"):
            assert share_of_zero_gradients(networks.mlp(1, 1, (64,), activation)) == 0.0
        assert share_of_zero_gradients(books_network()) > 0.5

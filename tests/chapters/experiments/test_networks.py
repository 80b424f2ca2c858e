"""The networks of the experiments have the sizes that the papers give (E7.10, E7.11: chapter 7)."""

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
    assert network.layers[-1].activation is keras.activations.linear
    other = networks.mlp(3, 2, (5,), dtype="float64")(tf.zeros([4, 3], tf.float64))
    assert (other.shape, other.dtype) == ((4, 2), tf.float64)


@pytest.mark.parametrize("build", [networks.conv4, networks.dense4])
def test_way_and_filters_are_free(build):
    assert build((20, 20, 3), 7)(tf.zeros([2, 20, 20, 3])).shape == (2, 7)
    assert networks.conv4((28, 28, 1), 5, filters=2).layers[0].filters == 2

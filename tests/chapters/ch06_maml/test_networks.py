"""The networks have the sizes that the papers give (E7.10, E7.11: chapter 7)."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from chapters.ch06_maml import networks, train_omniglot
from chapters.ch06_maml.presets import OmniglotConfig
from chapters.engine.errors import ConfigError
from chapters.experiments.options import SineOptions


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


def test_the_sine_network_is_that_of_the_options():
    network = networks.sine_network(SineOptions(hidden="7, 5", activation="tanh"))
    assert [layer.units for layer in network.layers] == [7, 5, 1]
    assert network.layers[0].activation is keras.activations.tanh


def test_the_blogs_first_weights_are_uniform():
    """To 1 in the first layer, then to 1/sqrt(inputs)."""
    network = networks.sine_network(SineOptions(hidden="400,300", init="blog"))
    kernels = network.trainable_variables[::2]
    for kernel, limit in zip(kernels, (1.0, 1 / math.sqrt(400), 1 / math.sqrt(300)), strict=True):
        largest = np.abs(kernel).max()
        assert 0.95 * limit < largest <= limit
        assert abs(np.mean(kernel)) < 0.1 * limit


@pytest.mark.parametrize("hidden", ["40,x", "", "40,,40", "0"])
def test_widths_that_are_not_numbers_are_refused(hidden):
    with pytest.raises(ConfigError, match=f"--hidden is {hidden!r}"):
        networks.sine_network(SineOptions(hidden=hidden))


def test_the_image_network_is_that_of_the_options():
    options = {"data": "strokes", "way": 7, "filters": 3}
    network = train_omniglot.build_network(OmniglotConfig(**options))
    assert network.name == "conv4" and network.output_shape == (None, 7)
    assert network.layers[0].filters == 3
    dense = OmniglotConfig(network="dense4", **options)
    assert train_omniglot.build_network(dense).name == "dense4"

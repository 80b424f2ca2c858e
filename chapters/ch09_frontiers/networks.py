"""The networks that are adapted: for curves, for images, and the book's single layer.

All are plain ``keras.Sequential``, [item, ...] -> [item, out]. Chapters 6, 7 and 8 have the same,
so that their methods can be compared.
"""

import math

import keras
import tensorflow as tf
from keras import layers

from chapters.experiments.options import SineOptions, widths


def mlp(inputs: int, outputs: int, hidden=(40, 40), activation="relu", dtype="float32", **options):
    """Dense network, ``1 -> 40 -> 40 -> 1`` for sine curves as in the MAML paper.

    The output is linear: a tanh could not exceed 1 where a curve reaches 5 (E7.10). Keras' Glorot
    initialiser keeps the units out of saturation (E7.11).

    Args:
        inputs, outputs: sizes.
        hidden: units of the hidden layers.
        activation: of the hidden layers.
        dtype: of weights and outputs.
        options: passed to every ``Dense`` layer.
    """
    options = {"dtype": dtype, **options}
    hidden_layers = [layers.Dense(units, activation, **options) for units in hidden]
    return keras.Sequential(
        [layers.Input((inputs,), dtype=dtype), *hidden_layers, layers.Dense(outputs, **options)],
        name="mlp",
    )


def sine_network(config: SineOptions) -> keras.Sequential:
    """The network for sine curves that the options ask for, with its first weights."""
    network = mlp(1, 1, widths(config.hidden, "--hidden"), config.activation)
    if config.init != "glorot":
        draw_as_pytorch(network, biases=config.init == "pytorch")
    return network


def draw_as_pytorch(network, biases: bool) -> None:
    """First weights uniform to 1 / sqrt(inputs of the layer), as PyTorch draws them.

    Args:
        network: ``mlp``.
        biases: draw them as well; the blog leaves them at zero.
    """
    weights = network.trainable_variables
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        limit = 1 / math.sqrt(kernel.shape[0])
        kernel.assign(tf.random.uniform(kernel.shape, -limit, limit))
        if biases:
            bias.assign(tf.random.uniform(bias.shape, -limit, limit))


def strided_block(filters: int) -> list:
    """Convolution 3x3 with stride 2, batch norm, ReLU: halves height and width.

    The stride stands in for pooling: it is the paper's choice for Omniglot, and its second
    derivative is cheap. Without bias, which batch norm subtracts again; the scale is left to the
    next layer.
    """
    return [
        layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False),
        layers.BatchNormalization(scale=False),
        layers.ReLU(),
    ]


def conv4(image_shape, way: int, filters: int = 64) -> keras.Sequential:
    """Four blocks, the mean over space, one linear layer: the paper's network for Omniglot.

    28 x 28 images: 28 -> 14 -> 7 -> 4 -> 2 pixels, 64 features, ``way`` logits.
    """
    blocks = [layer for _ in range(4) for layer in strided_block(filters)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(way)]
    return keras.Sequential([layers.Input(image_shape), *blocks, *head], name="conv4")


def dense4(image_shape, way: int) -> keras.Sequential:
    """256, 128, 64 and 64 units with batch norm and ReLU: the paper's network without convolutions.

    The linear layer on top has ``way`` logits.
    """
    chain = [layers.Input(image_shape), layers.Flatten()]
    for units in (256, 128, 64, 64):
        norm = layers.BatchNormalization(scale=False)
        chain += [layers.Dense(units, use_bias=False), norm, layers.ReLU()]
    return keras.Sequential([*chain, layers.Dense(way)], name="dense4")


def logistic_layer(inputs: int) -> keras.Sequential:
    """sigmoid(x theta) without bias, theta ~ N(0, 1) as in the book; the output is the logit.

    Inputs are moved from [0, 1] to [-1, 1]: their mean of 1/2 in all directions would drown what
    the labels depend on.
    """
    normal = keras.initializers.RandomNormal(0.0, 1.0)
    return keras.Sequential(
        [
            layers.Input((inputs,)),
            layers.Rescaling(2.0, -1.0),
            layers.Dense(1, use_bias=False, kernel_initializer=normal),
        ]
    )

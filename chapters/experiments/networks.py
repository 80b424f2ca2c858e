"""The networks that every method of an experiment starts from, so that methods can be compared.

All are plain ``keras.Sequential``, [item, ...] -> [item, out].
"""

import keras
from keras import layers


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


def convolution_block(filters: int) -> list:
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
    blocks = [layer for _ in range(4) for layer in convolution_block(filters)]
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

"""The network that the meta-LSTM adapts: that of chapters 6 to 8."""

import keras
from keras import layers


def strided_block(filters: int) -> list:
    """Convolution 3x3 with stride 2, batch norm, ReLU: halves height and width.

    Without bias, which batch norm subtracts again; the scale is left to the next layer.
    """
    return [
        layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False),
        layers.BatchNormalization(scale=False),
        layers.ReLU(),
    ]


def body(image_shape, filters: int) -> list:
    """Layers up to the features: four blocks and the mean over space, [item, filters]."""
    blocks = [layer for _ in range(4) for layer in strided_block(filters)]
    return [layers.Input(image_shape), *blocks, layers.GlobalAveragePooling2D()]


def conv4(image_shape, outputs: int, filters: int) -> keras.Sequential:
    """Four blocks, the mean over space, one linear layer with ``outputs`` logits."""
    return keras.Sequential([*body(image_shape, filters), layers.Dense(outputs)], name="conv4")

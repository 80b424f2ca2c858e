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


def conv4(image_shape, outputs: int, filters: int) -> keras.Sequential:
    """Four blocks, the mean over space, one linear layer with ``outputs`` logits."""
    blocks = [layer for _ in range(4) for layer in strided_block(filters)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(outputs)]
    return keras.Sequential([layers.Input(image_shape), *blocks, *head], name="conv4")

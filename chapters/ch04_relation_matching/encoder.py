"""Conv-4, the encoder of images that the learners of chapters 2 to 4 share.

These chapters and the ninth have the same file, so that their methods can be compared.
"""

import keras
from keras import layers

from chapters.engine.layers import BatchNormalization


def convolution_block(out_channels: int, momentum: float = 0.99) -> keras.Sequential:
    """Convolution 3x3, batch normalisation, ReLU, max-pooling 2x2.

    The convolution has no bias: batch normalisation would subtract it again.
    """
    return keras.Sequential(
        [
            layers.Conv2D(out_channels, 3, padding="same", use_bias=False),
            BatchNormalization(momentum=momentum),
            layers.ReLU(),
            layers.MaxPooling2D(2),  # height and width halved, rounded down
        ]
    )


def get_embeddings(
    image_shape, h_dim: int = 64, z_dim: int = 64, momentum: float = 0.99
) -> keras.Sequential:
    """Conv-4, the encoder f_phi: image [height, width, channel] -> embedding [dim].

    28 x 28 images give 64 features: 28 -> 14 -> 7 -> 3 -> 1 pixels of 64 channels.

    Args:
        image_shape: height, width and channels of an image.
        h_dim: channels of the first three convolutions.
        z_dim: channels of the last one.
        momentum: how much of batch norm's stored averages each training step keeps.
    """
    return keras.Sequential(
        [
            layers.Input(image_shape),
            convolution_block(h_dim, momentum),
            convolution_block(h_dim, momentum),
            convolution_block(h_dim, momentum),
            convolution_block(z_dim, momentum),
            layers.Flatten(),
        ],
        name="encoder",
    )

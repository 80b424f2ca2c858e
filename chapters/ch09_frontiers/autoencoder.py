"""An embedding without labels: an autoencoder whose in-betweens must look real.

ACAI, "adversarially constrained autoencoder interpolation" (Berthelot et al., 2019): pictures are
encoded and decoded; a critic learns to tell how far a decoded mixture of two codes is from a
picture, and the autoencoder learns to make it say 0. Codes of similar pictures are then close, as
clusters need it (Hsu, Levine and Finn, 2019).
"""

import keras
import tensorflow as tf
from keras import layers

from chapters.engine.update import apply_gradients

GAMMA = 0.2  # share of a real picture in what the critic must call real
SLOPE = 0.2  # of leaky rectifiers below 0


def _convolutions(x, channels: int, size: int):
    """Two convolutions 3 x 3 with leaky rectifiers."""
    for _ in range(2):
        x = layers.Conv2D(channels, size, padding="same")(x)
        x = layers.LeakyReLU(SLOPE)(x)
    return x


def encoder(image_shape, dim: int, channels: int, name: str = "encoder") -> keras.Model:
    """Pictures [item, height, width, channel] -> codes [item, dim]; three times half as large."""
    x = inputs = layers.Input(image_shape)
    for depth in range(3):
        x = _convolutions(x, channels * 2**depth, 3)
        x = layers.AveragePooling2D(2, padding="same")(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(dim)(x), name=name)


def decoder(image_shape, dim: int, channels: int) -> keras.Model:
    """Codes [item, dim] -> logits of pictures [item, height, width, channel]."""
    height, width, depth = image_shape
    rows, columns = -(-height // 8), -(-width // 8)
    x = inputs = layers.Input((dim,))
    x = layers.Dense(rows * columns * channels * 4)(x)
    x = layers.Reshape((rows, columns, channels * 4))(x)
    for smaller in (4, 2, 1):
        x = layers.UpSampling2D()(x)
        x = _convolutions(x, channels * smaller, 3)
    x = layers.Conv2D(depth, 3, padding="same")(x)
    # [item, 8 rows, 8 columns, channel] -> [item, height, width, channel]
    x = layers.Cropping2D(((0, 8 * rows - height), (0, 8 * columns - width)))(x)
    return keras.Model(inputs, x, name="decoder")


@keras.saving.register_keras_serializable(__package__)
class Autoencoder(keras.Model):
    """Encoder, decoder and critic.

    Args:
        image_shape: of a picture.
        dim: of a code.
        channels: of the first convolutions.
        strength: how much the critic counts; 0 is a plain autoencoder.
        options: of ``keras.Model``.
    """

    def __init__(self, image_shape, dim=64, channels=16, strength=0.5, **options):
        super().__init__(**options)
        self.image_shape, self.dim = tuple(image_shape), dim
        self.channels, self.strength = channels, strength
        self.encoder = encoder(image_shape, dim, channels)
        self.decoder = decoder(image_shape, dim, channels)
        self.critic = encoder(image_shape, 1, channels, "critic")
        self.built = True

    def call(self, x):
        """Codes: [item, height, width, channel] -> [item, dim]."""
        return self.encoder(x)

    def decode(self, z):
        """Pictures 0 to 1 of codes: [item, dim] -> [item, height, width, channel]."""
        return tf.sigmoid(self.decoder(z))

    def losses_of(self, x, seed):
        """Loss of encoder and decoder, and of the critic: two numbers.

        Args:
            x: [item, height, width, channel], 0 to 1.
            seed: int32 [2], for the mixtures.
        """
        z = self.encoder(x)  # [item, dim]
        logits = self.decoder(z)
        errors = tf.nn.sigmoid_cross_entropy_with_logits(x, logits)
        reconstruction = tf.reduce_mean(tf.reduce_sum(errors, axis=[1, 2, 3]))
        # x_a = g(a z_1 + (1 - a) z_2), a uniform in (0, 1/2); z_2 is z_1 in another order
        share = tf.random.stateless_uniform([tf.shape(z)[0], 1], seed, 0.0, 0.5)
        mixed = self.decode(share * z + (1 - share) * tf.roll(z, 1, axis=0))
        found = self.critic(mixed)  # [item, 1]
        fooled = tf.reduce_mean(found**2)
        # The critic says a for mixtures and 0 for what is real: |d(x_a) - a|^2 + |d(...)|^2
        real = GAMMA * x + (1 - GAMMA) * tf.sigmoid(logits)
        seen = self.critic(tf.stop_gradient(mixed))
        known = tf.reduce_mean((seen - share) ** 2)
        known += tf.reduce_mean(self.critic(tf.stop_gradient(real)) ** 2)
        return reconstruction + self.strength * fooled, known

    def get_config(self):
        names = ("image_shape", "dim", "channels", "strength")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def train_step(model, optimizer):
    """The training step: pictures [item, ...] -> losses; each part learns from its own.

    Args:
        model: Autoencoder.
        optimizer: of ``model.trainable_variables``, coordinate by coordinate.
    """
    own = [*model.encoder.trainable_variables, *model.decoder.trainable_variables]
    critic = model.critic.trainable_variables

    def step(x, seed):
        with tf.GradientTape(persistent=True) as tape:
            loss, known = model.losses_of(x, seed)
        gradients = [*tape.gradient(loss, own), *tape.gradient(known, critic)]
        apply_gradients(optimizer, loss, gradients, [*own, *critic])
        return {"loss": loss, "critic": known}

    return step

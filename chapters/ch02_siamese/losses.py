"""Contrastive loss (Hadsell, Chopra and LeCun, 2006), in the form of the book's section 2.1."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(__package__)
def contrastive_loss(label, energy, margin: float = 1.0):
    """Pull genuine pairs together, push imposite pairs apart until they are ``margin`` away.

        loss = Y E^2 + (1 - Y) max(margin - E, 0)^2,  averaged over pairs

    Polarity: Y = 1 is a genuine pair, Y = 0 an imposite one, as in the book; the paper counts the
    other way round and halves both terms. With as many of each kind and margin 1 the loss is 0.5
    when all distances are 0, and 0.25 at the best constant distance 0.5: a network above 0.25 has
    learned nothing.

    Args:
        label: Y [pair, 1], each 0 or 1.
        energy: distance E [pair, 1], not negative.
        margin: distance from which an imposite pair costs nothing.

    Returns:
        A scalar.

    Raises:
        ValueError: the shapes differ. Labels [pair] against distances [pair, 1] would broadcast to
            [pair, pair] and train on nonsense (erratum E2.20).
    """
    label, energy = tf.convert_to_tensor(label), tf.convert_to_tensor(energy)
    if len(label.shape) != len(energy.shape) or not label.shape.is_compatible_with(energy.shape):
        raise ValueError(f"labels {label.shape} and distances {energy.shape} differ in shape")
    label = tf.cast(label, energy.dtype)
    genuine = label * energy**2  # [pair, 1]
    imposite = (1 - label) * tf.maximum(margin - energy, 0) ** 2  # [pair, 1]
    return tf.reduce_mean(genuine + imposite)

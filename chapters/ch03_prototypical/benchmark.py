"""How far a training step is from the machine's limit.

    python -m chapters.ch03_prototypical.benchmark

Times the 60-way 5-shot step (600 images of 28 x 28) and the matrix product that bounds it, in
turns, in one run. What counts is the ratio: step time over the time that the step's multiplications
would take at the speed of a large matrix product. Two peers show what the encoder's two departures
from the textbook block are worth: no bias before batch normalisation, and its fused kernel.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from chapters.ch03_prototypical import models
from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.engine import script, timing
from chapters.engine.configuration import Parser
from chapters.engine.update import apply_gradients

WAY, SHOT, QUERY, SIZE, CHANNELS, BLOCKS = 60, 5, 5, 28, 64, 4


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = Parser(description="Step time against the matrix-product bound.")
    timing.add_repeats(parser, default=15)
    repeats = parser.parse_args(argv).repeats
    print(f"Device: {script.prepare(seed=0)}. {WAY}-way {SHOT}-shot, {QUERY} queries per class.")
    seconds = timing.time_in_turns(
        {
            "matrix product": timing.matrix_product(),
            "textbook block": training_step(textbook_encoder(use_bias=True)),
            "without bias": training_step(textbook_encoder(use_bias=False)),
            "ours: and fused batch norm": training_step(get_embeddings((SIZE, SIZE, 1))),
        },
        repeats,
    )
    speed = timing.matrix_speed(seconds.pop("matrix product"))
    operations = step_operations()
    bound = operations / speed
    print(f"Matrix product: {speed / 1e9:.0f} GFLOP/s; a step has {operations / 1e9:.1f} GFLOP.")
    print(f"{'':30}{'median ms':>10}{'min ms':>10}{'x bound':>10}")
    print(f"{'bound':30}{1e3 * bound:10.0f}")
    for name, times in seconds.items():
        median = np.median(times)
        print(f"{name:30}{1e3 * median:10.0f}{1e3 * min(times):10.0f}{median / bound:10.2f}")


def step_operations() -> int:
    """Multiplications and additions of a step's convolutions.

    The gradients of weights and of inputs cost as much as the forward pass each; the gradient of
    the images is not needed.
    """
    side, inputs, operations = SIZE, 1, 0
    for block in range(BLOCKS):
        forward = 2 * side**2 * 9 * inputs * CHANNELS
        operations += forward * (2 if block == 0 else 3)
        side, inputs = side // 2, CHANNELS
    return WAY * (SHOT + QUERY) * operations


def textbook_encoder(use_bias: bool) -> keras.Model:
    """Conv-4 from Keras' own layers."""
    encoder = keras.Sequential([layers.Input((SIZE, SIZE, 1))])
    for _ in range(BLOCKS):
        encoder.add(layers.Conv2D(CHANNELS, 3, padding="same", use_bias=use_bias))
        encoder.add(layers.BatchNormalization())
        encoder.add(layers.ReLU())
        encoder.add(layers.MaxPooling2D(2))
    encoder.add(layers.Flatten())
    return encoder


def training_step(encoder):
    """The chapter's training step on one fixed episode of random images."""
    learner = models.PrototypicalNetwork(encoder)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(learner.trainable_variables)
    inputs = {
        "support_x": tf.random.uniform([1, WAY * SHOT, SIZE, SIZE, 1]),
        "support_y": tf.repeat(tf.range(WAY), SHOT)[None],  # [1, way * shot]
        "query_x": tf.random.uniform([1, WAY * QUERY, SIZE, SIZE, 1]),
    }
    query_y = tf.repeat(tf.range(WAY), QUERY)[None]  # [1, way * query]

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = models.negative_log_likelihood(query_y, learner(inputs, training=True))
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        return loss

    return lambda: step().numpy()


if __name__ == "__main__":
    script.run(main)

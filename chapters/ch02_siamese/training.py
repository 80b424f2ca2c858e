"""Training of a siamese network, the same for faces and sounds: the step, and the optimizers."""

from collections.abc import Callable

import keras
import tensorflow as tf

from chapters.ch02_siamese.losses import contrastive_loss
from chapters.ch02_siamese.models import SiameseNetwork
from chapters.ch02_siamese.presets import SiameseConfig
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients


def train(
    siamese: SiameseNetwork,
    batches: Callable,
    validate: Callable[[], dict[str, float]],
    config: SiameseConfig,
    run: RunFolder,
    strategy: tf.distribute.Strategy,
    verbose: int = 2,
) -> Loop:
    """Train to the end, or on from the newest checkpoint with ``--resume``.

    Args:
        siamese: the network; it holds the last weights afterwards.
        batches: index -> ({"a", "b"}, label [pair, 1]).
        validate: measures on items that are not trained on, logged after every epoch.
        config: options.
        run: folder of this training.
        strategy: where the network was made.
        verbose: of the loop; the book's preset prints the book's log instead.

    Returns:
        The loop, with its history.
    """
    with strategy.scope():
        optimizer = make_optimizer(config)
        optimizer.build(siamese.trainable_variables)

    def train_step(batch, seed=None):
        inputs, label = batch
        with tf.GradientTape() as tape:
            distance = siamese(inputs, training=True)  # [pair, 1]
            loss = contrastive_loss(label, distance, config.margin)
        gradients = tape.gradient(loss, siamese.trainable_variables)
        apply_gradients(optimizer, loss, gradients, siamese.trainable_variables)
        return {"loss": loss}

    book = config.preset == "book"
    loop = Loop(
        train_step,
        batches,
        model=siamese,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=validate,
        callbacks=[BookLog()] if book else [],
        strategy=strategy,
        verbose=0 if book else verbose,
    )
    loop()
    run.weights(siamese)
    return loop


def altered(batches: Callable, alter: Callable, seed: int) -> Callable:
    """The same batches with both items of every pair altered; a function of (seed, index).

    Args:
        batches: index -> ({"a", "b"}, label).
        alter: (items, seed) -> items, such as ``faces.augment`` or ``sounds.crop``.
        seed: of the run.
    """

    def batch(index):
        inputs, label = batches(index)
        seeds = tf.random.split(tf.random.fold_in(tf.constant([seed, 3]), index))
        return {"a": alter(inputs["a"], seeds[0]), "b": alter(inputs["b"], seeds[1])}, label

    return batch


def make_optimizer(config: SiameseConfig) -> keras.Optimizer:
    """The book's RMSprop, or AdamW whose rate falls to zero along a cosine."""
    if config.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(config.learning_rate)
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, config.steps)
    return keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)


class BookLog(keras.callbacks.Callback):
    """A line for each epoch, as the book prints it (sections 2.4 and 2.5)."""

    def on_epoch_end(self, epoch, logs=None):
        """Losses on training pairs and on pairs of unseen people or clips."""
        print(
            f"Epoch {epoch + 1}: loss: {logs['loss']:.4f} - val_loss: {logs['val_loss']:.4f}",
            flush=True,
        )

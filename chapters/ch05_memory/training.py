"""What both training scripts share: optimizer, training step, loop."""

import keras
import tensorflow as tf

from chapters.ch05_memory import measures
from chapters.ch05_memory.presets import MemoryConfig
from chapters.engine.update import apply_gradients


def build_optimizer(config: MemoryConfig, variables) -> keras.Optimizer:
    """The optimizer of ``--optimizer``; gradients longer than ``--clip`` are shortened to it."""
    rate = config.learning_rate
    if config.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, config.steps)
    clip = {"global_clipnorm": config.clip or None}
    if config.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate, **clip)
    else:  # Graves' form, with the book's momentum and decay
        optimizer = keras.optimizers.RMSprop(rate, rho=0.95, momentum=0.9, centered=True, **clip)
    optimizer.build(variables)
    return optimizer


def sequence_step(model, optimizer):
    """Training step on ``Sequences``: batch -> loss and wrong bits per sequence."""

    def step(batch, seed=None):
        with tf.GradientTape() as tape:
            logits = model(batch.x, batch.steps)  # [batch, time, bit]
            loss = measures.sequence_loss(batch, logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        apply_gradients(optimizer, loss, gradients, model.trainable_variables)
        return {"loss": loss, "bits": tf.reduce_mean(measures.wrong_bits(batch, logits))}

    return step

"""Image features to begin with: those of an ordinary classifier of the seen classes.

The papers take the features of a network that was trained on a million photographs. Here an encoder
learns to name the seen classes, and its output is the feature.
"""

import keras
import tensorflow as tf

from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments.options import ZeroShotOptions
from chapters.experiments.zero_shot.tasks import INK, Split
from datasets.tasks.minibatches import Minibatches

BATCH = 128  # pictures


def learn(encoder, drawn: Split, config: ZeroShotOptions, run: RunFolder) -> float:
    """Train an encoder as a classifier of the seen classes; seconds that it took.

    Args:
        encoder: [item, ...] -> [item, dim], changed in place.
        drawn: classes.
        config: options of the run.
        run: where log and checkpoints go.
    """
    if not config.feature_steps:
        return 0.0
    ground = (0.0 if config.data in INK else 1.0) if config.augment else None
    batches = Minibatches(drawn.data, "train", BATCH, config.seed, ground=ground)
    classifier = keras.Sequential([encoder, keras.layers.Dense(batches.classes)])
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, config.feature_steps)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(classifier.trainable_variables)

    def feature_step(batch, seed=None):
        x, y = batch
        with tf.GradientTape() as tape:
            logits = classifier(x, training=True)  # [item, class]
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)  # [item]
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, classifier.trainable_variables)
        apply_gradients(optimizer, loss, gradients, classifier.trainable_variables)
        hit = tf.argmax(logits, axis=-1, output_type=y.dtype) == y  # [item]
        return {"loss": loss, "accuracy": tf.reduce_mean(tf.cast(hit, tf.float32))}

    loop = Loop(
        feature_step,
        batches,
        model=classifier,
        optimizer=optimizer,
        run=run,
        steps=config.feature_steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        verbose=None if drawn.number == 0 else 0,
    )
    loop()
    return loop.seconds


def copy(encoder):
    """The encoder as it is now, for what is compared with it."""
    fixed = keras.models.clone_model(encoder)
    fixed.set_weights(encoder.get_weights())
    return fixed

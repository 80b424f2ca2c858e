"""Image features to begin with: those of a prototypical network of the seen classes.

The papers take the features of a network that was trained on a million photographs. Here an encoder
learns from episodes of the seen classes, and its output is the feature.
"""

import keras
import tensorflow as tf

from chapters.engine.evaluation import accuracy
from chapters.engine.layers import embed_tasks
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments.options import ZeroShotOptions
from chapters.experiments.zero_shot.tasks import INK, Split
from datasets.tasks.augmentation import Augmented
from datasets.tasks.episodes import EpisodeSampler

WAY, QUERY = 40, 4  # of an episode, one example of each class; fewer where there are not as many


def learn(encoder, drawn: Split, config: ZeroShotOptions, run: RunFolder) -> float:
    """Train an encoder to tell the seen classes apart; seconds that it took.

    Args:
        encoder: [item, ...] -> [item, dim], changed in place.
        drawn: classes.
        config: options of the run.
        run: where log and checkpoints go.
    """
    if not config.feature_steps:
        return 0.0
    way = min(WAY, len(drawn.data.classes("train")))
    episodes = EpisodeSampler(drawn.data, "train", way, 1, QUERY, seed=config.seed)
    if config.augment:
        episodes = Augmented(episodes, ground=0.0 if config.data in INK else 1.0)
    rate = keras.optimizers.schedules.CosineDecay(config.feature_rate, config.feature_steps)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(encoder.trainable_variables)

    def feature_step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            x = tf.concat([inputs["support_x"], inputs["query_x"]], axis=1)  # [1, item, ...]
            z = embed_tasks(encoder, x, training=True)  # [1, item, dim]
            logits = -_distances(z[:, way:], _ordered(z[:, :way], inputs["support_y"]))
            # -log p(y = k | x), p the softmax over k of -|z - c_k|^2
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(query_y, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, encoder.trainable_variables)
        apply_gradients(optimizer, loss, gradients, encoder.trainable_variables)
        return {"loss": loss, "accuracy": tf.reduce_mean(accuracy(query_y, logits))}

    loop = Loop(
        feature_step,
        episodes,
        model=encoder,
        optimizer=optimizer,
        run=run,
        steps=config.feature_steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        verbose=None if drawn.number == 0 else 0,
        names={"accuracy": f"accuracy {way}-way 1-shot"},
    )
    loop()
    return loop.seconds


def _ordered(z, labels):
    """The one example of each class in the order of their labels: [1, way, dim]."""
    return tf.gather(z, tf.argsort(labels, axis=1), axis=1, batch_dims=1)


def _distances(z, c):
    """|z - c|^2: [1, query, dim], [1, way, dim] -> [1, query, way]."""
    return tf.reduce_sum((z[:, :, None] - c[:, None]) ** 2, axis=-1)


def copy(encoder):
    """The encoder as it is now, for what is compared with it."""
    fixed = keras.models.clone_model(encoder)
    fixed.set_weights(encoder.get_weights())
    return fixed

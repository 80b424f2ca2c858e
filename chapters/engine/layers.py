"""Batch normalisation as the chapters use it: per task, and fast on a CPU."""

import keras
import tensorflow as tf

from chapters.engine.mapping import map_tasks

AT_ONCE = 256  # items in one call of an encoder after training


@keras.saving.register_keras_serializable(__package__)
class BatchNormalization(keras.layers.BatchNormalization):
    """``keras.layers.BatchNormalization`` for images, with TensorFlow's fused kernel in training.

    It keeps Keras' name, since files of weights name layers by their class, and has the same
    weights, outputs and moving averages. In training Keras computes mean, variance and output
    by separate operations; the fused kernel makes the 60-way 5-shot training step of Conv-4 about
    a third shorter (``python -m chapters.ch03_prototypical.benchmark``).
    """

    def call(self, inputs, training=None, mask=None):
        """Normalise over all axes but the last; inputs [item, height, width, channel]."""
        # A frozen layer uses its averages in training too; the kernel knows float32 images only.
        learns = training and self.trainable
        if not (learns and len(inputs.shape) == 4 and inputs.dtype == tf.float32):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=tf.zeros([0]),  # empty: this call only, the average is kept below
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel returns the unbiased variance n / (n - 1) s^2; Keras keeps s^2.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
        variance = variance * (count - 1) / count
        self._keep(self.moving_mean, mean)
        self._keep(self.moving_variance, variance)
        return outputs

    def _keep(self, average, value):
        average.assign(average * self.momentum + tf.stop_gradient(value) * (1 - self.momentum))


def finite_items(x):
    """Which items are all finite: [item, ...] -> [item]; by operators that every format has."""
    return tf.reduce_all(tf.abs(x) <= x.dtype.max, axis=list(range(1, len(x.shape))))


def item_shape_of(encoder) -> tuple[int, ...] | None:
    """Shape of one item of an encoder; None for one that takes any."""
    shape = getattr(encoder, "input_shape", None)
    return shape and tuple(shape[1:])


def embed_items(encoder, x):
    """Embeddings with stored batch-norm averages: [item, ...] -> [item, dim], or maps of items.

    An item that is not finite has an embedding of NaN: rectifiers and pooling would hide it.
    """
    x = tf.cast(x, encoder.compute_dtype)
    z = _in_batches(encoder, x)
    finite = tf.reshape(finite_items(x), [-1] + [1] * (len(z.shape) - 1))  # [item, 1, ...]
    return tf.where(finite, z, tf.constant(float("nan"), z.dtype))


def _in_batches(encoder, x):
    """The encoder on any number of items; outside of graphs the memory is that of ``AT_ONCE``."""
    if not tf.executing_eagerly() or len(x) <= AT_ONCE:
        return encoder(x, training=False)
    parts = [encoder(x[i : i + AT_ONCE], training=False) for i in range(0, len(x), AT_ONCE)]
    return tf.concat(parts, axis=0)


def embed_tasks(encoder, x, training: bool):
    """Embed the items of each task; in training with batch statistics of that task alone.

    Tasks must not see each other through batch normalisation, however many a step has and however
    they are spread over devices. The moving averages take the mean of the tasks' updates.

    Args:
        encoder: built Keras model, [item, ...] -> [item, dim], or feature maps [item, ..., dim].
        x: [task, item, ...].
        training: batch statistics when true, stored ones otherwise.

    Returns:
        [task, item, dim] or [task, item, ..., dim]
    """
    tasks, items = tf.shape(x)[0], tf.shape(x)[1]
    if not training or x.shape[0] == 1:
        flat = tf.reshape(x, tf.concat([[tasks * items], tf.shape(x)[2:]], 0))
        flat = tf.ensure_shape(flat, [None, *x.shape[2:]])  # [task * item, ...]
        # [task * item, ..., dim]
        z = encoder(flat, training=True) if training else _in_batches(encoder, flat)
        return tf.reshape(z, [tasks, items, *z.shape[1:]])  # [task, item, ..., dim]

    trainable, stored = encoder.trainable_variables, encoder.non_trainable_variables

    def one(task_x):
        return encoder.stateless_call(trainable, stored, task_x, training=True)

    z, updated = map_tasks(one, x)
    for variable, update in zip(stored, updated, strict=True):
        variable.assign(tf.reduce_mean(update, axis=0))
    return z

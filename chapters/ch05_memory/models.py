"""Cells along sequences: a network for bits, and a few-shot learner that reads its support set."""

import math

import keras
import numpy as np
import tensorflow as tf

from chapters.engine.learner import FewShotLearner
from chapters.engine.recurrent import run_cell
from chapters.engine.tasks import checked_labels


@keras.saving.register_keras_serializable(__package__)
class SequenceModel(keras.Model):
    """A cell along sequences of any length: [batch, time, channel] -> logits [batch, time, output].

    Args:
        cell: NTMCell, MANNCell, or another Keras cell whose outputs are logits.
        channels: numbers that go in at each step.
    """

    def __init__(self, cell, channels, **kwargs):
        super().__init__(**kwargs)
        self.cell, self.channels = cell, channels
        if not cell.built:  # one that was loaded is
            cell.build((None, channels))
        self.built = True

    def call(self, x, steps=None):
        """Logits; with ``steps`` (at most time) those after it are 0 and are not computed.

        Raises:
            ValueError: an empty sequence, or not as many channels as the network takes.
        """
        self._check(x)
        state = self.cell.get_initial_state(batch_size=tf.shape(x)[0])
        logits, _ = run_cell(self.cell, x, state, steps)
        return logits

    def serve(self, x):
        """What an exported file answers: the probability of a 1, [batch, time, output]."""
        return {"probabilities": tf.sigmoid(self(x))}

    def serving(self, strict=False):
        """The function of an exported file; there is nothing that could be refused."""
        return self.serve

    def signature(self):
        """Inputs of an exported file: any number of sequences of any length."""
        return [tf.TensorSpec([None, None, self.channels], name="x")]

    def example(self):
        """A short sequence of bits, always the same: [1, 5, channel]."""
        rng = np.random.RandomState(0)  # its stream is the same in every version of NumPy
        return tf.constant(rng.uniform(size=[1, 5, self.channels]) < 0.5, tf.float32)

    def _check(self, x):
        if x.shape[1] == 0:
            raise ValueError("the sequence is empty; give at least one step")
        if x.shape[-1] != self.channels:
            raise ValueError(
                f"each step has {x.shape[-1]} channels, but the network takes {self.channels}"
            )

    def get_config(self):
        cell = keras.saving.serialize_keras_object(self.cell)
        return {**super().get_config(), "cell": cell, "channels": self.channels}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("cell")), **config)


@keras.saving.register_keras_serializable(__package__)
class SequentialLearner(FewShotLearner):
    """A few-shot learner that is shown its support set picture by picture.

    Each picture comes with the label of the one before it; a query comes with the label of the last
    support picture and is answered from there, knowing nothing of other queries.

    Args:
        network: SequenceModel whose inputs are a picture's values and a one-hot label.
        way: number of labels.
        item_shape: height, width and channels of a picture.
    """

    def __init__(self, network, way, item_shape, **kwargs):
        super().__init__(**kwargs)
        self.network, self.way, self.item_shape = network, way, tuple(item_shape)
        self.built = True  # all weights are the network's

    def present(self, images, label):
        """Logits for a sequence of labelled pictures, each answered before its label is seen.

        Args:
            images: [batch, time, height, width, channel].
            label: [batch, time], 0 to way - 1.

        Returns:
            [batch, time, way].
        """
        shown = tf.one_hot(checked_labels(self, label), self.way)  # [batch, time, way]
        return self.network(with_previous(images, shown))

    def call(self, inputs, training=False):
        """Logits of the queries [task, query, way]; pictures are shown in the order given."""
        support_x, query_x = inputs["support_x"], inputs["query_x"]
        shown = tf.one_hot(inputs["support_y"], self.way)  # [task, support, way]
        cell = self.network.cell
        state = cell.get_initial_state(batch_size=tf.shape(support_x)[0])
        _, state = run_cell(cell, with_previous(support_x, shown), state)

        # Every query goes on from the same state.
        tasks, queries = tf.shape(query_x)[0], tf.shape(query_x)[1]
        state = tf.nest.map_structure(lambda x: tf.repeat(x, queries, axis=0), state)
        last = tf.repeat(shown[:, -1], queries, axis=0)  # [task * query, way]
        pixels = tf.reshape(query_x, [tasks * queries, math.prod(self.item_shape)])
        logits, _ = cell(tf.concat([pixels, last], axis=-1), state)
        return tf.reshape(logits, [tasks, queries, self.way])  # [task, query, way]

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        own = {"network": network, "way": self.way, "item_shape": self.item_shape}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("network")), **config)


def with_previous(images, shown):
    """The input of every step: its picture, and the label of the step before it.

    Args:
        images: [batch, time, height, width, channel].
        shown: labels as numbers [batch, time, output]; their last step is not used.

    Returns:
        [batch, time, pixel + output].
    """
    size = images.shape[2] * images.shape[3] * images.shape[4]
    pixels = tf.reshape(images, [tf.shape(images)[0], tf.shape(images)[1], size])
    previous = tf.pad(shown[:, :-1], [[0, 0], [1, 0], [0, 0]])  # [batch, time, output]
    return tf.concat([pixels, previous], axis=-1)

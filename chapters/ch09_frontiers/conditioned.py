"""What stands beside meta-imitation: policies that are told of a demonstration and take no step.

They have the same eyes, hidden layers and head, and learn from the same demonstrations; what they
are told makes the first hidden layer wider.
"""

import keras
import tensorflow as tf
from keras import layers

from chapters.ch09_frontiers.visuomotor import Imitator
from chapters.engine.per_task import over_items


@keras.saving.register_keras_serializable(__package__)
class ClonedPolicy(Imitator):
    """Behaviour cloning without a demonstration: one policy for all tasks."""

    def told(self, support_x, support_y):
        """What the policy is told beside what it sees: [task, number], or None."""
        return

    def adapt(self, support_x, support_y):
        """That, in a list."""
        found = self.told(support_x, support_y)
        return [] if found is None else [found]

    def predict_with(self, adapted, query_x):
        """Actions [task, query, action]."""
        seen = self.see(query_x)
        for told in adapted:
            beside = tf.tile(told[:, None], [1, tf.shape(seen)[1], 1])  # [task, query, number]
            seen = tf.concat([seen, beside], axis=-1)
        return over_items(self.head, over_items(self.control, seen))


@keras.saving.register_keras_serializable(__package__)
class ConditionedPolicy(ClonedPolicy):
    """A policy that is told how a demonstration ends, as in Finn, Yu et al. (2017), section 6."""

    def told(self, support_x, support_y):
        """Features of the last observation, a mean over demonstrations: [task, feature]."""
        last = self.by_time(support_x)[:, :, -1]  # [task, shot, observation]
        return tf.reduce_mean(self.see(last), axis=1)


@keras.saving.register_keras_serializable(__package__)
class RecurrentPolicy(ClonedPolicy):
    """A policy that reads a demonstration from its first step to its last with an LSTM.

    Args:
        eyes, control, head, horizon: of ``Imitator``; ``control`` takes features and the state.
        reader: built, [sequence, time, feature and action] -> [sequence, unit].
        options: of ``keras.Model``.
    """

    PARTS = (*ClonedPolicy.PARTS, "reader")

    def __init__(self, eyes, control, head, horizon, reader, **options):
        super().__init__(eyes, control, head, horizon, **options)
        self.reader = reader

    def told(self, support_x, support_y):
        """The state after the last step, a mean over demonstrations: [task, unit]."""
        steps = tf.concat([self.see(support_x), support_y], axis=-1)
        return tf.reduce_mean(over_items(self.reader, self.by_time(steps)), axis=1)


def make_reader(features: int, actions: int, horizon: int, units: int) -> keras.Sequential:
    """An LSTM over the steps of a demonstration: [sequence, time, feature + action] -> unit."""
    return keras.Sequential(
        [layers.Input((horizon, features + actions)), layers.LSTM(units, unroll=True)]
    )

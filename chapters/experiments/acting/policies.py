"""Policies: what a network says about the next action, with weights of each task's own."""

import math
from typing import NamedTuple

import keras
import tensorflow as tf

from chapters.engine.per_task import call_per_task
from datasets.tasks import draws

LOG_2PI = math.log(2 * math.pi)


class Gaussian(NamedTuple):
    """Independent normal distributions, one for each number of an action."""

    mean: tf.Tensor  # [task, item, action]
    log_std: tf.Tensor  # [task, 1, action]


class Policy(keras.Model):
    """Observations -> a distribution of actions; its weights are a list, as an inner loop needs it.

    Args:
        network: built Keras model, [item, observation] -> [item, action].
        options: of ``keras.Model``.
    """

    def __init__(self, network, **options):
        super().__init__(**options)
        self.network = network
        self.built = True

    def distribution(self, weights, observation):
        """What the policy of each task does: observations [task, item, observation]."""
        raise NotImplementedError

    def action_spec(self) -> tf.TensorSpec:
        """Actions of trajectories without a task axis: [trajectory, time, ...]."""
        raise NotImplementedError

    def told(self, distribution) -> dict:
        """A distribution in numbers that people read: name -> [task, item, action]."""
        raise NotImplementedError

    def call(self, observation):
        """The network's output: [item, observation] -> [item, action]."""
        return self.network(observation)

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network}

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config.pop("network"))
        return cls(network, **config)


@keras.saving.register_keras_serializable(__package__)
class GaussianPolicy(Policy):
    """Normal actions: the network gives the mean; the deviation is a weight, adapted like others.

    Args:
        network: as above.
        log_std: logarithm of the first deviation.
        options: of ``keras.Model``.
    """

    LEAST = math.log(1e-6)  # of a log deviation: smaller ones count as this

    def __init__(self, network, log_std: float = 0.0, **options):
        super().__init__(network, **options)
        self.first = log_std
        self.log_std = self.add_weight(
            shape=[network.output_shape[-1]],
            initializer=keras.initializers.Constant(log_std),
            name="log_std",
        )

    def parameters(self) -> list:
        """Variables in the order of the weights."""
        return [*self.network.trainable_variables, self.log_std]

    def distribution(self, weights, observation):
        """Mean and deviation with these weights, list of [task, ...]."""
        mean = call_per_task(self.network, weights[:-1], observation)  # [task, item, action]
        return Gaussian(mean, tf.maximum(weights[-1], self.LEAST)[:, None])

    def action_spec(self):
        """Numbers: [trajectory, time, action]."""
        return tf.TensorSpec([None, None, self.network.output_shape[-1]], name="action")

    def told(self, distribution):
        """Mean and deviation of every number of an action."""
        deviation = tf.exp(distribution.log_std)
        return {
            "mean": distribution.mean,
            "deviation": tf.broadcast_to(deviation, tf.shape(distribution.mean)),
        }

    def noise(self, shape, seed):
        """What chance adds to actions: [..., action]."""
        return draws.normal([*shape, self.network.output_shape[-1]], seed)

    def act(self, distribution, noise):
        """Actions [task, item, action]."""
        return distribution.mean + tf.exp(distribution.log_std) * noise

    def log_probability(self, distribution, action):
        """log pi(a | x): [task, item]."""
        z = (action - distribution.mean) * tf.exp(-distribution.log_std)
        terms = -0.5 * tf.square(z) - distribution.log_std - 0.5 * LOG_2PI
        return tf.reduce_sum(terms, axis=-1)

    def divergence(self, old, new):
        """KL(old || new): [task, item]."""
        variance = tf.exp(2 * (old.log_std - new.log_std))
        apart = tf.square((old.mean - new.mean) * tf.exp(-new.log_std))
        terms = new.log_std - old.log_std + 0.5 * (variance + apart - 1)
        return tf.reduce_sum(terms, axis=-1)

    def get_config(self):
        return {**super().get_config(), "log_std": self.first}


@keras.saving.register_keras_serializable(__package__)
class CategoricalPolicy(Policy):
    """One of several choices: the network gives their logits."""

    def parameters(self) -> list:
        """Variables in the order of the weights."""
        return list(self.network.trainable_variables)

    def distribution(self, weights, observation):
        """Log-probabilities [task, item, choice]."""
        return tf.nn.log_softmax(call_per_task(self.network, weights, observation))

    def action_spec(self):
        """Choices: int32 [trajectory, time]."""
        return tf.TensorSpec([None, None], tf.int32, "action")

    def told(self, distribution):
        """How likely each choice is."""
        return {"probabilities": tf.exp(distribution)}

    def noise(self, shape, seed):
        """Gumbel's, one for each choice: the largest sum with a logit is a draw."""
        u = draws.uniform([*shape, self.network.output_shape[-1]], seed)
        return -tf.math.log(-tf.math.log(tf.clip_by_value(u, 1e-7, 1 - 1e-7)))

    def act(self, distribution, noise):
        """Choices int32 [task, item]."""
        return tf.argmax(distribution + noise, axis=-1, output_type=tf.int32)

    def log_probability(self, distribution, action):
        """log pi(a | x): [task, item]."""
        return tf.gather(distribution, action, batch_dims=2)

    def divergence(self, old, new):
        """KL(old || new): [task, item]."""
        return tf.reduce_sum(tf.exp(old) * (old - new), axis=-1)

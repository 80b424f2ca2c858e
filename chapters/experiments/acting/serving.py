"""Policies without this project: trajectories in, what the adapted policy does out."""

import keras
import tensorflow as tf

from chapters.experiments.acting.trajectories import Trajectories


class AdaptivePolicy(keras.Model):
    """A policy that is adapted by what it has seen; a subclass has ``start`` and ``step_on``.

    Attributes:
        policy: of ``policies``.
        way: None: there are no classes.
    """

    way = None

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Of an observation."""
        return tuple(self.policy.network.input_shape[1:])

    def call(self, observation):
        """The policy before any step: [item, observation] -> [item, action]."""
        return self.policy(observation)

    def signature(self) -> list[tf.TensorSpec]:
        """Inputs of an exported file: trajectories of one task, and observations to act on.

        Any number of trajectories of any length.
        """
        return [
            tf.TensorSpec([None, None, *self.item_shape], name="observation"),
            self.policy.action_spec(),
            tf.TensorSpec([None, None], name="reward"),
            tf.TensorSpec([None, None], name="alive"),
            tf.TensorSpec([None, *self.item_shape], name="query_x"),
        ]

    def serving(self, strict: bool = False):
        """The function of an exported file: one inner step, then what the policy does.

        ``observation`` [trajectory, time, observation], ``action``, ``reward`` and ``alive``
        [trajectory, time] are of the policy as it was trained; the answer is ``mean`` and
        ``deviation`` [item, action], or ``probabilities`` [item, choice], for ``query_x`` [item,
        observation]. Rewards or observations that are not finite make all of them NaN.

        Args:
            strict: fail with a sentence instead, for formats that can.
        """

        def serve(observation, action, reward, alive, query_x):
            numbers = (observation, reward, alive, query_x)
            usable = tf.reduce_all([tf.reduce_all(tf.math.is_finite(x)) for x in numbers])
            checks = []
            if strict:
                checks = [tf.debugging.Assert(usable, ["an input has numbers that are not finite"])]
            with tf.control_dependencies(checks):
                drawn = Trajectories(*(x[None] for x in (observation, action, reward, alive)))
            weights = self.step_on(self.start(1), drawn)
            told = self.policy.told(self.policy.distribution(weights, query_x[None]))
            return {name: tf.where(usable, x[0], float("nan")) for name, x in told.items()}

        return serve

"""MAML for reinforcement learning (Finn, Abbeel and Levine, 2017; section 6.4 of the book).

A policy looks for a start from which one policy gradient step on a few trajectories finds a goal
that it cannot see. Adapting draws trajectories, and after every inner step draws new ones.
"""

import keras
import tensorflow as tf

from chapters.ch06_maml.policy_gradient import experience, surrogate
from chapters.engine.functional import add_scaled
from chapters.engine.per_task import repeat_for_tasks
from chapters.experiments.acting.serving import AdaptivePolicy


@keras.saving.register_keras_serializable(__package__)
class MAMLPolicy(AdaptivePolicy):
    """A policy that is adapted to each task by what it has seen there.

    Args:
        policy: of ``chapters.experiments.acting.policies``; its weights are theta.
        inner_rate: alpha.
        inner_steps: in training; 0 is training on all tasks at once.
        first_order: leave out the derivative of the inner gradient.
        inner: surrogate of the inner step, one of ``policy_gradient.INNER``.
        discount: of later rewards.
        options: of ``keras.Model``.
    """

    CONFIG = ("inner_rate", "inner_steps", "first_order", "inner", "discount")

    def __init__(
        self,
        policy,
        inner_rate,
        inner_steps=1,
        first_order=False,
        inner="likelihood_ratio",
        discount=0.99,
        **options,
    ):
        super().__init__(**options)
        self.policy, self.inner_rate, self.inner_steps = policy, inner_rate, inner_steps
        self.first_order, self.inner, self.discount = first_order, inner, discount
        self.built = True  # all weights are the policy's

    def parameters(self) -> list:
        """theta, in the order of the weights."""
        return self.policy.parameters()

    def start(self, tasks):
        """theta, once per task: list of [task, ...]."""
        return repeat_for_tasks(self.parameters(), tasks)

    def inner_step(self, weights, seen, share=1.0):
        """One policy gradient step of each task: list of [task, ...] -> the same.

        Args:
            weights: of the policies that drew the trajectories.
            seen: Experience of these.
            share: of alpha; later steps of a test take half.
        """
        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = surrogate(self.policy, weights, seen, self.inner)  # [task]
        gradients = tape.gradient(value, weights)  # of the sum: each task has its own weights
        if self.first_order:
            gradients = [tf.stop_gradient(gradient) for gradient in gradients]
        # theta'_i = theta - alpha grad L_Ti(f_theta), L the negated return (E6.15): uphill
        return add_scaled(weights, share * self.inner_rate, gradients)

    def step_on(self, weights, drawn, share=1.0):
        """The inner step from trajectories that the policies of ``weights`` drew."""
        seen = experience(self.policy, weights, drawn, self.discount)
        return self.inner_step(weights, seen, share)

    def adapted(self, theta, phases, tasks):
        """Weights after the inner steps, as a function of theta: list of [task, ...].

        Args:
            theta: tensors in the order of the policy's parameters.
            phases: Experience before each inner step, constants.
            tasks: how many there are.
        """
        weights = repeat_for_tasks(theta, tasks)
        for seen in phases:
            weights = self.inner_step(weights, seen)
        return weights

    def get_config(self):
        policy = keras.saving.serialize_keras_object(self.policy)
        own = {name: getattr(self, name) for name in self.CONFIG}
        return {**super().get_config(), "policy": policy, **own}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("policy")), **config)

"""Meta-SGD for reinforcement learning (Li et al., 2017; section 7.3 of the book).

The policy's start is learned and, for each of its weights, how far a policy gradient step goes.
"""

import keras
import tensorflow as tf

from chapters.ch07_meta_sgd_reptile.meta_sgd import FIRST_RATE
from chapters.ch07_meta_sgd_reptile.policy_gradient import experience, surrogate
from chapters.engine.per_task import repeat_for_tasks
from chapters.experiments.acting.serving import AdaptivePolicy


@keras.saving.register_keras_serializable(__package__)
class MetaSGDPolicy(AdaptivePolicy):
    """A policy that is adapted to each task, at learned rates, by what it has seen there.

    Args:
        policy: of ``chapters.experiments.acting.policies``; its weights are theta.
        rate: where all rates start; drawn from ``FIRST_RATE`` with Keras' random seed when None.
        inner_steps: in training, with the same rates at each.
        first_order: take the inner gradients as constants.
        inner: surrogate of the inner step, one of ``policy_gradient.INNER``.
        discount: of later rewards.
        options: of ``keras.Model``.
    """

    CONFIG = ("rate", "inner_steps", "first_order", "inner", "discount")

    def __init__(
        self,
        policy,
        rate=None,
        inner_steps=1,
        first_order=False,
        inner="likelihood_ratio",
        discount=0.99,
        **options,
    ):
        super().__init__(**options)
        self.policy, self.inner_steps, self.first_order = policy, inner_steps, first_order
        self.inner, self.discount = inner, discount
        self.rate = float(keras.random.uniform([], *FIRST_RATE)) if rate is None else rate
        self.rates = [
            self.add_weight(
                shape=theta.shape,
                initializer=keras.initializers.Constant(self.rate),
                name=f"{theta.path.replace('/', '_')}_rate",
            )
            for theta in policy.parameters()
        ]
        self.built = True

    def parameters(self) -> list:
        """theta, then alpha."""
        return [*self.policy.parameters(), *self.rates]

    def start(self, tasks):
        """theta, once per task: list of [task, ...]."""
        return repeat_for_tasks(self.policy.parameters(), tasks)

    def inner_step(self, weights, seen, share=1.0, alpha=None):
        """One policy gradient step of each task: list of [task, ...] -> the same.

        Args:
            weights: of the policies that drew the trajectories.
            seen: Experience of these.
            share: of alpha; later steps of a test take half.
            alpha: rates, in place of the learned ones.
        """
        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = surrogate(self.policy, weights, seen, self.inner)  # [task]
        gradients = tape.gradient(value, weights)  # of the sum: each task has its own weights
        if self.first_order:
            gradients = [tf.stop_gradient(gradient) for gradient in gradients]
        # theta'_i = theta - alpha o grad L_Ti(theta), L the negated return: uphill
        return [
            w + share * rate * gradient
            for w, rate, gradient in zip(weights, alpha or self.rates, gradients, strict=True)
        ]

    def step_on(self, weights, drawn, share=1.0):
        """The inner step from trajectories that the policies of ``weights`` drew."""
        seen = experience(self.policy, weights, drawn, self.discount)
        return self.inner_step(weights, seen, share)

    def adapted(self, theta_and_alpha, phases, tasks):
        """Weights after the inner steps, as a function of theta and alpha: list of [task, ...].

        Args:
            theta_and_alpha: tensors in the order of ``parameters``.
            phases: Experience before each inner step, constants.
            tasks: how many there are.
        """
        count = len(theta_and_alpha) // 2
        theta, alpha = theta_and_alpha[:count], theta_and_alpha[count:]
        weights = repeat_for_tasks(theta, tasks)
        for seen in phases:
            weights = self.inner_step(weights, seen, alpha=alpha)
        return weights

    def get_config(self):
        policy = keras.saving.serialize_keras_object(self.policy)
        own = {name: getattr(self, name) for name in self.CONFIG}
        return {**super().get_config(), "policy": policy, **own}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("policy")), **config)

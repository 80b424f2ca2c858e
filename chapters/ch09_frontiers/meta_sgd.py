"""Meta-SGD (Li, Zhou, Chen and Li, 2017; sections 7.1 to 7.4 of the book).

MAML learns where to start. Meta-SGD also learns how far to go along each weight: alpha has one
rate per weight, so that the inner step may leave the direction of the gradient, or turn round.

Every tensor has a leading task axis: tasks adapt side by side, each with weights of its own.
"""

import keras
import numpy as np
import tensorflow as tf

from chapters.engine.functional import as_tensors
from chapters.engine.learner import GradientLearner
from chapters.engine.mapping import mean_over_tasks
from chapters.engine.update import apply_gradients

FIRST_RATE = (0.005, 0.1)  # all rates start at one value drawn from here, as in the paper


@keras.saving.register_keras_serializable(__package__)
class MetaSGD(GradientLearner):
    """A network that is adapted to each task with learned rates before it predicts.

    Call it with ``support_x`` [task, support, ...], ``support_y`` [task, support] (labels) or
    [task, support, out] (targets) and ``query_x`` [task, query, ...]; it returns the predictions
    [task, query, out]. Its weights are the network's, theta, and their rates, alpha.

    Args:
        network: built Keras model, [item, ...] -> [item, out].
        objective: (y, prediction) -> loss [task], see ``losses``.
        rate: where all rates start; drawn from ``FIRST_RATE`` with Keras' random seed when None.
        inner_steps: inner steps in training, with the same rates at each; one in the paper.
        test_steps: inner steps otherwise; as in training when None.
        first_order: take the inner gradients as constants, as first-order MAML; after one step
            alpha's gradient is the same.
        batch_norm: statistics for the queries in training: ``transductive``, those of the queries
            as in the paper, or ``support``, those of the support set.
        options: of ``keras.Model``.
    """

    CONFIG = ("rate", "inner_steps", "test_steps", "first_order", "batch_norm")

    def __init__(
        self,
        network,
        objective,
        rate=None,
        inner_steps=1,
        test_steps=None,
        first_order=False,
        batch_norm="transductive",
        **options,
    ):
        super().__init__(network, objective, inner_steps, test_steps, batch_norm, **options)
        self.first_order = first_order
        # Positive: the book's rates from N(0, 1) send half of the weights uphill (E7.2).
        self.rate = float(keras.random.uniform([], *FIRST_RATE)) if rate is None else rate
        self.rates = [
            self.add_weight(
                shape=theta.shape,
                dtype=theta.dtype,
                initializer=keras.initializers.Constant(self.rate),
                name=f"{theta.path.replace('/', '_')}_rate",
            )
            for theta in network.trainable_variables
        ]

    def inner_step(self, weights, support_x, support_y):
        """One step on the support set of each task: list of [task, ...] -> the same."""
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = self.objective(support_y, self.predict_with(weights, support_x))  # [task]
        gradients = tape.gradient(losses, weights)  # of the sum: each task has its own weights
        if self.first_order:
            gradients = [tf.stop_gradient(gradient) for gradient in gradients]
        # theta'_i = theta - alpha o grad_theta L_Ti(theta; support)
        return [
            w - alpha * gradient
            for w, alpha, gradient in zip(weights, as_tensors(self.rates), gradients, strict=True)
        ]

    def learned_rates(self) -> dict[str, np.ndarray]:
        """alpha by the name of the weight it belongs to, in the shape of that weight."""
        variables = self.network.trainable_variables
        return {
            theta.path: np.array(alpha) for theta, alpha in zip(variables, self.rates, strict=True)
        }

    def describe_rate(self) -> str:
        """The rates in words, for error messages."""
        rates = np.concatenate([rate.ravel() for rate in self.learned_rates().values()])
        return f"learned rates from {rates.min():.3g} to {rates.max():.3g}"


def train_step(learner, optimizer, mapping):
    """The outer step: ``step(batch)`` -> loss and metrics, means over the tasks.

    Args:
        learner: MetaSGD.
        optimizer: of ``learner.trainable_variables``: theta and alpha.
        mapping: one of ``chapters.engine.mapping.MODES``.
    """

    def gradient(tasks):
        inputs, query_y = tasks
        theta_and_alpha = learner.trainable_variables
        with tf.GradientTape() as tape:
            prediction = learner(inputs, training=True)  # [task, query, out]
            losses = learner.objective(query_y, prediction)  # L_Ti(theta'_i; query), [task]
            loss = tf.reduce_mean(losses)
        # alpha has a gradient of its own: -g0 o g1 after one step, with g0 and g1 the gradients of
        # support and query loss (the book's code updates alpha with g1, E7.1)
        gradients = tape.gradient(loss, theta_and_alpha)
        return gradients, {"loss": losses, **learner.task_metrics(query_y, prediction)}

    def step(batch, seed=None):
        # (theta, alpha) <- (theta, alpha) - beta grad_(theta, alpha) sum_i L_Ti(theta'_i; query)
        gradients, metrics = mean_over_tasks(gradient, batch, mapping)
        apply_gradients(optimizer, metrics["loss"], gradients, learner.trainable_variables)
        return metrics

    return step

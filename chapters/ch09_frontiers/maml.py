"""Model-agnostic meta-learning (Finn, Abbeel and Levine, 2017; sections 6.1 to 6.3 of the book).

MAML looks for an initialisation theta from which a few gradient steps on a small support set solve
a task. Adapting is the forward pass; learning differentiates through it.

Every tensor has a leading task axis: tasks adapt side by side, each with weights of its own.
"""

import keras
import tensorflow as tf

from chapters.engine.functional import add_scaled
from chapters.engine.learner import GradientLearner
from chapters.engine.mapping import mean_over_tasks
from chapters.engine.update import apply_gradients


@keras.saving.register_keras_serializable(__package__)
class MAML(GradientLearner):
    """A network that is adapted to each task before it predicts.

    Call it with ``support_x`` [task, support, ...], ``support_y`` [task, support] (labels) or
    [task, support, out] (targets) and ``query_x`` [task, query, ...]; it returns the predictions
    [task, query, out]. Its only weights are the network's, theta.

    Args:
        network: built Keras model, [item, ...] -> [item, out].
        objective: (y, prediction) -> loss [task], see ``losses``.
        inner_rate: alpha.
        inner_steps: inner steps in training; 0 is joint training.
        test_steps: inner steps otherwise; as in training when None.
        first_order: leave out the derivative of the inner gradient (FOMAML).
        batch_norm: statistics for the queries in training: ``transductive``, those of the queries
            as in the paper, or ``support``, those of the support set.
        options: of ``keras.Model``.
    """

    CONFIG = ("inner_rate", "inner_steps", "test_steps", "first_order", "batch_norm")

    def __init__(
        self,
        network,
        objective,
        inner_rate,
        inner_steps=1,
        test_steps=None,
        first_order=False,
        batch_norm="transductive",
        **options,
    ):
        super().__init__(network, objective, inner_steps, test_steps, batch_norm, **options)
        self.inner_rate, self.first_order = inner_rate, first_order

    def inner_step(self, weights, support_x, support_y):
        """One gradient step on the support set of each task: list of [task, ...] -> the same."""
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = self.objective(support_y, self.predict_with(weights, support_x))  # [task]
        gradients = tape.gradient(losses, weights)  # of the sum: each task has its own weights
        if self.first_order:
            gradients = [tf.stop_gradient(gradient) for gradient in gradients]
        # theta'_i = theta - alpha grad_theta L_Ti(f_theta)                 algorithm 1, line 6
        return add_scaled(weights, -self.inner_rate, gradients)


def train_step(learner, optimizer, mapping):
    """The outer step: ``step(batch)`` -> loss and metrics, means over the tasks.

    Args:
        learner: MAML.
        optimizer: of ``learner.trainable_variables``.
        mapping: one of ``chapters.engine.mapping.MODES``.
    """

    def gradient(tasks):
        inputs, query_y = tasks
        theta = learner.trainable_variables
        with tf.GradientTape() as tape:
            prediction = learner(inputs, training=True)  # [task, query, out]
            # L_Ti(f_theta'_i), on other items of the same task (E6.1)
            losses = learner.objective(query_y, prediction)  # [task]
            loss = tf.reduce_mean(losses)
        # with respect to theta, through the inner steps: a gradient of a gradient (E6.3)
        gradients = tape.gradient(loss, theta)
        return gradients, {"loss": losses, **learner.task_metrics(query_y, prediction)}

    def step(batch, seed=None):
        # theta <- theta - beta grad_theta sum_i L_Ti(f_theta'_i)            algorithm 1, line 8
        gradients, metrics = mean_over_tasks(gradient, batch, mapping)
        apply_gradients(optimizer, metrics["loss"], gradients, learner.trainable_variables)
        return metrics

    return step

"""Model-agnostic meta-learning (Finn, Abbeel and Levine, 2017; sections 6.1 to 6.3 of the book).

MAML looks for an initialisation theta from which a few gradient steps on a small support set solve
a task. Adapting is the forward pass; learning differentiates through it.

Every tensor has a leading task axis: tasks adapt side by side, each with weights of its own.
"""

import keras
import tensorflow as tf

from chapters.engine.evaluation import measures
from chapters.engine.functional import add_scaled
from chapters.engine.mapping import mean_over_tasks
from chapters.engine.per_task import call_tasks, copies
from chapters.engine.support import check_support
from chapters.engine.update import apply_gradients


class MAML(keras.Model):
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
    """

    def __init__(
        self,
        network,
        objective,
        inner_rate,
        inner_steps=1,
        test_steps=None,
        first_order=False,
        batch_norm="transductive",
    ):
        super().__init__()
        self.network, self.objective, self.batch_norm = network, objective, batch_norm
        self.inner_rate, self.inner_steps, self.first_order = inner_rate, inner_steps, first_order
        self.test_steps = inner_steps if test_steps is None else test_steps
        self.built = True  # all weights are the network's

    def inner_step(self, weights, support_x, support_y):
        """One gradient step on the support set of each task: list of [task, ...] -> the same."""
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = self.objective(support_y, call_tasks(self.network, weights, support_x))
        gradients = tape.gradient(losses, weights)  # of the sum: each task has its own weights
        if self.first_order:
            gradients = [tf.stop_gradient(gradient) for gradient in gradients]
        # theta'_i = theta - alpha grad_theta L_Ti(f_theta)                 algorithm 1, line 6
        return add_scaled(weights, -self.inner_rate, gradients)

    def adapt(self, support_x, support_y, steps=None):
        """Weights of each task after ``steps`` inner steps (``test_steps`` when None).

        Returns:
            list of [task, ...], in the order of ``network.trainable_variables``.

        Raises:
            RunError: the support set does not fit the network.
        """
        check_support(self.network, support_x, support_y)
        weights = copies(self.network.trainable_variables, tf.shape(support_x)[0])
        weights = [tf.ensure_shape(w, [support_x.shape[0], *w.shape[1:]]) for w in weights]
        for _ in range(self.test_steps if steps is None else steps):
            weights = self.inner_step(weights, support_x, support_y)
        return weights

    def predict_with(self, weights, query_x, support_x=None):
        """Predictions of adapted networks: [task, query, out].

        Batch norm uses the statistics of ``support_x`` when it is given: no query knows of another
        (honest). Otherwise it uses those of the queries (transductive).
        """
        return call_tasks(self.network, weights, query_x, normalise_by=support_x)

    def call(self, inputs, training=False):
        """Adapt to the support set, predict the queries; honest unless in training."""
        support_x, support_y = inputs["support_x"], inputs["support_y"]
        weights = self.adapt(support_x, support_y, self.inner_steps if training else None)
        transductive = training and self.batch_norm == "transductive"
        return self.predict_with(weights, inputs["query_x"], None if transductive else support_x)

    def describe_rate(self) -> str:
        """The inner rate in words, for error messages."""
        return f"rate {self.inner_rate:g}"


def train_step(learner, optimizer, mapping):
    """The outer step: ``step(batch)`` -> loss and measures, means over the tasks.

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
        return gradients, {"loss": losses, **measures(query_y, prediction)}

    def step(batch):
        # theta <- theta - beta grad_theta sum_i L_Ti(f_theta'_i)            algorithm 1, line 8
        gradients, metrics = mean_over_tasks(gradient, batch, mapping)
        apply_gradients(optimizer, metrics["loss"], gradients, learner.trainable_variables)
        return metrics

    return step

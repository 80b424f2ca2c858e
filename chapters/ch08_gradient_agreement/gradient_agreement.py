"""Gradient agreement (Eshratifar, Eigen and Pedram, 2018; chapter 8 of the book).

Tasks of a batch pull the initialisation in different directions. Here a task counts as much as its
direction agrees with those of the others: one that opposes them gets a small or negative weight.
The weights stand on top of another method's outer step, MAML's or Reptile's.
"""

import keras
import tensorflow as tf

from chapters.engine.functional import add_scaled
from chapters.engine.learner import GradientLearner
from chapters.engine.mapping import each_task
from chapters.engine.strategies import gather
from chapters.engine.update import apply_gradients


def agreement_weights(g):
    """How much each task counts, from the directions in which inner loops moved.

    The absolute values add up to 1. Tasks that agree perfectly get 1 / n each, so a weighted sum is
    then the mean; when tasks disagree weights cancel and the step is shorter than a mean's.

    Args:
        g: theta - theta'_i for each task, [task, parameter].

    Returns:
        w [task], constants to the gradient; all 0 when the directions add up to nothing.
    """
    # sum_j g_i . g_j = g_i . (sum_j g_j)
    agreement = tf.linalg.matvec(g, tf.reduce_sum(g, axis=0))  # [task]
    # w_i = sum_j g_i . g_j / sum_k | sum_j g_k . g_j |; | | of the sum, not of each pair (E8.1)
    w = tf.math.divide_no_nan(agreement, tf.reduce_sum(tf.abs(agreement)))
    return tf.stop_gradient(w)


def equal_weights(g):
    """1 / n for each task, whatever its direction: MAML or Reptile as they were, to compare with.

    Args:
        g: as for ``agreement_weights``; only its shape and type count.
    """
    tasks = tf.shape(g)[0]
    return tf.fill([tasks], 1 / tf.cast(tasks, g.dtype))  # [task]


@keras.saving.register_keras_serializable(__package__)
class GradientAgreement(GradientLearner):
    """A network that is adapted to each task before it predicts, as by MAML or Reptile.

    Call it with ``support_x`` [task, support, ...], ``support_y`` [task, support] (labels) or
    [task, support, out] (targets) and ``query_x`` [task, query, ...]; it returns the predictions
    [task, query, out]. Its only weights are the network's, theta. ``maml_step`` and
    ``reptile_step`` are the two ways to learn them.

    Args:
        network: built Keras model, [item, ...] -> [item, out].
        objective: (y, prediction) -> loss [task], see ``losses``.
        inner_rate: alpha.
        inner_steps: inner steps in training.
        test_steps: inner steps otherwise; as in training when None.
        first_order: leave out the derivative of the inner gradient (``maml_step``).
        batch_norm: statistics for the queries in training: ``transductive``, those of the queries
            as in MAML's paper, or ``support``, those of the support set.
        options: of ``keras.Model``.
    """

    CONFIG = ("inner_rate", "inner_steps", "test_steps", "first_order", "batch_norm")
    NOT_BY_FIT = "weighs the gradients of tasks against each other"

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
        # theta'_i = theta - alpha grad_theta L_Ti(f_theta)
        return add_scaled(weights, -self.inner_rate, gradients)

    def agreement(self, inputs):
        """The weights [task] that a batch would get, to be looked at."""
        support_x, support_y = inputs["support_x"], inputs["support_y"]
        adapted = self.adapt(support_x, support_y, self.inner_steps)
        return agreement_weights(_flat(_moved(self.start(support_x), adapted)))


def maml_step(learner, optimizer, mapping, weigh=agreement_weights, outliers=0):
    """The outer step with MAML: ``step(batch)`` -> loss, metrics, smallest and largest weight.

    The book writes MAML's step as a sum over tasks, ours is a mean. With perfect agreement the
    weighted sum is that mean, n times smaller than the sum.

    Args:
        learner: GradientAgreement.
        optimizer: of ``learner.trainable_variables``.
        mapping: one of ``chapters.engine.mapping.MODES``; the gradients of all tasks are kept in
            both, since the weights are known only when all tasks are.
        weigh: ``agreement_weights`` or ``equal_weights``.
        outliers: that many tasks at the end of a batch are outliers; the result then
            has the mean weight of these and of the others, and the smallest and the largest of
            the others.
    """

    def gradient(tasks):
        inputs, query_y = tasks
        support_x, support_y = inputs["support_x"], inputs["support_y"]
        theta = learner.start(support_x)
        with tf.GradientTape() as tape:
            tape.watch(theta)
            adapted = learner.inner_loop(theta, support_x, support_y, learner.inner_steps)
            prediction = learner.predict_queries(adapted, inputs, True)  # [task, query, out]
            losses = learner.objective(query_y, prediction)  # [task]
        # grad_theta L_Ti(f_theta'_i), apart for each task: each has its own copy of theta
        gradients = tape.gradient(losses, theta)
        metrics = {"loss": losses, **learner.task_metrics(query_y, prediction)}
        return gradients, _moved(theta, adapted), metrics

    # theta <- theta - beta sum_i w_i grad_theta L_Ti(f_theta'_i)
    return _weighted_step(gradient, learner, optimizer, mapping, weigh, outliers)


def reptile_step(learner, optimizer, mapping, weigh=agreement_weights, outliers=0):
    """The outer step with Reptile; arguments and result as for ``maml_step``.

    The queries only tell the loss. With ``keras.optimizers.SGD`` the learning rate is epsilon.
    """

    def gradient(tasks):
        inputs, query_y = tasks
        support_x, support_y = inputs["support_x"], inputs["support_y"]
        adapted = learner.adapt(support_x, support_y, learner.inner_steps)
        prediction = learner.predict_queries(adapted, inputs, True)  # [task, query, out]
        losses = learner.objective(query_y, prediction)  # [task]
        moved = _moved(learner.start(support_x), adapted)
        return moved, moved, {"loss": losses, **learner.task_metrics(query_y, prediction)}

    # theta <- theta + epsilon sum_i w_i (theta'_i - theta)
    return _weighted_step(gradient, learner, optimizer, mapping, weigh, outliers)


def _weighted_step(gradient, learner, optimizer, mapping, weigh, outliers):
    """MAML's or Reptile's step, with the weights of this chapter instead of 1 / n."""

    def step(batch, seed=None):
        gradients, moved, metrics = each_task(gradient, batch, mapping)  # all [task, ...]
        gradients, moved = gather((gradients, moved))  # a task meets those of all devices
        w = weigh(_flat(moved))  # [task]
        # The weighted sum of gradients, not of their sums over parameters (E8.2), and not divided
        # by the number of tasks, for which w accounts (E8.3).
        update = [tf.tensordot(w, g, 1) for g in gradients]
        metrics = tf.nest.map_structure(tf.reduce_mean, metrics)
        apply_gradients(optimizer, metrics["loss"], update, learner.trainable_variables)
        return {**metrics, **_weight_metrics(w, outliers)}

    return step


def _weight_metrics(w, outliers):
    """What is logged about the weights [task] of a batch."""
    others = w[:-outliers] if outliers else w
    metrics = {"weight_min": tf.reduce_min(others), "weight_max": tf.reduce_max(others)}
    if outliers:
        metrics["weight_others"] = tf.reduce_mean(others)
        metrics["weight_outliers"] = tf.reduce_mean(w[-outliers:])
    return metrics


def _moved(theta, adapted):
    """g_i = theta - theta'_i: list of [task, ...]."""
    return [start - end for start, end in zip(theta, adapted, strict=True)]


def _flat(weights):
    """List of [task, ...] -> [task, parameter]."""
    return tf.concat([tf.reshape(w, [tf.shape(w)[0], -1]) for w in weights], axis=1)

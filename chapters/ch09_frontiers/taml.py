"""Task-agnostic meta-learning (Jamal and Qi, 2019; sections 9.1 and 9.2 of the book).

MAML may find an initialisation that is good at some tasks before it has seen an example, and has
unlearned others. TAML adds to its outer loss what is against such a bias:

    entropy        - H(f_theta) + H(f_theta'): undecided before the inner steps, decided after them
    inequality     I({L_Ti(f_theta)}): no task of a batch is better off than others from the start

The learner is MAML's, and so is its inner step.
"""

import tensorflow as tf

from chapters.ch09_frontiers.inequality import MEASURES, entropy
from chapters.engine.mapping import each_task, mean_over_tasks
from chapters.engine.update import apply_gradients

TERMS = ("entropy", *MEASURES)


def train_step(learner, optimizer, mapping, term: str, weight: float, adapted: bool = False):
    """The outer step: ``step(batch)`` -> loss and metrics, means over the tasks.

    Args:
        learner: MAML.
        optimizer: of ``learner.trainable_variables``.
        mapping: one of ``chapters.engine.mapping.MODES``.
        term: one of ``TERMS``.
        weight: lambda; with 0 it is MAML's outer step.
        adapted: inequality of the losses after the inner steps, as the book prints it (E9.4).
    """

    def losses_of(tasks):
        """Losses that are to be alike [task]: of theta, or after the inner steps."""
        inputs, query_y = tasks
        prediction = learner(inputs, training=True) if adapted else before(learner, inputs)
        return learner.objective(query_y, prediction)

    def gradient(tasks):
        inputs, query_y, share = tasks
        theta = learner.trainable_variables
        with tf.GradientTape() as tape:
            prediction = learner(inputs, training=True)  # [task, query, out]
            losses = learner.objective(query_y, prediction)  # L_Ti(f_theta'_i), [task]
            total = losses
            if weight:
                first = before(learner, inputs)  # [task, query, out]
                initial = losses if adapted else learner.objective(query_y, first)  # [task]
                if term == "entropy":
                    # L_Ti(f_theta'_i) + lambda (- H(f_theta) + H(f_theta'_i))
                    total += weight * (entropy(prediction) - entropy(first))
                else:
                    # dI/dtheta = sum_i dI/dl_i dl_i/dtheta
                    total += weight * share * initial
            loss = tf.reduce_mean(total)
        gradients = tape.gradient(loss, theta)
        metrics = {"loss": losses, **learner.task_metrics(query_y, prediction)}
        if weight:
            metrics["initial_loss"] = initial
            if learner.labelled:
                metrics |= {"entropy_before": entropy(first), "entropy_after": entropy(prediction)}
        return gradients, metrics

    def step(batch, seed=None):
        inputs, query_y = batch
        share, unequal = tf.ones(tf.shape(query_y)[:1]), None
        if weight and term != "entropy":
            losses = each_task(losses_of, batch, mapping)  # [task]
            unequal, share = marginal(MEASURES[term], losses)
        tasks = (inputs, query_y, share)
        gradients, metrics = mean_over_tasks(gradient, tasks, mapping)
        apply_gradients(optimizer, metrics["loss"], gradients, learner.trainable_variables)
        return metrics if unequal is None else {**metrics, "inequality": unequal}

    return step


def before(learner, inputs):
    """Predictions of the queries before any inner step: [task, query, out]."""
    weights = learner.start(inputs["support_x"])
    return learner.predict_queries(weights, inputs, training=True)


def marginal(measure, losses):
    """A measure of inequality, and how much each loss [task] moves it, times the number of tasks.

    The weights of tasks are all that a task has to know of the others: sum_i dI/dl_i l_i has the
    gradient of I, task by task.
    """
    losses = tf.stop_gradient(losses)
    with tf.GradientTape() as tape:
        tape.watch(losses)
        value = measure(losses)
    tasks = tf.cast(tf.shape(losses)[0], losses.dtype)
    return value, tasks * tape.gradient(value, losses)

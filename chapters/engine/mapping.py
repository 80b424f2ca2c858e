"""The gradient of a batch of tasks, in a named mode; and a function applied to each task.

``sequential`` runs one task at a time inside the graph: the memory is that of one task, however
many there are. ``batched`` runs all tasks at once: memory of all tasks. The numbers are the same.
Which one is faster depends on the network: many small matrix products are better done at once,
convolutions one task at a time (``python -m chapters.ch06_maml.benchmark``).
"""

import tensorflow as tf

MODES = ("sequential", "batched")


def map_tasks(function, tasks):
    """Results of ``function`` on each task, one after the other, stacked.

    Args:
        function: task (structure of tensors without the task axis) -> structure of tensors.
        tasks: structure of tensors [task, ...].
    """
    first = tf.nest.map_structure(lambda x: x[0], tasks)
    signature = tf.nest.map_structure(
        lambda x: tf.TensorSpec(x.shape, x.dtype), _result_of(function, first)
    )
    return tf.map_fn(function, tasks, fn_output_signature=signature, parallel_iterations=1)


def mean_gradient(loss_of_tasks, variables, tasks, mode: str = "sequential"):
    """Mean over tasks of loss, gradient and metrics.

    Args:
        loss_of_tasks: tasks -> (losses [task], metrics); metrics is a dict of tensors [task].
        variables: what the gradient is taken of.
        tasks: structure of tensors [task, ...].
        mode: one of ``MODES``.

    Returns:
        loss (scalar), gradients (in the order of ``variables``, None where the loss does not depend
        on one), metrics (dict of scalars).

    Raises:
        ValueError: unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
    if mode == "batched":
        with tf.GradientTape() as tape:
            losses, metrics = loss_of_tasks(tasks)  # [task]
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, variables)
        return loss, gradients, tf.nest.map_structure(tf.reduce_mean, metrics)

    def one(number):
        task = tf.nest.map_structure(lambda x: tf.gather(x, [number]), tasks)  # [1, ...]
        loss, gradients, metrics = mean_gradient(loss_of_tasks, variables, task, "batched")
        # A loop carries tensors only: the variables that no gradient reaches are left out.
        return loss, {n: g for n, g in enumerate(gradients) if g is not None}, metrics

    # The gradient of a task is added to the sum, so the intermediate results of one task can go:
    # this keeps the memory constant. Two tasks may be under way at a time: their operations are
    # too small to keep two cores busy.
    count = tf.shape(tf.nest.flatten(tasks)[0])[0]
    _, total = tf.while_loop(
        lambda number, _: number < count,
        lambda number, total: (number + 1, tf.nest.map_structure(tf.add, total, one(number))),
        (tf.constant(1), one(0)),
        parallel_iterations=2,
    )
    loss, reached, metrics = tf.nest.map_structure(lambda x: x / tf.cast(count, x.dtype), total)
    return loss, [reached.get(number) for number in range(len(variables))], metrics


def _result_of(function, task):
    """Shapes and types that ``function`` returns, found by tracing it once."""
    specs = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), task)
    return tf.function(function).get_concrete_function(specs).structured_outputs

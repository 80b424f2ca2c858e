"""One function applied to every task of a batch, in a named mode.

``sequential`` runs one task at a time inside the graph: with ``mean_gradient`` the memory is that
of one task, however many there are. ``vectorized`` runs all tasks at once through
``tf.vectorized_map``: faster for small networks, memory of all tasks. The numbers are the same.
"""

import tensorflow as tf

MODES = ("sequential", "vectorized")


def map_tasks(function, tasks, mode: str = "sequential"):
    """Results of ``function`` on each task, stacked.

    Args:
        function: task (structure of tensors without the task axis) -> structure of tensors.
        tasks: structure of tensors [task, ...].
        mode: one of ``MODES``.
    """
    _check(mode)
    if mode == "vectorized":
        return tf.vectorized_map(function, tasks, fallback_to_while_loop=False)
    first = tf.nest.map_structure(lambda x: x[0], tasks)
    signature = tf.nest.map_structure(
        lambda x: tf.TensorSpec(x.shape, x.dtype), _result_of(function, first)
    )
    return tf.map_fn(function, tasks, fn_output_signature=signature, parallel_iterations=1)


def mean_gradient(task_loss, variables, tasks, mode: str = "sequential"):
    """Mean over tasks of loss, gradient and metrics.

    Args:
        task_loss: task -> (loss, metrics), scalar loss and a dict of scalars.
        variables: what the gradient is taken of.
        tasks: structure of tensors [task, ...].
        mode: one of ``MODES``.

    Returns:
        loss (scalar), gradients (in the order of ``variables``, None where the loss does not depend
        on one), metrics (dict).
    """
    _check(mode)
    if mode == "vectorized":
        with tf.GradientTape() as tape:
            losses, metrics = map_tasks(task_loss, tasks, mode)  # [task]
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, variables)
        return loss, gradients, tf.nest.map_structure(tf.reduce_mean, metrics)

    def one(task):
        with tf.GradientTape() as tape:
            loss, metrics = task_loss(task)
        gradients = enumerate(tape.gradient(loss, variables))
        # A loop carries tensors only: the variables that no gradient reaches are left out.
        return loss, {number: g for number, g in gradients if g is not None}, metrics

    # The gradient of a task is added to the sum before the next task begins, so the intermediate
    # results of one task can go: this is what keeps the memory constant.
    count = tf.shape(tf.nest.flatten(tasks)[0])[0]
    total = one(tf.nest.map_structure(lambda x: x[0], tasks))

    def body(index, total):
        result = one(tf.nest.map_structure(lambda x: x[index], tasks))
        return index + 1, tf.nest.map_structure(tf.add, total, result)

    _, total = tf.while_loop(
        lambda index, _: index < count, body, (tf.constant(1), total), parallel_iterations=1
    )
    loss, reached, metrics = tf.nest.map_structure(lambda x: x / tf.cast(count, x.dtype), total)
    return loss, [reached.get(number) for number in range(len(variables))], metrics


def _result_of(function, task):
    """Shapes and types that ``function`` returns, found by tracing it once."""
    specs = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), task)
    return tf.function(function).get_concrete_function(specs).structured_outputs


def _check(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")

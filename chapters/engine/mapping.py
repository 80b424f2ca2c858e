"""Scheduling of tasks: what a chapter computes for a batch, all at once or one task at a time.

A chapter writes a function of tasks [task, ...], with tape, prediction, loss and gradient. Here it
is given all tasks of a batch (``batched``: memory of all) or one after the other inside the graph
(``sequential``: memory of a few, however many there are). The numbers are the same. Which one is
faster depends on the network: many small matrix products are better done at once, convolutions one
task at a time (``python -m chapters.ch06_maml.benchmark``).

The outer update is a weighted sum of the gradients of tasks. Where all weights are 1 / n,
``mean_over_tasks`` adds the gradients up as they come; where they depend on all tasks,
``each_task`` keeps them apart and the chapter weighs them.
"""

import tensorflow as tf

from chapters.engine import processor

MODES = ("sequential", "batched")


def mean_over_tasks(gradient, tasks, mode: str = "sequential"):
    """Mean over tasks of gradients and metrics.

    Args:
        gradient: tasks -> (gradients, metrics): the gradients of the mean loss of these tasks, None
            for a variable that takes no part in it, and a dict of tensors [task].
        tasks: structure of tensors [task, ...].
        mode: one of ``MODES``.

    Returns:
        gradients, metrics (dict of scalars).

    Raises:
        ValueError: unknown mode.
    """
    _check(mode)
    if mode == "batched":
        gradients, metrics = gradient(tasks)
        return gradients, tf.nest.map_structure(tf.reduce_mean, metrics)

    missing = []

    def one(number):
        task = tf.nest.map_structure(lambda x: tf.gather(x, [number]), tasks)  # [1, ...]
        gradients, metrics = mean_over_tasks(gradient, task, "batched")
        # A loop carries tensors only: the variables that no gradient reaches are left out.
        missing[:] = [n for n, g in enumerate(gradients) if g is None]
        return [g for g in gradients if g is not None], metrics

    # The gradient of a task is added to the sum, so the intermediate results of one task can go:
    # this keeps the memory constant.
    count = tf.shape(tf.nest.flatten(tasks)[0])[0]
    _, total = tf.while_loop(
        lambda number, _: number < count,
        lambda number, total: (number + 1, tf.nest.map_structure(tf.add, total, one(number))),
        (tf.constant(1), one(0)),
        parallel_iterations=under_way(),
    )
    gradients, metrics = tf.nest.map_structure(lambda x: x / tf.cast(count, x.dtype), total)
    for number in missing:
        gradients.insert(number, None)
    return gradients, metrics


def each_task(function, tasks, mode: str = "sequential"):
    """What ``function`` computes for each task, kept apart: a structure of tensors [task, ...].

    Args:
        function: tasks [task, ...] -> structure of tensors [task, ...], in which no task sees
            another.
        tasks: structure of tensors [task, ...].
        mode: one of ``MODES``.

    Raises:
        ValueError: unknown mode.
    """
    _check(mode)
    if mode == "batched":
        return function(tasks)

    def one(task):
        results = function(tf.nest.map_structure(lambda x: x[None], task))
        return tf.nest.map_structure(lambda x: x[0], results)

    return map_tasks(one, tasks, under_way())


def under_way() -> int:
    """Tasks whose operations may run at a time: one alone is too small to keep two cores busy.

    No sum depends on it: each has its operands in the order of the tasks.
    """
    return max(2, processor.cores())


def map_tasks(function, tasks, at_a_time: int = 1):
    """Results of ``function`` on each task, one after the other, stacked.

    Args:
        function: task (structure of tensors without the task axis) -> structure of tensors.
        tasks: structure of tensors [task, ...].
        at_a_time: tasks whose operations may run at a time.
    """
    first = tf.nest.map_structure(lambda x: x[0], tasks)
    signature = tf.nest.map_structure(
        lambda x: tf.TensorSpec(x.shape, x.dtype), _result_of(function, first)
    )
    plain = tf.autograph.experimental.do_not_convert(function)  # converting makes tracing slow
    return tf.map_fn(plain, tasks, fn_output_signature=signature, parallel_iterations=at_a_time)


def _check(mode):
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")


def _result_of(function, task):
    """Shapes and types that ``function`` returns, found by tracing it once."""
    specs = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), task)
    traced = tf.function(function, autograph=False).get_concrete_function(specs)
    return traced.structured_outputs

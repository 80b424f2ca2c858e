"""The last line of a training step: check, average over devices, update."""

import tensorflow as tf

NOT_FINITE = "loss or gradient is not finite"


def apply_gradients(optimizer, loss, gradients, variables) -> None:
    """Update ``variables``, unless the loss or any gradient is not finite.

    The check stands before every update, so a step that fails leaves weights and optimizer as they
    were (moving averages belong to the forward pass and do move).

    In a distributed run each replica has the mean over its own tasks, and Keras adds the replicas'
    gradients: dividing by their number makes that the mean over all tasks.

    Args:
        optimizer: Keras optimizer.
        loss: scalar.
        gradients: as ``tape.gradient(loss, variables)`` returns them.
        variables: what is updated.

    Raises:
        ValueError: a variable has no gradient, which means it takes no part in the loss.
        tf.errors.InvalidArgumentError: something is not finite (the loop turns it into RunError).
    """
    unused = [v.path for v, g in zip(variables, gradients, strict=True) if g is None]
    if unused:
        raise ValueError(f"no gradient reaches {', '.join(unused)}")
    finite = [tf.reduce_all(tf.math.is_finite(tensor)) for tensor in (loss, *gradients)]
    check = tf.debugging.Assert(tf.reduce_all(finite), [NOT_FINITE])
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    # Everything below waits for the check, the optimizer's counter of steps included. Outside of a
    # graph the check has raised already and is None.
    with tf.control_dependencies([] if check is None else [check]):
        optimizer.apply([gradient / replicas for gradient in gradients], variables)

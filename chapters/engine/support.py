"""Sentences about support sets that cannot be learned from, and about inner loops that diverge."""

import numpy as np
import tensorflow as tf

from chapters.engine.errors import RunError


def check_support(network, support_x, support_y) -> None:
    """Refuse a support set that does not fit the network.

    Args:
        network: built Keras model, [item, ...] -> [item, out].
        support_x: [task, support, ...].
        support_y: labels [task, support] in [0, out), or targets [task, support, out].

    Raises:
        RunError: shapes do not fit, or a label is out of range (labels are looked at outside of
            graphs only).
    """
    support_x, support_y = tf.convert_to_tensor(support_x), tf.convert_to_tensor(support_y)
    expected = network.input_shape[1:]
    if len(support_x.shape) != len(expected) + 2:
        raise RunError(
            f"support_x has shape {support_x.shape}; expected [task, support, "
            f"{', '.join(map(str, expected))}]: give a single task a leading axis of 1."
        )
    if not support_x.shape[2:].is_compatible_with(expected):
        raise RunError(
            f"support_x has items of shape {support_x.shape[2:]}; the network takes {expected}."
        )
    if not support_x.shape[:2].is_compatible_with(support_y.shape[:2]):
        raise RunError(
            f"support_x has shape {support_x.shape} but support_y {support_y.shape}; both need "
            "the same numbers of tasks and items."
        )
    out = network.output_shape[-1]
    integer = tf.as_dtype(support_y.dtype).is_integer
    if integer and len(support_y.shape) != 2:
        raise RunError(
            f"support_y has labels of shape {support_y.shape}; expected [task, support]. Targets "
            "of a regression must be floats."
        )
    if not integer and (len(support_y.shape) != 3 or support_y.shape[-1] != out):
        raise RunError(
            f"support_y has shape {support_y.shape}; the network's {out} output(s) need "
            f"[task, support, {out}]. Labels of classes must be integers."
        )
    if integer and tf.executing_eagerly():
        classes = max(out, 2)  # one output is the logit of the second of two classes
        lowest, highest = int(np.min(support_y)), int(np.max(support_y))
        if lowest < 0 or highest >= classes:
            raise RunError(
                f"support_y has labels from {lowest} to {highest}; the network tells {classes} "
                f"classes apart, so labels must be 0 to {classes - 1}."
            )


def explain_divergence(learner, sampler, index: int) -> str:
    """Where the inner loop of a batch stops being finite; empty when it does not.

    Args:
        learner: has ``adapt``, ``predict_with``, ``objective``, ``inner_steps`` and
            ``describe_rate()``.
        sampler: the batches of the run, with their ``seed``.
        index: the batch.
    """
    inputs, _ = sampler(index)
    x, y = inputs["support_x"], inputs["support_y"]
    for step in range(learner.inner_steps + 1):
        weights = learner.adapt(x, y, step)
        losses = learner.objective(y, learner.predict_with(weights, x)).numpy()  # [task]
        finite = np.isfinite(losses)
        if not finite.all():
            return (
                f" The support loss of task {int(np.argmin(finite))} of batch {index} "
                f"(seed {sampler.seed}) is not finite after inner step {step}, "
                f"{learner.describe_rate()}: lower the inner rate."
            )
    return ""

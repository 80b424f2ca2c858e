"""Inner loops that diverge, located: what a run says when its loss is not finite."""

import numpy as np


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

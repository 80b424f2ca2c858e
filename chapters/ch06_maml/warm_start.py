"""First-order steps to begin with, second-order ones after (Antoniou, Edwards and Storkey, 2019).

Far from a good initialisation the cheap first-order gradient points well enough; later it holds
MAML back. The authors call the change derivative-order annealing.
"""

import tensorflow as tf


def switched_step(first, then, optimizer, after: int):
    """A training step that is ``first`` for the first ``after`` steps of a run, then ``then``.

    The count is the optimizer's, which every checkpoint has: a run that is resumed goes on with
    the step that is due. The other one costs nothing.

    Args:
        first, then: training steps that update the same weights and have the same metrics.
        optimizer: of both.
        after: steps of ``first``.
    """

    def step(batch, seed=None):
        return tf.cond(
            optimizer.iterations < after, lambda: first(batch, seed), lambda: then(batch, seed)
        )

    return step

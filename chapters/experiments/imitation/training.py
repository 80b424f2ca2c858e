"""The loop of a training from demonstrations; what is touched in validation tasks chooses."""

import tensorflow as tf

from chapters.engine.loop import Loop
from chapters.experiments.imitation.testing import outcome
from datasets.worlds.reacher import NEAR


def loop(train_step, policy, optimizer, training, validation, run, config) -> Loop:
    """The loop of a training.

    Args:
        train_step: of the chapter.
        policy: with ``adapt`` and ``predict_with``.
        optimizer: built.
        training, validation: samplers of demonstrations.
        run: folder of the run.
        config: options of the run.
    """

    @tf.function(autograph=False)
    def success():
        distance = outcome(policy, validation, config.validation_trajectories).distance
        return tf.reduce_mean(tf.cast(distance[..., 0] < NEAR, tf.float32))

    return Loop(
        train_step,
        training,
        model=policy,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=lambda: {"success": float(success())},
        monitor="val_success",
        # Many small products are one program; convolutions are slower in it on a CPU.
        xla=config.sight == "numbers",
    )

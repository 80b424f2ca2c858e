"""The loop of a training in a world; tasks of validation choose the weights to keep."""

import tensorflow as tf

from chapters.engine.loop import Loop
from chapters.experiments.acting.trajectories import returns, rollout


def validation_of(learner, sampler, config):
    """Mean return on validation tasks after the inner steps of the training."""

    @tf.function(autograph=False)
    def after():
        task, _ = sampler(0)
        weights = learner.start(sampler.tasks)
        for number in range(learner.inner_steps + 1):
            seed = tf.constant([sampler.seed, number])
            drawn = rollout(sampler.world, learner.policy, weights, task, config.trajectories, seed)
            if number < learner.inner_steps:
                weights = learner.step_on(weights, drawn)
        return tf.reduce_mean(returns(drawn))

    return lambda: {"return": float(after())}


def loop(train_step, learner, optimizer, training, validation, run, config) -> Loop:
    """The loop of a training.

    Args:
        train_step: of the chapter.
        learner: has ``policy``, ``start``, ``step_on``, ``inner_steps``.
        optimizer: built.
        training, validation: samplers of tasks.
        run: folder of the run.
        config: options of the run.
    """
    return Loop(
        train_step,
        training,
        model=learner,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=validation_of(learner, validation, config),
        monitor="val_return",
        # Faster, and always the same bits: without it TensorFlow adds up three gradients or more in
        # an order that depends on which of their buffers is free first.
        xla=training.world.compiled,
    )

"""The loop of a training on curves; validation chooses the weights to keep."""

import functools

import keras

from chapters.engine.divergence import explain_divergence
from chapters.engine.loop import Loop
from chapters.experiments.options import SineOptions, outer_rate
from chapters.experiments.sine.tasks import VALIDATION_TASKS
from chapters.experiments.sine.testing import error_after


def outer_optimizer(config: SineOptions, variables) -> keras.Optimizer:
    """The outer optimizer, built."""
    kind = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}[config.optimizer]
    made = kind(outer_rate(config))
    made.build(variables)
    return made


def mapping(config: SineOptions) -> str:
    """``--mapping``; a small dense network is faster with all tasks at once."""
    return "batched" if config.mapping == "auto" else config.mapping


def loop(train_step, learner, optimizer, training, validation, run, config, **options) -> Loop:
    """The loop of a training; validation chooses the weights to keep.

    Args:
        train_step: of the chapter.
        learner: has ``adapt`` and ``predict_with``.
        optimizer: built.
        training, validation: curves.
        run: folder of the run.
        config: options of the run.
        options: further ones of ``Loop``.
    """
    steps = learner.test_steps
    validate = error_after(learner, validation, steps, VALIDATION_TASKS)
    explain = functools.partial(explain_divergence, learner, training)
    return Loop(
        train_step,
        training,
        model=learner,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=lambda: {"error": validate().mean},
        monitor="val_error",
        xla=config.xla,
        **{"explain": explain, **options},
    )

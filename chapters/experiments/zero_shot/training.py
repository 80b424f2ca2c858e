"""The training of zero-shot learners: optimizer and loop."""

import keras

from chapters.engine.evaluation import Evaluator
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.experiments.options import ZeroShotOptions


def make_optimizer(config: ZeroShotOptions, variables) -> keras.Optimizer:
    """Adam with a cosine to zero, and weights that decay."""
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, config.steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
    optimizer.build(variables)
    return optimizer


def loop(train_step, learner, optimizer, training, validation, run: RunFolder, config) -> Loop:
    """The loop of a training; where there are validation classes, they choose the weights.

    Args:
        train_step: of the chapter.
        learner: Keras model of tasks.
        optimizer: built.
        training, validation: tasks; None where there are no classes for validation.
        run: folder of the run.
        config: options of the run.
    """
    validate = validation and Evaluator(learner, validation, config.validation_episodes)
    words = f"{validation.way}-way, unseen classes" if validation else ""
    return Loop(
        train_step,
        training,
        model=learner,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=(lambda: {"accuracy": validate().mean}) if validation else None,
        monitor="val_accuracy" if validation else "",
        names={"accuracy": f"accuracy {training.way}-way", "val_accuracy": f"val_accuracy {words}"},
        verbose=None if validation else 0,  # many short ones otherwise
    )

"""The loop of a training, which prints the book's lines."""

import functools

import keras

from chapters.engine.divergence import explain_divergence
from chapters.engine.loop import Loop
from chapters.experiments.options import ToyOptions
from chapters.experiments.toy.testing import measure_after


class BookLog(keras.callbacks.Callback):
    """``Epoch 1000: Loss ...``, as the book prints it."""

    def on_epoch_end(self, epoch, logs=None):
        """Print the mean over the epochs since the last line."""
        print(f"Epoch {logs['step']:.0f}: Loss {logs['loss']:.4f}", flush=True)


def mapping(config: ToyOptions) -> str:
    """``--mapping``; a single layer is faster with all tasks at once."""
    return "batched" if config.mapping == "auto" else config.mapping


def loop(train_step, learner, optimizer, training, validation, run, config) -> Loop:
    """The loop of a training, which prints the book's lines.

    Args:
        train_step: of the chapter.
        learner: has ``adapt`` and ``predict_with``.
        optimizer: built.
        training, validation: tasks.
        run: folder of the run.
        config: options of the run.
    """
    validate = measure_after(learner, validation, config.test_steps, learner.objective, 200)
    return Loop(
        train_step,
        training,
        model=learner,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=100,
        validate=lambda: {"loss": validate().mean},
        callbacks=[BookLog()],
        verbose=0,
        xla=True,
        explain=functools.partial(explain_divergence, learner, training),
    )

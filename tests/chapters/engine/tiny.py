"""The smallest training script: it has all that a run can depend on, and trains in a moment.

Random weights, dropout (a random state), batch normalisation (moving averages), Adam with a
schedule (slots and a counter), validation, best weights.
"""

from dataclasses import dataclass

import keras
import tensorflow as tf

from chapters.engine import configuration, script, strategies
from chapters.engine.configuration import RunConfig, Script, option
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients


@dataclass(frozen=True)
class TinyConfig(RunConfig):
    """Options of the script."""

    steps: int = option(12, "training steps")
    steps_per_epoch: int = option(4, "steps between validations")
    steps_per_call: int = option(2, "steps in one graph call")
    patience: int = option(0, "epochs without progress")
    bad_step: int = option(-1, "this step has a loss that is not a number")


SCRIPT = Script("A tiny training.", TinyConfig, {"tiny": {}})


class Data:
    """A regression problem, drawn from (seed, index)."""

    def __init__(self, seed: int, bad: int = -1):
        self.seed, self.bad = seed, bad

    def __call__(self, index):
        """x [item, feature] and y [item, 1]."""
        seed = tf.random.fold_in(tf.constant([self.seed, 1]), index)
        x = tf.random.stateless_normal([16, 5], seed)
        y = tf.reduce_sum(tf.sin(2.0 * x), axis=-1, keepdims=True)
        spoilt = (index == self.bad) & (tf.range(16)[:, None] == 15)  # one item, for one device
        return x, tf.where(spoilt, float("nan"), y)


def network():
    """5 features, 16 units, 1 output."""
    return keras.Sequential(
        [
            keras.layers.Input((5,)),
            keras.layers.Dense(16, activation="tanh"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1),
        ]
    )


def make_loop(config, run=None, rate=None, monitor="val_loss", validate=True, **options):
    """A loop as a chapter's script makes it; ``rate`` replaces the schedule of learning rates."""
    strategy, chief = strategies.make(config.strategy), strategies.is_chief(config.strategy)
    run = run or RunFolder.open(config, "tests.tiny", chief=chief)
    with strategy.scope():
        model = network()
        schedule = keras.optimizers.schedules.ExponentialDecay(0.02, 10, 0.9)
        optimizer = keras.optimizers.Adam(schedule if rate is None else rate)
        optimizer.build(model.trainable_variables)

    def train_step(batch, seed=None):
        x, y = batch
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        apply_gradients(optimizer, loss, gradients, model.trainable_variables)
        return {"loss": loss, "half": loss / 2}

    @tf.function
    def error():
        x, y = Data(config.seed + 1)(tf.constant(0))
        return tf.reduce_mean((model(x, training=False) - y) ** 2)

    return Loop(
        train_step,
        Data(config.seed, config.bad_step),
        model=model,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=(lambda: {"loss": float(error())}) if validate else None,
        monitor=monitor if validate else "",
        patience=config.patience,
        strategy=strategy,
        **{"verbose": 0, **options},
    )


def main(argv=None, callbacks=()) -> None:
    """The script."""
    config = configuration.parse(SCRIPT, argv)
    script.prepare(config.seed)
    loop = make_loop(config, callbacks=callbacks)
    loop()
    loop.run.weights(loop.model)
    loop.run.json("metrics.json", {"steps": loop.step})
    print("finished")

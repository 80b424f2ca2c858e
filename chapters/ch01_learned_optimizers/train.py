"""Learn an optimizer by gradient descent, and test it on problems it has never seen.

python -m chapters.ch01_learned_optimizers.train                        # quadratics, a minute
python -m chapters.ch01_learned_optimizers.train --preset quadratics    # for longer runs
python -m chapters.ch01_learned_optimizers.train --preset digits        # networks on digits
"""

import keras
import tensorflow as tf

from chapters.ch01_learned_optimizers import plots, testing
from chapters.ch01_learned_optimizers.learned import LSTMRule, RNNprop
from chapters.ch01_learned_optimizers.presets import SCRIPTS, LearnedConfig
from chapters.ch01_learned_optimizers.problems import Scaled
from chapters.ch01_learned_optimizers.unroll import advance, begin, meta_loss
from chapters.engine import configuration, script
from chapters.engine.errors import ConfigError
from chapters.engine.export import export_run
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients

RESTART = 1000  # times the number of a restart, added to the seed: there are at most as many seeds


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train"], argv)
    check(config)
    device = script.prepare(config.seed)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", testing.describe(config), sep="\n")

    seeds = range(config.seed, config.seed + config.seeds)
    trained = [train_seed(seed, config, run) for seed in seeds]
    rule, loop, _ = trained[0]  # stands for the run: chosen by its number, not by its score
    run.weights(rule)

    # Test: fresh problems, beside hand-made rules with rates of their own.
    name, tests = testing.NAMES[config.method], testing.tests_of(config)
    curves = [found for _, _, found in trained]
    print(testing.table(tests, curves))
    rows = testing.rows(tests, curves, config)
    seconds = sum(loop.seconds for _, loop, _ in trained)
    run.metrics(name, rows, rule, loop, seconds, rates=testing.rates_found(tests, curves))

    run.figure("learning_curve", plots.learning_curve(loop.history))
    run.figure("losses", plots.losses(tests, curves[0]))
    run.figure("updates", plots.updates(rule))
    print(f"Weights, metrics and pictures are in {run.path}.")
    gradient = tf.constant([0.5, -0.01, 0.0])
    example = {"gradient": gradient, "state": rule.start(tf.shape(gradient))}
    export_run(run, {"serve": (rule.serving(strict=True), example)})


def build_learner(config: LearnedConfig):
    """The rule of the options, not trained."""
    if config.method == "rnnprop":
        return RNNprop(config.units, config.depth)
    return LSTMRule(config.units, config.depth, config.preprocessing, config.scale)


def train_seed(seed: int, config: LearnedConfig, run: RunFolder):
    """Train rules and test the best by validation: it, its loop, and what was found."""
    several = [train(seed, number, config, run) for number in range(config.restarts)]
    rule, loop = min(several, key=lambda found: testing.best_validation(found[1].history))
    loop.seconds = sum(other.seconds for _, other in several)
    return rule, loop, testing.run_tests(rule, config, seed)


def train(seed: int, number: int, config: LearnedConfig, run: RunFolder):
    """Train one rule, the restart ``number`` of a seed: the rule and its loop."""
    start = seed + RESTART * number
    keras.utils.set_random_seed(start)
    problem = testing.problems(config, "train", config.problems, start)
    if config.units_spread:
        problem = Scaled(problem, config.units_spread)
    rule = build_learner(config)
    updates = config.steps * (config.run_steps // config.unroll)
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, updates)
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=config.clip or None)
    optimizer.build(rule.trainable_variables)

    part = run.sub(f"seed-{seed}") if config.seeds > 1 else run
    loop = Loop(
        train_step(rule, problem, optimizer, config),
        problem,
        model=rule,
        optimizer=optimizer,
        run=part.sub(f"restart-{number}") if config.restarts > 1 else part,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=testing.validation(rule, config, seed),
        monitor=testing.MONITOR,
        xla=True,
    )
    loop()
    return rule, loop


def train_step(rule, problem, optimizer, config: LearnedConfig):
    """The outer step, ``step(batch)``: a run on new problems, from its beginning.

    The rule is updated after each stretch of ``config.unroll`` steps.

    Args:
        rule: LearnedRule.
        problem: has the loss.
        optimizer: of ``rule.trainable_variables``.
        config: options.

    Returns:
        Function of a batch of problems; it returns means over the stretches.
    """
    stretches = config.run_steps // config.unroll

    def step(batch, seed=None):
        def stretch(number, run, total, cut):
            # Gradients reach back to the beginning of the stretch; what the run has come to by then
            # is where it starts from, a constant.
            with tf.GradientTape() as tape:
                found, run = advance(rule, problem, batch, run, config.unroll)
                loss = meta_loss(found.loss, config.meta_loss)
            # with respect to phi, the weights of the rule
            gradients = tape.gradient(loss, rule.trainable_variables)
            apply_gradients(optimizer, loss, gradients, rule.trainable_variables)
            share = tf.reduce_mean(tf.cast(found.cut, tf.float32))
            return number + 1, run, total + loss, cut + share

        _, first = begin(rule, problem, batch)
        _, _, total, cut = tf.while_loop(
            lambda number, *_: number < stretches,
            stretch,
            (tf.constant(0), first, tf.constant(0.0), tf.constant(0.0)),
            maximum_iterations=stretches,
        )
        return {"loss": total / stretches, "cut": cut / stretches}

    return step


def check(config: LearnedConfig) -> None:
    """Refuse what does not fit together.

    Raises:
        ConfigError: a run is shorter than an unrolling, or no whole number of them.
    """
    if config.unroll > config.run_steps:
        raise ConfigError(
            f"--unroll {config.unroll} is longer than a run of --run-steps {config.run_steps}; "
            "give at most as many."
        )
    if config.run_steps % config.unroll:
        raise ConfigError(
            f"--run-steps {config.run_steps} is no multiple of --unroll {config.unroll}; make it "
            "one, so that a run is a whole number of unrollings."
        )


if __name__ == "__main__":
    script.run(main)

"""Train a meta-LSTM on few-shot images, and test it beside SGD and Adam with as many steps.

python -m chapters.ch01_learned_optimizers.train_meta_lstm                           # generated
python -m chapters.ch01_learned_optimizers.train_meta_lstm --preset omniglot_1shot   # Omniglot
python -m chapters.ch01_learned_optimizers.train_meta_lstm --data FOLDER             # your own
"""

import keras

from chapters.ch01_learned_optimizers import fine_tuning, gate_plots, networks
from chapters.ch01_learned_optimizers.losses import cross_entropy
from chapters.ch01_learned_optimizers.meta_lstm import MetaLSTM, UpdateCell, train_step
from chapters.ch01_learned_optimizers.presets import SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.errors import ConfigError
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.figures import learning_curve
from chapters.engine.runs import RunFolder
from chapters.experiments import images
from chapters.experiments.images import adaptation, pictures
from chapters.experiments.options import outer_rate

NAME = "meta-LSTM"


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_meta_lstm"], argv)
    if not config.inner_steps:
        raise ConfigError("--inner-steps is 0, with which the cell learns nothing; give 1 or more.")
    device = adaptation.prepare(config)
    strategy = strategies.make(config.strategy)

    # Data: classes are split first, tasks are drawn from one split each.
    data, config = adaptation.load(config)
    training, validation, tests = adaptation.samplers(data, config)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", images.describe(data, config), sep="\n")

    # Learner: a network, and the cell that updates its weights. Both are learned.
    with strategy.scope():
        learner = build_learner(config)
        optimizer = keras.optimizers.Adam(outer_rate(config), global_clipnorm=config.clip or None)
        optimizer.build(learner.trainable_variables)
    step = train_step(learner, optimizer, adaptation.mapping(config))
    print(f"{NAME}: {learner.count_params()} parameters, {learner.describe_rate()}.")

    tasks = training, validation
    loop = adaptation.loop(step, learner, optimizer, *tasks, run, config, strategy)
    history = loop()
    run.weights(learner)

    # Test, beside ordinary optimizers with as many steps.
    others, found = fine_tuning.contenders(cross_entropy, data, validation, config, run)
    results = fine_tuning.test({**others, NAME: learner}, tests, data, config)
    run.metrics(NAME, results, learner, loop, rates=found, **images.seen(data, config))

    run.figure("learning_curve", learning_curve(history, **adaptation.curve_names(config)))
    task = images.example(data, config, query=5)
    run.figure("gates", gate_plots.gates(learner, task.inputs, config.test_steps))
    names = images.class_names(data, config, task)
    run.figure("episode", pictures.episode(learner, task, names, images.is_ink(config)))
    print(f"Weights, metrics and pictures are in {run.path}.")
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), first_task(task.inputs))})


def build_learner(config):
    """The learner of the options, not trained."""
    network = networks.conv4(images.item_shape(config), config.way, config.filters)
    cell = UpdateCell(config.units)
    return MetaLSTM(network, cross_entropy, cell, config.inner_steps, config.test_steps)


if __name__ == "__main__":
    script.run(main)

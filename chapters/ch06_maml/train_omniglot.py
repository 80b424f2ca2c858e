"""Train MAML or a variant of it on few-shot images and test on classes never seen.

python -m chapters.ch06_maml.train_omniglot                       # generated characters
python -m chapters.ch06_maml.train_omniglot --preset maml_5way    # Omniglot, 5-way 1-shot
python -m chapters.ch06_maml.train_omniglot --data FOLDER         # your own class folders
"""

import dataclasses

import keras

from chapters.ch06_maml import adml, anil, caml, maml, networks
from chapters.ch06_maml.losses import cross_entropy
from chapters.ch06_maml.presets import PUBLISHED, SCRIPTS
from chapters.ch06_maml.warm_start import switched_step
from chapters.engine import configuration, script, strategies
from chapters.engine.errors import ConfigError
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.experiments import images
from chapters.experiments.images import adaptation
from chapters.experiments.options import outer_rate

OUTER_STEPS = {
    "maml": maml.train_step,
    "anil": maml.train_step,
    "adml": adml.train_step,
    "caml": caml.train_step,
}
NAMES = {"maml": "MAML", "anil": "ANIL", "adml": "ADML", "caml": "CAML"}


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_omniglot"], argv)
    device = adaptation.prepare(config)
    strategy = strategies.make(config.strategy)

    # Data: classes are split first, tasks are drawn from one split each.
    data, config = adaptation.load(config)
    training, validation, tests = adaptation.samplers(data, config)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", images.describe(data, config), sep="\n")

    # Learner: a network, how it adapts, and how its first weights are learned.
    with strategy.scope():
        learner = build_learner(config)
        optimizer = keras.optimizers.Adam(outer_rate(config))
        optimizer.build(learner.trainable_variables)
    step = outer_step(config, learner, optimizer)
    name = name_of(config)
    print(f"{name}: {learner.count_params()} parameters, {learner.describe_rate()}.")

    # Training.
    tasks = training, validation
    loop = adaptation.loop(step, learner, optimizer, *tasks, run, config, strategy)
    history = loop()
    run.weights(learner)

    # Test, beside the network as it was before.
    untrained = build_learner(config)
    results = adaptation.test(name, learner, untrained, tests, data, config, PUBLISHED)
    curves = adaptation.accuracy_by_steps(learner, tests, config)
    more = images.seen(data, config)
    run.metrics(name, results, learner, loop, accuracy_by_steps=curves, **more)
    adaptation.draw(run, history, learner, curves, data, config)
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(images.example(data, config, query=5).inputs)
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), task)})


def build_learner(config, network=None):
    """The learner of the options, not trained; of a given network where there is one."""
    network = network or build_network(config)
    shared = {
        "inner_steps": config.inner_steps,
        "test_steps": config.test_steps,
        "first_order": config.first_order,
        "batch_norm": config.batch_norm,
    }
    if config.method == "caml":
        return caml.CAML(network, cross_entropy, config.inner_rate, **shared)
    if config.method == "adml":
        attack = {"epsilon": config.epsilon, "pairing": config.pairing}
        return adml.ADML(network, cross_entropy, config.inner_rate, **attack, **shared)
    if config.method == "anil":
        head = {"zero_head": config.zero_head}
        return anil.ANIL(network, cross_entropy, config.inner_rate, **head, **shared)
    return maml.MAML(network, cross_entropy, config.inner_rate, **shared)


def build_network(config):
    """The network of the options, with its first weights."""
    shape = images.item_shape(config)
    if config.method == "caml":
        return caml.image_network(shape, config.way, config.context, config.filters)
    if config.network == "dense4":
        return networks.dense4(shape, config.way)
    return networks.conv4(shape, config.way, config.filters)


def outer_step(config, learner, optimizer):
    """The training step of ``--method``; first-order for the share of ``--warm-start``.

    Raises:
        ConfigError: a warm start on several devices, which cannot agree within a branch.
    """
    make, mapping = OUTER_STEPS[config.method], adaptation.mapping(config)
    step = make(learner, optimizer, mapping)
    if not config.warm_start:
        return step
    if config.strategy != "none":
        raise ConfigError(
            f"--warm-start {config.warm_start:g} and --strategy {config.strategy} are given; a "
            "warm start runs on one device: use --strategy none or --warm-start 0."
        )
    cheap = build_learner(dataclasses.replace(config, first_order=True), learner.network)
    first = make(cheap, optimizer, mapping)
    return switched_step(first, step, optimizer, round(config.warm_start * config.steps))


def name_of(config) -> str:
    """The method as tables call it."""
    name = NAMES[config.method]
    if config.method == "maml" and config.first_order:
        name = "FOMAML"
    if config.warm_start:
        name = "MAML, warm start"
    return f"{name}, dense" if config.network == "dense4" else name


if __name__ == "__main__":
    script.run(main)

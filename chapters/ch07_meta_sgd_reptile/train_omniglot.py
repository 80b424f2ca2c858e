"""Train Meta-SGD or Reptile on few-shot images and test on classes never seen.

python -m chapters.ch07_meta_sgd_reptile.train_omniglot                         # generated images
python -m chapters.ch07_meta_sgd_reptile.train_omniglot --preset meta_sgd_5way  # Omniglot
python -m chapters.ch07_meta_sgd_reptile.train_omniglot --preset reptile_5way
python -m chapters.ch07_meta_sgd_reptile.train_omniglot --data FOLDER           # class folders
"""

from chapters.ch07_meta_sgd_reptile import learners, networks, plots
from chapters.ch07_meta_sgd_reptile.losses import cross_entropy
from chapters.ch07_meta_sgd_reptile.presets import PUBLISHED, SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.experiments import images
from chapters.experiments.images import adaptation


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
        optimizer = learners.outer_optimizer(config, learner.trainable_variables)
    step = learners.outer_step(config, learner, optimizer, adaptation.mapping(config))
    name = learners.name_of(config)
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
    if config.method == "meta_sgd":
        run.figure("rates", plots.rates(learner.learned_rates()))
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(images.example(data, config, query=5).inputs)
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), task)})


def build_learner(config):
    """The learner of the options, not trained."""
    shape = images.item_shape(config)
    if config.network == "dense4":
        network = networks.dense4(shape, config.way)
    else:
        network = networks.conv4(shape, config.way, config.filters)
    return learners.build(config, network, cross_entropy, config.batch_norm)


if __name__ == "__main__":
    script.run(main)

"""MAML from pictures without labels: find weights from which classes are quickly told apart.

python -m chapters.ch09_frontiers.train_unlabelled_maml                  # generated characters
python -m chapters.ch09_frontiers.train_unlabelled_maml --preset copies  # Omniglot, as UMTRA
python -m chapters.ch09_frontiers.train_unlabelled_maml --preset paper   # Omniglot, as CACTUs
python -m chapters.ch09_frontiers.train_unlabelled_maml --data FOLDER    # your own pictures
"""

import keras

from chapters.ch09_frontiers import baselines, maml, unlabelled, unlabelled_pictures
from chapters.ch09_frontiers.learners import build_learner
from chapters.ch09_frontiers.presets import CLUSTERS_PUBLISHED, COPIES_PUBLISHED, SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.figures import learning_curve
from chapters.engine.runs import RunFolder
from chapters.experiments import images
from chapters.experiments.images import adaptation, pictures
from chapters.experiments.options import outer_rate

PUBLISHED = {"copies": COPIES_PUBLISHED, "clusters": CLUSTERS_PUBLISHED, "true": {}}


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_unlabelled_maml"], argv)
    device = adaptation.prepare(config)
    strategy = strategies.make(config.strategy)

    # Data: pictures, and tasks made of them. Only the test knows classes.
    data, config = load(config)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", unlabelled.describe(data, config), sep="\n")
    tasks = unlabelled.samplers(data, config, run, config.way, adaptation.tasks_at_once(config))

    with strategy.scope():
        learner = build_learner(config)
        optimizer = keras.optimizers.Adam(outer_rate(config))
        optimizer.build(learner.trainable_variables)
    step = maml.train_step(learner, optimizer, adaptation.mapping(config))

    # Tasks of other pictures, made in the same way, choose the weights to keep.
    drawn = tasks.training, tasks.validation
    loop = adaptation.loop(step, learner, optimizer, *drawn, run, config, strategy)
    history = loop()
    run.weights(learner)

    # Test: true classes, beside the network as it was before: training from scratch.
    name, untrained, tests = name_of(config), build_learner(config), tasks.tests
    figures = PUBLISHED[config.labels].get("MAML", {})
    published = {name: figures} if figures else None
    results = adaptation.test(name, learner, untrained, tests, data, config, published)
    if tasks.clusters:
        results += baselines.test(tasks.clusters, tests, data, config)
    curves = adaptation.accuracy_by_steps(learner, tests, config)
    rows, seconds = unlabelled.rows(results, config), tasks.seconds + loop.seconds
    more = {"accuracy_by_steps": curves, **unlabelled.seen(data, config)}
    run.metrics(name, rows, learner, loop, seconds, **more)

    draw(run, history, learner, curves, tasks, data, config)
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(unlabelled.example(data, config).inputs)
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), task)})


def load(config):
    """Data, and options that fit it: the network has as many outputs as a test has classes.

    Raises:
        ConfigError, DataError: options or data that do not fit.
    """
    return unlabelled.load(config) if unlabelled.is_loose(config) else adaptation.load(config)


def name_of(config) -> str:
    """The method as tables call it."""
    return f"MAML, {unlabelled.WORDS[config.labels]}"


def draw(run: RunFolder, history, learner, curves, tasks, data, config) -> None:
    """Learning curve, accuracy by inner steps, a training task, and a test with its answers."""
    ink = images.is_ink(config)
    run.figure("learning_curve", learning_curve(history, **adaptation.curve_names(config)))
    run.figure("accuracy_by_steps", pictures.accuracy_by_steps(curves, config.test_steps))
    run.figure("task", unlabelled_pictures.task(tasks.training.episode(0), ink))
    if tasks.clusters:
        positions, partitions = tasks.clusters.training
        run.figure("clusters", unlabelled_pictures.partition(data, positions, partitions[0], ink))
    task = unlabelled.example(data, config)
    names = images.class_names(data, config, task)
    run.figure("episode", pictures.episode(learner, task, names, ink))


if __name__ == "__main__":
    script.run(main)

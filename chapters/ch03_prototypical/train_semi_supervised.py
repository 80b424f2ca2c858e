"""Train a prototypical network with unlabelled items, and test what they are worth.

python -m chapters.ch03_prototypical.train_semi_supervised                  # generated characters
python -m chapters.ch03_prototypical.train_semi_supervised --preset masked  # Omniglot, as the paper
python -m chapters.ch03_prototypical.train_semi_supervised --data FOLDER    # your own class folders
"""

import dataclasses

import keras
import tensorflow as tf

from chapters.ch03_prototypical import models, unlabelled_plots, unlabelled_tests
from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.ch03_prototypical.presets import SCRIPTS, SemiSupervisedConfig
from chapters.ch03_prototypical.semi_supervised import SemiSupervisedPrototypicalNetwork
from chapters.engine import configuration, script, strategies
from chapters.engine.evaluation import accuracy
from chapters.engine.export import export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments import images
from chapters.experiments.images import metric


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_semi_supervised"], argv)
    device = script.prepare(config.seed)

    # Data: classes are split first, then the items of the training classes.
    data, config = unlabelled_tests.load(config)
    _, validation, tests = unlabelled_tests.samplers(data, config)
    ordinary = unlabelled_tests.ordinary_tests(data, config)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", images.describe(data, config), sep="\n")
    print(unlabelled_tests.describe(config), flush=True)

    # A network for each choice of the items that have labels; the first one stands for the run.
    trained = [train(data, config, run, number) for number in range(config.label_splits)]
    (learner, loop), name = trained[0], unlabelled_tests.NAMES[config.method]
    run.weights(learner)

    # Test: as any other network, without unlabelled items; then with them.
    results = metric.test(name, learner, build_learner(config), ordinary, data, config)
    results = [{**row, "headline": False} for row in results]
    found = [unlabelled_tests.test(one, tests, config) for one, _ in trained]
    refined = unlabelled_tests.rows(found, tests, data, config)
    print(unlabelled_tests.table(refined, config))
    seconds = sum(one.seconds for _, one in trained)
    run.metrics(name, results + refined, learner, loop, seconds, **images.seen(data, config))

    metric.draw(run, loop.history, learner, validation, data, config)
    task = list(tests.values())[-1].episode(0)
    run.figure("refinement", unlabelled_plots.refinement_map(learner, task))
    print(f"Weights, metrics and pictures are in {run.path}.")

    given = first_task(images.example(data, config, query=5).inputs)
    more = {**given, "unlabelled_x": task.unlabelled_x[0]}
    endpoints = {
        "serve": (learner.serving(strict=True), given),
        "serve_full": (learner.serving(strict=True, full=True), more),
        "embed": (learner.embed, {"x": given["query_x"]}),
    }
    export_run(run, endpoints)


def train(data, config: SemiSupervisedConfig, run: RunFolder, number: int):
    """The learner and the loop of one choice of labelled items."""
    if number:
        run = run.sub(f"label-split-{number + 1}")
        config = dataclasses.replace(config, label_split=config.label_split + number)
    episodes, validation, _ = unlabelled_tests.samplers(data, config)
    strategy = strategies.make(config.strategy)

    # Model: one encoder for support, unlabelled items and queries.
    with strategy.scope():
        learner = build_learner(config)
        optimizer = keras.optimizers.Adam(metric.learning_rate(config))
        optimizer.build(learner.trainable_variables)

    def train_step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            logits = learner(inputs, training=True)  # [task, query, way], of refined prototypes
            loss = models.negative_log_likelihood(query_y, logits)
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        return {"loss": loss, "accuracy": tf.reduce_mean(accuracy(query_y, logits))}

    # Classes that are neither trained nor tested on choose the weights to keep.
    loop = metric.loop(train_step, learner, optimizer, episodes, validation, run, config, strategy)
    loop()
    return learner, loop


def build_learner(config: SemiSupervisedConfig) -> SemiSupervisedPrototypicalNetwork:
    """The network of the options, not trained."""
    encoder = get_embeddings(images.item_shape(config), config.h_dim, config.z_dim, config.momentum)
    return SemiSupervisedPrototypicalNetwork(encoder, config.method, config.refinements)


if __name__ == "__main__":
    script.run(main)

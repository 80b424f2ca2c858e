"""Train a Gaussian prototypical network, and test it on damaged pictures too.

python -m chapters.ch03_prototypical.train_gaussian                     # generated characters
python -m chapters.ch03_prototypical.train_gaussian --preset damaged    # Omniglot, partly damaged
python -m chapters.ch03_prototypical.train_gaussian --preset damaged --plain   # its plain rival
python -m chapters.ch03_prototypical.train_gaussian --data FOLDER       # your own class folders
"""

import keras
import tensorflow as tf

from chapters.ch03_prototypical import gaussian, gaussian_plots, robustness
from chapters.ch03_prototypical.damage import Damaged
from chapters.ch03_prototypical.models import negative_log_likelihood
from chapters.ch03_prototypical.presets import SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.evaluation import accuracy
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments import images
from chapters.experiments.images import metric

NAMES = {False: "Gaussian prototypical network", True: "plain network of equal size"}
SHOWN = 0.5  # share of the examples that are damaged in pictures


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    train(configuration.parse(SCRIPTS["train_gaussian"], argv))


def train(config) -> None:
    """Train, test and draw the network of the options, in a run folder of its own."""
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)

    # Data: damage belongs to the tasks; of validation it is that of training.
    dataset, config = images.load(config)
    episodes, validation, tests = metric.samplers(dataset, config)
    shares = config.damaged_support, config.damaged_queries
    episodes, validation = (
        Damaged(tasks, *shares, config.shrink) for tasks in (episodes, validation)
    )
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", images.describe(dataset, config), sep="\n")
    print("Damaged: {:.0%} of the examples, {:.0%} of the queries.".format(*shares))

    with strategy.scope():
        learner = build_learner(config)
        optimizer = keras.optimizers.Adam(metric.learning_rate(config))
        optimizer.build(learner.trainable_variables)

    def train_step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            logits = learner(inputs, training=True)  # [task, query, way]
            loss = negative_log_likelihood(query_y, logits)  # -log softmax_c(-d_c)
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        return {"loss": loss, "accuracy": tf.reduce_mean(accuracy(query_y, logits))}

    tasks = episodes, validation
    loop = metric.loop(train_step, learner, optimizer, *tasks, run, config, strategy)
    history = loop()
    run.weights(learner)

    # Test: whole pictures, then ever more damaged ones.
    name = NAMES[config.plain]
    results = metric.test(name, learner, build_learner(config), tests, dataset, config)
    partly = robustness.samplers(dataset, config)
    found = {
        column: robustness.accuracies(learner, sampler, config.test_episodes, config.shrink)
        for column, sampler in partly.items()
    }
    print(robustness.table(name, found))
    results += robustness.rows(name, found, partly, dataset, config)
    robustness.write(run, found)
    run.metrics(name, results, learner, loop, **images.seen(dataset, config))

    metric.draw(run, history, learner, validation, dataset, config)
    run.figure("damaged", gaussian_plots.against_share({name: found}))
    if not config.plain:
        crowd = images.test_sampler(dataset, config, next(iter(partly)))
        crowd = Damaged(crowd, SHOWN, shrink=config.shrink)
        names = images.class_names(dataset, config, crowd.episode(0))
        run.figure("confidence", gaussian_plots.confidence(learner, crowd, names))
    print(f"Weights, metrics and pictures are in {run.path}.")

    task = first_task(images.example(dataset, config, query=5).inputs)
    endpoints = {
        "serve": (adapt_and_predict(learner, strict=True), task),
        "embed": (learner.embed, {"x": task["query_x"]}),
    }
    export_run(run, endpoints)


def build_learner(config):
    """The network of the options, not trained."""
    shape = images.item_shape(config)
    encoder = gaussian.get_gaussians(
        shape, config.h_dim, config.z_dim, config.component, config.momentum
    )
    component = "none" if config.plain else config.component
    return gaussian.GaussianPrototypicalNetwork(
        encoder, component, config.inverse_transform_type, config.distance
    )


if __name__ == "__main__":
    script.run(main)

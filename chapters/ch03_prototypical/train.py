"""Train a prototypical network and test it on classes it has never seen.

python -m chapters.ch03_prototypical.train                        # generated characters
python -m chapters.ch03_prototypical.train --preset paper_1shot   # Omniglot, as in the paper
python -m chapters.ch03_prototypical.train --data FOLDER          # your own class folders
"""

import keras
import tensorflow as tf

from chapters.ch03_prototypical import models, plots, report
from chapters.ch03_prototypical.presets import SCRIPTS
from chapters.engine import configuration, figures, script, strategies
from chapters.engine.evaluation import Evaluator, accuracy
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments import images
from chapters.experiments.images import pictures


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train"], argv)
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)

    # Data: classes are split first, episodes are drawn from one split each.
    dataset, config = images.load(config)
    episodes, validation, tests = images.samplers(dataset, config, validation_way=20, tasks=5)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", images.describe(dataset, config), sep="\n")

    # Model: one encoder for support and query.
    with strategy.scope():
        learner = build_learner(config)
        optimizer = keras.optimizers.Adam(learning_rate(config))
        optimizer.build(learner.trainable_variables)

    def train_step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            logits = learner(inputs, training=True)  # [task, query, way]
            loss = models.negative_log_likelihood(query_y, logits)
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        return {"loss": loss, "accuracy": tf.reduce_mean(accuracy(query_y, logits))}

    # Classes that are neither trained nor tested on choose the weights to keep.
    validate = Evaluator(learner, validation, config.validation_episodes)
    loop = Loop(
        train_step,
        episodes,
        model=learner,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=lambda: {"accuracy": validate().mean},
        monitor="val_accuracy" if config.train_split == "train" else "",
        patience=config.patience,
        callbacks=[report.BookLog(validation)] if config.preset == "book" else [],
        strategy=strategy,
        names=images.progress_names(config, validation),
        verbose=0 if config.preset == "book" else None,
    )
    history = loop()
    run.weights(learner)

    # Test: the trained network beside what it has to beat.
    scores = report.evaluate(learner, tests, dataset, config)
    run.json("metrics.json", report.metrics(scores, learner, loop, dataset, config))
    print(report.table(scores, dataset, config))

    example = images.example(dataset, config, query=5)
    crowd = images.example(dataset, config, query=15)
    names = images.curve_names(config, validation)
    run.figure("learning_curve", figures.learning_curve(history, **names))
    names, ink = images.class_names(dataset, config, example), images.is_ink(config)
    run.figure("episode", pictures.episode(learner, example, names, ink))
    names = images.class_names(dataset, config, crowd)
    run.figure("embeddings", plots.embedding_map(learner, crowd, names))
    print(f"Weights, metrics and pictures are in {run.path}.")

    task = first_task(example.inputs)
    endpoints = {
        "serve": (adapt_and_predict(learner, strict=True), task),
        "embed": (learner.embed, {"x": task["query_x"]}),
    }
    export_run(run, endpoints)


def build_learner(config):
    """The network of the options, not trained."""
    encoder = models.get_embeddings(
        images.item_shape(config), config.h_dim, config.z_dim, config.momentum
    )
    return models.PrototypicalNetwork(encoder, config.distance)


def learning_rate(config):
    """The paper's schedule: halved every ``halve_every`` steps."""
    if not config.halve_every:
        return config.learning_rate
    return keras.optimizers.schedules.ExponentialDecay(
        config.learning_rate, config.halve_every, decay_rate=0.5, staircase=True
    )


if __name__ == "__main__":
    script.run(main)

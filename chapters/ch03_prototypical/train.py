"""Train a prototypical network and test it on classes it has never seen.

python -m chapters.ch03_prototypical.train                        # generated characters
python -m chapters.ch03_prototypical.train --preset paper_1shot   # Omniglot, as in the paper
python -m chapters.ch03_prototypical.train --data FOLDER          # your own class folders
"""

import keras
import tensorflow as tf

from chapters.ch03_prototypical import backbones, models, plots, report
from chapters.ch03_prototypical.presets import PUBLISHED, SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.evaluation import accuracy
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments import images
from chapters.experiments.images import metric

NAME = "prototypical network"


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = backbones.fitted(configuration.parse(SCRIPTS["train"], argv))
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)

    # Data: classes are split first, episodes are drawn from one split each.
    dataset, config = images.load(config)
    episodes, validation, tests = metric.samplers(dataset, config)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", images.describe(dataset, config), sep="\n")

    # Model: one encoder for support and query.
    with strategy.scope():
        learner = build_learner(config)
        backbones.load_weights(learner.encoder, config)
        optimizer = keras.optimizers.Adam(metric.learning_rate(config))
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
    tasks, book = (episodes, validation), config.preset == "book"
    loop = metric.loop(
        train_step, learner, optimizer, *tasks, run, config, strategy,
        callbacks=[report.BookLog(validation)] if book else [], verbose=0 if book else None,
    )  # fmt: skip
    history = loop() if learner.trainable_variables else []
    run.weights(learner)

    # Test: the trained network beside what it has to beat.
    untrained = build_learner(config)
    results = metric.test(NAME, learner, untrained, tests, dataset, config, PUBLISHED)
    run.metrics(NAME, results, learner, loop, **images.seen(dataset, config))

    metric.draw(run, history, learner, validation, dataset, config)
    crowd = images.example(dataset, config, query=15)
    names = images.class_names(dataset, config, crowd)
    run.figure("embeddings", plots.embedding_map(learner, crowd, names))
    print(f"Weights, metrics and pictures are in {run.path}.")

    task = first_task(images.example(dataset, config, query=5).inputs)
    endpoints = {
        "serve": (adapt_and_predict(learner, strict=True), task),
        "embed": (learner.embed, {"x": task["query_x"]}),
    }
    export_run(run, endpoints)


def build_learner(config):
    """The network of the options, not trained."""
    encoder = backbones.build_encoder(config, images.item_shape(config))
    return models.PrototypicalNetwork(encoder, config.distance)


def build_frozen(encoder: str, weights: str):
    """A network that is compared as it is: of ``--encoder`` and ``--encoder-weights``.

    Raises:
        ConfigError: no such network or weights.
    """
    asked = {"data": ".", "channels": 3, "encoder": encoder, "encoder_weights": weights}
    config = configuration.build(SCRIPTS["train"], "paper_1shot", {**asked, "frozen": True})
    config = backbones.fitted(config)
    learner = build_learner(config)
    backbones.load_weights(learner.encoder, config)
    return learner


if __name__ == "__main__":
    script.run(main)

"""Learn from pictures without labels, and tell classes apart that nobody has named.

python -m chapters.ch09_frontiers.train_unlabelled                  # generated characters
python -m chapters.ch09_frontiers.train_unlabelled --preset copies  # Omniglot, copies of pictures
python -m chapters.ch09_frontiers.train_unlabelled --preset paper   # Omniglot, clusters (CACTUs)
python -m chapters.ch09_frontiers.train_unlabelled --data FOLDER    # your own pictures
"""

import keras
import tensorflow as tf

from chapters.ch09_frontiers import baselines, models, unlabelled, unlabelled_pictures
from chapters.ch09_frontiers.encoder import get_embeddings
from chapters.ch09_frontiers.presets import CLUSTERS_PUBLISHED, SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.evaluation import accuracy
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.figures import learning_curve
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments import images
from chapters.experiments.images import metric, pictures


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_unlabelled"], argv)
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)

    # Data: pictures, and tasks made of them. Only the test knows classes.
    data, config = unlabelled.load(config)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", unlabelled.describe(data, config), sep="\n")
    sizes = metric.VALIDATION_WAY, metric.TASKS_AT_ONCE
    tasks = unlabelled.samplers(data, config, run, *sizes)

    learner, loop = train(tasks, data, config, run, strategy)
    run.weights(learner)

    # Test: true classes, which the network has never seen, beside what it has to beat.
    name, tests = name_of(config), tasks.tests
    published = CLUSTERS_PUBLISHED["prototypical"] if tasks.clusters else None
    results = metric.test(name, learner, build_learner(config), tests, data, config, published)
    if tasks.clusters:
        results += baselines.test(tasks.clusters, tests, data, config)
    rows, seconds = unlabelled.rows(results, config), tasks.seconds + loop.seconds
    run.metrics(name, rows, learner, loop, seconds, **unlabelled.seen(data, config))

    draw(run, loop.history, learner, tasks, data, config)
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(unlabelled.example(data, config).inputs)
    endpoints = {
        "serve": (adapt_and_predict(learner, strict=True), task),
        "embed": (learner.embed, {"x": task["query_x"]}),
    }
    export_run(run, endpoints)


def train(tasks, data, config, run: RunFolder, strategy):
    """Train a network on the tasks of a run; the learner and its loop."""
    with strategy.scope():
        learner = build_learner(config)
        optimizer = keras.optimizers.Adam(metric.learning_rate(config))
        optimizer.build(learner.trainable_variables)

    def train_step(batch, seed=None):
        # Labels say which items are copies of one picture, or of one cluster; no more is known.
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            logits = learner(inputs, training=True)  # [task, query, way]
            loss = models.negative_log_likelihood(query_y, logits)
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        return {"loss": loss, "accuracy": tf.reduce_mean(accuracy(query_y, logits))}

    # Tasks of other pictures, made in the same way, choose the weights to keep.
    drawn = tasks.training, tasks.validation
    loop = metric.loop(train_step, learner, optimizer, *drawn, run, config, strategy)
    loop()
    return learner, loop


def build_learner(config):
    """The network of the options, not trained."""
    encoder = get_embeddings(images.item_shape(config), config.h_dim, config.z_dim, config.momentum)
    return models.PrototypicalNetwork(encoder)


def name_of(config) -> str:
    """The method as tables call it."""
    return f"prototypical network, {unlabelled.WORDS[config.labels]}"


def draw(run: RunFolder, history, learner, tasks, data, config) -> None:
    """Learning curve, a training task, clusters with examples, and a test with its answers."""
    ink = images.is_ink(config)
    names = images.curve_names(config, tasks.validation)
    if config.labels != "true":
        names["held_out"] = f"{names['held_out']}, {unlabelled.WORDS[config.labels]}"
    run.figure("learning_curve", learning_curve(history, **names))
    run.figure("task", unlabelled_pictures.task(tasks.training.episode(0), ink))
    run.figure("clusters", unlabelled_pictures.of_embedding(learner.embed, data, config, ink))
    task = unlabelled.example(data, config)
    names = images.class_names(data, config, task)
    run.figure("episode", pictures.episode(learner, task, names, ink))


if __name__ == "__main__":
    script.run(main)

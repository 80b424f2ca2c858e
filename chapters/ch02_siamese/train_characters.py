"""Train a siamese network on characters or other pictures and test it on classes never seen.

python -m chapters.ch02_siamese.train_characters                     # generated characters
python -m chapters.ch02_siamese.train_characters --preset omniglot   # Omniglot
python -m chapters.ch02_siamese.train_characters --data FOLDER       # your own class folders
"""

import keras
import tensorflow as tf

from chapters.ch02_siamese import measures
from chapters.ch02_siamese.encoder import get_embeddings
from chapters.ch02_siamese.losses import contrastive_loss
from chapters.ch02_siamese.models import ENERGIES, NearestNeighbour, SiameseNetwork
from chapters.ch02_siamese.presets import SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.layers import embed_tasks
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments import images
from chapters.experiments.images import metric

NAME = "siamese network"


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_characters"], argv)
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)

    # Data: classes are split first, pairs are made of the items of an episode.
    data, config = images.load(config)
    episodes, validation, tests = metric.samplers(data, config)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", images.describe(data, config), sep="\n")

    with strategy.scope():
        learner = build_learner(config)
        optimizer = keras.optimizers.Adam(metric.learning_rate(config))
        optimizer.build(learner.trainable_variables)

    def train_step(batch, seed):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            label, energy = pair_energies(learner, inputs, query_y, seed, training=True)
            loss = contrastive_loss(label, energy, config.margin)
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        right = (energy < config.margin / 2) == (label == 1)  # [pair, 1]
        return {"loss": loss, "accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}

    # Classes that are neither trained nor tested on choose the weights to keep.
    tasks = episodes, validation
    loop = metric.loop(train_step, learner, optimizer, *tasks, run, config, strategy)
    loop.names["accuracy"] = "accuracy of pairs"
    history = loop()
    run.weights(learner.siamese)
    decide(learner, validation, config, run)

    # Test: a query is what its nearest support item is, beside what that has to beat.
    results = metric.test(NAME, learner, build_learner(config), tests, data, config)
    run.metrics(NAME, results, learner, loop, **images.seen(data, config))
    metric.draw(run, history, learner, validation, data, config)
    print(f"Weights, metrics and pictures are in {run.path}.")

    task = first_task(images.example(data, config, query=5).inputs)
    endpoints = {
        "serve": (adapt_and_predict(learner, strict=True), task),
        "embed": (learner.embed, {"x": task["query_x"]}),
    }
    export_run(run, endpoints)


def decide(learner, validation, config, run: RunFolder) -> None:
    """Find on validation pairs how sure a distance makes; ``decision.json`` keeps it."""
    inputs, query_y = validation(0)
    pairs = pair_energies(learner, inputs, query_y, tf.constant([config.seed, 0]))
    label, distance = (x.numpy()[:, 0] for x in pairs)
    sharpness = measures.calibrate(label == 1, distance)
    decision = {"threshold": config.margin / 2, "sharpness": sharpness}
    learner.use_decision(decision)
    run.json("decision.json", decision)


def pair_energies(learner, inputs, query_y, seed, training=False):
    """Labels and distances of pairs: every query with an item of its class and with one of another.

    Args:
        learner: NearestNeighbour.
        inputs: tasks of one support item per class, in the order of their labels.
        query_y: [task, query].
        seed: int32 [2], for the choice of the other class.

    Returns:
        Two tensors [2 * task * query, 1]: 1 for genuine pairs, which come first, and 0 for imposite
        ones; distances.
    """
    way = tf.shape(inputs["support_x"])[1]
    # Both twins in one pass: batch normalisation then sees one batch, not two.
    x = tf.concat([inputs["support_x"], inputs["query_x"]], axis=1)
    z = embed_tasks(learner.encoder, x, training)  # [task, way + query, dim]
    support_z, query_z = z[:, :way], z[:, way:]
    away = tf.random.stateless_uniform(tf.shape(query_y), seed, 1, way, tf.int32)
    other = (query_y + away) % way  # [task, query], never the query's own
    energy = ENERGIES[learner.siamese.energy]
    distances = [
        energy(query_z, tf.gather(support_z, of, batch_dims=1))  # [task, query, 1]
        for of in (query_y, other)
    ]
    distances = tf.reshape(tf.stack(distances), [-1, 1])  # [2 * task * query, 1]
    pairs = tf.size(query_y)
    label = tf.concat([tf.ones([pairs, 1]), tf.zeros([pairs, 1])], axis=0)
    return label, distances


def build_learner(config):
    """The network of the options, not trained."""
    encoder = get_embeddings(images.item_shape(config), config.h_dim, config.z_dim, config.momentum)
    return NearestNeighbour(SiameseNetwork(encoder), sharpness=1.0)


if __name__ == "__main__":
    script.run(main)

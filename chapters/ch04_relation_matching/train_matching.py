"""Train a matching network and test it on classes it has never seen.

python -m chapters.ch04_relation_matching.train_matching                    # generated characters
python -m chapters.ch04_relation_matching.train_matching --preset scaled    # Omniglot
python -m chapters.ch04_relation_matching.train_matching --preset context   # with full context
python -m chapters.ch04_relation_matching.train_matching --data FOLDER      # your own class folders
"""

import keras
import tensorflow as tf

from chapters.ch04_relation_matching import attention_map, orders
from chapters.ch04_relation_matching.context import FullContext, shuffle_support
from chapters.ch04_relation_matching.encoder import get_embeddings
from chapters.ch04_relation_matching.matching import MatchingNetwork, negative_log_likelihood
from chapters.ch04_relation_matching.presets import MATCHING_PUBLISHED, SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.evaluation import accuracy
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments import images
from chapters.experiments.images import metric

NAME = "matching network"
ORDER_EPISODES = 100  # at most, of the test of orders


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_matching"], argv)
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)

    # Data: classes are split first, episodes are drawn from one split each.
    dataset, config = images.load(config)
    episodes, validation, tests = metric.samplers(dataset, config)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", images.describe(dataset, config), sep="\n")

    with strategy.scope():
        learner = build_learner(config)
        optimizer = keras.optimizers.Adam(metric.learning_rate(config))
        optimizer.build(learner.trainable_variables)

    def train_step(batch, seed):
        inputs, query_y = batch
        # Episodes come class by class; g reads a sequence and must not learn that order.
        inputs = shuffle_support(inputs, seed)
        with tf.GradientTape() as tape:
            log_p = learner(inputs, training=True)  # [task, query, way]
            loss = negative_log_likelihood(query_y, log_p)
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        return {"loss": loss, "accuracy": tf.reduce_mean(accuracy(query_y, log_p))}

    # Classes that are neither trained nor tested on choose the weights to keep.
    tasks = episodes, validation
    loop = metric.loop(train_step, learner, optimizer, *tasks, run, config, strategy)
    history = loop()
    run.weights(learner)

    # Test: the trained network beside what it has to beat.
    untrained = build_learner(config)
    results = metric.test(NAME, learner, untrained, tests, dataset, config, MATCHING_PUBLISHED)
    run.metrics(
        NAME, results, learner, loop,
        **images.seen(dataset, config), **measured(learner, tests, config),
    )  # fmt: skip

    metric.draw(run, history, learner, validation, dataset, config)
    task = attention_map.example(dataset, config)
    names, ink = images.class_names(dataset, config, task), images.is_ink(config)
    run.figure("attention", attention_map.draw(learner, task, names, ink))
    print(f"Weights, metrics and pictures are in {run.path}.")

    task = first_task(images.example(dataset, config, query=5).inputs)
    endpoints = {
        "serve": (adapt_and_predict(learner, strict=True), task),
        "embed": (learner.embed, {"x": task["query_x"]}),
    }
    export_run(run, endpoints)


def measured(learner, tests, config) -> dict:
    """What ``metrics.json`` keeps beside the accuracy, told in a sentence each."""
    found = {}
    if config.scale == "learned":
        found["scale"] = float(tf.exp(learner.log_scale))
        print(f"The learned scale of the cosine is {found['scale']:.1f}.")
    if config.context:
        sampler = next(iter(tests.values()))
        spread = orders.order_spread(learner, sampler, min(config.test_episodes, ORDER_EPISODES))
        found["order_spread"] = spread._asdict()
        print(spread)
    return found


def build_learner(config):
    """The network of the options, not trained."""
    encoder = get_embeddings(images.item_shape(config), config.h_dim, config.z_dim, config.momentum)
    context = None
    if config.context:
        context = FullContext(encoder.output_shape[-1], config.processing_steps)
    return MatchingNetwork(encoder, config.scale, context)


if __name__ == "__main__":
    script.run(main)

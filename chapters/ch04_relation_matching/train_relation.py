"""Train a relation network and test it on classes it has never seen.

python -m chapters.ch04_relation_matching.train_relation                  # generated characters
python -m chapters.ch04_relation_matching.train_relation --preset emoji   # signs in colour
python -m chapters.ch04_relation_matching.train_relation --data FOLDER    # your own class folders
"""

import keras
import tensorflow as tf

from chapters.ch04_relation_matching import losses, relation, score_pictures
from chapters.ch04_relation_matching.presets import RELATION_PUBLISHED, SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.evaluation import accuracy
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments import images
from chapters.experiments.images import metric
from datasets.errors import tell

NAME = "relation network"
# Honest first; the authors' tests are of the other kind.
REGIMES = ("stored", "transductive")


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_relation"], argv)
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)

    # Data: classes are split first, episodes are drawn from one split each.
    dataset, config = images.load(config)
    tell_of_other_shots(config)
    episodes, validation, tests = metric.samplers(dataset, config)
    objective = losses.OBJECTIVES[config.objective]

    # Model: one embedding for support and query, one relation function for all pairs. It refuses
    # images that are too small, so it is made before there is a run.
    with strategy.scope():
        learner = build_learner(config)
        optimizer = keras.optimizers.Adam(metric.learning_rate(config))
        weights = [learner.embedding.trainable_variables, learner.relation.trainable_variables]
        optimizer.build([*weights[0], *weights[1]])
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", images.describe(dataset, config), sep="\n")

    def train_step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            logits = learner(inputs, training=True)  # [task, query, way]
            loss = objective(query_y, logits)
        of_embedding, of_relation = tape.gradient(loss, weights)
        gradients = [*clipped(of_embedding, config.clip), *clipped(of_relation, config.clip)]
        apply_gradients(optimizer, loss, gradients, [*weights[0], *weights[1]])
        return {"loss": loss, "accuracy": tf.reduce_mean(accuracy(query_y, logits))}

    # Classes that are neither trained nor tested on choose the weights to keep.
    tasks = episodes, validation
    loop = metric.loop(train_step, learner, optimizer, *tasks, run, config, strategy)
    history = loop()
    run.weights(learner)

    # Test: the trained network beside what it has to beat.
    untrained = build_learner(config)
    results = metric.test(
        NAME, learner, untrained, tests, dataset, config, RELATION_PUBLISHED, REGIMES
    )
    run.metrics(NAME, results, learner, loop, **images.seen(dataset, config))

    metric.draw(run, history, learner, validation, dataset, config)
    shown = images.example(dataset, config, query=2)
    names, ink = images.class_names(dataset, config, shown), images.is_ink(config)
    run.figure("relation_scores", score_pictures.matrix(learner, shown, names, ink))
    print(f"Weights, metrics and pictures are in {run.path}.")

    task = first_task(images.example(dataset, config, query=5).inputs)
    export_run(run, {"serve": (adapt_and_predict(learner, strict=True), task)})


def build_learner(config):
    """The network of the options, not trained.

    Raises:
        ConfigError: images too small for it.
    """
    embedding = relation.embedding_function(
        images.item_shape(config), config.h_dim, config.z_dim, config.momentum
    )
    map_shape = embedding.output_shape[1:]
    score = relation.relation_function(map_shape, config.r_dim, config.hidden, config.momentum)
    return relation.RelationNetwork(embedding, score, config.shots)


def clipped(gradients, longest):
    """Gradients of one function, shortened together when they are longer; 0 leaves them."""
    return tf.clip_by_global_norm(gradients, longest)[0] if longest else list(gradients)


def tell_of_other_shots(config) -> None:
    """Say which tests sum over more or fewer items than the training does (E4.1)."""
    columns = images.parse_columns(config.columns)
    others = [str(column) for column in columns if column.shot != config.shot]
    if config.shots == "sum" and others:
        tell(
            f"A class map is a sum over the shots, {config.shot} in training: the tests "
            f"{', '.join(others)} have sums of another size, which lowers their accuracy; --shots "
            "mean is for any shot."
        )


if __name__ == "__main__":
    script.run(main)

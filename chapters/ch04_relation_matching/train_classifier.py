"""Train an ordinary classifier and test its features on classes it has never seen.

python -m chapters.ch04_relation_matching.train_classifier                    # generated characters
python -m chapters.ch04_relation_matching.train_classifier --preset omniglot  # Omniglot
python -m chapters.ch04_relation_matching.train_classifier --data FOLDER      # your own folder
"""

import keras
import tensorflow as tf

from chapters.ch04_relation_matching.classifier import (
    Classifier,
    CosineClassifier,
    cross_entropy,
)
from chapters.ch04_relation_matching.encoder import get_embeddings
from chapters.ch04_relation_matching.presets import CLASSIFIER_PUBLISHED, SCRIPTS
from chapters.engine import configuration, script, strategies
from chapters.engine.evaluation import Evaluator
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.figures import learning_curve
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments import images
from chapters.experiments.images import metric, pictures
from datasets.tasks.minibatches import Minibatches

NAME = "classifier, cosine of features"


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_classifier"], argv)
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)

    # Data: minibatches of the training classes; episodes of others only ask what was learned.
    dataset, config = images.load(config)
    ground = 0.0 if images.is_ink(config) else 1.0
    batches = Minibatches(
        dataset, config.train_split, config.batch, config.seed,
        rotations=config.rotations, ground=ground if config.augment else None,
    )  # fmt: skip
    _, validation, tests = metric.samplers(dataset, config)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.", describe(dataset, config), sep="\n")

    # Model: the few-shot learner is the classifier without its head.
    with strategy.scope():
        learner = build_learner(config)
        classifier = Classifier(learner.encoder, batches.classes)
        optimizer = keras.optimizers.Adam(metric.learning_rate(config))
        optimizer.build(classifier.trainable_variables)

    def train_step(batch, seed=None):
        x, y = batch
        with tf.GradientTape() as tape:
            logits = classifier(x, training=True)  # [item, class]
            loss = cross_entropy(y, logits)
        gradients = tape.gradient(loss, classifier.trainable_variables)
        apply_gradients(optimizer, loss, gradients, classifier.trainable_variables)
        right = tf.argmax(logits, axis=-1, output_type=y.dtype) == y  # [item]
        return {"loss": loss, "accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}

    # The classes of the minibatches can no longer tell when to stop: it is episodes of others.
    few_shot = Evaluator(learner, validation, config.validation_episodes)
    held_out = images.progress_names(config, validation)["val_accuracy"]
    loop = Loop(
        train_step,
        batches,
        model=classifier,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=lambda: {"accuracy": few_shot().mean},
        monitor="val_accuracy" if config.train_split == "train" else "",
        patience=config.patience,
        strategy=strategy,
        names={"accuracy": f"accuracy {batches.classes} classes", "val_accuracy": held_out},
    )
    history = loop()
    run.weights(learner)

    # Test: the trained network beside what it has to beat.
    untrained = build_learner(config)
    results = metric.test(NAME, learner, untrained, tests, dataset, config, CLASSIFIER_PUBLISHED)
    run.metrics(NAME, results, learner, loop, **images.seen(dataset, config))

    curves = images.curve_names(config, validation)
    curves["training"] = f"training, {batches.classes} classes at once"
    run.figure("learning_curve", learning_curve(history, **curves))
    task = images.example(dataset, config, query=5)
    names, ink = images.class_names(dataset, config, task), images.is_ink(config)
    run.figure("episode", pictures.episode(learner, task, names, ink))
    print(f"Weights, metrics and pictures are in {run.path}.")

    task = first_task(task.inputs)
    endpoints = {
        "serve": (adapt_and_predict(learner, strict=True), task),
        "embed": (learner.embed, {"x": task["query_x"]}),
    }
    export_run(run, endpoints)


def describe(dataset, config) -> str:
    """What is trained on what, before it starts."""
    return (
        f"{images.describe_data(dataset, config)}\n"
        f"Training: {config.steps} steps of {config.batch} pictures, all training classes at once."
    )


def build_learner(config):
    """The few-shot learner of the options, not trained."""
    encoder = get_embeddings(images.item_shape(config), config.h_dim, config.z_dim, config.momentum)
    return CosineClassifier(encoder)


if __name__ == "__main__":
    script.run(main)

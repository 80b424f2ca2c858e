"""Train a memory-augmented network to learn characters while they are shown to it.

python -m chapters.ch05_memory.train_mann                         # generated characters
python -m chapters.ch05_memory.train_mann --preset paper          # Omniglot, 5 classes, 50 pictures
python -m chapters.ch05_memory.train_mann --preset lstm           # the same without a memory
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf

import datasets
from chapters.ch05_memory import measures, plots, report
from chapters.ch05_memory.baselines import Forgetful, LSTMCells
from chapters.ch05_memory.mann import MANNCell
from chapters.ch05_memory.models import SequenceModel, SequentialLearner, with_previous
from chapters.ch05_memory.presets import SCRIPTS, MANNConfig
from chapters.ch05_memory.training import build_optimizer
from chapters.engine import configuration, script
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions
from chapters.engine.export import adapt_and_predict, export_run
from chapters.engine.figures import learning_curve
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from datasets.readers.folder import read_image
from datasets.tasks.episodes import to_float
from datasets.tasks.presentations import LETTERS, Presentations

SHOWN = (1, 2, 3, 4, 5, 10)  # presentations that are reported
TEST_BATCH = 100


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_mann"], argv)
    device = script.prepare(config.seed)
    data = load(config)
    training, validation, test = samplers(data, config)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.")
    print(report.describe_presentations(data, config), flush=True)
    if config.model == "MANN" and config.length > config.memory_size:
        print(
            f"Warning: episodes of {config.length} pictures are longer than the memory's "
            f"{config.memory_size} slots; the least used are overwritten."
        )

    learner = build(config)
    optimizer = build_optimizer(config, learner.trainable_variables)

    def train_step(batch, seed=None):
        x = with_previous(batch.images, batch.shown)  # [batch, time, pixel + output]
        with tf.GradientTape() as tape:
            logits = learner.network(x)  # [batch, time, output]
            loss = measures.label_loss(batch.label, logits)
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        right = tf.cast(measures.is_right(batch.label, logits), tf.float32)
        return {"loss": loss, "accuracy": tf.reduce_mean(right)}

    validate = tester(learner, validation, config.validation_episodes)
    loop = Loop(
        train_step,
        training,
        model=learner,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=lambda: {"accuracy": float(np.mean(validate()[0]))},
        monitor="val_accuracy" if config.train_split == "train" else "",
        xla=True,
    )
    history = loop()
    run.weights(learner)

    right, class_of = tester(learner, test, config.test_episodes)()
    curve = measures.by_presentation(right, class_of, SHOWN)
    known = measures.best_guess(class_of, test.bindings)
    limit = measures.by_presentation(known, class_of, [1])
    run.json("metrics.json", report.presentation_metrics(curve, limit, learner, loop, data, config))
    print(report.presentation_table(curve, limit, data, config))

    means = {number: float(values.mean()) for number, values in curve.items()}
    name, chance = report.network_name(config), 1 / test.bindings
    run.figure("accuracy", plots.accuracy_by_presentation({name: means}, chance))
    run.figure("learning_curve", learning_curve(history))
    episode = test(0)
    if config.model == "MANN":
        run.figure("memory", plots.lookup(learner.network, episode))
    print(f"Weights, metrics and pictures are in {run.path}.")
    export_run(run, endpoints(learner, episode, config))


def load(config: MANNConfig):
    """The data set of ``--data``."""
    options = {"root": config.data_root or None, "offline": config.offline}
    return datasets.load(config.data, size=config.image_size, **options)


def samplers(data, config: MANNConfig):
    """Training, validation and test episodes, each from classes of its own."""
    shared = {
        "way": config.way,
        "length": config.length,
        "rotations": config.rotations,
        "labels": config.labels,
        "seed": config.seed,
    }
    jitter = {"jitter": config.jitter}
    training = Presentations(data, config.train_split, batch=config.batch, **jitter, **shared)
    return training, *(
        Presentations(data, split, batch=TEST_BATCH, **shared) for split in ("val", "test")
    )


def build(config: MANNConfig) -> SequentialLearner:
    """The network of ``--model`` with fresh weights."""
    outputs = config.way if config.labels == "one_hot" else LETTERS * LETTERS
    if config.model == "LSTM":
        cell = LSTMCells(config.rnn_size, 1, outputs)
    elif config.model == "feed_forward":
        cell = Forgetful(config.rnn_size, outputs)
    else:
        names = (
            "rnn_size", "memory_size", "memory_vector_dim", "head_num", "gamma", "controller"
        )  # fmt: skip
        options = {name: getattr(config, name) for name in names}
        try:
            cell = MANNCell(**options, output_dim=outputs)
        except ValueError as error:
            raise ConfigError(f"{str(error)[0].upper()}{str(error)[1:]}.") from error
    item_shape = (config.image_size, config.image_size, 1)
    network = SequenceModel(cell, math.prod(item_shape) + outputs)
    return SequentialLearner(network, outputs, item_shape)


def build_learner(config: MANNConfig) -> SequentialLearner:
    """The network without its training, as the zoo asks for it."""
    return build(config)


def read(paths, config: MANNConfig) -> np.ndarray:
    """Picture files as the network sees them: float32 [item, size, size, 1], ink 1 and paper 0.

    Raises:
        DataError: a file is missing or broken.
    """
    size = config.image_size
    pictures = [read_image(path, (size, size), channels=1, invert=True) for path in paths]
    return to_float(np.reshape(pictures, [-1, size, size, 1])).numpy()


def evaluate(learner, config: MANNConfig, given: Conditions) -> list[dict]:
    """Rows of right labels at every presentation, as asked.

    Raises:
        ConfigError, DataError: what is asked does not fit episodes, or data is missing.
    """
    reason = "classes are shown several times, and labelled, in one episode"
    given.check(reason, way=(config.way,), shot=(), query=(), batch_norm=())
    config = dataclasses.replace(config, seed=given.seed, test_episodes=given.episodes)
    data = load(config)
    *_, test = samplers(data, config)
    right, class_of = tester(learner, test, config.test_episodes)()
    curve = measures.by_presentation(right, class_of, SHOWN)
    return report.presentation_rows(curve, data, config)


def tester(learner, sampler: Presentations, episodes: int):
    """Function that shows ``episodes`` episodes: right [episode, time], class_of the same."""

    @tf.function(jit_compile=True, autograph=False)
    def several(index):
        episode = sampler(index)
        x = with_previous(episode.images, episode.shown)
        return measures.is_right(episode.label, learner.network(x)), episode.class_of

    def run():
        batches = -(-episodes // sampler.batch)
        parts = [several(tf.constant(index)) for index in range(batches)]
        return tuple(np.concatenate([part[k].numpy() for part in parts]) for k in (0, 1))

    return run


def endpoints(learner, episode, config: MANNConfig) -> dict:
    """Signatures of an export, with an example each.

    ``sequence`` takes pictures and labels of any number of steps and answers at each; ``serve``,
    for one-hot labels, takes a support set and queries like every few-shot learner.
    """

    def sequence(images, shown):
        logits = learner.network(with_previous(images, shown))  # [batch, time, output]
        if config.labels == "string":
            letters = tf.reshape(logits, [tf.shape(logits)[0], -1, LETTERS, LETTERS])
            return {"probabilities": tf.nn.softmax(letters, axis=-1)}
        return {"probabilities": tf.nn.softmax(logits, axis=-1)}

    example = {"images": episode.images[:2], "shown": episode.shown[:2]}
    signatures = {"sequence": (sequence, example, 2)}
    if config.labels == "one_hot":
        support, query = tf.split(episode.images[0], [config.way, config.length - config.way])
        task = {"support_x": support, "support_y": tf.range(config.way), "query_x": query}
        signatures["serve"] = (adapt_and_predict(learner, strict=True), task)
    return signatures


if __name__ == "__main__":
    script.run(main)

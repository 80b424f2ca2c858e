"""The book's toy relation network of section 4.5, mended.

python -m chapters.ch04_relation_matching.train_toy                  # pairs that can be learned
python -m chapters.ch04_relation_matching.train_toy --preset book    # the printed pairs: nothing to
"""

import keras
import tensorflow as tf

from chapters.ch04_relation_matching import score_pictures, toy
from chapters.ch04_relation_matching.losses import score_error
from chapters.ch04_relation_matching.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.evaluation import Evaluator, Score
from chapters.engine.export import export_run
from chapters.engine.loop import Loop
from chapters.engine.results import Measure, Result
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients

NAME, KNOWN, NOTHING = "relation network", "on the records of the training", "prediction 0.5"
VALIDATION, TEST = 1_000_000, 2_000_000  # added to the seed: records that training never drew
ERROR = Measure("squared_error", "squared error", digits=4)


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_toy"], argv)
    device = script.prepare(config.seed)
    training, validation, test = samplers(config)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", describe(config), sep="\n")

    # Model: one embedding for both items of a pair (E4.5).
    learner = build_learner(config)
    optimizer = keras.optimizers.Adam(config.learning_rate)
    optimizer.build(learner.trainable_variables)

    def train_step(batch, seed=None):
        inputs, same = batch
        with tf.GradientTape() as tape:
            loss = score_error(same, learner(inputs, training=True))
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        return {"loss": loss}

    # Training prints the book's lines, and the error on fresh records, which the book leaves out.
    validate = evaluator(learner, validation, batches=10)
    loop = Loop(
        train_step,
        training,
        model=learner,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=50,
        validate=lambda: {"loss": validate().mean},
        callbacks=[BookLog()],
        verbose=0,
    )
    history = loop()
    run.weights(learner)

    scores = {
        NAME: evaluator(learner, test, config.test_batches)(),
        KNOWN: evaluator(learner, training, config.test_batches)(),
    }
    print(table(scores, config))
    run.metrics(NAME, rows(scores, config), learner, loop)
    some = toy.RecordPairs(200, config.noise, config.seed + TEST, config.as_printed, fresh=True)
    run.figure("toy", score_pictures.toy(learner, history, some(0)))
    print(f"Weights, metrics and pictures are in {run.path}.")
    export_run(run, {"relation_scores": (learner.relation_scores, test(0)[0])})


class BookLog(keras.callbacks.Callback):
    """``Episode 100: Loss ...``, as the book prints it, with the error on fresh records."""

    def on_epoch_end(self, epoch, logs=None):
        """Print the mean over the episodes since the last line."""
        print(
            f"Episode {logs['step']:.0f}: Loss {logs['loss']:.4f}, on fresh records "
            f"{logs['val_loss']:.4f}",
            flush=True,
        )


def samplers(config) -> tuple[toy.RecordPairs, toy.RecordPairs, toy.RecordPairs]:
    """Pairs of training, validation and test."""
    shared = config.records, config.noise
    return (
        toy.RecordPairs(*shared, config.seed, config.as_printed),
        toy.RecordPairs(*shared, config.seed + VALIDATION, config.as_printed, fresh=True),
        toy.RecordPairs(*shared, config.seed + TEST, config.as_printed, fresh=True),
    )


def build_learner(config) -> toy.ToyRelation:
    """The network of the options, not trained."""
    activation = config.activation
    return toy.ToyRelation(toy.embedding_function(activation), toy.relation_function(activation))


def evaluator(learner, pairs, batches: int) -> Evaluator:
    """Squared error of the scores on batches of pairs, each of which counts as one task."""

    def error(same, logits):
        return score_error(same, logits)[None]  # [1]

    return Evaluator(learner, pairs, batches, measure=error)


def describe(config) -> str:
    """What is trained on what, before it starts."""
    if config.as_printed:
        return (
            f"{2 * config.records} records of {2 * toy.ITEM} numbers as printed, both classes alike"
            "; a pair is two halves of one record, its label the record's class."
        )
    return (
        f"{2 * config.records} records of {toy.ITEM} numbers, the second class larger by "
        f"{toy.SHIFT}; a pair is two records, its label whether they are of one class."
    )


def table(scores: dict[str, Score], config) -> str:
    """The errors as text, beside what nobody can beat without knowledge."""
    width = max(map(len, [*scores, NOTHING])) + 2
    lines = [
        f"\nMean squared error of the scores, {config.test_batches} batches of "
        f"{2 * config.records} pairs, 95 % interval; on fresh records unless noted:\n",
        *(f"{name:{width}}{s.mean:.4f} +- {s.interval:.4f}" for name, s in scores.items()),
        f"{NOTHING:{width}}{toy.FLOOR:.4f}",
    ]
    if config.as_printed:
        lines.append(
            "\nAs printed the label is independent of the numbers, so that no network is better "
            "than 0.25 on fresh\nrecords; an error below 0.25 on its own records means that it has "
            "learned these by heart."
        )
    return "\n".join(lines) + "\n"


def rows(scores: dict[str, Score], config) -> list[dict]:
    """Rows of ``metrics.json``."""
    data = "halves of random records" if config.as_printed else "pairs of random records"
    nothing = Score(toy.FLOOR, 0.0, config.test_batches, config.seed, "stored")
    return [
        Result(
            method=name,
            measure=ERROR,
            mean=score.mean,
            interval=score.interval,
            data=data,
            split="train" if name == KNOWN else "test",
            seed=config.seed,
            tested="tasks",
            query=2 * config.records,
            episodes=score.episodes,
            headline=name == NAME,
            rival=name == NOTHING,
        ).row()
        for name, score in {**scores, NOTHING: nothing}.items()
    ]


if __name__ == "__main__":
    script.run(main)

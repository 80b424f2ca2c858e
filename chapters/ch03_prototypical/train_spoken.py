"""Train a prototypical network on spoken words and test it on words and people it never heard.

Or on a folder of class folders of any sounds, and test it on classes of that folder.

python -m chapters.ch03_prototypical.train_spoken                  # synthesised, nothing needed
python -m chapters.ch03_prototypical.train_spoken --preset words   # espeak-ng speaks, people test
python -m chapters.ch03_prototypical.train_spoken --data FOLDER    # your own class folders
"""

import keras
import numpy as np
import tensorflow as tf

from chapters.ch03_prototypical import models, own_sounds, spoken, spoken_plots, spoken_tests
from chapters.ch03_prototypical.presets import SCRIPTS, SpokenConfig
from chapters.engine import configuration, script, strategies
from chapters.engine.evaluation import Evaluator, accuracy
from chapters.engine.export import adapt_and_predict, export_run
from chapters.engine.figures import learning_curve
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments import starting
from datasets.readers import logmel
from datasets.tasks.episodes import EpisodeSampler
from datasets.tasks.hearing import Heard

NAME = "prototypical network"


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = own_sounds.fitted(configuration.parse(SCRIPTS["train_spoken"], argv))
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)

    # Data: words to learn from, other words to choose the weights by, and the test's own.
    words, config = spoken.load(config)
    test = spoken.load_test(config, words)
    size = config.shot, config.query
    training = EpisodeSampler(words, "train", config.way, *size, config.tasks, config.seed)
    training = Heard(training) if config.augment else training
    way = min(config.way, len(words.classes("val")))
    validation = EpisodeSampler(words, "val", way, *size, seed=config.seed + 1)
    run = RunFolder.open(config, __spec__.name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {run.path}.")
    print(describe(words, test, config), flush=True)

    with strategy.scope():
        learner = build_learner(config)
        rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, config.steps)
        optimizer = keras.optimizers.Adam(rate)
        optimizer.build(learner.trainable_variables)
        starting.load(learner, config)

    def train_step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            logits = learner(inputs, training=True)  # [task, query, way]
            loss = models.negative_log_likelihood(query_y, logits)
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        return {"loss": loss, "accuracy": tf.reduce_mean(accuracy(query_y, logits))}

    validate = Evaluator(learner, validation, config.validation_episodes)
    loop = Loop(
        train_step,
        training,
        model=learner,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=lambda: {"accuracy": validate().mean},
        monitor="val_accuracy",
        strategy=strategy,
    )
    loop()
    run.weights(learner)

    results = spoken_tests.test(NAME, learner, build_learner(config), test, config)
    run.metrics(NAME, results, learner, loop, **own_sounds.seen(words, config))
    run.figure("learning_curve", learning_curve(loop.history, held_out="validation, other words"))
    run.figure("words", spoken_plots.heard(words, Heard(validation)))
    run.figure("people", spoken_plots.people(spoken_tests.embed(learner.embed, test), test))
    print(f"Weights, metrics and pictures are in {run.path}.")
    export_run(run, endpoints(learner, test))


def build_learner(config: SpokenConfig):
    """The network of the options, not trained."""
    return spoken.SpokenNetwork(spoken.build_encoder(config))


def describe(words, test, config: SpokenConfig) -> str:
    """Data in a line each."""
    sizes = ", ".join(f"{split} {len(words.classes(split))}" for split in ("train", "val"))
    people = len(set(test.speaker.tolist()))
    by = "" if own_sounds.is_own(config) else f" by {people} people"
    return (
        f"Data: {words.name} ({words.source}); classes: {sizes}.\n"
        f"Test: {test.data.name}, {len(test.data.class_names)} other classes{by}."
    )


def endpoints(learner, test) -> dict[str, tuple]:
    """What an exported file answers: a task of pictures, a task of sounds, embeddings."""
    few = min(3, len(test.data.class_names))
    first = [int(np.flatnonzero(test.data.item_class == k)[0]) for k in range(few)]
    longest = max(len(test.sounds[i]) for i in first)
    sounds = np.stack([np.pad(test.sounds[i], (0, longest - len(test.sounds[i]))) for i in first])
    pictures, labels = logmel.picture(sounds).numpy(), np.arange(few, dtype=np.int32)
    serve = adapt_and_predict(learner, strict=True)
    return {
        "serve": (serve, {"support_x": pictures, "support_y": labels, "query_x": pictures}),
        "serve_sound": (
            learner.serving_sound(strict=True),
            {"support_x": sounds, "support_y": labels, "query_x": sounds},
            2,
        ),
        "embed": (learner.embed, {"x": pictures}),
    }


if __name__ == "__main__":
    script.run(main)

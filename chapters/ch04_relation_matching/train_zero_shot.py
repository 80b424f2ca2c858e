"""Train a zero-shot relation network: name what nobody has shown, by its description.

python -m chapters.ch04_relation_matching.train_zero_shot                   # digits by segments
python -m chapters.ch04_relation_matching.train_zero_shot --preset braille  # letters by their dots
python -m chapters.ch04_relation_matching.train_zero_shot --preset emoji    # signs by their words
"""

import keras
import tensorflow as tf

from chapters.ch04_relation_matching.encoder import get_embeddings
from chapters.ch04_relation_matching.losses import OBJECTIVES
from chapters.ch04_relation_matching.presets import SCRIPTS
from chapters.ch04_relation_matching.zero_shot import (
    ZeroShotRelationNetwork,
    description_embedding,
    relation_function,
)
from chapters.engine import configuration, script
from chapters.engine.evaluation import accuracy
from chapters.engine.export import export_run
from chapters.engine.runs import RunFolder
from chapters.engine.update import apply_gradients
from chapters.experiments import zero_shot
from chapters.experiments.zero_shot import features, pictures

NAME = "zero-shot relation network"


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_zero_shot"], argv)
    device = script.prepare(config.seed)
    data = zero_shot.load(config)
    draws = [zero_shot.split(data, config, k) for k in range(zero_shot.splits(config))]
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", zero_shot.describe(draws, config), sep="\n")

    # One training for each draw of the classes that stay unseen.
    trained = [train(drawn, config, run) for drawn in draws]
    scores = [one["scores"] for one in trained]
    print(zero_shot.table(NAME, scores, data, config))

    # That of the first draw stands for the run: chosen by its number, not by its score.
    first = trained[0]
    run.weights(first["learner"])
    results = zero_shot.rows(NAME, scores, data, config)
    seconds = sum(one["loop"].seconds for one in trained)
    run.metrics(NAME, results, first["learner"], first["loop"], seconds)
    pictures.draw(run, first["history"], first["learner"], draws[0])
    print(f"Weights, metrics and pictures are in {run.path}.")
    export_run(run, {"serve": (first["learner"].serving(strict=True), zero_shot.example(draws[0]))})


def train(drawn: zero_shot.Split, config, run: RunFolder) -> dict:
    """Train on the seen classes of one draw and test on the others."""
    keras.utils.set_random_seed(config.seed + drawn.number)
    training, validation = zero_shot.samplers(drawn, config)

    # Two embedding functions: of images, which begins with features of its own, and of words.
    learner = build_learner(config, drawn.described.shape[1])
    beginning = run.sub(f"draw-{drawn.number + 1}-features")
    seconds = features.learn(learner.encoder, drawn, config, beginning)
    fixed = features.copy(learner.encoder)  # what the baselines map descriptions to
    optimizer = zero_shot.make_optimizer(config, learner.trainable_variables)

    def train_step(batch, seed=None):
        inputs, query_y = batch
        with tf.GradientTape() as tape:
            logits = learner(inputs, training=True)  # [task, query, way]
            loss = OBJECTIVES[config.objective](query_y, logits)
        gradients = tape.gradient(loss, learner.trainable_variables)
        apply_gradients(optimizer, loss, gradients, learner.trainable_variables)
        return {"loss": loss, "accuracy": tf.reduce_mean(accuracy(query_y, logits))}

    part = run.sub(f"draw-{drawn.number + 1}")
    tasks = training, validation
    loop = zero_shot.loop(train_step, learner, optimizer, *tasks, part, config)
    history = loop()
    loop.seconds += seconds
    scores = zero_shot.test(NAME, learner, fixed, drawn, config)
    zero_shot.tell(drawn, scores, NAME)
    return {"learner": learner, "loop": loop, "history": history, "scores": scores}


def build_learner(config, words: int = 0):
    """The network of the options, not trained.

    Args:
        config: options.
        words: length of a description; found in the table of words when it is 0.
    """
    shape = zero_shot.item_shape(config)
    encoder = get_embeddings(shape, config.h_dim, config.z_dim, config.momentum)
    words = words or len(zero_shot.known_words(config))
    dim = encoder.output_shape[-1]
    describer = description_embedding(words, dim, config.hidden, config.word_dropout)
    relation = relation_function(dim, config.relation)
    return ZeroShotRelationNetwork(encoder, describer, relation)


if __name__ == "__main__":
    script.run(main)

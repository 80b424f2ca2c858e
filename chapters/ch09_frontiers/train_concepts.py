"""Learning to learn in the concept space: tasks and an external set at once, beside tasks alone.

python -m chapters.ch09_frontiers.train_concepts                  # generated characters
python -m chapters.ch09_frontiers.train_concepts --preset paper   # Omniglot, five arms, three seeds
python -m chapters.ch09_frontiers.train_concepts --data FOLDER    # your own class folders

All arms see as many pictures. Every network of a comparison has a run folder of its own below that
of the run; with ``--resume`` those that are finished are kept.
"""

import dataclasses
from typing import NamedTuple

import keras
import numpy as np

from chapters.ch09_frontiers import (
    concepts,
    encoder,
    external,
    maml,
    meta_sgd,
    models,
    pair_plots,
    pairs,
)
from chapters.ch09_frontiers.losses import cross_entropy
from chapters.ch09_frontiers.presets import ARM_NAMES, SCRIPTS, arms_of
from chapters.engine import configuration, script
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Evaluator
from chapters.engine.export import adapt_and_predict, export_run, first_task
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.experiments import images
from chapters.experiments.images import metric
from chapters.experiments.images import pictures as image_pictures


class Arm(NamedTuple):
    """What one network was trained with, and what it answered."""

    model: concepts.Trained
    loop: Loop
    answers: list[np.ndarray]


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_concepts"], argv)
    check(config)
    device = script.prepare(config.seed)
    data, foreign, config = external.load(config)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", describe(data, foreign, config), sep="\n")

    # One network for every arm and seed; one seed has the same first weights and tasks for all.
    trained = {ARM_NAMES[arm]: [] for arm in arms_of(config)}
    for number in range(config.seeds):
        for arm in arms_of(config):
            seed = config.seed + number
            trained[ARM_NAMES[arm]].append(train(arm, seed, data, foreign, config, run))
    name = next(reversed(trained))  # the last arm
    first = trained[name][0]  # stands for the run: chosen by its number, not by its score
    run.weights(first.model.learner)

    # Test: the same tasks for all arms, and the mean of the differences to the first.
    asked = pairs.accuracies(data, config)
    found = pairs.stacked({arm: [one.answers for one in of] for arm, of in trained.items()})
    print(pairs.table(found, asked))
    conditions = {
        "data": data.name,
        "seed": config.seed,
        "generated": data.generated,
        "split": images.TEST_SPLIT["train"],
    }
    rows = pairs.rows(found, asked, [], list(found), **conditions)
    seconds = sum(one.loop.seconds for of_arm in trained.values() for one in of_arm)
    run.metrics(name, rows, first.model.learner, first.loop, seconds, **images.seen(data, config))
    histories = {arm: [one.loop.history for one in of_arm] for arm, of_arm in trained.items()}
    draw(run, histories, found, asked, first.model.learner, data, config)
    print(f"Weights, metrics and pictures are in {run.path}.")
    task = first_task(images.example(data, config, query=5).inputs)
    export_run(run, {"serve": (adapt_and_predict(first.model.learner, strict=True), task)})


def train(arm: str, seed: int, data, foreign, config, run: RunFolder) -> Arm:
    """One network, trained as the arm says, and its answers to the questions."""
    config = dataclasses.replace(config, seed=seed)
    run = run.sub(f"seed-{seed}-{arm}")
    keras.utils.set_random_seed(seed)
    learner = build_learner(config, deeper=arm == "deeper")
    pictures = external.pictures(foreign, config)
    discriminator = concepts.Discriminator(learner.generator, pictures.classes)
    model = concepts.Trained(learner, discriminator)
    way = metric.VALIDATION_WAY if learner.way is None else learner.way
    episodes, validation, tests = images.samplers(data, config, way, metric.TASKS_AT_ONCE)
    print(f"\n{ARM_NAMES[arm]}, seed {seed}:", flush=True)

    both, steps = external.WithConcepts(episodes, pictures), config.steps
    if arm == "frozen":
        loop = pretrain(model, pictures, steps, config, run)
        if learner.learner.count_params():  # prototypes have no weights
            loop = fit(concepts.head_step, model, episodes, validation, steps, config, run)
    elif arm in ("alone", "deeper"):
        # As many pictures as those who see two sets.
        steps = round(steps * (1 + config.batch / pictures_of(config)))
        loop = fit(concepts.alone_step, model, episodes, validation, steps, config, run)
    else:
        begins = steps // 2 if arm == "later" else 0

        def joint(model, optimizer):
            return concepts.joint_step(model, optimizer, config.weight, begins)

        loop = fit(joint, model, both, validation, steps, config, run)

    def answers():
        return [
            Evaluator(learner, sampler, config.test_episodes).values() for sampler in tests.values()
        ]

    return Arm(model, loop, pairs.kept(run, answers))


def pretrain(model, pictures, steps: int, config, run: RunFolder) -> Loop:
    """Train generator and discriminator on the external set alone, for as many steps."""
    optimizer = adam(model.trainable_variables, steps, config)
    loop = Loop(
        concepts.pretraining_step(model, optimizer),
        pictures,
        model=model,
        optimizer=optimizer,
        run=run.sub("external"),
        steps=steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        names={"accuracy": f"accuracy {pictures.classes} external classes"},
    )
    loop()
    return loop


def fit(make_step, model, batches, validation, steps: int, config, run: RunFolder) -> Loop:
    """Train by the step of an arm; validation classes choose the weights to keep."""
    optimizer = adam(model.trainable_variables, steps, config)
    validate = Evaluator(model.learner, validation, config.validation_episodes)
    loop = Loop(
        make_step(model, optimizer),
        batches,
        model=model,
        optimizer=optimizer,
        run=run,
        steps=steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=lambda: {"accuracy": validate().mean},
        monitor="val_accuracy" if config.train_split == "train" else "",
        patience=config.patience,
        names=images.progress_names(config, validation),
    )
    loop()
    return loop


def adam(variables, steps: int, config) -> keras.Optimizer:
    """Adam with a rate that falls to zero over these steps, built."""
    optimizer = keras.optimizers.Adam(
        metric.learning_rate(dataclasses.replace(config, steps=steps))
    )
    optimizer.build(variables)
    return optimizer


def pictures_of(config) -> int:
    """Pictures in the tasks of a step."""
    return config.tasks * config.way * (config.shot + config.query)


def build_learner(config, deeper: bool | None = None):
    """The learner of the options, not trained: a generator, and a meta-learner on its concepts."""
    if deeper is None:  # the last arm stands for a run
        deeper = arms_of(config)[-1] == "deeper"
    size = images.item_shape(config), config.h_dim, config.z_dim, config.momentum
    generator = encoder.get_embeddings(*size)
    if deeper:
        generator = deepened(generator, config)
    dim = generator.output_shape[-1]
    if config.head == "prototypical":
        nothing = keras.Sequential([keras.layers.Input((dim,)), keras.layers.Identity()])
        return concepts.ConceptLearner(generator, models.PrototypicalNetwork(nothing))
    network = keras.Sequential(
        [
            keras.layers.Input((dim,)),
            keras.layers.Dense(config.hidden, activation="relu"),
            keras.layers.Dense(config.way),
        ]
    )
    steps = config.inner_steps
    if config.head == "maml":
        learner = maml.MAML(network, cross_entropy, config.inner_rate, steps)
    else:
        learner = meta_sgd.MetaSGD(network, cross_entropy, config.inner_rate, steps)
    return concepts.ConceptLearner(generator, learner)


def deepened(generator, config) -> keras.Sequential:
    """The generator with one more convolution block, which leaves the size of maps as it is."""
    first, *others = generator.layers
    block = encoder.convolution_block(config.h_dim, config.momentum)
    block = keras.Sequential(block.layers[:-1])  # without pooling
    shape = generator.input_shape[1:]
    return keras.Sequential([keras.layers.Input(shape), first, block, *others], name="encoder")


def check(config) -> None:
    """Refuse a head with a fixed number of outputs and tests of another way.

    Raises:
        ConfigError: they differ.
    """
    if config.head == "prototypical":
        return
    for column in images.parse_columns(config.columns):
        if column.way != config.way:
            raise ConfigError(
                f"--head {config.head} has an output for each of --way {config.way} classes, and "
                f"--columns has {column}; test {config.way}-way, or take --head prototypical."
            )


def describe(data, foreign, config) -> str:
    """What is trained on what, before it starts."""
    pictures = external.pictures(foreign, config)
    return (
        f"{images.describe(data, config)}\n"
        f"External set: {external.WORDS[config.external]}, {pictures.classes} classes, "
        f"{config.batch} pictures a step, weight {config.weight:g}. Meta-learner on concepts: "
        f"{config.head}."
    )


def draw(run: RunFolder, histories, found, asked, learner, data, config) -> None:
    """Accuracy on validation classes over training, differences, and a test with its answers."""
    metrics = {"accuracy": "accuracy on validation classes"}
    # Nothing was validated where prototypes of frozen concepts had nothing to learn.
    shown = {name: of for name, of in histories.items() if "val_accuracy" in of[0][0]}
    run.figure("courses", pair_plots.courses(shown, metrics))
    run.figure("compared", pair_plots.compared(found, asked, list(range(min(2, len(asked))))))
    task = images.example(data, config, query=5)
    names, ink = images.class_names(data, config, task), images.is_ink(config)
    run.figure("episode", image_pictures.episode(learner, task, names, ink))


if __name__ == "__main__":
    script.run(main)

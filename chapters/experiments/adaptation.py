"""Train and test a learner that adapts to images by gradient steps.

The chapter builds the learner and says how it learns; here are data, loop, tests and pictures, the
same for every method. Each test is made twice: with the support set's batch-norm statistics, where
no query knows of another (honest), and with those of the queries (transductive), as most papers.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import keras

from chapters.engine import script, strategies
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Asked, Evaluator
from chapters.engine.export import adapt_and_predict, export
from chapters.engine.figures import learning_curve
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.support import explain_divergence
from chapters.experiments import images, networks, pictures
from chapters.experiments.options import AdaptationOptions

REGIMES = ("support", "transductive")
CURVE_EPISODES = 100  # of what is shown beside the result
UNTRAINED = "untrained network, adapted"


class Method(NamedTuple):
    """What a chapter builds: a learner and the step that trains it."""

    name: str  # as in tables
    learner: keras.Model
    optimizer: keras.Optimizer  # built
    step: Callable  # batch -> metrics
    pictures: dict[str, Callable] = {}  # name -> function that draws a figure of its own
    training_pictures: dict[str, Callable] = {}  # the same of (rows of the loop, training tasks)
    corrupt: Callable | None = None  # sampler -> sampler that spoils some of the training tasks

    def training_tasks(self, sampler):
        """The tasks this method is trained on."""
        return self.corrupt(sampler) if self.corrupt else sampler


def network(config: AdaptationOptions, image_shape) -> keras.Sequential:
    """The network that every method starts from."""
    if config.network == "dense4":
        return networks.dense4(image_shape, config.way)
    return networks.conv4(image_shape, config.way, config.filters)


def mapping(config: AdaptationOptions) -> str:
    """``--mapping``; convolutions are faster one task at a time, dense networks all at once."""
    fastest = {"conv4": "sequential", "dense4": "batched"}[config.network]
    return fastest if config.mapping == "auto" else config.mapping


def run(
    config: AdaptationOptions,
    script_name: str,
    build: Callable[[AdaptationOptions, tuple], Method],
    published: dict[str, dict[str, dict[str, float]]],
) -> None:
    """The whole experiment, from data to pictures.

    Args:
        config: options of the run.
        script_name: module name of the script.
        build: (options, image shape) -> Method; also called for an untrained one to compare with.
        published: method -> batch-norm regime -> column -> the paper's figure in %.

    Raises:
        ConfigError, DataError, RunError: options, data, or a training that diverges.
    """
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)
    data, config = _load(config)
    tasks = 1 if mapping(config) == "sequential" else 5
    training, validation, tests = images.samplers(data, config, config.way, tasks)
    folder = RunFolder.open(config, script_name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {folder.path}.", images.describe(data, config), sep="\n")

    with strategy.scope():
        method = build(config, data.image_shape)
    learner, training = method.learner, method.training_tasks(training)
    print(f"{method.name}: {learner.count_params()} parameters, {learner.describe_rate()}.")
    validate = evaluator(learner, validation, config.validation_episodes, config, config.batch_norm)
    loop = Loop(
        method.step,
        training,
        model=learner,
        optimizer=method.optimizer,
        run=folder,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=lambda: {"accuracy": validate().mean},
        monitor="val_accuracy" if config.train_split == "train" else "",
        patience=config.patience,
        strategy=strategy,
        names=images.progress_names(config, validation),
        explain=functools.partial(explain_divergence, learner, training),
    )
    history = loop()
    folder.weights(learner)

    untrained = build(config, data.image_shape).learner
    contenders = {UNTRAINED: untrained, method.name: learner}
    as_published = data.name == "omniglot" and images.TEST_SPLIT[config.train_split] == "test"
    rows, figures = [], published if as_published else {}
    for regime in REGIMES:
        scores = _scores(contenders, tests, config, regime)
        papers = {f"{name}, published": by[regime] for name, by in figures.items() if regime in by}
        shown = {paper: values for paper, values in papers.items() if method.name in paper}
        print(images.table(scores, shown, data, config))
        same = {name: by.get(regime, {}) for name, by in figures.items()}
        rows += images.rows(scores, same, data, config)
    curves = _curves(learner, next(iter(tests.values())), config)
    folder.json(
        "metrics.json",
        {
            "method": method.name,
            "results": rows,
            "accuracy_by_steps": curves,
            "parameters": learner.count_params(),
            "steps": loop.step,
            "train_seconds": round(loop.seconds, 1),
        },
    )
    task = images.example(data, config, query=5)
    folder.figure("learning_curve", learning_curve(history, **curve_names(config)))
    folder.figure("accuracy_by_steps", pictures.accuracy_by_steps(curves, config.test_steps))
    names = images.class_names(data, config, task)
    folder.figure("episode", pictures.episode(learner, task, names, images.is_ink(config)))
    for name, draw in method.pictures.items():
        folder.figure(name, draw())
    for name, draw in method.training_pictures.items():
        folder.figure(name, draw(history, training))
    print(f"Weights, metrics and pictures are in {folder.path}.")
    if config.export and folder.chief:
        one = {name: x[0] for name, x in task.inputs.items()}
        difference = export(config.export, {"serve": (adapt_and_predict(learner), one)})
        print(f"SavedModel in {config.export}; largest difference from Python {difference:.1e}.")


def curve_names(config: AdaptationOptions) -> dict[str, str]:
    """What the two lines of the learning curve are measured on, and after how many steps."""
    names = images.curve_names(config, images.parse_columns(config.columns)[0])
    steps = {"training": config.inner_steps, "held_out": config.test_steps}
    return {line: f"{name}, {steps[line]} inner step(s)" for line, name in names.items()}


def evaluate(learner, config: AdaptationOptions, asked: Asked) -> list[dict]:
    """Rows of the test of a learner that adapts by gradient steps, as asked; honest by default.

    Raises:
        ConfigError, DataError: what is asked does not fit the learner or the data.
    """
    asked.check("the network has an output for each class", way=(config.way,))
    asked.check("its batch norm keeps no averages", batch_norm=REGIMES)
    data, config, column = images.as_asked(config, asked)
    tasks = 1 if mapping(config) == "sequential" else 5
    sampler = images.test_sampler(data, config, column, tasks)
    regime = asked.batch_norm or "support"
    score = evaluator(learner, sampler, asked.episodes, config, regime)()
    return images.rows({"": {column: score}}, {}, data, config)


def evaluator(learner, sampler, episodes, config, regime, steps=None) -> Evaluator:
    """Accuracy after ``steps`` inner steps (those of a test when None) in a batch-norm regime."""

    def predict(inputs):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
        support_x = inputs["support_x"] if regime == "support" else None
        return learner.predict_with(weights, inputs["query_x"], support_x)

    return Evaluator(predict, sampler, episodes, regime)


def _load(config: AdaptationOptions):
    """Data, and options that fit it: the network has one output per class, so ways must agree."""
    data, config = images.load(config)
    if config.data not in images.SETS:
        smallest = min(len(data.classes(split)) for split in ("train", "val", "test"))
        way = min(config.way, smallest)
        config = dataclasses.replace(config, way=way, columns=f"{way}w{config.shot}s")
    for column in images.parse_columns(config.columns):
        if column.way != config.way:
            raise ConfigError(
                f"--columns has {column}, but the network is trained on --way {config.way} and has "
                f"as many outputs; test {config.way}-way."
            )
    return data, config


def _scores(contenders, tests, config, regime):
    def episodes(name):
        few = min(CURVE_EPISODES, config.test_episodes)
        return few if name == UNTRAINED else config.test_episodes

    return {
        name: {
            column: evaluator(learner, sampler, episodes(name), config, regime)()
            for column, sampler in tests.items()
        }
        for name, learner in contenders.items()
    }


def _curves(learner, sampler, config) -> dict[str, list]:
    """Accuracy after 0, 1, 2, ... inner steps, past the number that is used."""
    steps = sorted({0, 1, 2, 5, config.test_steps})
    episodes = min(CURVE_EPISODES, config.test_episodes)
    curves = {
        regime: [
            evaluator(learner, sampler, episodes, config, regime, count)().mean for count in steps
        ]
        for regime in REGIMES
    }
    return {"steps": steps, **curves}

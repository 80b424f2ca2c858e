"""Learners that adapt to images by gradient steps: tasks, loop, test and pictures.

Each test is made twice: with the support set's batch-norm statistics, where no query knows of
another (honest), and with those of the queries (transductive), as most papers.
"""

import dataclasses
import functools

from chapters.engine import script
from chapters.engine.divergence import explain_divergence
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions, Evaluator
from chapters.engine.figures import learning_curve
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.experiments import images
from chapters.experiments.folders import tell_of_changes
from chapters.experiments.images import pictures
from chapters.experiments.options import AdaptationOptions

REGIMES = ("support", "transductive")
CURVE_EPISODES = 100  # of what is shown beside the result
UNTRAINED = "untrained network, adapted"


def mapping(config: AdaptationOptions) -> str:
    """``--mapping``; on a CPU convolutions are faster one task at a time, all else all at once."""
    if config.mapping != "auto":
        return config.mapping
    return "sequential" if config.network == "conv4" and not script.gpus() else "batched"


def prepare(config: AdaptationOptions) -> str:
    """``script.prepare``, for one task at a time or all at once."""
    return script.prepare(config.seed, side_by_side=mapping(config) == "sequential")


def load(config: AdaptationOptions):
    """Data, and options that fit it: the network has one output per class, so ways must agree.

    Raises:
        ConfigError, DataError: options or data that do not fit.
    """
    data, config = images.load(config)
    if config.data not in images.SETS:
        smallest = min(len(data.classes(split)) for split in ("train", "val", "test"))
        way = min(config.way, smallest)
        fitted = dataclasses.replace(config, way=way, columns=f"{way}w{config.shot}s")
        reason = f"has a split of {smallest} classes, and the network an output per class of a task"
        tell_of_changes(config, fitted, reason)
        config = fitted
    for column in images.parse_columns(config.columns):
        if column.way != config.way:
            raise ConfigError(
                f"--columns has {column}, but the network is trained on --way {config.way} and has "
                f"as many outputs; test {config.way}-way."
            )
    return data, config


def samplers(data, config: AdaptationOptions):
    """Training, validation and test tasks: see ``images.samplers``."""
    return images.samplers(data, config, config.way, tasks_at_once(config))


def loop(train_step, learner, optimizer, training, validation, run, config, strategy) -> Loop:
    """The loop of a training; validation classes choose the weights to keep.

    Args:
        train_step: of the chapter.
        learner: has ``adapt`` and ``predict_with``.
        optimizer: built.
        training, validation: tasks.
        run: folder of the run.
        config: options of the run.
        strategy: of the run.
    """
    validate = evaluator(learner, validation, config.validation_episodes, config.batch_norm)
    return Loop(
        train_step,
        training,
        model=learner,
        optimizer=optimizer,
        run=run,
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


def test(name: str, learner, untrained, tests, data, config, published=None) -> list[dict]:
    """Print the tests in both batch-norm regimes; rows of ``metrics.json``.

    Args:
        name: of the method.
        learner: trained.
        untrained: the same with its first weights.
        tests: column -> tasks.
        data: what they are drawn from.
        config: options of the run.
        published: method -> batch-norm regime -> column -> the paper's figure in %.
    """
    contenders = {UNTRAINED: untrained, name: learner}
    as_published = data.name == "omniglot" and images.TEST_SPLIT[config.train_split] == "test"
    figures = published if as_published and published else {}
    rows = []
    for regime in REGIMES:
        scores = _scores(contenders, tests, config, regime)
        measured = {method: by[regime] for method, by in figures.items() if regime in by}
        papers = {f"{method}, published": by for method, by in measured.items() if name in method}
        print(images.table(scores, papers, data, config))
        rows += images.rows(scores, measured, data, config, headline=regime == "support")
    return rows


def draw(run: RunFolder, history, learner, curves: dict, data, config) -> None:
    """Learning curve, accuracy against inner steps, and a test episode with its answers."""
    task = images.example(data, config, query=5)
    names = images.class_names(data, config, task)
    run.figure("learning_curve", learning_curve(history, **curve_names(config)))
    run.figure("accuracy_by_steps", pictures.accuracy_by_steps(curves, config.test_steps))
    run.figure("episode", pictures.episode(learner, task, names, images.is_ink(config)))


def curve_names(config: AdaptationOptions) -> dict[str, str]:
    """What the two lines of the learning curve are measured on, and after how many steps."""
    names = images.curve_names(config, images.parse_columns(config.columns)[0])
    steps = {"training": config.inner_steps, "held_out": config.test_steps}
    return {line: f"{name}, {steps[line]} inner step(s)" for line, name in names.items()}


def evaluate(learner, config: AdaptationOptions, given: Conditions) -> list[dict]:
    """Rows of the test of a learner that adapts by gradient steps, as asked; honest by default.

    Raises:
        ConfigError, DataError: what is asked does not fit the learner or the data.
    """
    given.check("the network has an output for each class", way=(config.way,))
    given.check("its batch norm keeps no averages", batch_norm=REGIMES)
    data, config, column = images.under_conditions(config, given)
    sampler = images.test_sampler(data, config, column, tasks_at_once(config))
    regime = given.batch_norm or "support"
    score = evaluator(learner, sampler, given.episodes, regime)()
    return images.rows({"": {column: score}}, {}, data, config)


def evaluator(learner, sampler, episodes, regime, steps=None) -> Evaluator:
    """Accuracy after ``steps`` inner steps (those of a test when None) in a batch-norm regime."""

    def predict(inputs):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
        support_x = inputs["support_x"] if regime == "support" else None
        return learner.predict_with(weights, inputs["query_x"], support_x)

    return Evaluator(predict, sampler, episodes, regime)


def _scores(contenders, tests, config, regime):
    def episodes(name):
        few = min(CURVE_EPISODES, config.test_episodes)
        return few if name == UNTRAINED else config.test_episodes

    return {
        name: {
            column: evaluator(learner, sampler, episodes(name), regime)()
            for column, sampler in tests.items()
        }
        for name, learner in contenders.items()
    }


def accuracy_by_steps(learner, tests, config: AdaptationOptions) -> dict[str, list]:
    """Accuracy after 0, 1, 2, ... inner steps, past the number that is used, in both regimes."""
    sampler = next(iter(tests.values()))
    steps = sorted({0, 1, 2, 5, config.test_steps})
    episodes = min(CURVE_EPISODES, config.test_episodes)
    curves = {
        regime: [evaluator(learner, sampler, episodes, regime, count)().mean for count in steps]
        for regime in REGIMES
    }
    return {"steps": steps, **curves}


def tasks_at_once(config: AdaptationOptions) -> int:
    """Tasks of a batch at validation and test; changes speed only."""
    return 1 if mapping(config) == "sequential" else 5

"""Sine regression: train a learner on curves, test it on curves it has never seen.

The learner's error after 0, 1, 5, 10 inner steps stands beside that of two networks of the same
shape that were not meta-learned: one trained jointly on all curves, one with random weights. Both
are fine-tuned at the rate that suits them best on validation curves.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from chapters.engine import objectives, script, strategies
from chapters.engine.evaluation import Asked, Evaluator, Score
from chapters.engine.export import adapt_and_predict, export
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.support import explain_divergence
from chapters.experiments import networks, sine_pictures
from chapters.experiments.adaptation import Method
from chapters.experiments.baselines import FineTuning, joint_step
from chapters.experiments.options import SineOptions, numbers
from datasets.sinusoid import SineTasks

FULL = (0.0, 2 * math.pi)
FAMILIES = {
    "maml": {},
    "meta_sgd": {"frequency": (0.8, 1.2)},
    # The authors train on all 50 points of a grid and test on the same; of 100, 50 are left over.
    "reptile": {"phase": FULL, "grid": 100},
    "book": {"grid": 100, "replacement": True},
    "full_circle": {"phase": FULL},
    "blog": {
        "amplitude": (1.0, 1.0),
        "phases": (0.0, math.pi),
        "x_range": (-2 * math.pi, 2 * math.pi),
    },
    "blog_between": {"amplitude": (1.0, 1.0), "x_range": (-2 * math.pi, 2 * math.pi)},
}
JOINT, RANDOM, ZERO = "joint training", "random weights", "prediction 0"
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)  # of the baselines; validation curves choose
VALIDATION_TASKS, TEST_QUERY, TASKS_PER_BATCH = 200, 40, 100
# Curves of validation and test come from seeds of their own.
VALIDATION, TEST = 1_000_000, 2_000_000
# Short names of the errors.
MEASURE = {"squared_error": "mse", "absolute_error": "mae"}


def network(config: SineOptions) -> keras.Sequential:
    """The network that every method starts from."""
    built = networks.mlp(1, 1, numbers(config.hidden, "--hidden", 1), config.activation)
    if config.init != "glorot":
        weights = built.trainable_variables
        for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
            limit = 1 / math.sqrt(kernel.shape[0])
            kernel.assign(tf.random.uniform(kernel.shape, -limit, limit))
            if config.init == "pytorch":
                bias.assign(tf.random.uniform(bias.shape, -limit, limit))
    return built


def optimizer(config: SineOptions, rate, variables) -> keras.Optimizer:
    """The outer optimizer, built."""
    made = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}[config.optimizer](rate)
    made.build(variables)
    return made


def mapping(config: SineOptions) -> str:
    """``--mapping``; a small dense network is faster with all tasks at once."""
    return "batched" if config.mapping == "auto" else config.mapping


def sampler(config: SineOptions, seed: int, shot: int, query: int, tasks: int) -> SineTasks:
    """Curves of the family of ``--curves``; ``seed`` keeps training, validation and test apart."""
    return SineTasks(shot, query, tasks, config.seed + seed, **FAMILIES[config.curves])


def run(
    config: SineOptions,
    script_name: str,
    build: Callable[[SineOptions], Method],
    published: dict[str, dict[str, float]] | None = None,
    rival: Callable[[SineOptions], Method] | None = None,
) -> None:
    """The whole experiment, from data to pictures.

    Args:
        config: options of the run.
        script_name: module name of the script.
        build: options -> Method.
        published: name of a paper's row -> number of inner steps as text -> its error.
        rival: options -> Method, trained on the same tasks from the same first weights.

    Raises:
        ConfigError, DataError, RunError: options, data, or a training that diverges.
    """
    shown = numbers(config.shown_steps, "--shown-steps")
    device = script.prepare(config.seed)
    strategy = strategies.make(config.strategy)
    training = sampler(config, 0, config.shot, config.query, config.tasks)
    held_out = functools.partial(sampler, config, shot=config.test_shot)
    validation = held_out(VALIDATION, query=TEST_QUERY, tasks=TASKS_PER_BATCH)
    test = held_out(TEST, query=TEST_QUERY, tasks=TASKS_PER_BATCH)
    with strategy.scope():
        method = build(config)
    learner, training = method.learner, method.training_tasks(training)
    folder = RunFolder.open(config, script_name, device, strategies.is_chief(config.strategy))
    print(f"Device: {device}. Run folder: {folder.path}.", _describe(config), sep="\n")

    loop = _loop(
        config, folder, method, training, validation, strategy, test_steps=learner.test_steps
    )
    history = loop()
    folder.weights(learner)

    trained = [method]
    if rival:
        trained.append(_train_rival(config, folder, rival, training, validation))
    print("\nJoint training of the same network on the same curves, to compare with.")
    joint = _train_joint(config, folder, training, validation)
    random = FineTuning(network(config), learner.objective, 0.0)
    for tuned in (joint, random):
        _choose_rate(tuned, validation, max(shown))

    contenders = {one.name: one.learner for one in trained} | {JOINT: joint, RANDOM: random}
    scores = _scores(contenders, test, config, shown)
    paired = {
        f"{other.name} minus {method.name}": _differences(
            other.learner, learner, test, config, shown
        )
        for other in trained[1:]
    }
    print(_table(scores | paired, shown, config, published or {}))
    print(f"Fine-tuned at rates {joint.rate:g} and {random.rate:g}, best on validation curves.")
    folder.json(
        "metrics.json",
        {
            "method": method.name,
            "results": _rows(scores | paired, config, method.name, published or {}),
            "parameters": learner.count_params(),
            "steps": loop.step,
            "train_seconds": round(loop.seconds, 1),
        },
    )
    folder.figure("learning_curve", sine_pictures.learning_curve(history))
    folder.figure("error_by_steps", sine_pictures.error_by_steps(scores))
    two = sampler(config, TEST, config.test_shot, 1, 2)
    folder.figure("fits", sine_pictures.fits(contenders, two, shown))
    for name, draw in method.pictures.items():
        folder.figure(name, draw())
    for name, draw in method.training_pictures.items():
        folder.figure(name, draw(history, training))
    print(f"Weights, metrics and pictures are in {folder.path}.")
    if config.export and folder.chief:
        inputs, _ = test(0)
        task = {name: x[0] for name, x in inputs.items()}
        difference = export(config.export, {"serve": (adapt_and_predict(learner), task)})
        print(f"SavedModel in {config.export}; largest difference from Python {difference:.1e}.")


def evaluate(learner, config: SineOptions, asked: Asked) -> list[dict]:
    """Rows of the error on curves never seen, after each of the numbers of steps it was shown for.

    ``asked.shot`` are support points, ``asked.query`` query points, episodes are curves.

    Raises:
        ConfigError: what is asked does not fit curves.
    """
    asked.check("a curve has no classes", way=())
    asked.check("the network has no batch norm", batch_norm=())
    config = dataclasses.replace(config, seed=asked.seed, test_shot=asked.shot or config.test_shot)
    query = asked.query or TEST_QUERY
    tasks = min(TASKS_PER_BATCH, asked.episodes)
    curves = sampler(config, TEST, config.test_shot, query, tasks)
    shown = numbers(config.shown_steps, "--shown-steps")
    scores = {steps: error_after(learner, curves, steps, asked.episodes)() for steps in shown}
    return [row | {"query": query} for row in _rows({"": scores}, config, "", {})]


def error_after(learner, curves: SineTasks, steps: int, tasks: int) -> Evaluator:
    """Evaluator of the error on query points after ``steps`` inner steps."""

    def predict(inputs):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
        return learner.predict_with(weights, inputs["query_x"])

    return Evaluator(predict, curves, tasks, measure=learner.objective)


def _loop(config, folder, method, training, validation, strategy=None, test_steps=0) -> Loop:
    learner = method.learner
    validate = error_after(learner, validation, test_steps, VALIDATION_TASKS)
    return Loop(
        method.step,
        training,
        model=learner,
        optimizer=method.optimizer,
        run=folder,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=lambda: {"error": validate().mean},
        monitor="val_error",
        strategy=strategy,
        xla=config.xla,
        explain=functools.partial(explain_divergence, learner, training)
        if method.name != JOINT  # which has no inner loop
        else None,
    )


def _train_rival(config, folder, build, training, validation) -> Method:
    """Another method, on the same tasks from the same first weights."""
    keras.utils.set_random_seed(config.seed)
    rival = build(config)
    print(f"\n{rival.name}, trained on the same tasks, to compare with.")
    steps = rival.learner.test_steps
    _loop(config, folder.sub("rival"), rival, training, validation, test_steps=steps)()
    return rival


def _train_joint(config, folder, training, validation) -> FineTuning:
    """The same network, trained on all curves as if they were one task."""
    learner = FineTuning(network(config), objectives.OBJECTIVES[config.objective], 0.0)
    adam = keras.optimizers.Adam(1e-3)
    adam.build(learner.trainable_variables)
    method = Method(JOINT, learner, adam, joint_step(learner, adam))
    _loop(config, folder.sub("joint"), method, training, validation)()
    return learner


def _choose_rate(learner: FineTuning, validation: SineTasks, steps: int) -> None:
    """Fine-tune at the rate with the smallest error on validation curves."""
    found = {}
    for rate in RATES:
        learner.rate = rate
        with np.errstate(invalid="ignore"):  # a rate may be too high
            found[rate] = error_after(learner, validation, steps, VALIDATION_TASKS)().mean
    learner.rate = min(found, key=lambda rate: np.nan_to_num(found[rate], nan=np.inf))


def _scores(contenders, test, config, shown) -> dict[str, dict[int, Score]]:
    scores = {
        name: {steps: error_after(one, test, steps, config.test_tasks)() for steps in shown}
        for name, one in contenders.items()
    }

    def zero(inputs):
        return tf.zeros_like(inputs["query_x"])  # a curve is as far above 0 as below

    objective = objectives.OBJECTIVES[config.objective]
    return scores | {ZERO: {0: Evaluator(zero, test, config.test_tasks, measure=objective)()}}


def _differences(one, other, test, config, shown) -> dict[int, Score]:
    """Error of one learner minus that of another, curve by curve."""

    def after(steps):
        def predict(inputs):
            support = inputs["support_x"], inputs["support_y"]
            return [
                learner.predict_with(learner.adapt(*support, steps), inputs["query_x"])
                for learner in (one, other)
            ]

        def difference(query_y, predictions):
            first, second = (one.objective(query_y, prediction) for prediction in predictions)
            return first - second  # [task]

        return Evaluator(predict, test, config.test_tasks, measure=difference)

    return {steps: after(steps)() for steps in shown}


def _describe(config) -> str:
    return (
        f"Curves: {config.curves}. Training: {config.steps} steps of {config.tasks} curve(s), "
        f"{config.shot} support and {config.query} query points, {config.inner_steps} inner "
        f"step(s)."
    )


def _table(scores, shown, config, published) -> str:
    """The errors as text, one line per contender, one column per number of inner steps."""
    name = {"squared_error": "Mean squared", "absolute_error": "Mean absolute"}[config.objective]
    width = max(map(len, [*scores, *published])) + 2
    lines = [
        f"\n{name} error on {config.test_tasks} curves never seen, {config.test_shot} support "
        f"points, {TEST_QUERY} query points,\n95 % interval, after that many inner steps:\n",
        " " * width + "".join(f"{steps}".rjust(17) for steps in shown),
    ]
    for who, by_steps in scores.items():
        cells = [f"{s.mean:.3f} +- {s.interval:.3f}" for s in by_steps.values()]
        lines.append(who.ljust(width) + "".join(cell.rjust(17) for cell in cells))
    for paper, figures in published.items():
        cells = [str(figures.get(str(steps), "-")) for steps in shown]
        lines.append(paper.ljust(width) + "".join(cell.rjust(17) for cell in cells))
    return "\n".join(lines) + "\n"


def _rows(scores, config, method, published) -> list[dict]:
    """Rows of ``metrics.json``; the paper's figures stand beside its own method."""
    paper = next(iter(published.values()), {})
    return [
        {
            "method": name,
            "data": f"sine curves ({config.curves})",
            "generated": False,  # the task itself, not a stand-in for other data
            "split": "test",
            "measure": f"{MEASURE[config.objective]}_after_{steps}_steps",
            "shot": config.test_shot,
            "query": TEST_QUERY,
            "mean": score.mean,
            "interval": score.interval,
            "episodes": score.episodes,
            "seed": config.seed,
            "published": paper.get(str(steps)) if name == method else None,
        }
        for name, by_steps in scores.items()
        for steps, score in by_steps.items()
    ]

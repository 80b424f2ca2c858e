"""Sine regression: curves to train on, the test on curves never seen, tables and pictures.

A learner's error after 0, 1, 5, 10 inner steps stands beside that of two networks of the same shape
that were not meta-learned: one trained jointly on all curves, one with random weights. Both are
fine-tuned at the rate that suits them best on validation curves.
"""

import dataclasses
import functools
import math

import keras
import numpy as np
import tensorflow as tf

from chapters.engine.divergence import explain_divergence
from chapters.engine.evaluation import Conditions, Evaluator, Score
from chapters.engine.loop import Loop
from chapters.engine.results import Measure, Result, after_steps
from chapters.engine.runs import RunFolder
from chapters.experiments import sine_pictures
from chapters.experiments.baselines import FineTuning, joint_step
from chapters.experiments.options import SineOptions, outer_rate, shown_steps
from datasets.tasks.sinusoid import SineTasks

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
MEASURE = {"squared_error": Measure("mse", "MSE"), "absolute_error": Measure("mae", "MAE")}

Scores = dict[str, dict[int, Score]]  # name -> number of inner steps -> error


def outer_optimizer(config: SineOptions, variables) -> keras.Optimizer:
    """The outer optimizer, built."""
    kind = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}[config.optimizer]
    made = kind(outer_rate(config))
    made.build(variables)
    return made


def mapping(config: SineOptions) -> str:
    """``--mapping``; a small dense network is faster with all tasks at once."""
    return "batched" if config.mapping == "auto" else config.mapping


def sampler(config: SineOptions, seed: int, shot: int, query: int, tasks: int) -> SineTasks:
    """Curves of the family of ``--curves``; ``seed`` keeps training, validation and test apart."""
    return SineTasks(shot, query, tasks, config.seed + seed, **FAMILIES[config.curves])


def samplers(config: SineOptions) -> tuple[SineTasks, SineTasks, SineTasks]:
    """Curves of training, validation and test."""
    held_out = functools.partial(sampler, config, shot=config.test_shot, query=TEST_QUERY)
    return (
        sampler(config, 0, config.shot, config.query, config.tasks),
        held_out(VALIDATION, tasks=TASKS_PER_BATCH),
        held_out(TEST, tasks=TASKS_PER_BATCH),
    )


def describe(config: SineOptions) -> str:
    """What is trained on what, before it starts."""
    return (
        f"Curves: {config.curves}. Training: {config.steps} steps of {config.tasks} curve(s), "
        f"{config.shot} support and {config.query} query points, {config.inner_steps} inner "
        f"step(s)."
    )


def loop(train_step, learner, optimizer, training, validation, run, config, **options) -> Loop:
    """The loop of a training; validation chooses the weights to keep.

    Args:
        train_step: of the chapter.
        learner: has ``adapt`` and ``predict_with``.
        optimizer: built.
        training, validation: curves.
        run: folder of the run.
        config: options of the run.
        options: further ones of ``Loop``.
    """
    steps = learner.test_steps
    validate = error_after(learner, validation, steps, VALIDATION_TASKS)
    explain = functools.partial(explain_divergence, learner, training)
    return Loop(
        train_step,
        training,
        model=learner,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        validate=lambda: {"error": validate().mean},
        monitor="val_error",
        xla=config.xla,
        **{"explain": explain, **options},
    )


def error_after(learner, curves: SineTasks, steps: int, tasks: int) -> Evaluator:
    """Evaluator of the error on query points after ``steps`` inner steps."""

    def predict(inputs):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
        return learner.predict_with(weights, inputs["query_x"])

    return Evaluator(predict, curves, tasks, measure=learner.objective)


def baselines(networks, objective, training, validation, run: RunFolder, config) -> dict:
    """Two networks that were not meta-learned, fine-tuned as suits them best: name -> learner.

    Args:
        networks: two with first weights of their own; the first is trained jointly.
        objective: (y, prediction) -> loss [task].
        training, validation: curves.
        run: folder of the run.
        config: options of the run.
    """
    print("\nJoint training of the same network on the same curves, to compare with.")
    joint, random = (FineTuning(network, objective, 0.0) for network in networks)
    adam = keras.optimizers.Adam(1e-3)
    adam.build(joint.trainable_variables)
    step = joint_step(joint, adam)
    # It has no inner loop that could diverge.
    loop(step, joint, adam, training, validation, run.sub("joint"), config, explain=None)()
    for learner in (joint, random):
        choose_rate(learner, validation, max(shown_steps(config)))
    print(f"Fine-tuned at rates {joint.rate:g} and {random.rate:g}, best on validation curves.")
    return {JOINT: joint, RANDOM: random}


def choose_rate(learner: FineTuning, validation: SineTasks, steps: int) -> None:
    """Fine-tune at the rate with the smallest error on validation curves."""
    found = {}
    for rate in RATES:
        learner.rate = rate
        with np.errstate(invalid="ignore"):  # a rate may be too high
            found[rate] = error_after(learner, validation, steps, VALIDATION_TASKS)().mean
    learner.rate = min(found, key=lambda rate: np.nan_to_num(found[rate], nan=np.inf))


def test(contenders: dict, curves: SineTasks, config: SineOptions) -> Scores:
    """Errors of every contender after each number of inner steps, and of knowing nothing."""
    scores = {
        name: {
            steps: error_after(one, curves, steps, config.test_tasks)()
            for steps in shown_steps(config)
        }
        for name, one in contenders.items()
    }

    def zero(inputs):
        return tf.zeros_like(inputs["query_x"])  # a curve is as far above 0 as below

    objective = next(iter(contenders.values())).objective
    return scores | {ZERO: {0: Evaluator(zero, curves, config.test_tasks, measure=objective)()}}


def difference(one, other, curves: SineTasks, config: SineOptions) -> dict[int, Score]:
    """Error of one learner minus that of another, curve by curve, by number of inner steps."""

    def after(steps):
        def predict(inputs):
            support = inputs["support_x"], inputs["support_y"]
            return [
                learner.predict_with(learner.adapt(*support, steps), inputs["query_x"])
                for learner in (one, other)
            ]

        def error(query_y, predictions):
            first, second = (one.objective(query_y, prediction) for prediction in predictions)
            return first - second  # [task]

        return Evaluator(predict, curves, config.test_tasks, measure=error)

    return {steps: after(steps)() for steps in shown_steps(config)}


def evaluate(learner, config: SineOptions, given: Conditions) -> list[dict]:
    """Rows of the error on curves never seen, after each of the numbers of steps it was shown for.

    ``given.shot`` are support points, ``given.query`` query points, episodes are curves.

    Raises:
        ConfigError: what is asked does not fit curves.
    """
    given.check("a curve has no classes", way=())
    given.check("the network has no batch norm", batch_norm=())
    config = dataclasses.replace(config, seed=given.seed, test_shot=given.shot or config.test_shot)
    query = given.query or TEST_QUERY
    tasks = min(TASKS_PER_BATCH, given.episodes)
    curves = sampler(config, TEST, config.test_shot, query, tasks)
    shown = shown_steps(config)
    scores = {steps: error_after(learner, curves, steps, given.episodes)() for steps in shown}
    return rows({"": scores}, config, query=query)


def table(scores: Scores, config: SineOptions, published: dict[str, dict] | None = None) -> str:
    """The errors as text, one line per contender, one column per number of inner steps.

    Args:
        scores: as ``test`` gives them.
        config: options of the run.
        published: name of a paper's row -> number of inner steps as text -> its error.
    """
    shown = shown_steps(config)
    name = {"squared_error": "Mean squared", "absolute_error": "Mean absolute"}[config.objective]
    width = max(map(len, [*scores, *(published or {})])) + 2
    lines = [
        f"\n{name} error on {config.test_tasks} curves never seen, {config.test_shot} support "
        f"points, {TEST_QUERY} query points,\n95 % interval, after that many inner steps:\n",
        " " * width + "".join(f"{steps}".rjust(17) for steps in shown),
    ]
    for who, by_steps in scores.items():
        cells = [f"{s.mean:.3f} +- {s.interval:.3f}" for s in by_steps.values()]
        lines.append(who.ljust(width) + "".join(cell.rjust(17) for cell in cells))
    for paper, figures in (published or {}).items():
        cells = [str(figures.get(str(steps), "-")) for steps in shown]
        lines.append(paper.ljust(width) + "".join(cell.rjust(17) for cell in cells))
    return "\n".join(lines) + "\n"


def rows(
    scores: Scores, config: SineOptions, method="", published=None, query=TEST_QUERY
) -> list[dict]:
    """Rows of ``metrics.json``; the first paper's figures stand beside ``method``."""
    paper = next(iter((published or {}).values()), {})
    return [
        Result(
            method=name,
            measure=after_steps(MEASURE[config.objective], steps),
            mean=score.mean,
            interval=score.interval,
            data=f"sine curves ({config.curves})",
            seed=config.seed,
            tested="tasks",
            shot=config.test_shot,
            query=query,
            episodes=score.episodes,
            published=paper.get(str(steps)) if name == method else None,
            headline=steps == max(by_steps),
        ).row()
        for name, by_steps in scores.items()
        for steps, score in by_steps.items()
    ]


def draw(run: RunFolder, history, scores: Scores, contenders: dict, config: SineOptions) -> None:
    """Learning curve, error against inner steps, and fits of two test curves."""
    shown = shown_steps(config)
    two = sampler(config, TEST, config.test_shot, 1, 2)
    run.figure("learning_curve", sine_pictures.learning_curve(history))
    run.figure("error_by_steps", sine_pictures.error_by_steps(scores))
    run.figure("fits", sine_pictures.fits(contenders, two, shown))

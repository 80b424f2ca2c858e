"""The error on curves never seen after inner steps: test, table, rows, and the same for the zoo."""

import dataclasses

import tensorflow as tf

from chapters.engine.evaluation import Conditions, Evaluator, Score
from chapters.engine.results import Measure, Result, after_steps
from chapters.experiments.options import SineOptions, shown_steps
from chapters.experiments.sine.tasks import TASKS_PER_BATCH, TEST, TEST_QUERY, sampler
from datasets.tasks.sinusoid import SineTasks

MEASURE = {"squared_error": Measure("mse", "MSE"), "absolute_error": Measure("mae", "MAE")}
ZERO = "prediction 0"
Scores = dict[str, dict[int, Score]]  # name -> number of inner steps -> error


def error_after(learner, curves: SineTasks, steps: int, tasks: int) -> Evaluator:
    """Evaluator of the error on query points after ``steps`` inner steps."""

    def predict(inputs):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
        return learner.predict_with(weights, inputs["query_x"])

    return Evaluator(predict, curves, tasks, measure=learner.objective)


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
    scores: Scores, config: SineOptions, method="", published=None, query=TEST_QUERY, rival=True
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
            rival=rival,
        ).row()
        for name, by_steps in scores.items()
        for steps, score in by_steps.items()
    ]

"""Loss and accuracy on fresh tasks after inner steps."""

import math

from chapters.engine.evaluation import Evaluator, Score, accuracy
from chapters.engine.results import Measure, Result, after_steps, share
from chapters.experiments.options import ToyOptions, shown_steps
from chapters.experiments.toy.tasks import QUERY
from datasets.tasks.hyperplanes import HyperplaneTasks

FLOOR = math.log(2)  # loss of someone who knows nothing
LOSS, ACCURACY = Measure("loss", "loss"), share("accuracy", "accuracy")
Scores = dict[str, dict[int, Score]]  # name -> number of inner steps -> loss or accuracy


def test(contenders: dict, tasks: HyperplaneTasks, config: ToyOptions) -> tuple[Scores, Scores]:
    """Losses and accuracies of every contender on fresh tasks, by number of inner steps."""
    objective = next(iter(contenders.values())).objective
    return tuple(
        {
            name: {
                steps: measure_after(learner, tasks, steps, measure, config.test_tasks)()
                for steps in shown_steps(config)
            }
            for name, learner in contenders.items()
        }
        for measure in (objective, accuracy)
    )


def measure_after(learner, tasks, steps, measure, count) -> Evaluator:
    """Evaluator of a measure on ``count`` tasks after ``steps`` inner steps."""

    def predict(inputs):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
        return learner.predict_with(weights, inputs["query_x"])

    return Evaluator(predict, tasks, count, measure=measure)


def table(losses: Scores, accuracies: Scores, config: ToyOptions) -> str:
    """The results as text, two lines per contender, one column per number of inner steps."""
    shown = shown_steps(config)
    width = max(map(len, losses)) + 12
    lines = [
        f"\nOn {config.test_tasks} fresh tasks, {config.shot} support points, 95 % interval, after "
        f"that many inner steps\n(knowing nothing: loss {FLOOR:.4f}, accuracy 50 %):\n",
        " " * width + "".join(f"{steps}".rjust(17) for steps in shown),
    ]
    for name in losses:
        cells = [f"{s.mean:.4f} +- {s.interval:.4f}" for s in losses[name].values()]
        lines.append(f"{name}, loss".ljust(width) + "".join(cell.rjust(17) for cell in cells))
        cells = [f"{100 * s.mean:.1f} +- {100 * s.interval:.1f}" for s in accuracies[name].values()]
        lines.append(f"{name}, %".ljust(width) + "".join(cell.rjust(17) for cell in cells))
    return "\n".join(lines) + "\n"


def rows(losses: Scores, accuracies: Scores, config: ToyOptions) -> list[dict]:
    """Rows of ``metrics.json``."""
    return [
        Result(
            method=name,
            measure=after_steps(measure, steps),
            mean=score.mean,
            interval=score.interval,
            data="coin flips" if config.as_printed else "hyperplanes",
            seed=config.seed,
            tested="tasks",
            shot=config.shot,
            query=QUERY,
            episodes=score.episodes,
            headline=measure is ACCURACY and steps == max(by_steps),
        ).row()
        for measure, scores in ((LOSS, losses), (ACCURACY, accuracies))
        for name, by_steps in scores.items()
        for steps, score in by_steps.items()
    ]

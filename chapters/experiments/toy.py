"""The book's toy problem, mended: one layer, 50 inputs, tasks that are hyperplanes.

Prints the lines that the book prints, with the mean loss on queries after adapting instead of one
task's training loss before it (E6.9), and then what the book leaves out: the loss on fresh tasks
after 0, 1, 5 and 10 inner steps (E6.11). ``--as-printed`` keeps the book's labels, which are coin
flips: nobody's loss on fresh points can be below ln 2 = 0.693 then (E6.5).
"""

import functools
import math

import keras

from chapters.engine.divergence import explain_divergence
from chapters.engine.evaluation import Evaluator, Score, accuracy
from chapters.engine.figures import HELD_OUT, TRAINING, course, legend, plt
from chapters.engine.loop import Loop
from chapters.engine.results import Measure, Result, after_steps, share
from chapters.experiments.options import ToyOptions, shown_steps
from datasets.tasks.hyperplanes import HyperplaneTasks

DIM = 50
FLOOR = math.log(2)  # loss of someone who knows nothing
VALIDATION, TEST = 1_000_000, 2_000_000  # seeds of fresh tasks
QUERY, TASKS_PER_BATCH = 100, 100
LOSS, ACCURACY = Measure("loss", "loss"), share("accuracy", "accuracy")

Scores = dict[str, dict[int, Score]]  # name -> number of inner steps -> loss or accuracy


class BookLog(keras.callbacks.Callback):
    """``Epoch 1000: Loss ...``, as the book prints it."""

    def on_epoch_end(self, epoch, logs=None):
        """Print the mean over the epochs since the last line."""
        print(f"Epoch {logs['step']:.0f}: Loss {logs['loss']:.4f}", flush=True)


def mapping(config: ToyOptions) -> str:
    """``--mapping``; a single layer is faster with all tasks at once."""
    return "batched" if config.mapping == "auto" else config.mapping


def samplers(config: ToyOptions) -> tuple[HyperplaneTasks, HyperplaneTasks, HyperplaneTasks]:
    """Tasks of training, validation and test."""
    printed = {"dim": DIM, "as_printed": config.as_printed}
    fresh = functools.partial(HyperplaneTasks, config.shot, QUERY, TASKS_PER_BATCH, **printed)
    return (
        HyperplaneTasks(config.shot, config.query, config.tasks, config.seed, **printed),
        fresh(seed=config.seed + VALIDATION),
        fresh(seed=config.seed + TEST),
    )


def describe(config: ToyOptions) -> str:
    """What is trained on what, before it starts."""
    kind = "labels as printed: coin flips" if config.as_printed else "labels from hyperplanes"
    return f"{config.tasks} tasks of {config.shot} + {config.query} points, {kind}."


def loop(train_step, learner, optimizer, training, validation, run, config) -> Loop:
    """The loop of a training, which prints the book's lines.

    Args:
        train_step: of the chapter.
        learner: has ``adapt`` and ``predict_with``.
        optimizer: built.
        training, validation: tasks.
        run: folder of the run.
        config: options of the run.
    """
    validate = _evaluator(learner, validation, config.test_steps, learner.objective, 200)
    return Loop(
        train_step,
        training,
        model=learner,
        optimizer=optimizer,
        run=run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=100,
        validate=lambda: {"loss": validate().mean},
        callbacks=[BookLog()],
        verbose=0,
        xla=True,
        explain=functools.partial(explain_divergence, learner, training),
    )


def test(contenders: dict, tasks: HyperplaneTasks, config: ToyOptions) -> tuple[Scores, Scores]:
    """Losses and accuracies of every contender on fresh tasks, by number of inner steps."""
    objective = next(iter(contenders.values())).objective
    return tuple(
        {
            name: {
                steps: _evaluator(learner, tasks, steps, measure, config.test_tasks)()
                for steps in shown_steps(config)
            }
            for name, learner in contenders.items()
        }
        for measure in (objective, accuracy)
    )


def _evaluator(learner, tasks, steps, measure, count) -> Evaluator:
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


def learning_curve(history):
    """Query loss after adapting, in training and on fresh tasks, beside ln 2."""
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    course(axis, history, "loss", "training, mean since the point before", **TRAINING)
    course(axis, history, "val_loss", "fresh tasks", above=False, **HELD_OUT)
    axis.axhline(FLOOR, color="0.6", linestyle=":", label="ln 2, knowing nothing")
    axis.set(xlabel="epoch", ylabel="query loss after adapting")
    legend(figure)
    return figure

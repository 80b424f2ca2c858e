"""The book's toy problem, mended: one layer, 50 inputs, tasks that are hyperplanes.

Prints the lines that the book prints, with the mean loss on queries after adapting instead of one
task's training loss before it (E6.9), and then what the book leaves out: the loss on fresh tasks
after 0, 1, 5 and 10 inner steps (E6.11). ``--as-printed`` keeps the book's labels, which are coin
flips: nobody's loss on fresh points can be below ln 2 = 0.693 then (E6.5).
"""

import functools
import math
from collections.abc import Callable

import keras

from chapters.engine import objectives, script
from chapters.engine.evaluation import Evaluator, Score
from chapters.engine.figures import HELD_OUT, TRAINING, course, legend, plt
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.engine.support import explain_divergence
from chapters.experiments.adaptation import Method
from chapters.experiments.options import ToyOptions, numbers
from datasets.hyperplanes import HyperplaneTasks

DIM = 50
FLOOR = math.log(2)  # loss of someone who knows nothing
VALIDATION, TEST = 1_000_000, 2_000_000  # seeds of fresh tasks
QUERY, TASKS_PER_BATCH = 100, 100


class BookLog(keras.callbacks.Callback):
    """``Epoch 1000: Loss ...``, as the book prints it."""

    def on_epoch_end(self, epoch, logs=None):
        """Print the mean over the epochs since the last line."""
        print(f"Epoch {logs['step']:.0f}: Loss {logs['loss']:.4f}", flush=True)


def network() -> keras.Sequential:
    """sigmoid(x theta) without bias, theta ~ N(0, 1) as in the book; the output is the logit.

    Inputs are moved from [0, 1] to [-1, 1]: their mean of 1/2 in all 50 directions would drown what
    the labels depend on.
    """
    normal = keras.initializers.RandomNormal(0.0, 1.0)
    return keras.Sequential(
        [
            keras.layers.Input((DIM,)),
            keras.layers.Rescaling(2.0, -1.0),
            keras.layers.Dense(1, use_bias=False, kernel_initializer=normal),
        ]
    )


def mapping(config: ToyOptions) -> str:
    """``--mapping``; a single layer is faster with all tasks at once."""
    return "batched" if config.mapping == "auto" else config.mapping


def run(config: ToyOptions, script_name: str, build: Callable[[ToyOptions], Method]) -> None:
    """Train, print the book's lines, test on fresh tasks.

    Args:
        config: options of the run.
        script_name: module name of the script.
        build: options -> Method.

    Raises:
        ConfigError, DataError, RunError: options, or a training that diverges.
    """
    shown = numbers(config.shown_steps, "--shown-steps")
    device = script.prepare(config.seed)
    printed = {"dim": DIM, "as_printed": config.as_printed}
    training = HyperplaneTasks(config.shot, config.query, config.tasks, config.seed, **printed)
    fresh = functools.partial(HyperplaneTasks, config.shot, QUERY, TASKS_PER_BATCH, **printed)
    validation, test = (fresh(seed=config.seed + part) for part in (VALIDATION, TEST))
    folder = RunFolder.open(config, script_name, device)
    kind = "labels as printed: coin flips" if config.as_printed else "labels from hyperplanes"
    print(f"Device: {device}. Run folder: {folder.path}.")
    print(f"{config.tasks} tasks of {config.shot} + {config.query} points, {kind}.")

    method = build(config)
    learner, training = method.learner, method.training_tasks(training)
    untrained = build(config).learner
    validate = _evaluator(learner, validation, config.test_steps, learner.objective, 200)
    loop = Loop(
        method.step,
        training,
        model=learner,
        optimizer=method.optimizer,
        run=folder,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=100,
        validate=lambda: {"loss": validate().mean},
        callbacks=[BookLog()],
        verbose=0,
        xla=True,
        explain=functools.partial(explain_divergence, learner, training),
    )
    history = loop()
    folder.weights(learner)

    contenders = {method.name: learner, "random weights": untrained}
    losses = _scores(contenders, test, shown, config, learner.objective)
    accuracies = _scores(contenders, test, shown, config, _accuracy)
    print(_table(losses, accuracies, shown, config))
    results = _rows(losses, "loss", config) + _rows(accuracies, "accuracy", config)
    folder.json(
        "metrics.json",
        {
            "results": results,
            "parameters": learner.count_params(),
            "steps": loop.step,
            "train_seconds": round(loop.seconds, 1),
        },
    )
    folder.figure("learning_curve", _learning_curve(history))
    for name, draw in method.pictures.items():
        folder.figure(name, draw())
    for name, draw in method.training_pictures.items():
        folder.figure(name, draw(history, training))
    print(f"Weights, metrics and pictures are in {folder.path}.")


def _evaluator(learner, tasks, steps, measure, count) -> Evaluator:
    def predict(inputs):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
        return learner.predict_with(weights, inputs["query_x"])

    return Evaluator(predict, tasks, count, measure=measure)


def _accuracy(query_y, prediction):
    return objectives.measures(query_y, prediction)["accuracy"]


def _scores(contenders, test, shown, config, measure) -> dict[str, dict[int, Score]]:
    return {
        name: {
            steps: _evaluator(learner, test, steps, measure, config.test_tasks)() for steps in shown
        }
        for name, learner in contenders.items()
    }


def _table(losses, accuracies, shown, config) -> str:
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


def _rows(scores, measure, config) -> list[dict]:
    """Rows of ``metrics.json``."""
    return [
        {
            "method": name,
            "data": "coin flips" if config.as_printed else "hyperplanes",
            "generated": False,  # the task itself, not a stand-in for other data
            "split": "test",
            "measure": f"{measure}_after_{steps}_steps",
            "shot": config.shot,
            "query": QUERY,
            "mean": score.mean,
            "interval": score.interval,
            "episodes": score.episodes,
            "seed": config.seed,
        }
        for name, by_steps in scores.items()
        for steps, score in by_steps.items()
    ]


def _learning_curve(history):
    """Query loss after adapting, in training and on fresh tasks, beside ln 2."""
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    course(axis, history, "loss", "training, mean since the point before", **TRAINING)
    course(axis, history, "val_loss", "fresh tasks", above=False, **HELD_OUT)
    axis.axhline(FLOOR, color="0.6", linestyle=":", label="ln 2, knowing nothing")
    axis.set(xlabel="epoch", ylabel="query loss after adapting")
    legend(figure)
    return figure

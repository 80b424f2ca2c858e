"""Learners that compare pictures without adapting any weights: tasks, loop, test and pictures.

Batch norm keeps averages while it trains, and tests use them: no query knows of another.
"""

from collections.abc import Sequence

import keras

from chapters.engine.evaluation import Evaluator
from chapters.engine.figures import learning_curve
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.experiments import images, starting
from chapters.experiments.images import pictures
from chapters.experiments.images.baselines import PixelNeighbour
from chapters.experiments.options import MetricOptions

PIXELS = "pixels, nearest neighbour"
UNTRAINED = "untrained encoder"
VALIDATION_WAY = 20
TASKS_AT_ONCE = 5  # of a batch at validation and test; changes speed only


def samplers(data, config: MetricOptions):
    """Training, validation and test tasks: see ``images.samplers``."""
    return images.samplers(data, config, VALIDATION_WAY, TASKS_AT_ONCE)


def learning_rate(config: MetricOptions):
    """The rate of the outer steps, or its Keras schedule.

    ``halving``: halved every ``halve_every`` steps, as Snell et al. do; ``cosine``: to zero at the
    end of the run.
    """
    schedules = keras.optimizers.schedules
    if config.schedule == "cosine":
        return schedules.CosineDecay(config.learning_rate, config.steps)
    if not config.halve_every:
        return config.learning_rate
    return schedules.ExponentialDecay(
        config.learning_rate, config.halve_every, decay_rate=0.5, staircase=True
    )


def loop(
    train_step,
    learner,
    optimizer,
    training,
    validation,
    run,
    config,
    strategy,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | None = None,
) -> Loop:
    """The loop of a training; validation classes choose the weights to keep.

    Args:
        train_step: of the chapter.
        learner: Keras model of tasks.
        optimizer: built.
        training, validation: tasks.
        run: folder of the run.
        config: options of the run.
        strategy: of the run.
        callbacks, verbose: as for ``Loop``.
    """
    starting.load(learner, config)
    validate = Evaluator(learner, validation, config.validation_episodes)
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
        callbacks=callbacks,
        strategy=strategy,
        names=images.progress_names(config, validation),
        verbose=verbose,
    )


def test(
    name: str,
    learner,
    untrained,
    tests,
    data,
    config: MetricOptions,
    published: dict[str, dict] | None = None,
    regimes: Sequence[str] = ("stored",),
) -> list[dict]:
    """Print the tests beside pixels and the network as it was; rows of ``metrics.json``.

    Args:
        name: of the method.
        learner: trained.
        untrained: the same with its first weights.
        tests: column -> tasks.
        data: what they are drawn from.
        config: options of the run.
        published: batch-norm regime -> column -> the paper's figure in %, on Omniglot.
        regimes: of batch norm, beginning with the honest one that stands for the method.
    """
    starting.load(untrained, config)
    contenders = {
        PIXELS: PixelNeighbour(learner.item_shape),
        starting.as_it_was(config) or UNTRAINED: untrained,
        name: learner,
    }
    as_published = data.name == "omniglot" and images.TEST_SPLIT[config.train_split] == "test"
    rows = []
    for regime in regimes:
        figures = (published or {}).get(regime, {}) if as_published else {}
        scores = {
            contender: {
                column: Evaluator(model, tasks, config.test_episodes, regime)()
                for column, tasks in tests.items()
            }
            for contender, model in contenders.items()
            if regime == regimes[0] or contender == name
        }
        papers = {"published": figures} if figures else {}
        print(images.table(scores, papers, data, config))
        measured = {name: figures}
        rows += images.rows(scores, measured, data, config, headline=regime == regimes[0])
    return rows


def draw(run: RunFolder, history, learner, validation, data, config: MetricOptions) -> None:
    """Learning curve, and a test episode with its answers."""
    names = images.curve_names(config, validation)
    if history:  # none where nothing is trained
        run.figure("learning_curve", learning_curve(history, **names))
    task = images.example(data, config, query=5)
    names, ink = images.class_names(data, config, task), images.is_ink(config)
    run.figure("episode", pictures.episode(learner, task, names, ink))

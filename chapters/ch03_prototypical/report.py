"""Words and tables of the training script: the book's log, the results, ``metrics.json``."""

import keras

from chapters.ch03_prototypical import baselines, models
from chapters.ch03_prototypical.data import Column, available
from chapters.ch03_prototypical.presets import PUBLISHED, TrainConfig
from chapters.engine.evaluation import Evaluator, Score
from datasets.dataset import Dataset
from datasets.episodes import EpisodeSampler

PIXELS = "pixels, nearest neighbour"
UNTRAINED = "untrained encoder"
TRAINED = "prototypical network"


class BookLog(keras.callbacks.Callback):
    """Loss and accuracy every 20 episodes, as the book prints them (section 3.3).

    Args:
        validation: sampler of the validation episodes, whose way and shot are named.
    """

    def __init__(self, validation: EpisodeSampler):
        super().__init__()
        self.task = f"{validation.way}-way {validation.shot}-shot"

    def on_epoch_begin(self, epoch, logs=None):
        """Remember the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Print the mean over the episodes of one graph call."""
        print(
            f"Epoch: {self.epoch + 1}, Episode: {batch + 1}, "
            f"Loss: {logs['loss']:.4f}, Accuracy: {logs['accuracy']:.4f}",
            flush=True,
        )

    def on_epoch_end(self, epoch, logs=None):
        """Print the accuracy on unseen classes, which the book never measures (E3.11)."""
        print(
            f"Epoch: {epoch + 1}, accuracy on characters not trained on, {self.task}: "
            f"{logs['val_accuracy']:.4f}",
            flush=True,
        )


def describe(data: Dataset, config: TrainConfig) -> str:
    """What is trained on what, before it starts."""
    kind = "generated stand-in" if data.generated else data.source
    sizes = ", ".join(
        f"{split} {available(data, split, config.rotations)}"
        for split in (config.train_split, "val", "test")
    )
    turned = " (each in four rotations)" if config.rotations else ""
    return (
        f"Data: {data.name} ({kind}); classes{turned}: {sizes}.\n"
        f"Training: {config.steps} steps of {config.tasks} episode(s), {config.way}-way "
        f"{config.shot}-shot, {config.query} queries per class."
    )


def evaluate(learner, tests: dict[Column, EpisodeSampler], data: Dataset, config: TrainConfig):
    """Scores of the trained network and of the baselines: name -> column -> Score."""
    fresh = models.get_embeddings(learner.encoder.input_shape[1:], config.h_dim, config.z_dim)
    contenders = {
        PIXELS: baselines.PixelNeighbour(),
        UNTRAINED: models.PrototypicalNetwork(fresh, config.distance),
        TRAINED: learner,
    }
    return {
        name: {
            column: Evaluator(contender, sampler, config.test_episodes)()
            for column, sampler in tests.items()
        }
        for name, contender in contenders.items()
    }


def table(scores: dict[str, dict[Column, Score]], data: Dataset, config: TrainConfig) -> str:
    """The results as text, accuracy in % with 95 % intervals."""
    columns = list(next(iter(scores.values())))
    width = max(map(len, scores)) + 2
    head = "".join(f"{column.way}-way {column.shot}-shot".rjust(17) for column in columns)
    lines = [
        f"\nAccuracy in % on {available(data, 'test', config.rotations)} classes never seen "
        f"({data.name}{', generated stand-in' if data.generated else ''}), "
        f"{config.test_episodes} episodes, {config.test_query} queries per class,\n"
        "95 % interval, batch norm with stored averages:\n",
        " " * width + head,
    ]
    for name, by_column in scores.items():
        cells = [f"{100 * s.mean:.2f} +- {100 * s.interval:.2f}" for s in by_column.values()]
        lines.append(name.ljust(width) + "".join(cell.rjust(17) for cell in cells))
    if data.name == "omniglot":
        cells = [str(_published(TRAINED, column, data) or "-") for column in columns]
        paper = "Snell et al. 2017".ljust(width) + "".join(cell.rjust(17) for cell in cells)
        lines.append(paper)
    return "\n".join(lines) + "\n"


def metrics(scores, learner, loop, data: Dataset, config: TrainConfig) -> dict:
    """``metrics.json``: every score with the conditions under which it was measured."""
    rows = [
        {
            "method": name,
            "data": data.name,
            "generated": data.generated,
            "split": "test",
            "measure": "accuracy",
            "way": column.way,
            "shot": column.shot,
            "query": config.test_query,
            "mean": score.mean,
            "interval": score.interval,
            "episodes": score.episodes,
            "seed": score.seed,
            "batch_norm": score.batch_norm,
            "published": _published(name, column, data),
        }
        for name, by_column in scores.items()
        for column, score in by_column.items()
    ]
    return {
        "results": rows,
        "parameters": learner.count_params(),
        "steps": loop.step,
        "train_seconds": round(loop.seconds, 1),
    }


def _published(method: str, column: Column, data: Dataset) -> float | None:
    """The paper's figure in %, where it measured the same thing."""
    comparable = method == TRAINED and data.name == "omniglot"
    return PUBLISHED.get(str(column)) if comparable else None

"""Words and tables of the training script: the book's log, the results, ``metrics.json``."""

import keras

from chapters.ch03_prototypical import baselines, models
from chapters.ch03_prototypical.presets import PUBLISHED, TrainConfig
from chapters.engine.evaluation import Evaluator
from chapters.experiments import images
from chapters.experiments.images import Column
from datasets.dataset import Dataset
from datasets.tasks.episodes import EpisodeSampler

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


def evaluate(learner, tests: dict[Column, EpisodeSampler], data: Dataset, config: TrainConfig):
    """Scores of the trained network and of the baselines: name -> column -> Score."""
    fresh = models.get_embeddings(learner.encoder.input_shape[1:], config.h_dim, config.z_dim)
    contenders = {
        PIXELS: baselines.PixelNeighbour(learner.item_shape),
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


def table(scores: images.Scores, data: Dataset, config: TrainConfig) -> str:
    """The results as text, beside the paper's where it measured the same thing."""
    paper = {"Snell et al. 2017": PUBLISHED} if _as_published(data, config) else {}
    return images.table(scores, paper, data, config)


def metrics(scores, learner, loop, data: Dataset, config: TrainConfig) -> dict:
    """``metrics.json``: every score with the conditions under which it was measured."""
    published = {TRAINED: PUBLISHED} if _as_published(data, config) else {}
    return {
        "method": TRAINED,
        "results": images.rows(scores, published, data, config),
        **images.seen(data, config),
        "parameters": learner.count_params(),
        "steps": loop.step,
        "train_seconds": round(loop.seconds, 1),
    }


def _as_published(data: Dataset, config: TrainConfig) -> bool:
    """Whether the paper tested on the same classes."""
    return data.name == "omniglot" and images.TEST_SPLIT[config.train_split] == "test"

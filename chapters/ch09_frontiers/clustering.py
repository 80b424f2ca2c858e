"""Clusters of unlabelled pictures, in place of classes: embed, partition, again and again.

CACTUs (Hsu, Levine and Finn, 2019; sections 9.5 and 9.6 of the book): the embedding alone need not
tell classes apart well; a learner that has to find the clusters of many partitions from a few items
each learns more than any one of them holds.
"""

import io
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from chapters.ch09_frontiers import autoencoder
from chapters.ch09_frontiers.autoencoder import Autoencoder
from chapters.ch09_frontiers.embeddings import Embedding
from chapters.engine import files
from chapters.engine.loop import Loop
from chapters.experiments import images
from datasets.dataset import Dataset
from datasets.tasks.episodes import to_float
from datasets.tasks.pairs import items_of_split
from datasets.tasks.partitions import cluster_sizes, enough, partitions

BATCH, RATE = 64, 1e-3  # of the autoencoder
VALIDATION_PARTITIONS = 5
EPOCHS = 10


class Partitioned(NamedTuple):
    """Which items were clustered, and how: what ``ClusterTasks`` takes."""

    positions: np.ndarray  # [item], into the items of the data set
    partitions: np.ndarray  # [partition, item]


class Clusters(NamedTuple):
    """What was found in the pictures of a run."""

    embedding: Embedding
    training: Partitioned
    validation: Partitioned  # of pictures of other classes, with fewer clusters
    centres: np.ndarray  # [cluster, dim], of the first partition of training
    seconds: float  # that the embedding was trained


class Pictures:
    """Draws unlabelled pictures, with replacement: index -> [item, height, width, channel].

    Args:
        dataset: whose labels are not looked at.
        positions: of the pictures.
        batch: pictures of a batch.
        seed: the same seed and index give the same batch.
    """

    def __init__(self, dataset: Dataset, positions, batch: int, seed: int):
        self.tasks, self.seed = batch, seed
        self._positions = tf.constant(positions, tf.int32)
        self._items = tf.constant(dataset.items.reshape(-1, *dataset.image_shape))

    def __call__(self, index):
        """Batch number ``index``."""
        seed = tf.random.fold_in(tf.constant([self.seed, 7]), tf.cast(index, tf.int32))
        count = len(self._positions)
        drawn = tf.random.stateless_uniform([self.tasks], seed, 0, count, tf.int32, alg="philox")
        return to_float(tf.gather(self._items, tf.gather(self._positions, drawn)))


def find(data: Dataset, config, run) -> Clusters:
    """Embed the pictures of a run and partition them; what is there already is taken.

    Args:
        data: whose labels are not looked at.
        config: options of the run.
        run: its folder.

    Raises:
        DataError: fewer pictures than clusters.
    """
    positions = items_of_split(data, config.train_split)
    others = items_of_split(data, "val")
    enough(len(positions), config.clusters)
    encoder, seconds = None, 0.0
    if config.embedding == "autoencoder":
        model, loop = train_autoencoder(data, positions, config, run.sub("autoencoder"))
        encoder, seconds = model.encoder, loop.seconds
    embedding = Embedding(pictures_at(data, positions), encoder, config.dim)
    z, held_out = (embedding.of_all(pictures_at(data, where)) for where in (positions, others))
    # As many pictures to a cluster as in training.
    fewer = max(2, round(config.clusters * len(others) / len(positions)))
    found = _kept(
        run, "clusters", lambda: _partition(z, config.clusters, config.partitions, config)
    )
    few = partitions(held_out, fewer, VALIDATION_PARTITIONS, config.seed)
    centres = np.stack([z[found[0] == k].mean(axis=0) for k in range(config.clusters)])
    parts = Partitioned(positions, found), Partitioned(others, few)
    return Clusters(embedding, *parts, centres, seconds)


def usable(found: np.ndarray, items: int) -> int:
    """Clusters of at least so many items, in the partition that has fewest."""
    return int((cluster_sizes(found) >= items).sum(axis=1).min())


def train_autoencoder(data: Dataset, positions, config, run) -> tuple[Autoencoder, Loop]:
    """The autoencoder of the options, trained on these pictures, and its loop."""
    model = Autoencoder(images.item_shape(config), config.dim, strength=config.critic)
    rate = keras.optimizers.schedules.CosineDecay(RATE, config.embedding_steps)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(model.trainable_variables)
    print(f"Autoencoder: {config.embedding_steps} steps of {BATCH} pictures.")
    loop = Loop(
        autoencoder.train_step(model, optimizer),
        Pictures(data, positions, BATCH, config.seed),
        model=model,
        optimizer=optimizer,
        run=run,
        steps=config.embedding_steps,
        steps_per_epoch=-(-config.embedding_steps // EPOCHS),
        steps_per_call=config.steps_per_call,
    )
    loop()
    return model, loop


def _partition(z, clusters: int, count: int, config) -> np.ndarray:
    def report(done):
        if done == count or done % 10 == 0:
            print(f"Partitions: {done} of {count}.", flush=True)

    return partitions(z, clusters, count, config.seed, report)


def _kept(run, name: str, make) -> np.ndarray:
    """An array of the run's folder, made where it is not there yet."""
    path = run.path / f"{name}.npy"
    if run.config.resume and path.exists():
        return np.load(path, allow_pickle=False)
    found = make()
    if run.chief:
        content = io.BytesIO()
        np.save(content, found)
        files.write_bytes(path, content.getvalue())
    return found


def pictures_at(data: Dataset, positions) -> np.ndarray:
    """As a network sees them: [item, height, width, channel]."""
    return to_float(data.items.reshape(-1, *data.image_shape)[positions]).numpy()

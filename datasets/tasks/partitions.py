"""Tasks without labels: the clusters of embeddings stand for classes.

CACTUs (Hsu, Levine and Finn, 2019; book, section 9.6): one clustering would fix what counts as
alike, so there are many, each of embeddings whose dimensions were scaled at random, and a task
stays within one of them. As with episodes, drawing is a pure function of (seed, index).
"""

import warnings

import numpy as np
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError, at_least_one
from datasets.tasks import draws
from datasets.tasks.episodes import Episode, divided, to_float, turn_tasks


def partitions(embeddings, clusters: int, count: int, seed: int = 0, report=None) -> np.ndarray:
    """Cluster the same embeddings again and again: int32 [partition, item], number of a cluster.

    Args:
        embeddings: [item, dim], of one size in all directions (whitened).
        clusters: k.
        count: of partitions; the first one has the embeddings as they are.
        seed: the same seed gives the same partitions.
        report: called with the number of partitions that are done.

    Raises:
        DataError: fewer items than clusters.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    enough(len(embeddings), clusters)
    rng, found = np.random.RandomState(seed), []
    for number in range(count):
        # A_p = diag(u), u uniform in (0, 1)
        scale = rng.uniform(size=embeddings.shape[1]) if number else 1.0
        # Begin at distinct items: k-means++ takes longer than all that follows.
        means = KMeans(clusters, init="random", n_init=1, max_iter=25, random_state=seed + number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found.append(means.fit_predict(scale * embeddings))
        if report:
            report(number + 1)
    return np.stack(found).astype(np.int32)


def enough(items: int, clusters: int) -> None:
    """Refuse fewer items than clusters, which an embedding need not be learned for.

    Raises:
        DataError: there are fewer.
    """
    if items < clusters:
        raise DataError(
            f"{items} pictures cannot make {clusters} clusters; ask for fewer, or give more "
            "pictures."
        )


def cluster_sizes(partition: np.ndarray) -> np.ndarray:
    """Items of each cluster: [partition, item] -> [partition, cluster]."""
    clusters = int(partition.max()) + 1
    return np.stack([np.bincount(one, minlength=clusters) for one in partition])


class ClusterTasks:
    """Draws a partition, ``way`` of its clusters, then support and query items of each.

    Calling the sampler gives ``(inputs, query_y)`` as ``EpisodeSampler`` does. A cluster's label is
    its place in the task, which is random; support and query share no item.

    Args:
        dataset: whose labels are not looked at.
        positions: the items that were clustered, [item] into ``dataset.items``.
        partition: [partition, item], of ``partitions``.
        way, shot, query: clusters of a task, support and query items of each.
        tasks: tasks of a batch.
        seed: the same seed and index give the same tasks.
        rotations: each task is turned as a whole, by 0 to 3 quarter turns.

    Raises:
        DataError: a partition has fewer than ``way`` clusters of ``shot + query`` items.
    """

    def __init__(
        self,
        dataset: Dataset,
        positions: np.ndarray,
        partition: np.ndarray,
        way: int,
        shot: int,
        query: int,
        tasks: int = 1,
        seed: int = 0,
        rotations: bool = False,
    ):
        self.way, self.shot, self.query, self.tasks = way, shot, query, tasks
        self.seed, self.rotations, self.name = seed, rotations, f"clusters of {dataset.name}"
        at_least_one(way=way, shot=shot, query=query, tasks=tasks)
        needed = shot + query
        counts = cluster_sizes(partition)
        usable = counts >= needed  # [partition, cluster]
        if usable.sum(axis=1).min() < way:
            raise DataError(
                f"A partition has {usable.sum(axis=1).min()} clusters of {needed} or more pictures "
                f"(shot {shot} + query {query}), but a task takes {way}; make fewer clusters, or "
                "ask for a smaller way, shot or query."
            )
        order = np.argsort(partition, axis=1, kind="stable")  # items by cluster
        self.kept = usable.mean()  # share of clusters that are large enough
        self._items = tf.constant(dataset.items.reshape(-1, *dataset.image_shape))
        self._order = tf.constant(positions[order], tf.int32)  # [partition, item]
        self._first = tf.constant(np.cumsum(counts, axis=1) - counts, tf.int32)
        self._counts, self._usable = tf.constant(counts, tf.int32), tf.constant(usable)
        self._most = int(counts.max())

    def __call__(self, index):
        """Batch number ``index`` as ``(inputs, query_y)``."""
        episode = self.episode(index)
        return episode.inputs, episode.query_y

    def episode(self, index) -> Episode:
        """Batch number ``index`` (int or scalar tensor); classes are numbers of clusters."""
        clusters, chosen = self.items(index)
        # [task, way, item, height, width, channel]
        x = to_float(tf.gather(self._items, chosen))
        if self.rotations:
            seed = tf.random.fold_in(tf.constant([self.seed, 6]), tf.cast(index, tf.int32))
            x = turn_tasks(x, seed)
        return divided(x, self.shot, clusters)

    def items(self, index):
        """Which clusters [task, way] and items: positions [task, way, shot + query]."""
        seed = tf.random.fold_in(tf.constant([self.seed, 5]), tf.cast(index, tf.int32))
        which, clusters, members = tf.unstack(tf.random.split(seed, 3))
        count, number = self._counts.shape
        p = tf.random.stateless_uniform([self.tasks], which, 0, count, tf.int32, alg="philox")
        scores = tf.random.stateless_uniform([self.tasks, number], clusters, alg="philox")
        drawn = draws.distinct(scores, self.way, tf.gather(self._usable, p))  # [task, way]
        place = tf.stack([tf.tile(p[:, None], [1, self.way]), drawn], axis=-1)  # [task, way, 2]
        exists = tf.range(self._most) < tf.gather_nd(self._counts, place)[..., None]
        scores = tf.random.stateless_uniform(exists.shape, members, alg="philox")
        member = draws.distinct(scores, self.shot + self.query, exists)  # [task, way, item]
        member += tf.gather_nd(self._first, place)[..., None]
        return drawn, tf.gather(tf.gather(self._order, p), member, batch_dims=1)

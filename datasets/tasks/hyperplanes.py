"""The book's toy of chapters 6 to 8: points in [0, 1)^50 with labels 0 and 1.

As printed the labels are coin flips and a "task" has no identity: nothing can be learned, let alone
learned to learn. Mended, each task has a hyperplane of its own that labels its points.
"""

import numpy as np
import tensorflow as tf

from datasets.errors import DataError, at_least_one
from datasets.tasks import draws

FAMILY_SEED = 0  # of the normals' subspace: training and test tasks share it


class HyperplaneTasks:
    """Draws hyperplanes, then ``shot`` support and ``query`` query points of each.

        x ~ U(0, 1)^dim,   y = 1[(x - 1/2) . w > 0],   w = B z,   z ~ N(e_1, I)

    Ten points in 50 dimensions say little about a hyperplane, and if all directions were equally
    likely no training could help. So that there is something to transfer, the normals w of all
    tasks, of whatever seed, lie in one fixed subspace of ``rank`` dimensions around one direction:
    B [dim, rank] is orthonormal, e_1 the first unit vector. B is orthogonal to (1, ..., 1) too, so
    that (x - 1/2) . w = x . w and the book's layer, which has no bias, can represent every task.

    A pure function of (seed, index), like ``datasets.tasks.episodes``. Calling the sampler gives
    ``(inputs, query_y)``: support_x [task, shot, dim], query_x [task, query, dim], and labels
    support_y [task, shot], query_y [task, query], int32 in {0, 1}.

    Args:
        shot, query: points per task.
        tasks: tasks per batch.
        seed: the same seed and index give the same tasks.
        dim: dimensions of a point.
        rank: dimensions of the subspace of normals, less than ``dim``.
        as_printed: the book's generator instead: y ~ Bernoulli(1/2), whatever x is.

    Raises:
        DataError: numbers below 1 or a rank that does not fit.
    """

    def __init__(
        self,
        shot: int,
        query: int,
        tasks: int = 1,
        seed: int = 0,
        *,
        dim: int = 50,
        rank: int = 2,
        as_printed: bool = False,
    ):
        at_least_one(shot=shot, query=query, tasks=tasks)
        if not 1 <= rank < dim:
            raise DataError(
                f"rank is {rank} and dim {dim}; the rank must be at least 1 and less than dim."
            )
        self.shot, self.query, self.tasks, self.seed = shot, query, tasks, seed
        self.dim, self.rank, self.as_printed = dim, rank, as_printed
        self._basis = tf.constant(_basis(dim, rank), tf.float32)  # [dim, rank]

    def __call__(self, index):
        """Batch number ``index`` (int or scalar tensor) as ``(inputs, query_y)``."""
        x_seed, label_seed = self._seeds(index)
        points = self.shot + self.query
        x = draws.uniform([self.tasks, points, self.dim], x_seed)
        if self.as_printed:
            score = draws.uniform([self.tasks, points], label_seed) - 0.5
        else:
            score = tf.linalg.matvec(x - 0.5, self.normals(index))  # [task, shot + query]
        y = tf.cast(score > 0, tf.int32)
        inputs = {
            "support_x": x[:, : self.shot],
            "support_y": y[:, : self.shot],
            "query_x": x[:, self.shot :],
        }
        return inputs, y[:, self.shot :]

    def normals(self, index):
        """w [task, dim] of the tasks of batch number ``index``; they mean nothing as printed."""
        _, label_seed = self._seeds(index)
        z = draws.normal([self.tasks, self.rank], label_seed) + tf.one_hot(0, self.rank)
        return tf.matmul(z, self._basis, transpose_b=True)  # [task, dim]

    def _seeds(self, index):
        seed = tf.stack([self.seed, tf.cast(index, tf.int32)])
        return tf.unstack(tf.random.split(seed, alg="philox"))


def _basis(dim: int, rank: int) -> np.ndarray:
    """[dim, rank], orthonormal, orthogonal to (1, ..., 1); the same in every process."""
    columns = np.random.RandomState(FAMILY_SEED).standard_normal([dim, rank])
    return np.linalg.qr(columns - columns.mean(axis=0))[0]

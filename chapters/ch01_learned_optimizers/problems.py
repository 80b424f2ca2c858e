"""What is optimized: batches of problems whose losses are functions of one vector each, theta.

A problem is a sampler: ``problem(index)`` is batch number ``index``, a dict of tensors [problem,
...] with the first theta as ``start`` [problem, coordinate], a function of (seed, index) alone.
``problem.loss(theta, data, t)`` is the loss [problem] at step t.
"""

import math

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from datasets.tasks import draws

BRIGHTEST = 16  # of scikit-learn's pixels
# Of the digits' pictures: networks of training, validation and test learn from others.
SPLITS = {"train": slice(0, 900), "val": slice(900, 1300), "test": slice(1300, None)}
ACTIVATIONS = {"sigmoid": tf.sigmoid, "relu": tf.nn.relu}


class Quadratics:
    """f(theta) = ||W theta - y||^2 with W [dims, dims] and y [dims] of standard normal numbers.

    Andrychowicz et al. (2016), section 3.1.

    Args:
        problems: of a batch.
        dims: of theta.
        seed: the same seed and index give the same problems.
    """

    SPREAD = 0.01  # standard deviation of the first theta, as in the authors' code

    def __init__(self, problems: int, dims: int = 10, seed: int = 0):
        self.tasks, self.dims, self.seed = problems, dims, seed

    @property
    def coordinates(self) -> int:
        """Numbers of a theta."""
        return self.dims

    def __call__(self, index) -> dict[str, tf.Tensor]:
        """Batch number ``index``: ``w`` [problem, row, coordinate], ``y``, ``start``."""
        seed = tf.stack([self.seed, tf.cast(index, tf.int32)])
        # [problem, row + 2, coordinate]
        numbers = draws.normal([self.tasks, self.dims + 2, self.dims], seed)
        start = self.SPREAD * numbers[:, -1]
        return {"w": numbers[:, : self.dims], "y": numbers[:, -2], "start": start}

    def loss(self, theta, data, t):
        """||W theta - y||^2 [problem]; the same at every step."""
        error = tf.linalg.matvec(data["w"], theta) - data["y"]  # [problem, row]
        return tf.reduce_sum(error**2, axis=-1)


class DigitNetworks:
    """Small networks that learn the 8 x 8 digits of scikit-learn; theta holds all their weights.

    The loss of a step is the cross-entropy of a minibatch; minibatches go through the pictures of
    the split in an order of each network's own, again and again.

    Args:
        problems: networks of a batch.
        hidden: units of the hidden layers.
        activation: of these, a key of ``ACTIVATIONS``.
        split: a key of ``SPLITS``.
        minibatch: pictures of a step.
        seed: the same seed and index give the same networks and orders.
    """

    def __init__(
        self,
        problems: int,
        hidden: tuple[int, ...] = (20,),
        activation: str = "sigmoid",
        split: str = "train",
        minibatch: int = 128,
        seed: int = 0,
    ):
        self.tasks, self.minibatch, self.seed = problems, minibatch, seed
        self.activation = ACTIVATIONS[activation]
        digits = load_digits()
        order = np.random.RandomState(0).permutation(len(digits.target))[SPLITS[split]]
        self.x = tf.constant(digits.data[order] / BRIGHTEST, tf.float32)  # [picture, pixel]
        self.y = tf.constant(digits.target[order], tf.int32)  # [picture]
        units = (self.x.shape[1], *hidden, 10)
        self.sizes = [
            size
            for inputs, outputs in zip(units, units[1:], strict=False)
            for size in ((inputs, outputs), (1, outputs))
        ]  # a kernel and a bias for each layer

    @property
    def coordinates(self) -> int:
        """Weights of a network."""
        return sum(map(math.prod, self.sizes))

    def __call__(self, index) -> dict[str, tf.Tensor]:
        """Batch number ``index``: ``start`` [problem, coordinate], ``order`` [problem, picture]."""
        seed = tf.stack([self.seed, tf.cast(index, tf.int32)])
        uniform = draws.uniform([self.tasks, self.coordinates + len(self.y)], seed)
        weights, scores = tf.split(uniform, [self.coordinates, len(self.y)], axis=-1)
        # Kernels uniform to sqrt(6 / (inputs + outputs)), as Keras draws them; biases 0.
        limits = np.concatenate([np.full(math.prod(size), _limit(size)) for size in self.sizes])
        start = (2 * weights - 1) * limits.astype(np.float32)
        return {"start": start, "order": draws.distinct(scores, len(self.y))}

    def loss(self, theta, data, t):
        """Mean cross-entropy [problem] of minibatch number ``t``."""
        first = t * self.minibatch
        places = (first + tf.range(self.minibatch)) % len(self.y)  # XLA knows how many
        picture = tf.gather(data["order"], places, axis=1)  # [problem, picture]
        logits = self.logits(theta, tf.gather(self.x, picture))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(self.y, picture), logits)
        return tf.reduce_mean(losses, axis=-1)

    def logits(self, theta, x):
        """[problem, coordinate], [problem, picture, pixel] -> [problem, picture, digit]."""
        parts = tf.split(theta, [math.prod(size) for size in self.sizes], axis=-1)
        parts = [
            tf.reshape(part, [-1, *size]) for part, size in zip(parts, self.sizes, strict=True)
        ]
        layers = list(zip(parts[::2], parts[1::2], strict=True))
        for number, (kernel, bias) in enumerate(layers):
            x = tf.matmul(x, kernel) + bias  # [problem, picture, unit]
            x = x if number == len(layers) - 1 else self.activation(x)
        return x


def _limit(size: tuple[int, int]) -> float:
    """Largest first weight of a kernel [inputs, outputs]; 0 of a bias [1, outputs]."""
    inputs, outputs = size
    return math.sqrt(6 / (inputs + outputs)) if inputs > 1 else 0.0


class Scaled:
    """Problems in other units: f(c theta), with a factor of its own for every coordinate.

    A rule that has to do well on these cannot rely on the size of gradients or of weights. Lv,
    Jiang and Li (2017), section 4.2.

    Args:
        problem: what is scaled; the first theta is divided by c, so that the first loss stays.
        spread: c = exp(u) with u uniform from -spread to spread.
    """

    def __init__(self, problem, spread: float = 3.0):
        self.problem, self.spread = problem, spread
        self.tasks, self.seed = problem.tasks, problem.seed

    @property
    def coordinates(self) -> int:
        """Those of the problem."""
        return self.problem.coordinates

    def __call__(self, index) -> dict[str, tf.Tensor]:
        """Batch number ``index``, with the factors as ``units`` [problem, coordinate]."""
        data = self.problem(index)
        seed = tf.stack([tf.cast(index, tf.int32), -1 - self.seed])  # no problem draws from it
        uniform = draws.uniform([self.tasks, self.coordinates], seed)
        units = tf.exp(self.spread * (2 * uniform - 1))
        return {**data, "units": units, "start": data["start"] / units}

    def loss(self, theta, data, t):
        """f(c theta) [problem]."""
        return self.problem.loss(data["units"] * theta, data, t)

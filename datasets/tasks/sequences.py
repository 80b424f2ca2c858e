"""Tasks for a memory: sequences of random bits to store and give back (Graves et al. 2014).

Every sampler is a pure function of (seed, index) and gives ``Sequences``. All sequences of a batch
have one length, drawn anew for each batch; the arrays always have room for the longest, so one
compiled program serves all lengths. The attribute ``time``, the steps of the arrays, may be raised,
so that one program serves several samplers.
"""

from typing import NamedTuple

import tensorflow as tf

from datasets.errors import DataError
from datasets.tasks import draws


class Sequences(NamedTuple):
    """A batch: what goes in at each step, what shall come out, and when that counts."""

    x: tf.Tensor  # [batch, time, channel]
    y: tf.Tensor  # [batch, time, bit], 0 or 1; 0 where nothing is asked
    asked: tf.Tensor  # [time], 1 where the output counts
    steps: tf.Tensor  # scalar: steps in use; all that follows is padding


class CopyTask:
    """Copy: a sequence of bit vectors, an end marker, then silence in which it is given back.

    The input has one channel more than the vectors, for the end marker. Section 4.1 of the paper:
    8 bits, lengths 1 to 20.

    Args:
        batch: sequences per batch.
        bits: bits of a vector.
        min_length, max_length: vectors in a sequence, each length equally likely.
        seed: the same seed and index give the same sequences.

    Raises:
        DataError: a size below 1, or lengths in the wrong order.
    """

    def __init__(self, batch=1, bits=8, min_length=1, max_length=20, seed=0):
        _check(batch=batch, bits=bits, min_length=min_length)
        _check_range("length", min_length, max_length)
        self.batch, self.bits, self.seed = batch, bits, seed
        self.lengths = (min_length, max_length)
        self.channels, self.outputs = bits + 1, bits
        self.time = 2 * max_length + 1

    def __call__(self, index) -> Sequences:
        """Batch number ``index`` (int or scalar tensor)."""
        numbers, length = _draw(self.seed, index, [self.batch, self.lengths[1], self.bits])
        return self.arrange(_bits(numbers), _between(length, *self.lengths))

    def arrange(self, vectors, length) -> Sequences:
        """The task for given vectors [batch, max_length, bits], of which ``length`` count."""
        t = tf.range(self.time)
        shown, asked = t < length, (t > length) & (t <= 2 * length)
        bits = _at(vectors, t, shown)  # [batch, time, bit]
        marker = _channel(t == length, self.batch)  # [batch, time, 1]
        y = _at(vectors, t - length - 1, asked)  # [batch, time, bit]
        asked = tf.cast(asked, tf.float32)
        return Sequences(tf.concat([bits, marker], -1), y, asked, 2 * length + 1)


class RepeatCopyTask:
    """Repeat copy: give the sequence back several times, then mark the end.

    The end marker comes with the number of repeats on a channel of its own, scaled to mean 0 and
    variance 1 over training (paper, section 4.2: lengths and repeats 1 to 10). Targets have one bit
    more than the vectors: the end marker that the network must give.

    Args:
        batch, bits, seed: as for ``CopyTask``.
        min_length, max_length: vectors in a sequence.
        min_repeats, max_repeats: how often it is to be given back.
        scale: lowest and highest number of repeats in training, for the scaling; by default those
            of this task.

    Raises:
        DataError: a size below 1, or ranges in the wrong order.
    """

    def __init__(
        self, batch=1, bits=8, min_length=1, max_length=10, min_repeats=1, max_repeats=10, seed=0,
        scale=None,
    ):  # fmt: skip
        _check(batch=batch, bits=bits, min_length=min_length, min_repeats=min_repeats)
        _check_range("length", min_length, max_length)
        _check_range("repeats", min_repeats, max_repeats)
        self.batch, self.bits, self.seed = batch, bits, seed
        self.lengths, self.repeats = (min_length, max_length), (min_repeats, max_repeats)
        self.scale = scale or self.repeats
        self.channels, self.outputs = bits + 2, bits + 1
        self.time = max_length + 1 + max_length * max_repeats + 1

    def __call__(self, index) -> Sequences:
        """Batch number ``index`` (int or scalar tensor)."""
        numbers, length, repeats = _draw(
            self.seed, index, [self.batch, self.lengths[1], self.bits], 2
        )
        return self.arrange(
            _bits(numbers), _between(length, *self.lengths), _between(repeats, *self.repeats)
        )

    def arrange(self, vectors, length, repeats) -> Sequences:
        """The task for given vectors [batch, max_length, bits], ``length`` of them, repeated."""
        t = tf.range(self.time)
        end = length + 1 + length * repeats  # when the network's end marker is due
        given = (t > length) & (t < end)
        low, high = map(float, self.scale)
        # variance of a number equally likely low, low + 1, ..., high: ((high - low + 1)^2 - 1) / 12
        deviation = (((high - low + 1) ** 2 - 1) / 12) ** 0.5 or 1.0
        amount = (tf.cast(repeats, tf.float32) - (low + high) / 2) / deviation
        marker = _channel(t == length, self.batch)  # [batch, time, 1]
        x = tf.concat([_at(vectors, t, t < length), marker, amount * marker], -1)
        bits = _at(vectors, tf.math.floormod(t - length - 1, length), given)
        y = tf.concat([bits, _channel(t == end, self.batch)], -1)  # [batch, time, bit + 1]
        asked = tf.cast((t > length) & (t <= end), tf.float32)
        return Sequences(x, y, asked, end + 1)


class AssociativeRecallTask:
    """Associative recall: several items, then one of them again; the answer is the next one.

    An item is ``item_length`` vectors after an item marker. The query stands between two query
    markers (paper, section 4.3: 3 vectors of 6 bits, 2 to 6 items).

    Args:
        batch, bits, seed: as for ``CopyTask``.
        min_length, max_length: items shown, at least 2.
        item_length: vectors of an item.

    Raises:
        DataError: a size below 1, fewer than 2 items, or lengths in the wrong order.
    """

    def __init__(self, batch=1, bits=6, min_length=2, max_length=6, item_length=3, seed=0):
        _check(batch=batch, bits=bits, item_length=item_length)
        _check_range("length", min_length, max_length)
        if min_length < 2:
            raise DataError(f"min_length is {min_length}; an answer needs at least 2 items.")
        self.batch, self.bits, self.item_length, self.seed = batch, bits, item_length, seed
        self.lengths = (min_length, max_length)
        self.channels, self.outputs = bits + 2, bits
        self.time = (max_length + 1) * (item_length + 1) + 1 + item_length

    def __call__(self, index) -> Sequences:
        """Batch number ``index`` (int or scalar tensor)."""
        shape = [self.batch, self.lengths[1] * self.item_length, self.bits]
        numbers, length, *queries = _draw(self.seed, index, shape, 1 + self.batch)
        length = _between(length, *self.lengths)
        last = tf.cast(length - 1, tf.float32)
        query = tf.cast(tf.stack(queries) * last, tf.int32)  # [batch], any item but the last
        return self.arrange(_bits(numbers), length, query)

    def arrange(self, vectors, length, query) -> Sequences:
        """The task for vectors [batch, items * item_length, bits] and queried items [batch]."""
        size = self.item_length
        t = tf.range(self.time)
        shown = length * (size + 1)  # the first query marker
        second = shown + size + 1  # the second one
        phase = tf.math.floormod(t, size + 1)  # 0 is the marker of an item
        item = _at(vectors, t // (size + 1) * size + phase - 1, (t < shown) & (phase > 0))
        asks, answers = (t > shown) & (t < second), (t > second) & (t <= second + size)
        start = query[:, None] * size  # [batch, 1]
        again = _each_at(vectors, start + (t - shown - 1)[None], asks)  # [batch, time, bit]
        y = _each_at(vectors, start + size + (t - second - 1)[None], answers)
        item_marker = _channel((t < shown) & (phase == 0), self.batch)
        query_marker = _channel((t == shown) | (t == second), self.batch)
        x = tf.concat([item + again, item_marker, query_marker], -1)
        return Sequences(x, y, tf.cast(answers, tf.float32), second + size + 1)


def _check(**sizes) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise DataError(f"{name} is {size}; it must be at least 1.")


def _check_range(name, low, high) -> None:
    if high < low:
        raise DataError(f"min_{name} {low} is above max_{name} {high}; swap them.")


def _draw(seed, index, shape, scalars=1):
    """Uniform numbers of ``shape``, then ``scalars`` single ones, in one draw."""
    size = shape[0] * shape[1] * shape[2]
    seed = tf.stack([seed, tf.cast(index, tf.int32)])
    numbers = draws.uniform([size + scalars], seed)
    return [tf.reshape(numbers[scalars:], shape), *tf.unstack(numbers[:scalars])]


def _bits(uniform):
    return tf.cast(uniform < 0.5, tf.float32)


def _between(uniform, low, high):
    """[0, 1) -> low, low + 1, ..., high, each equally likely."""
    return low + tf.cast(uniform * (high - low + 1), tf.int32)


def _at(vectors, positions, where):
    """vectors [batch, position, bit] at positions [time], 0 outside ``where`` [time]."""
    found = tf.gather(vectors, tf.where(where, positions, 0), axis=1)  # [batch, time, bit]
    return found * tf.cast(where, tf.float32)[:, None]


def _each_at(vectors, positions, where):
    """As ``_at``, with positions [batch, time] of their own for each sequence."""
    positions = tf.where(where, positions, 0)
    found = tf.gather(vectors, positions, batch_dims=1)  # [batch, time, bit]
    return found * tf.cast(where, tf.float32)[:, None]


def _channel(where, batch):
    """A channel that is 1 at some steps: [time] -> [batch, time, 1]."""
    return tf.tile(tf.cast(where, tf.float32)[None, :, None], [batch, 1, 1])

"""How well bits are given back, and labels known at each presentation."""

import numpy as np
import tensorflow as tf

from datasets.tasks.presentations import presentation_number
from datasets.tasks.sequences import Sequences


def sequence_loss(batch: Sequences, logits):
    """Mean binary cross-entropy over the bits that are asked for; ln 2 when nothing is known.

    Args:
        batch: what was asked.
        logits: [batch, time, bit].
    """
    losses = tf.nn.sigmoid_cross_entropy_with_logits(batch.y, logits)  # [batch, time, bit]
    by_step = tf.reduce_mean(losses, axis=[0, 2])  # [time]
    return tf.reduce_sum(by_step * batch.asked) / tf.reduce_sum(batch.asked)


def wrong_bits(batch: Sequences, logits):
    """Bits asked for and given wrongly, per sequence: [batch]."""
    wrong = tf.cast((logits > 0) != (batch.y > 0.5), tf.float32)  # [batch, time, bit]
    return tf.reduce_sum(wrong * batch.asked[None, :, None], axis=[1, 2])


def count_wrong_bits(model, tasks: dict, sequences: int) -> dict[str, np.ndarray]:
    """Wrong bits of each sequence of every task.

    Args:
        model: SequenceModel.
        tasks: name -> sampler of ``datasets.tasks.sequences``; those of one shape share a program.
        sequences: of each task, at least; whole batches are used.

    Returns:
        name -> [sequence].
    """

    @tf.function(jit_compile=True, autograph=False)
    def count(batch):
        return wrong_bits(batch, model(batch.x, batch.steps))

    return {
        name: np.concatenate([count(task(n)).numpy() for n in range(-(-sequences // task.batch))])
        for name, task in tasks.items()
    }


def label_loss(label, logits):
    """Mean cross-entropy of the labels; for strings, of each of the five letters.

    Args:
        label: [batch, time] and logits [batch, time, way], or letters [batch, time, 5] and logits
            [batch, time, 25].
    """
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, _by(label, logits)))


def _by(label, logits):
    """Logits with an axis for the choices of each label or letter."""
    return tf.reshape(logits, [*label.shape, -1])


def is_right(label, logits):
    """Whether a step's label is known: [batch, time] of bool.

    Args:
        label: [batch, time] and logits [batch, time, way], or five letters [batch, time, 5] and
            logits [batch, time, 25], of which all five must be right.
    """
    hit = tf.argmax(_by(label, logits), axis=-1, output_type=label.dtype) == label
    return tf.reduce_all(hit, axis=-1) if label.shape.rank == 3 else hit


def by_presentation(right, class_of, numbers) -> dict[int, np.ndarray]:
    """Share of right answers at the first, second, ... picture of a class, one per episode.

    Args:
        right: [episode, time] of bool.
        class_of: [episode, time].
        numbers: presentations to report, from 1.

    Returns:
        number -> [episode with that presentation]; classes of an episode are averaged first, since
        they are not independent. Presentations that no episode has are left out.
    """
    right, number = np.asarray(right, float), presentation_number(class_of)
    result = {}
    for n in numbers:
        at = number == n  # [episode, time]
        count = at.sum(axis=1)
        shown = count > 0
        if shown.any():
            result[n] = (right * at).sum(axis=1)[shown] / count[shown]
    return result


def best_guess(class_of, way: int) -> np.ndarray:
    """Chance of guessing the label of each step for someone who never forgets a picture or a label.

    At the first picture of a class it is one in as many as there are labels not told yet; later it
    is 1. Nothing can do better.

    Args:
        class_of: [episode, time].
        way: number of labels.

    Returns:
        [episode, time].
    """
    first = presentation_number(class_of) == 1  # [episode, time]
    told = np.cumsum(first, axis=1) - first  # classes seen before the step
    return np.where(first, 1 / np.maximum(way - told, 1), 1.0)

"""The book's toy of section 4.5: are two records of random numbers of the same class?

As printed it cannot be learned. Both classes are the same uniform numbers (E4.2), and a "pair" is
the two halves of one record with the class of that record as its label (E4.3): nothing is compared,
and nobody's squared error on fresh records can be below 0.25, that of the constant 0.5. Mended,
the classes differ, the two items of a pair come from different records, and the label says whether
these are of one class.

The book's names: ``classA``, ``ClassB``, ``embedding_function``, ``relation_function``.
"""

import keras
import tensorflow as tf
from keras import layers

from datasets.tasks import draws

ITEM = 9  # numbers of an item, half of a printed record of 18
SHIFT = 0.5  # by which the numbers of the second class are larger
FLOOR = 0.25  # squared error of someone who knows nothing: both labels are as likely


def embedding_function(activation: str = "tanh") -> keras.Sequential:
    """f: item [9] -> [1], one for both items of a pair (E4.5).

    The book's ReLU is zero for every record when the weights are negative, and stays so (E4.6).
    """
    return keras.Sequential(
        [layers.Input([ITEM]), layers.Dense(1, activation)], name="embedding_function"
    )


def relation_function(activation: str = "tanh") -> keras.Sequential:
    """g: both embeddings [2] -> 3 -> 5 -> logit [1]; every layer takes activations (E4.4)."""
    hidden = [layers.Dense(units, activation) for units in (3, 5)]
    return keras.Sequential([layers.Input([2]), *hidden, layers.Dense(1)], name="relation_function")


class ToyRelation(keras.Model):
    """Logit of the relation of two items: ``a`` [pair, 9], ``b`` [pair, 9] -> [pair, 1].

    Args:
        embedding: ``embedding_function``.
        relation: ``relation_function``.
    """

    def __init__(self, embedding, relation, **kwargs):
        super().__init__(**kwargs)
        self.embedding, self.relation = embedding, relation
        self.built = True  # all weights are those of the two functions

    def call(self, inputs, training=False):
        """g(Z(f(x_i), f(x_j))), Z: concatenation."""
        z = [self.embedding(inputs[name]) for name in ("a", "b")]  # [pair, 1] each
        return self.relation(tf.concat(z, axis=-1))  # [pair, 1]

    def relation_scores(self, a, b):
        """r = sigmoid(logit): [pair, 9], [pair, 9] -> [pair, 1], between 0 and 1."""
        return tf.sigmoid(self({"a": a, "b": b}))


class RecordPairs:
    """Draws pairs: ``({"a", "b"}, label)`` with items [pair, 9] and labels [pair, 1].

    A pure function of (seed, index). There are as many pairs as records, half of each class.

    Args:
        records: of each class.
        noise: standard deviation of what is added to all numbers, anew in every batch.
        seed: the same seed and index give the same pairs.
        as_printed: the book's generator.
        fresh: draw the records anew for every batch too; the book keeps those of the first.
    """

    tasks = 1  # a batch is one

    def __init__(self, records: int, noise: float, seed: int, as_printed=False, fresh=False):
        self.records, self.noise, self.seed = records, noise, seed
        self.as_printed, self.fresh = as_printed, fresh

    def __call__(self, index):
        """Batch number ``index``."""
        index = tf.cast(index, tf.int32)
        record_seed, noise_seed, partner_seed = _seeds(self.seed, index)
        if not self.fresh:
            record_seed = _seeds(self.seed, 0)[0]
        label = tf.repeat([1.0, 0.0], self.records)[:, None]  # [2 record, 1]: A, then B
        if self.as_printed:
            # E4.2: classA and ClassB alike; E4.3: the halves of a record, and its class
            data = draws.uniform([2 * self.records, 2 * ITEM], record_seed)
            data += self.noise * draws.normal(data.shape, noise_seed)
            return {"a": data[:, :ITEM], "b": data[:, ITEM:]}, label

        data = draws.uniform([2 * self.records, ITEM], record_seed) + SHIFT * (1 - label)
        data += self.noise * draws.normal(data.shape, noise_seed)
        # Every record with another one: a step of 1 to n - 1 around the ring of all records.
        count = 2 * self.records
        step = 1 + tf.cast((count - 1) * draws.uniform([count], partner_seed), tf.int32)
        partner = (tf.range(count) + step) % count  # [pair]
        same = tf.cast(label == tf.gather(label, partner), tf.float32)  # 1(y_i == y_j)
        return {"a": data, "b": tf.gather(data, partner)}, same


def _seeds(seed, index):
    return tf.unstack(tf.random.split(tf.stack([seed, index]), 3, alg="philox"))

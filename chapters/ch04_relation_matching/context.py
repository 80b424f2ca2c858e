"""Full context embeddings: every item is embedded in view of the whole support set.

Vinyals et al. (2016), appendix A; section 4.8 of the book. The support set is read as a sequence,
so its order matters: training shuffles it, and a test takes it as it is given.
"""

import keras
import tensorflow as tf

from datasets.tasks import draws


@keras.saving.register_keras_serializable(__package__)
class AttentionCell(keras.layers.Layer):
    """An LSTM cell whose recurrent input is [h, r]: its last output and what it read.

    Keras' cells take as many recurrent values as they give; adding h and r to make them fit is
    another network (E4.12). Gates are in Keras' order, and the forget gate has Keras' bias of 1.

    Args:
        dim: values of an item, of the output and of what is read.
    """

    def __init__(self, dim: int, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        gates = 4 * dim
        self.kernel = self.add_weight(shape=(dim, gates), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(2 * dim, gates), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(gates,), initializer=self._first_bias, name="bias")
        self.built = True

    def _first_bias(self, shape, dtype=None):
        zeros, ones = tf.zeros([self.dim], dtype), tf.ones([self.dim], dtype)
        return tf.concat([zeros, ones, zeros, zeros], axis=0)

    def call(self, x, h, r, c):
        """Output and the next c, each [task, query, dim], as all that goes in."""
        recurrent = tf.concat([h, r], axis=-1)  # [task, query, 2 dim]
        # [task, query, 4 dim]
        gates = _product(x, self.kernel) + _product(recurrent, self.recurrent_kernel) + self.bias
        i, f, candidate, o = tf.split(gates, 4, axis=-1)  # each [task, query, dim]
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(candidate)
        return tf.sigmoid(o) * tf.tanh(c), c

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}


def _product(x, kernel):
    return tf.einsum("tqi,io->tqo", x, kernel)


@keras.saving.register_keras_serializable(__package__)
class FullContext(keras.layers.Layer):
    """The two functions g and f that put items into context.

    Args:
        dim: values of an embedding. All LSTMs are as wide, as in the paper; the book's g joins two
            of half the width instead of adding two (E4.16).
        processing_steps: K, how often f reads the support set; with 0 steps f is f'.
    """

    def __init__(self, dim: int, processing_steps: int = 5, **kwargs):
        super().__init__(**kwargs)
        self.dim, self.processing_steps = dim, processing_steps
        self.forward_cell = keras.layers.LSTMCell(dim, name="forward")
        self.backward_cell = keras.layers.LSTMCell(dim, name="backward")
        self.forward_cell.build((None, dim))
        self.backward_cell.build((None, dim))
        self.cell = AttentionCell(dim, name="attention")
        self.built = True

    def call(self, support_z, query_z):
        """g(x_i, S) [task, support, dim] and f(x, S) [task, query, dim]."""
        g = self.g(support_z)
        return g, self.f(query_z, g)

    def g(self, support_z):
        """The support items, read once in each direction: [task, support, dim] -> the same."""
        forward = read_along(self.forward_cell, support_z)
        backward = read_along(self.backward_cell, tf.reverse(support_z, [1]))
        # g(x_i, S) = hF_i + hB_i + g'(x_i)
        return forward + tf.reverse(backward, [1]) + support_z

    def f(self, query_z, g):
        """The queries after K steps of reading, each query on its own.

        Args:
            query_z: f'(x) [task, query, dim].
            g: g(x_i, S) [task, support, dim].

        Returns:
            h_K [task, query, dim]
        """
        if not self.processing_steps:
            return query_z
        h = c = r = tf.zeros_like(query_z)
        for step in range(self.processing_steps):
            if step:
                r = read(h, g)
            # hHat_k, c_k = LSTM(f'(x), [h_{k-1}, r_{k-1}], c_{k-1})
            output, c = self.cell(query_z, h, r, c)
            # h_k = hHat_k + f'(x), after the last step too (E4.13)
            h = output + query_z
        return h

    def get_config(self):
        return {
            **super().get_config(), "dim": self.dim, "processing_steps": self.processing_steps
        }  # fmt: skip


def content_attention(h, g):
    """a(h, g(x_i)) = softmax over support items of h.g(x_i), [task, query, support].

    A dot product, and a softmax over items: the book multiplies element by element and takes it
    over features (E4.11).
    """
    return tf.nn.softmax(tf.einsum("tqd,tsd->tqs", h, g), axis=-1)


def read(h, g):
    """r = sum_i a(h, g(x_i)) g(x_i): [task, query, dim], [task, support, dim] -> the first."""
    return tf.einsum("tqs,tsd->tqd", content_attention(h, g), g)


def read_along(cell, x):
    """Outputs of a Keras LSTM cell along the support set: [task, support, dim] -> the same.

    Any number of items. An output is put into its place by a mask, since not every format of export
    has lists of tensors.
    """
    tasks, items = tf.shape(x)[0], tf.shape(x)[1]
    places = tf.range(items)[None, :, None]  # [1, support, 1]
    nothing = tf.zeros([tasks, x.shape[-1]], x.dtype)

    def step(i, h, c, outputs):
        _, (h, c) = cell(x[:, i], [h, c])
        here = tf.cast(tf.equal(places, i), x.dtype)
        return i + 1, h, c, outputs + here * h[:, None]

    *_, outputs = tf.while_loop(
        lambda i, *_: i < items,
        step,
        (tf.constant(0), nothing, nothing, tf.zeros_like(x)),
        maximum_iterations=items,
    )
    return outputs


def shuffle_support(inputs, seed):
    """The same tasks, the support items of each in an order of its own.

    Args:
        inputs: ``support_x`` [task, support, ...] and ``support_y`` [task, support] among them.
        seed: int32 [2].
    """
    scores = draws.uniform(tf.shape(inputs["support_y"]), seed)
    order = tf.argsort(scores, axis=-1)  # [task, support]
    names = ("support_x", "support_y")
    shuffled = {name: tf.gather(inputs[name], order, axis=1, batch_dims=1) for name in names}
    return {**inputs, **shuffled}

"""Memory-augmented network: a memory that keeps what is new and overwrites what was used least.

Santoro et al. (2016); book, sections 5.5 to 5.7. Addressing is by content alone, without a key
strength; writing goes to where the last step read, or to the least used slots (LRUA).
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from chapters.ch05_memory import addressing
from chapters.ch05_memory.ntm import CONSTANT, CONTROLLERS


class MANNState(NamedTuple):
    """What a step hands to the next. Write and least-used weights follow from it."""

    controller: Any  # the LSTM's (output, cell), each [batch, rnn_size]; empty for feed-forward
    read: tf.Tensor  # [batch, head, width]
    read_weight: tf.Tensor  # [batch, head, slot], w^r_{t-1}
    usage: tf.Tensor  # [batch, slot], w^u_{t-1}
    memory: tf.Tensor  # [batch, slot, width]


def read_head_addressing(key, memory):
    """By content: keys [batch, head, width], [batch, slot, width] -> [batch, head, slot]."""
    # w^r(i) = exp K(k, M(i)) / sum_j exp K(k, M(j))
    return tf.nn.softmax(addressing.cosine_similarity(key, memory), axis=-1)


def write_head_addressing(alpha, read_weight, least):
    """Between what the last step read and what was used least.

    Args:
        alpha: [batch, head], any number.
        read_weight: [batch, head, slot], of the last step.
        least: [batch, slot], 1 for the least used slots.
    """
    # w^w_t = sigmoid(alpha) w^r_{t-1} + (1 - sigmoid(alpha)) w^lu_{t-1}
    gate = tf.sigmoid(alpha)[..., None]  # [batch, head, 1]
    return gate * read_weight + (1 - gate) * least[:, None]  # [batch, head, slot]


def least_used(usage, count):
    """1 for the ``count`` slots used least, 0 for the others: [batch, slot] -> [batch, slot].

    Of slots used alike those with the lowest index are taken, so there are always ``count``. There
    is no gradient: which slot is the least used changes in jumps.
    """
    # w^lu(i) = 1 if w^u(i) <= m(w^u, n), the n-th smallest, else 0
    lowest = tf.math.top_k(-usage, count).indices  # [batch, count]
    marks = tf.one_hot(lowest, usage.shape[-1], dtype=usage.dtype)  # [batch, count, slot]
    return tf.stop_gradient(tf.reduce_sum(marks, axis=1))  # [batch, slot]


def update_usage(usage, read_weight, write_weight, gamma):
    """w^u_t = gamma w^u_{t-1} + w^r_t + w^w_t, summed over heads: [batch, slot]."""
    return gamma * usage + tf.reduce_sum(read_weight, axis=1) + tf.reduce_sum(write_weight, axis=1)


@keras.saving.register_keras_serializable(__package__)
class MANNCell(keras.layers.Layer):
    """One step of a memory-augmented network, a cell for ``keras.layers.RNN`` and ``run_cell``.

    Args:
        rnn_size: units of the controller.
        memory_size: slots of the memory.
        memory_vector_dim: width of a slot.
        head_num: read heads, and as many write heads.
        gamma: share of the usage that a step keeps.
        output_dim: values that come out.
        controller: ``lstm`` or ``feed_forward``.

    Raises:
        ValueError: an unknown controller, or more heads than slots.
    """

    def __init__(
        self,
        rnn_size,
        memory_size,
        memory_vector_dim,
        head_num=4,
        gamma=0.95,
        output_dim=5,
        controller="lstm",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if controller not in CONTROLLERS:
            raise ValueError(
                f"controller is {controller!r}; it must be one of {', '.join(CONTROLLERS)}"
            )
        if head_num > memory_size:
            raise ValueError(
                f"{head_num} heads need at least as many slots; the memory has {memory_size}"
            )
        self.rnn_size, self.memory_size = rnn_size, memory_size
        self.memory_vector_dim, self.head_num = memory_vector_dim, head_num
        self.gamma, self.output_dim, self.controller_kind = gamma, output_dim, controller
        if controller == "lstm":
            self.controller = keras.layers.LSTMCell(rnn_size, name="controller")
        else:
            self.controller = keras.layers.Dense(rnn_size, activation="relu", name="controller")

    def build(self, input_shape):
        reads = self.head_num * self.memory_vector_dim
        self.controller.build((None, input_shape[-1] + reads))
        self.heads = keras.layers.Dense(reads + self.head_num, name="heads")  # key and alpha
        self.heads.build((None, self.rnn_size))
        self.output_layer = keras.layers.Dense(self.output_dim, name="output")
        self.output_layer.build((None, self.rnn_size + reads))
        self.built = True

    @property
    def state_size(self):
        """Shapes of a state without the batch axis, as Keras asks for them."""
        slots, width = self.memory_size, self.memory_vector_dim
        lstm = self.controller_kind == "lstm"
        return MANNState(
            controller=((self.rnn_size,), (self.rnn_size,)) if lstm else (),
            read=(self.head_num, width),
            read_weight=(self.head_num, slots),
            usage=(slots,),
            memory=(slots, width),
        )

    @property
    def output_size(self):
        """Values that come out of a step."""
        return self.output_dim

    def zero_state(self, batch_size) -> MANNState:
        """The first state: an empty memory whose slot 0 counts as just read and used."""
        dtype, slots, width = self.compute_dtype, self.memory_size, self.memory_vector_dim
        zeros = tf.zeros([batch_size, self.rnn_size], dtype)
        first = tf.one_hot(tf.zeros([batch_size], tf.int32), slots, dtype=dtype)  # [batch, slot]
        return MANNState(
            controller=(zeros, zeros) if self.controller_kind == "lstm" else (),
            read=tf.zeros([batch_size, self.head_num, width], dtype),
            read_weight=tf.tile(first[:, None], [1, self.head_num, 1]),
            usage=first,
            memory=tf.fill([batch_size, slots, width], tf.cast(CONSTANT, dtype)),
        )

    def get_initial_state(self, batch_size=None):
        """``zero_state`` under the name Keras calls it by."""
        return self.zero_state(batch_size)

    def call(self, inputs, states, training=False):
        """[batch, feature] and a state -> output [batch, output_dim] and the next state."""
        states = MANNState(*states)
        controller_in = tf.concat([inputs, self._flat(states.read)], axis=-1)
        if self.controller_kind == "lstm":
            hidden, controller = self.controller(controller_in, list(states.controller))
        else:
            hidden, controller = self.controller(controller_in), ()
        parameters = self.heads(hidden)
        width = self.head_num * self.memory_vector_dim
        key, alpha = parameters[:, :width], parameters[:, width:]
        key = tf.reshape(tf.tanh(key), [-1, self.head_num, self.memory_vector_dim])

        least = least_used(states.usage, self.head_num)  # [batch, slot]
        write_weight = write_head_addressing(alpha, states.read_weight, least)
        # The least used slots, all that are marked, are emptied and then written (E5.19):
        # M_t(i) = M_{t-1}(i) (1 - w^lu_{t-1}(i)) + sum over heads of w^w_t(i) k_t
        memory = states.memory * (1 - least)[..., None]  # [batch, slot, width]
        memory += tf.matmul(write_weight, key, transpose_a=True)
        # Reading sees what was written in the same step: one memory for address and content (E5.18)
        read_weight = read_head_addressing(key, memory)  # [batch, head, slot]
        read = addressing.read(read_weight, memory)  # [batch, head, width]
        usage = update_usage(states.usage, read_weight, write_weight, self.gamma)

        output = self.output_layer(tf.concat([hidden, self._flat(read)], axis=-1))
        return output, MANNState(tuple(controller), read, read_weight, usage, memory)

    def _flat(self, x):
        return tf.reshape(x, [-1, self.head_num * self.memory_vector_dim])

    def get_config(self):
        names = ("rnn_size", "memory_size", "memory_vector_dim", "head_num", "gamma", "output_dim")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "controller": self.controller_kind}

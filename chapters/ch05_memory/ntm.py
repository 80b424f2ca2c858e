"""The neural Turing machine: a controller, a memory, and heads that read and write softly.

Graves et al. (2014); book, sections 5.1 to 5.4. One step of the cell, top to bottom: controller,
heads, addressing, read, write, output.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from chapters.ch05_memory import addressing

CONTROLLERS = ("lstm", "feed_forward")
ADDRESSING_MODES = ("content_and_location", "content")
MEMORY_INITS = ("constant", "random", "learned")
CONSTANT = 1e-6  # Collier and Beel (2018): learns several times faster than learned values


class NTMState(NamedTuple):
    """What a step hands to the next."""

    controller: Any  # the LSTM's (output, cell), each [batch, rnn_size]; empty for feed-forward
    read: tf.Tensor  # [batch, read head, width]
    weight: tf.Tensor  # [batch, head, slot]; read heads first, then write heads
    memory: tf.Tensor  # [batch, slot, width]


class Heads(NamedTuple):
    """What the controller tells the heads, within the ranges that the equations ask for."""

    key: tf.Tensor  # [batch, head, width]
    beta: tf.Tensor  # [batch, head], > 0
    gate: tf.Tensor  # [batch, head], in (0, 1)
    shifts: tf.Tensor  # [batch, head, move], >= 0, sum 1
    gamma: tf.Tensor  # [batch, head], >= 1
    erase: tf.Tensor  # [batch, write head, width], in (0, 1)
    add: tf.Tensor  # [batch, write head, width], in (-1, 1)


@keras.saving.register_keras_serializable(__package__)
class NTMCell(keras.layers.Layer):
    """One step of a neural Turing machine, a cell for ``keras.layers.RNN`` and ``run_cell``.

    Args:
        rnn_size: units of the controller.
        memory_size: slots of the memory.
        memory_vector_dim: width of a slot.
        read_head_num, write_head_num: heads.
        addressing_mode: all four steps, or content alone.
        shift_range: largest move of a head in one step.
        output_dim: values that come out; by default those that go in, less the marker.
        controller: ``lstm`` or ``feed_forward``.
        memory_init: ``constant`` 1e-6, ``random`` (drawn once, not trained) or ``learned``.

    Raises:
        ValueError: an option that is none of its choices, or a size that cannot be.
    """

    def __init__(
        self,
        rnn_size,
        memory_size,
        memory_vector_dim,
        read_head_num=1,
        write_head_num=1,
        addressing_mode="content_and_location",
        shift_range=1,
        output_dim=None,
        controller="lstm",
        memory_init="constant",
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name, value, choices in (
            ("controller", controller, CONTROLLERS),
            ("addressing_mode", addressing_mode, ADDRESSING_MODES),
            ("memory_init", memory_init, MEMORY_INITS),
        ):
            if value not in choices:
                raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(choices)}")
        if not 0 <= 2 * shift_range < memory_size:
            raise ValueError(
                f"shift_range {shift_range} has {2 * shift_range + 1} moves, but the memory has "
                f"{memory_size} slots; use a smaller range or more slots"
            )
        self.rnn_size, self.memory_size = rnn_size, memory_size
        self.memory_vector_dim = memory_vector_dim
        self.read_head_num, self.write_head_num = read_head_num, write_head_num
        self.addressing_mode, self.shift_range = addressing_mode, shift_range
        self.controller_kind, self.memory_init = controller, memory_init
        self.output_dim = output_dim
        self.head_num = read_head_num + write_head_num
        # key, beta, gate, shifts, gamma of every head; erase and add of the write heads
        self.head_sizes = (memory_vector_dim, 1, 1, 2 * shift_range + 1, 1)
        if controller == "lstm":
            self.controller = keras.layers.LSTMCell(rnn_size, name="controller")
        else:
            self.controller = keras.layers.Dense(rnn_size, activation="relu", name="controller")

    def build(self, input_shape):
        width, slots = self.memory_vector_dim, self.memory_size
        if self.output_dim is None:
            self.output_dim = input_shape[-1] - 1
        reads = self.read_head_num * width
        self.controller.build((None, input_shape[-1] + reads))
        parameters = self.head_num * sum(self.head_sizes) + 2 * self.write_head_num * width
        self.heads = keras.layers.Dense(parameters, name="heads")
        self.heads.build((None, self.rnn_size))
        self.output_layer = keras.layers.Dense(self.output_dim, name="output")
        self.output_layer.build((None, self.rnn_size + reads))
        self.first_read = self.add_weight(
            shape=(self.read_head_num, width), initializer="glorot_uniform", name="first_read"
        )
        self.first_weight = self.add_weight(
            shape=(self.head_num, slots), initializer=first_slot, name="first_weight"
        )
        initializers = {
            "constant": keras.initializers.Constant(CONSTANT),
            "random": keras.initializers.RandomUniform(-1, 1),
            "learned": keras.initializers.RandomNormal(0, 0.5),
        }
        self.first_memory = self.add_weight(
            shape=(slots, width),
            initializer=initializers[self.memory_init],
            trainable=self.memory_init == "learned",
            name="first_memory",
        )
        self.built = True

    @property
    def state_size(self):
        """Shapes of a state without the batch axis, as Keras asks for them."""
        slots, width = self.memory_size, self.memory_vector_dim
        lstm = self.controller_kind == "lstm"
        return NTMState(
            controller=((self.rnn_size,), (self.rnn_size,)) if lstm else (),
            read=(self.read_head_num, width),
            weight=(self.head_num, slots),
            memory=(slots, width),
        )

    @property
    def output_size(self):
        """Values that come out of a step."""
        return self.output_dim

    def zero_state(self, batch_size) -> NTMState:
        """The first state: learned reads and weights, the memory as ``memory_init`` says."""

        def each(value):
            return tf.tile(value[None], [batch_size] + [1] * len(value.shape))

        lstm = self.controller_kind == "lstm"
        zeros = tf.zeros([batch_size, self.rnn_size], self.compute_dtype)
        return NTMState(
            controller=(zeros, zeros) if lstm else (),
            read=each(tf.tanh(self.first_read)),
            weight=each(tf.nn.softmax(self.first_weight, axis=-1)),  # sums to 1, E5.9
            memory=each(tf.convert_to_tensor(self.first_memory)),
        )

    def get_initial_state(self, batch_size=None):
        """``zero_state`` under the name Keras calls it by."""
        return self.zero_state(batch_size)

    def call(self, inputs, states, training=False):
        """[batch, feature] and a state -> output [batch, output_dim] and the next state."""
        states = NTMState(*states)
        reads = _flat(states.read)  # [batch, read head * width]
        controller_in = tf.concat([inputs, reads], axis=-1)
        if self.controller_kind == "lstm":
            hidden, controller = self.controller(controller_in, list(states.controller))
        else:
            hidden, controller = self.controller(controller_in), ()

        heads = self.parse_heads(self.heads(hidden))
        weight = self.addressing(heads, states.weight, states.memory)  # [batch, head, slot]
        read_weight, write_weight = tf.split(
            weight, [self.read_head_num, self.write_head_num], axis=1
        )
        read = addressing.read(read_weight, states.memory)  # [batch, read head, width]
        memory = addressing.write(states.memory, write_weight, heads.erase, heads.add)

        # The reads of this step are in its output, not only in the next input (E5.8).
        output = self.output_layer(tf.concat([hidden, _flat(read)], axis=-1))
        return output, NTMState(tuple(controller), read, weight, memory)

    def parse_heads(self, parameters) -> Heads:
        """The controller's numbers [batch, parameter], squashed into the heads' ranges."""
        width, writes = self.memory_vector_dim, self.write_head_num
        size = sum(self.head_sizes)
        shared, erase, add = tf.split(
            parameters, [self.head_num * size, writes * width, writes * width], axis=-1
        )
        shared = tf.reshape(shared, [-1, self.head_num, size])  # [batch, head, parameter]
        key, beta, gate, shifts, gamma = tf.split(shared, self.head_sizes, axis=-1)
        return Heads(
            key=tf.tanh(key),
            beta=tf.nn.softplus(beta[..., 0]),
            gate=tf.sigmoid(gate[..., 0]),
            shifts=tf.nn.softmax(shifts, axis=-1),
            gamma=1 + tf.nn.softplus(gamma[..., 0]),  # log(exp(x) + 1) would overflow, E5.11
            erase=tf.sigmoid(tf.reshape(erase, [-1, writes, width])),
            add=tf.tanh(tf.reshape(add, [-1, writes, width])),
        )

    def addressing(self, heads: Heads, previous_weight, memory):
        """The four steps: content, interpolation, shift, sharpening; [batch, head, slot]."""
        weight = addressing.content(heads.key, heads.beta, memory)
        if self.addressing_mode == "content":
            return weight
        weight = addressing.interpolate(weight, previous_weight, heads.gate)
        weight = addressing.shift(weight, heads.shifts)
        return addressing.sharpen(weight, heads.gamma)

    def get_config(self):
        names = (
            "rnn_size", "memory_size", "memory_vector_dim", "read_head_num", "write_head_num",
            "addressing_mode", "shift_range", "output_dim", "memory_init",
        )  # fmt: skip
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "controller": self.controller_kind}


def first_slot(shape, dtype=None):
    """Logits of weights that begin at slot 0: all slots alike would stay alike for ever."""
    return 5.0 * tf.one_hot(tf.zeros(shape[0], tf.int32), shape[1], dtype=dtype or tf.float32)


def _flat(x):
    return tf.reshape(x, [-1, x.shape[1] * x.shape[2]])

"""Running a Keras RNN cell along time, as a loop inside the graph.

``keras.layers.RNN`` does the same for a fixed number of steps. Here the number may be a tensor, so
that one compiled program serves sequences of every length without computing their padding.
"""

import tensorflow as tf


def run_cell(cell, x, state, steps=None):
    """Outputs and last state of a cell along a batch of sequences.

    Args:
        cell: (inputs [batch, feature], state) -> (output [batch, dim], state).
        x: [batch, time, feature]; for XLA, time must be known when the program is compiled.
        state: the first state, a structure of tensors [batch, ...].
        steps: run this many steps (a number or scalar tensor, at most time), all by default.

    Returns:
        outputs [batch, time, dim], zero from ``steps`` on; the state after the last step.
    """
    time = tf.shape(x)[1] if x.shape[1] is None else x.shape[1]
    steps = tf.convert_to_tensor(time if steps is None else steps)
    x = tf.transpose(x, [1, 0, 2])  # [time, batch, feature]
    traced = tf.function(cell, autograph=False).get_concrete_function(x[0], state)
    shape = traced.structured_outputs[0].shape
    outputs = tf.TensorArray(x.dtype, size=time, element_shape=shape)

    def step(t, state, outputs):
        output, following = cell(x[t], state)
        # Keras' cells may return a state in lists nested otherwise than those they were given.
        state = tf.nest.pack_sequence_as(state, tf.nest.flatten(following))
        return t + 1, state, outputs.write(t, output)

    def unfinished(t, state, outputs):
        return t < steps

    first = (tf.zeros([], steps.dtype), state, outputs)
    _, state, outputs = tf.while_loop(unfinished, step, first, maximum_iterations=time)
    return tf.transpose(outputs.stack(), [1, 0, 2]), state  # [batch, time, dim]

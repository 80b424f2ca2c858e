"""Running a cell along time: the loop against a plain one, lengths that are tensors, gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.recurrent import run_cell

X = tf.constant(np.random.default_rng(0).normal(size=[2, 6, 3]), tf.float32)  # [batch, time, ...]


def make():
    cell = keras.layers.LSTMCell(4)
    cell.build((None, 3))
    return cell, [tf.zeros([2, 4]), tf.zeros([2, 4])]


def by_hand(cell, x, state, steps):
    outputs = []
    for t in range(steps):
        output, state = cell(x[:, t], state)
        outputs.append(output)
    return tf.stack(outputs, axis=1), state


def test_outputs_and_state_equal_those_of_a_python_loop():
    cell, state = make()
    outputs, last = run_cell(cell, X, state)
    expected, expected_last = by_hand(cell, X, state, 6)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    np.testing.assert_allclose(last, expected_last, atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_one_program_serves_every_number_of_steps_and_leaves_the_rest_zero(compiled):
    cell, state = make()
    program = tf.function(lambda steps: run_cell(cell, X, state, steps), jit_compile=compiled)
    for steps in (0, 1, 4, 6):
        outputs, last = program(tf.constant(steps))
        assert np.all(outputs[:, steps:] == 0)
        if steps:
            expected, expected_last = by_hand(cell, X, state, steps)
            np.testing.assert_allclose(outputs[:, :steps], expected, atol=1e-6)
            np.testing.assert_allclose(last, expected_last, atol=1e-6)
    assert program.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_equal_those_of_a_python_loop(compiled):
    cell, state = make()

    def gradients(run):
        with tf.GradientTape() as tape:
            outputs, last = run()
            loss = tf.reduce_sum(outputs**2) + tf.reduce_sum(last[1] ** 3)
        return tape.gradient(loss, cell.trainable_variables)

    program = tf.function(
        lambda steps: gradients(lambda: run_cell(cell, X, state, steps)), jit_compile=compiled
    )
    expected = gradients(lambda: by_hand(cell, X, state, 4))
    for ours, theirs in zip(program(tf.constant(4)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_length_may_be_unknown_when_the_graph_is_made():
    cell, state = make()
    spec = tf.TensorSpec([2, None, 3])
    program = tf.function(lambda x: run_cell(cell, x, state)[0], input_signature=[spec])
    for time in (1, 3, 6):
        expected, _ = by_hand(cell, X, state, time)
        np.testing.assert_allclose(program(X[:, :time]), expected, atol=1e-6)

"""Least-recently-used access against slow references and by hand; a whole step; its errata."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from chapters.ch05_memory import mann
from chapters.ch05_memory.mann import MANNCell, MANNState
from chapters.engine.recurrent import run_cell

SLOTS, WIDTH, HEADS, CHANNELS = 9, 5, 2, 4


def make(heads=HEADS, slots=SLOTS, controller="lstm", **options):
    cell = MANNCell(6, slots, WIDTH, heads, output_dim=3, controller=controller, **options)
    cell.build((None, CHANNELS))
    return cell


def some_state(cell, batch, rng):
    """A state like those in the midst of an episode, in Keras' float type."""
    kind = keras.config.floatx()
    state = tf.nest.map_structure(
        lambda x: tf.constant(rng.normal(size=[batch, *x.shape[1:]]), kind), cell.zero_state(batch)
    )
    read_weight = tf.nn.softmax(state.read_weight, axis=-1)
    return state._replace(read_weight=read_weight, usage=tf.abs(state.usage))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_step(cell, x, state):
    """One step for one sequence, one head and one slot at a time."""
    values = {v.path.split("/", 1)[1]: np.asarray(v) for v in cell.weights}
    dense = lambda name, v: v @ values[f"{name}/kernel"] + values[f"{name}/bias"]  # noqa: E731
    h, c = state.controller
    gates = np.concatenate([x, *state.read]) @ values["controller/kernel"]
    gates = gates + h @ values["controller/recurrent_kernel"] + values["controller/bias"]
    i, f, g, o = np.split(gates, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    numbers = dense("heads", h)
    heads, width = cell.head_num, cell.memory_vector_dim
    keys = np.tanh(numbers[: heads * width]).reshape(heads, width)
    gate = sigmoid(numbers[heads * width :])

    least = np.zeros(SLOTS)
    for slot in sorted(range(SLOTS), key=lambda s: state.usage[s])[:heads]:
        least[slot] = 1
    memory = state.memory.copy()
    memory[least == 1] = 0
    write_weights, read_weights, reads = [], [], []
    for n in range(heads):
        write_weights.append(gate[n] * state.read_weight[n] + (1 - gate[n]) * least)
        for slot in range(SLOTS):
            memory[slot] += write_weights[n][slot] * keys[n]
    for n in range(heads):
        scores = [
            np.exp(keys[n] @ row / np.sqrt((keys[n] @ keys[n] + 1e-8) * (row @ row + 1e-8)))
            for row in memory
        ]
        read_weights.append(np.array(scores) / sum(scores))
        reads.append(sum(w * row for w, row in zip(read_weights[n], memory, strict=True)))
    usage = cell.gamma * state.usage + sum(read_weights) + sum(write_weights)
    output = dense("output", np.concatenate([h, *reads]))
    return output, MANNState((h, c), np.array(reads), np.array(read_weights), usage, memory)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_a_whole_step_equals_numpy_loops(heads, float64):
    cell, rng = make(heads), np.random.default_rng(1)
    state, x = some_state(cell, 3, rng), rng.normal(size=[3, CHANNELS])
    output, following = cell(tf.constant(x), state)
    for b in range(3):
        one = tf.nest.map_structure(lambda value, b=b: value[b].numpy(), state)
        expected, expected_state = numpy_step(cell, x[b], one)
        np.testing.assert_allclose(output[b], expected, atol=1e-9)
        for ours, theirs in zip(
            tf.nest.flatten(following), tf.nest.flatten(expected_state), strict=True
        ):
            np.testing.assert_allclose(ours[b], theirs, atol=1e-9)


def test_gradients_along_three_steps_equal_central_differences(float64):
    cell, rng = make(), np.random.default_rng(2)
    x = tf.constant(rng.normal(size=[2, 3, CHANNELS]))
    state = some_state(cell, 2, rng)
    weight = rng.normal(size=[2, 3, 3])

    def loss():
        return tf.reduce_sum(run_cell(cell, x, state)[0] * weight)

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, cell.trainable_variables)
    for variable, gradient in zip(cell.trainable_variables, gradients, strict=True):
        before, numbers = variable.numpy(), []
        position = tuple(rng.integers(0, n) for n in gradient.shape)
        for sign in (1, -1):
            changed = before.copy()
            changed[position] += sign * 1e-6
            variable.assign(changed)
            numbers.append(float(loss()))
        variable.assign(before)
        difference = (numbers[0] - numbers[1]) / 2e-6
        np.testing.assert_allclose(gradient.numpy()[position], difference, rtol=1e-5, atol=1e-8)


def test_e5_17_the_books_usage_leads_to_its_least_used_weights():
    """Usage (0.3, 0.3, 0.1, 0.3): the third slot is the least used one."""
    usage = tf.constant([[0.3, 0.3, 0.1, 0.3]])
    np.testing.assert_array_equal(mann.least_used(usage, 1), [[0, 0, 1, 0]])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, SLOTS))
def test_e5_21_as_many_slots_are_marked_as_there_are_heads(seed, count):
    """Against sorting; ties, of which there are many here, go to the lowest index."""
    usage = np.random.default_rng(seed).integers(0, 4, size=[3, SLOTS]) / 4
    found = mann.least_used(tf.constant(usage, tf.float32), count).numpy()
    for row, marks in zip(usage, found, strict=True):
        expected = sorted(range(SLOTS), key=lambda slot: (row[slot], slot))[:count]
        assert sorted(np.flatnonzero(marks)) == sorted(expected)


def test_which_slot_is_least_used_has_no_gradient():
    usage = tf.constant([[0.1, 0.2, 0.3]])
    with tf.GradientTape() as tape:
        tape.watch(usage)
        marks = mann.least_used(usage, 1)
    assert tape.gradient(marks, usage) is None


def test_usage_decays_and_counts_reading_and_writing_of_all_heads():
    usage = tf.constant([[1.0, 0.0, 4.0]])
    read = tf.constant([[[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]])
    write = tf.constant([[[0.0, 0.0, 1.0], [0.0, 0.5, 0.5]]])
    found = mann.update_usage(usage, read, write, gamma=0.5)
    np.testing.assert_allclose(found, [[0.5 + 1.5, 1.0, 2 + 1.5]])


def test_write_weights_with_the_gate_open_shut_and_half():
    read, least = tf.constant([[[0.7, 0.3, 0.0]]]), tf.constant([[0.0, 0.0, 1.0]])
    for alpha, expected in ((50.0, [0.7, 0.3, 0]), (-50.0, [0, 0, 1]), (0.0, [0.35, 0.15, 0.5])):
        found = mann.write_head_addressing(tf.constant([[alpha]]), read, least)
        np.testing.assert_allclose(found[0, 0], expected, atol=1e-6)


def test_e5_18_a_key_written_to_an_empty_slot_is_found_in_the_same_step():
    cell, rng = make(heads=1), np.random.default_rng(3)
    state = some_state(cell, 1, rng)._replace(memory=tf.zeros([1, SLOTS, WIDTH]))
    cell.heads.bias.assign(tf.concat([cell.heads.bias[:-1], [-50.0]], axis=0))  # gate shut
    x = tf.constant(rng.normal(size=[1, CHANNELS]), tf.float32)
    _, following = cell(x, state)
    slot = int(tf.argmax(mann.least_used(state.usage, 1)[0]))
    key = following.memory[0, slot]
    assert float(tf.norm(key)) > 1e-3
    # cosine 1 with its own row, 0 with empty ones: weight e / (e + slots - 1)
    share = np.e / (np.e + SLOTS - 1)
    assert int(tf.argmax(following.read_weight[0, 0])) == slot
    np.testing.assert_allclose(following.read_weight[0, 0, slot], share, rtol=1e-3)
    np.testing.assert_allclose(following.read[0, 0], share * key, rtol=1e-3)


def test_e5_19_every_slot_that_is_marked_is_emptied_before_the_write():
    cell, rng = make(heads=3), np.random.default_rng(4)
    state = some_state(cell, 2, rng)
    cell.heads.bias.assign(tf.concat([cell.heads.bias[:-3], [50.0] * 3], axis=0))
    # The gate is open: nothing is written to the least used slots, unless it was read before.
    empty = state._replace(read_weight=tf.zeros_like(state.read_weight))
    _, following = cell(tf.ones([2, CHANNELS]), empty)
    least = mann.least_used(state.usage, 3).numpy() == 1
    np.testing.assert_allclose(following.memory.numpy()[least], 0, atol=1e-6)
    np.testing.assert_allclose(following.memory.numpy()[~least], state.memory.numpy()[~least])


def test_e5_15_and_e5_16_a_step_runs_with_batch_2_and_two_heads_from_the_first_state():
    cell = make()
    output, state = cell(tf.ones([2, CHANNELS]), cell.zero_state(2))
    assert output.shape == (2, 3)
    shapes = [x.shape for x in state[1:]]
    assert shapes == [(2, HEADS, WIDTH), (2, HEADS, SLOTS), (2, SLOTS), (2, SLOTS, WIDTH)]
    assert np.any(state.controller[1] != 0)


def test_e5_20_batch_1_one_head_and_width_1_keep_their_axes():
    cell = MANNCell(3, 4, 1, 1, output_dim=1)
    cell.build((None, 1))
    output, state = cell(tf.ones([1, 1]), cell.zero_state(1))
    assert output.shape == (1, 1) and state.memory.shape == (1, 4, 1)


def test_the_cell_runs_in_keras_rnn_and_gives_the_same():
    cell = make()
    x = tf.constant(np.random.default_rng(0).normal(size=[3, 7, CHANNELS]), tf.float32)
    ours, _ = run_cell(cell, x, cell.zero_state(3))
    theirs = keras.layers.RNN(cell, return_sequences=True)(x)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_feed_forward_controller_keeps_no_state_of_its_own():
    cell = make(controller="feed_forward")
    output, state = cell(tf.ones([2, CHANNELS]), cell.zero_state(2))
    assert output.shape == (2, 3) and state.controller == ()


def test_a_thousand_steps_stay_finite_and_weights_stay_weights():
    cell, rng = make(), np.random.default_rng(6)
    for variable in cell.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) * 2)
    x = tf.constant(rng.normal(size=[2, 1000, CHANNELS]) * 10, tf.float32)
    outputs, state = run_cell(cell, x, cell.zero_state(2))
    assert all(np.all(np.isfinite(x)) for x in (outputs, state.memory, state.usage))
    assert np.all(state.read_weight >= 0)
    np.testing.assert_allclose(tf.reduce_sum(state.read_weight, axis=-1), 1, atol=1e-5)
    # each of two heads adds weights of sum 1 for reading and, about, for writing
    assert float(tf.reduce_max(state.usage)) < 2 * HEADS / (1 - cell.gamma)


@pytest.mark.parametrize(
    ("options", "found"), [({"controller": "gru"}, "'gru'"), ({"heads": 10}, "10 heads")]
)
def test_options_that_cannot_be_are_refused(options, found):
    with pytest.raises(ValueError, match=found):
        make(**options)


def test_a_cell_survives_its_config():
    cell = make(controller="feed_forward", gamma=0.5)
    copy = MANNCell.from_config(cell.get_config())
    copy.build((None, CHANNELS))
    copy.set_weights(cell.get_weights())
    x = tf.ones([2, CHANNELS])
    np.testing.assert_array_equal(cell(x, cell.zero_state(2))[0], copy(x, copy.zero_state(2))[0])

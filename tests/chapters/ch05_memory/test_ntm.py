"""The neural Turing machine's cell: a whole step against NumPy, its options, its errata."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch05_memory import addressing, ntm
from chapters.ch05_memory.ntm import NTMCell, NTMState
from chapters.engine.recurrent import run_cell

SLOTS, WIDTH, CHANNELS = 9, 5, 4


def make(read_heads=1, write_heads=1, built=True, **options):
    cell = NTMCell(
        6, SLOTS, WIDTH, read_head_num=read_heads, write_head_num=write_heads, output_dim=3,
        **options,
    )  # fmt: skip
    if built:
        cell.build((None, CHANNELS))
    return cell


def random_state(cell, batch, rng):
    """A state like those in the midst of a sequence, in Keras' float type."""

    def random(shape):
        return tf.constant(rng.normal(size=[batch, *shape]), keras.config.floatx())

    state = tf.nest.map_structure(
        lambda x: random(x.shape[1:]), cell.get_initial_state(batch_size=batch)
    )
    return state._replace(weight=tf.nn.softmax(state.weight, axis=-1))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_step(cell, x, state):
    """One step for one sequence, one head and one slot at a time."""
    values = {v.path.split("/", 1)[1]: np.asarray(v) for v in cell.weights}
    dense = lambda name, v: v @ values[f"{name}/kernel"] + values[f"{name}/bias"]  # noqa: E731
    flat_reads = np.concatenate(list(state.read))
    h, c = state.controller
    gates = np.concatenate([x, flat_reads]) @ values["controller/kernel"]
    gates = gates + h @ values["controller/recurrent_kernel"] + values["controller/bias"]
    i, f, g, o = np.split(gates, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)

    numbers = dense("heads", h)
    size = WIDTH + 1 + 1 + 3 + 1
    heads = cell.read_head_num + cell.write_head_num
    weights = []
    for head in range(heads):
        p = numbers[head * size : (head + 1) * size]
        key, beta, gate = np.tanh(p[:WIDTH]), np.log1p(np.exp(p[WIDTH])), sigmoid(p[WIDTH + 1])
        shifts = np.exp(p[WIDTH + 2 : WIDTH + 5]) / np.exp(p[WIDTH + 2 : WIDTH + 5]).sum()
        gamma = 1 + np.log1p(np.exp(p[WIDTH + 5]))
        scores = [
            beta * key @ row / np.sqrt((key @ key + 1e-8) * (row @ row + 1e-8))
            for row in state.memory
        ]
        content = np.exp(scores) / np.exp(scores).sum()
        gated = gate * content + (1 - gate) * state.weight[head]
        moved = np.zeros(SLOTS)
        for slot in range(SLOTS):
            for move, share in zip((-1, 0, 1), shifts, strict=True):
                moved[(slot + move) % SLOTS] += share * gated[slot]
        weights.append(moved**gamma / (moved**gamma).sum())
    reads = [weights[n] @ state.memory for n in range(cell.read_head_num)]
    memory = state.memory.copy()
    rest = numbers[heads * size :]
    for n in range(cell.write_head_num):
        erase = sigmoid(rest[n * WIDTH : (n + 1) * WIDTH])
        memory = memory * (1 - np.outer(weights[cell.read_head_num + n], erase))
    rest = rest[cell.write_head_num * WIDTH :]
    for n in range(cell.write_head_num):
        add = np.tanh(rest[n * WIDTH : (n + 1) * WIDTH])
        memory = memory + np.outer(weights[cell.read_head_num + n], add)
    output = dense("output", np.concatenate([h, *reads]))
    return output, NTMState((h, c), np.array(reads), np.array(weights), memory)


@pytest.mark.parametrize("heads", [(1, 1), (2, 1), (1, 2), (3, 2)])
def test_a_whole_step_equals_numpy_loops(heads, float64):
    cell, rng = make(*heads), np.random.default_rng(1)
    state, x = random_state(cell, 3, rng), rng.normal(size=[3, CHANNELS])
    output, following = cell(tf.constant(x), state)
    for b in range(3):
        one = tf.nest.map_structure(lambda value, b=b: value[b].numpy(), state)
        expected, expected_state = numpy_step(cell, x[b], one)
        np.testing.assert_allclose(output[b], expected, atol=1e-9)
        for ours, theirs in zip(
            tf.nest.flatten(following), tf.nest.flatten(expected_state), strict=True
        ):
            np.testing.assert_allclose(ours[b], theirs, atol=1e-9)


def test_gradients_of_a_whole_step_equal_central_differences(float64):
    cell, rng = make(2, 1), np.random.default_rng(2)
    state, x = random_state(cell, 2, rng), tf.constant(rng.normal(size=[2, CHANNELS]))
    parts = tf.nest.flatten(state) + list(cell.trainable_variables)
    out_weight = rng.normal(size=[2, 3])
    memory_weight = rng.normal(size=[2, SLOTS, WIDTH])

    def loss(state):
        output, following = cell(x, state)
        return tf.reduce_sum(output * out_weight) + tf.reduce_sum(following.memory * memory_weight)

    with tf.GradientTape() as tape:
        tape.watch(tf.nest.flatten(state))
        value = loss(state)
    names = [f"state {n}" for n in range(len(tf.nest.flatten(state)))]
    names += [v.path for v in cell.trainable_variables]
    gradients = dict(zip(names, tape.gradient(value, parts), strict=True))
    step, compared = 1e-6, 0
    for number, (name, gradient) in enumerate(gradients.items()):
        if gradient is None:  # the first state's variables take no part in a later step
            assert "first_" in name
            continue
        flat = tf.nest.flatten(state)
        position = tuple(rng.integers(0, n) for n in gradient.shape)
        numbers = []
        for sign in (1, -1):
            if name.startswith("state"):
                changed = flat[number].numpy()
                changed[position] += sign * step
                moved = [tf.constant(changed) if n == number else t for n, t in enumerate(flat)]
                numbers.append(float(loss(tf.nest.pack_sequence_as(state, moved))))
            else:
                variable = parts[number]
                before = variable.numpy()
                changed = before.copy()
                changed[position] += sign * step
                variable.assign(changed)
                numbers.append(float(loss(state)))
                variable.assign(before)
        difference = (numbers[0] - numbers[1]) / (2 * step)
        np.testing.assert_allclose(gradient.numpy()[position], difference, rtol=1e-5, atol=1e-8)
        compared += 1
    assert compared >= 12


def test_the_cell_runs_in_keras_rnn_and_gives_the_same():
    cell = make(2, 1)
    x = tf.constant(np.random.default_rng(0).normal(size=[3, 7, CHANNELS]), tf.float32)
    ours, last = run_cell(cell, x, cell.zero_state(3))
    layer = keras.layers.RNN(cell, return_sequences=True, return_state=True)
    theirs, *states = layer(x)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    for a, b in zip(tf.nest.flatten(last), tf.nest.flatten(states), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_head_has_the_numbers_the_book_counts():
    """Key, strength, gate, three shifts, sharpening; erase and add for a head that writes."""
    cell = make(2, 3)
    assert cell.heads.units == 5 * (WIDTH + 1 + 1 + 3 + 1) + 3 * 2 * WIDTH


def test_head_numbers_stay_within_their_ranges_however_large():
    cell = make(1, 2)
    numbers = tf.constant(
        np.random.default_rng(0).normal(size=[4, cell.heads.units]) * 1e4, tf.float32
    )
    heads = cell.parse_heads(tf.constant(numbers, tf.float32))
    assert heads.erase.shape == heads.add.shape == (4, 2, WIDTH)  # E5.1
    for values, low, high in (
        (heads.key, -1, 1), (heads.beta, 0, np.inf), (heads.gate, 0, 1), (heads.shifts, 0, 1),
        (heads.gamma, 1, np.inf), (heads.erase, 0, 1), (heads.add, -1, 1),
    ):  # fmt: skip
        assert np.all(values >= low) and np.all(values <= high) and np.all(np.isfinite(values))
    np.testing.assert_allclose(tf.reduce_sum(heads.shifts, axis=-1), 1, atol=1e-6)


def test_content_mode_leaves_out_the_other_three_steps():
    cell, rng = make(addressing_mode="content"), np.random.default_rng(3)
    state = random_state(cell, 2, rng)
    heads = cell.parse_heads(tf.constant(rng.normal(size=[2, cell.heads.units]), tf.float32))
    expected = addressing.content(heads.key, heads.beta, state.memory)
    np.testing.assert_allclose(cell.addressing(heads, state.weight, state.memory), expected)


@pytest.mark.parametrize("init", ntm.MEMORY_INITS)
def test_the_first_memory_is_what_wunder_conditions_for(init):
    cell = make(memory_init=init)
    memory = cell.zero_state(2).memory.numpy()
    trained = any("first_memory" in v.path for v in cell.trainable_variables)
    assert trained == (init == "learned")
    np.testing.assert_array_equal(memory[0], memory[1])
    assert (np.ptp(memory) == 0) == (init == "constant")
    if init == "constant":
        np.testing.assert_allclose(memory, 1e-6)


def test_a_feed_forward_controller_keeps_no_state_of_its_own():
    cell = make(controller="feed_forward")
    state = cell.zero_state(2)
    assert state.controller == ()
    x = tf.ones([2, CHANNELS])
    output, following = cell(x, state)
    assert output.shape == (2, 3) and following.controller == ()
    assert not np.allclose(following.memory, state.memory)


def test_e5_8_the_output_depends_on_what_is_read_in_the_same_step():
    cell, rng = make(), np.random.default_rng(4)
    state, x = random_state(cell, 2, rng), tf.ones([2, CHANNELS])
    with tf.GradientTape() as tape:
        tape.watch(state.memory)  # reaches the output only through the reads of this step
        output, _ = cell(x, state)
    gradient = tape.gradient(output, state.memory)
    assert float(tf.reduce_max(tf.abs(gradient))) > 1e-4


@pytest.mark.parametrize("heads", [(1, 1), (2, 3)])
def test_e5_9_first_weights_sum_to_one_and_begin_at_slot_0(heads):
    weight = make(*heads).zero_state(3).weight
    np.testing.assert_allclose(tf.reduce_sum(weight, axis=-1), 1, atol=1e-6)
    assert np.all(tf.argmax(weight, axis=-1) == 0)


@pytest.mark.parametrize("slots", [3, 9])
def test_e5_10_batch_1_and_a_single_head_keep_their_axes(slots):
    cell = NTMCell(6, slots, 1, output_dim=1)
    cell.build((None, CHANNELS))
    output, state = cell(tf.ones([1, CHANNELS]), cell.zero_state(1))
    assert output.shape == (1, 1)
    assert [x.shape for x in state[1:]] == [(1, 1, 1), (1, 2, slots), (1, slots, 1)]


def test_a_thousand_steps_stay_finite_and_weights_stay_weights():
    cell, rng = make(2, 2), np.random.default_rng(6)
    for variable in cell.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) * 2)
    x = tf.constant(rng.normal(size=[2, 1000, CHANNELS]) * 10, tf.float32)
    outputs, state = run_cell(cell, x, cell.zero_state(2))
    assert np.all(np.isfinite(outputs)) and np.all(np.isfinite(state.memory))
    assert np.all(state.weight >= 0)
    np.testing.assert_allclose(tf.reduce_sum(state.weight, axis=-1), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"controller": "gru"}, "'gru'"),
        ({"addressing_mode": "content_and_loaction"}, "'content_and_loaction'"),  # E5.9
        ({"memory_init": "zeros"}, "'zeros'"),
        ({"shift_range": 5}, "11 moves"),
    ],
)
def test_options_that_cannot_be_are_refused(options, found):
    with pytest.raises(ValueError, match=found):
        make(built=False, **options)


def test_a_cell_survives_its_config():
    cell = make(2, 1, controller="feed_forward", memory_init="learned", shift_range=2)
    copy = NTMCell.from_config(cell.get_config())
    copy.build((None, CHANNELS))
    copy.set_weights(cell.get_weights())
    x = tf.ones([2, CHANNELS])
    np.testing.assert_array_equal(cell(x, cell.zero_state(2))[0], copy(x, copy.zero_state(2))[0])

"""Full context embeddings against LSTMs written out in NumPy, and the errata of the book."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch04_relation_matching import context
from chapters.ch04_relation_matching.context import AttentionCell, FullContext
from chapters.ch04_relation_matching.encoder import get_embeddings
from chapters.ch04_relation_matching.matching import MatchingNetwork

DIM, STEPS = 4, 3


def random_context(steps=STEPS, dim=DIM, seed=0):
    """A layer whose weights are all different."""
    layer, rng = FullContext(dim, steps), np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) * 0.7)
    return layer


def random_embeddings(support=5, query=3, tasks=2, dim=DIM, seed=1):
    rng = np.random.default_rng(seed)
    shapes = [tasks, support, dim], [tasks, query, dim]
    return [tf.constant(rng.normal(size=shape), keras.config.floatx()) for shape in shapes]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slow_lstm(x, recurrent, c, weights):
    """One step on vectors; gates input, forget, candidate, output."""
    kernel, recurrent_kernel, bias = (v.numpy() for v in weights)
    gates = x @ kernel + recurrent @ recurrent_kernel + bias
    i, f, candidate, o = np.split(gates, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
    return sigmoid(o) * np.tanh(c), c


def slow_g(items, layer):
    """Of one task: [support, dim]."""

    def along(x, cell):
        h = c = np.zeros(DIM)
        outputs = []
        for item in x:
            h, c = slow_lstm(item, h, c, cell.trainable_variables)
            outputs.append(h)
        return np.array(outputs)

    forward = along(items, layer.forward_cell)
    backward = along(items[::-1], layer.backward_cell)[::-1]
    return np.array([forward[i] + backward[i] + items[i] for i in range(len(items))])


def slow_f(query, g, layer, steps):
    """Of one query: [dim]."""
    weights = layer.cell.trainable_variables
    h, c, r = np.zeros(DIM), np.zeros(DIM), np.zeros(DIM)
    for _ in range(steps):
        output, c = slow_lstm(query, np.concatenate([h, r]), c, weights)
        h = output + query
        weight = np.exp([h @ item for item in g])
        r = sum(w * item for w, item in zip(weight / weight.sum(), g, strict=True))
    return h


def test_g_equals_two_lstms_by_hand(float64):
    layer, (support_z, _) = random_context(), random_embeddings()
    found = layer.g(support_z)
    for t in range(2):
        np.testing.assert_allclose(found[t], slow_g(support_z[t].numpy(), layer), rtol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_f_equals_steps_by_hand(steps, float64):
    layer, (support_z, query_z) = random_context(steps), random_embeddings()
    g, f = layer(support_z, query_z)
    for t in range(2):
        for q in range(3):
            slow = slow_f(query_z[t, q].numpy(), g[t].numpy(), layer, steps)
            np.testing.assert_allclose(f[t, q], slow, rtol=1e-9)


def test_no_steps_leave_the_query_as_it_is():
    layer, (support_z, query_z) = random_context(steps=0), random_embeddings()
    np.testing.assert_array_equal(layer.f(query_z, layer.g(support_z)), query_z)


def test_weights_of_zero_give_the_plain_network():
    """The skip connections: LSTMs that say nothing leave f' and g'."""
    support_z, query_z = random_embeddings()
    layer = FullContext(DIM, STEPS)
    for variable in layer.trainable_variables:
        variable.assign(variable * 0)
    g, f = layer(support_z, query_z)
    np.testing.assert_array_equal(g, support_z)
    np.testing.assert_array_equal(f, query_z)


def test_the_cell_that_reads_nothing_is_keras_lstm_cell():
    keras_cell, cell = keras.layers.LSTMCell(DIM), AttentionCell(DIM)
    keras_cell.build((None, DIM))
    assert [v.path.split("/")[-1] for v in cell.trainable_variables] == [
        "kernel", "recurrent_kernel", "bias"
    ]  # fmt: skip
    np.testing.assert_array_equal(cell.bias, keras_cell.bias)  # forget gate 1, the others 0
    kernel, recurrent, bias = keras_cell.get_weights()
    cell.set_weights([kernel, np.concatenate([recurrent, np.ones_like(recurrent)]), bias])
    x, h, c = (tf.random.normal([2, 3, DIM], seed=k) for k in range(3))
    flat = [tf.reshape(value, [6, DIM]) for value in (x, h, c)]
    expected, (_, expected_c) = keras_cell(flat[0], flat[1:])
    output, next_c = cell(x, h, tf.zeros_like(h), c)
    np.testing.assert_allclose(tf.reshape(output, [6, DIM]), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tf.reshape(next_c, [6, DIM]), expected_c, rtol=1e-5, atol=1e-6)


def test_read_along_equals_keras_lstm_for_any_number_of_items():
    lstm = keras.layers.LSTM(DIM, return_sequences=True)
    lstm.build((None, None, DIM))
    spec = tf.TensorSpec([None, None, DIM])
    graph = tf.function(lambda x: context.read_along(lstm.cell, x), input_signature=[spec])
    for items in (1, 2, 7):
        x = tf.random.normal([3, items, DIM], seed=items)
        np.testing.assert_allclose(graph(x), lstm(x), rtol=1e-5, atol=1e-6)


def test_queries_know_nothing_of_each_other():
    layer, (support_z, query_z) = random_context(), random_embeddings()
    g = layer.g(support_z)
    together, alone = layer.f(query_z, g), layer.f(query_z[:, 1:2], g)
    np.testing.assert_allclose(together[:, 1:2], alone, rtol=1e-5, atol=1e-6)


def test_every_item_is_seen_in_view_of_every_other():
    layer, (support_z, _) = random_context(), random_embeddings(tasks=1)
    with tf.GradientTape() as tape:
        tape.watch(support_z)
        total = tf.reduce_sum(layer.g(support_z)[0, 2])
    reach = tf.reduce_max(tf.abs(tape.gradient(total, support_z)[0]), axis=-1)  # [support]
    assert float(tf.reduce_min(reach)) > 1e-5


def test_gradients_reach_all_weights_and_equal_finite_differences(float64):
    layer, (support_z, query_z) = random_context(), random_embeddings()
    mark = tf.constant(np.random.default_rng(5).normal(size=query_z.shape))

    def total():
        return tf.reduce_sum(mark * layer(support_z, query_z)[1])

    with tf.GradientTape() as tape:
        value = total()
    gradients = tape.gradient(value, layer.trainable_variables)
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        first = variable.numpy()
        place = np.unravel_index(np.abs(gradient).argmax(), first.shape)
        ends = []
        for change in (1e-5, -1e-5):
            moved = first.copy()
            moved[place] += change
            variable.assign(moved)
            ends.append(float(total()))
        variable.assign(first)
        np.testing.assert_allclose(gradient.numpy()[place], (ends[0] - ends[1]) / 2e-5, rtol=1e-5)


def test_one_support_item_and_one_query_are_enough():
    layer = random_context()
    g, f = layer(*random_embeddings(support=1, query=1))
    assert np.isfinite(g).all() and np.isfinite(f).all()


def test_shuffled_support_sets_keep_pairs_of_item_and_label():
    way, shot, tasks = 5, 4, 3
    labels = tf.tile(tf.repeat(tf.range(way), shot)[None], [tasks, 1])
    x = tf.reshape(tf.range(tasks * way * shot, dtype=tf.float32), [tasks, way * shot, 1])
    inputs = {"support_x": x, "support_y": labels, "query_x": x}
    shuffled = context.shuffle_support(inputs, tf.constant([0, 1]))
    assert shuffled["query_x"] is x
    for t in range(tasks):
        order = shuffled["support_x"][t, :, 0].numpy().astype(int) - t * way * shot
        assert sorted(order) == list(range(way * shot)) != list(order)
        np.testing.assert_array_equal(shuffled["support_y"][t], np.array(order) // shot)
    orders = shuffled["support_x"][:, :, 0] - x[:, :1, 0]
    assert not np.array_equal(orders[0], orders[1])  # each task has its own


def test_another_seed_shuffles_otherwise_and_the_same_one_alike():
    x = tf.reshape(tf.range(30, dtype=tf.float32), [1, 30, 1])
    inputs = {"support_x": x, "support_y": tf.zeros([1, 30], tf.int32)}
    first, again, other = (
        context.shuffle_support(inputs, tf.constant(seed))["support_x"].numpy()
        for seed in ([0, 1], [0, 1], [0, 2])
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# Errata of chapter 4, section 4.9 (the numbers are those of the chapter's ERRATA.md).


def test_e4_11_attention_is_over_support_items():
    rng = np.random.default_rng(2)
    h, g = rng.normal(size=[2, 3, DIM]), rng.normal(size=[2, 5, DIM])
    weights = context.content_attention(h, g)
    assert weights.shape == (2, 3, 5)
    np.testing.assert_allclose(tf.reduce_sum(weights, axis=-1), 1.0)
    for t in range(2):
        for q in range(3):
            slow = np.exp([h[t, q] @ item for item in g[t]])
            np.testing.assert_allclose(weights[t, q], slow / slow.sum())


def test_e4_11_with_one_dominant_item_what_is_read_is_that_item():
    g = np.eye(DIM)[None] * 50.0
    h = np.array([[[0.0, 1.0, 0.0, 0.0]]])
    np.testing.assert_allclose(context.read(h, g), g[:, 1:2], atol=1e-9)


def test_e4_12_the_recurrent_input_is_twice_as_wide_and_h_and_r_are_not_interchangeable():
    layer = random_context()
    assert layer.cell.recurrent_kernel.shape == (2 * DIM, 4 * DIM)
    x, h, r, c = (tf.random.normal([1, 2, DIM], seed=k) for k in range(4))
    output, swapped = layer.cell(x, h, r, c)[0], layer.cell(x, r, h, c)[0]
    assert np.abs(output - swapped).max() > 0.01  # of a sum they would be equal


def test_e4_13_the_skip_connection_is_kept_after_the_last_step():
    """An LSTM's own output is between -1 and 1; f is that beside f'(x), however far that is."""
    layer, (support_z, query_z) = random_context(), random_embeddings()
    far = query_z + 100.0
    f = layer.f(far, layer.g(support_z))
    assert float(tf.reduce_max(tf.abs(f - far))) <= 1.0


def test_e4_16_the_lstms_of_g_are_as_wide_as_an_embedding_and_are_added():
    learner = MatchingNetwork(get_embeddings((28, 28, 1)), "none", FullContext(64))
    cells = learner.context.forward_cell, learner.context.backward_cell
    assert [cell.units for cell in cells] == [64, 64]
    kernels = [v.path for v in learner.variables if v.path.endswith("/kernel")]
    assert len(kernels) == 4 + 3  # convolutions; forward, backward, attention
    support_z = tf.random.normal([1, 3, 64], seed=0)
    assert learner.context.g(support_z).shape == support_z.shape

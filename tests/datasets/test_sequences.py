"""Sequences for a memory: every layout beside a slow loop, fair draws, silence after the end."""

import numpy as np
import pytest
import tensorflow as tf

from datasets.errors import DataError
from datasets.tasks.sequences import AssociativeRecallTask, CopyTask, RepeatCopyTask, Sequences

TASKS = {
    "copy": lambda **options: CopyTask(**{"batch": 3, "max_length": 6, **options}),
    "repeat_copy": lambda **options: RepeatCopyTask(
        **{"batch": 3, "max_length": 4, "max_repeats": 3, **options}
    ),
    "recall": lambda **options: AssociativeRecallTask(**{"batch": 3, **options}),
}
# 0.1 % points of chi-squared, by degrees of freedom
CHI_SQUARED = {4: 18.5, 9: 27.9, 19: 43.8}


def copy_by_hand(vectors, bits, time):
    """Input, target and asked steps of one sequence of ``vectors``, written one by one."""
    x, y, asked = np.zeros([time, bits + 1]), np.zeros([time, bits]), np.zeros(time)
    t = 0
    for vector in vectors:
        x[t, :bits] = vector
        t += 1
    x[t, bits] = 1
    t += 1
    for vector in vectors:
        y[t], asked[t] = vector, 1
        t += 1
    return x, y, asked, t


def repeat_by_hand(vectors, repeats, amount, bits, time):
    """As ``copy_by_hand``, for repeat copy; ``amount`` is the scaled number of repeats."""
    x, y, asked = np.zeros([time, bits + 2]), np.zeros([time, bits + 1]), np.zeros(time)
    t = 0
    for vector in vectors:
        x[t, :bits] = vector
        t += 1
    x[t, bits], x[t, bits + 1] = 1, amount
    t += 1
    for _ in range(repeats):
        for vector in vectors:
            y[t, :bits], asked[t] = vector, 1
            t += 1
    y[t, bits], asked[t] = 1, 1
    return x, y, asked, t + 1


def recall_by_hand(items, query, bits, time):
    """As ``copy_by_hand``, for items (lists of vectors) of which number ``query`` is asked for."""
    x, y, asked = np.zeros([time, bits + 2]), np.zeros([time, bits]), np.zeros(time)
    t = 0
    for item in items:
        x[t, bits] = 1
        t += 1
        for vector in item:
            x[t, :bits] = vector
            t += 1
    x[t, bits + 1] = 1
    t += 1
    for vector in items[query]:
        x[t, :bits] = vector
        t += 1
    x[t, bits + 1] = 1
    t += 1
    for vector in items[query + 1]:
        y[t], asked[t] = vector, 1
        t += 1
    return x, y, asked, t


def assert_is(batch: Sequences, number: int, by_hand):
    """One sequence of a batch is the one written by hand."""
    x, y, asked, steps = by_hand
    np.testing.assert_allclose(batch.x[number], x, atol=1e-6)
    np.testing.assert_array_equal(batch.y[number], y)
    np.testing.assert_array_equal(batch.asked, asked)
    assert int(batch.steps) == steps


def drawn(task, count, read):
    """``read(batch)`` of batches 0 to ``count - 1``, in one graph."""
    one = read(task(0))
    specs = tf.nest.map_structure(lambda value: tf.TensorSpec(value.shape, value.dtype), one)
    draw = tf.function(
        lambda: tf.map_fn(lambda i: read(task(i)), tf.range(count), fn_output_signature=specs)
    )
    return draw().numpy()


def chi_squared(counts):
    """Distance of counts from all being alike."""
    expected = np.sum(counts) / len(counts)
    return np.sum((counts - expected) ** 2) / expected


def test_a_copy_of_two_vectors_step_by_step():
    vectors = np.array([[[1, 0], [0, 1], [1, 1]]], np.float32)  # room for three; two count
    batch = CopyTask(batch=1, bits=2, max_length=3).arrange(vectors, tf.constant(2))
    x = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    y = [[0, 0], [0, 0], [0, 0], [1, 0], [0, 1], [0, 0], [0, 0]]
    assert_is(batch, 0, (x, y, [0, 0, 0, 1, 1, 0, 0], 5))


def test_a_recall_of_the_first_of_two_items_step_by_step():
    vectors = np.array([[[1], [1], [0], [1]]], np.float32)  # items 1 1 and 0 1
    task = AssociativeRecallTask(batch=1, bits=1, max_length=2, item_length=2)
    batch = task.arrange(vectors, tf.constant(2), tf.constant([0]))
    values = [0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0]
    item_marker = [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    query_marker = [0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0]
    x = np.stack([values, item_marker, query_marker], axis=-1)
    y = np.array([[0] * 11 + [1]]).T
    assert_is(batch, 0, (x, y, [0] * 10 + [1, 1], 12))


@pytest.mark.parametrize("index", range(12))
def test_drawn_copies_are_as_a_slow_loop_writes_them(index):
    task = CopyTask(batch=3, bits=4, min_length=2, max_length=5, seed=index)
    batch = task(index)
    length = (int(batch.steps) - 1) // 2
    for number in range(3):
        vectors = batch.x[number, :length, :4].numpy()
        assert_is(batch, number, copy_by_hand(vectors, 4, task.time))


@pytest.mark.parametrize("index", range(12))
def test_drawn_repeat_copies_are_as_a_slow_loop_writes_them(index):
    """Repeats 2 to 4 have mean 3 and variance 2 / 3."""
    task = RepeatCopyTask(batch=3, bits=4, max_length=3, min_repeats=2, max_repeats=4, seed=index)
    batch = task(index)
    length = int(np.argmax(batch.x[0, :, 4]))  # vectors before the marker
    repeats, remainder = divmod(int(batch.steps) - length - 2, length)
    assert remainder == 0 and 2 <= repeats <= 4
    amount = (repeats - 3) / np.sqrt(2 / 3)
    for number in range(3):
        vectors = batch.x[number, :length, :4].numpy()
        assert_is(batch, number, repeat_by_hand(vectors, repeats, amount, 4, task.time))


@pytest.mark.parametrize("index", range(12))
def test_drawn_recalls_ask_for_an_item_and_are_answered_by_the_next(index):
    task = AssociativeRecallTask(batch=3, bits=6, max_length=5, item_length=3, seed=index)
    batch = task(index)
    length = int(np.sum(batch.x[0, :, 6]))
    for number in range(3):
        x = batch.x[number].numpy()
        items = [x[4 * k + 1 : 4 * k + 4, :6] for k in range(length)]
        query = x[4 * length + 1 : 4 * length + 4, :6]
        position = next(k for k, item in enumerate(items) if np.array_equal(item, query))
        assert position < length - 1
        assert_is(batch, number, recall_by_hand(items, position, 6, task.time))


def test_every_item_but_the_last_is_asked_for_equally_often_each_sequence_on_its_own():
    task = AssociativeRecallTask(batch=4, bits=20, min_length=6, max_length=6, item_length=1)

    def position(batch):
        shown, asked = batch.x[:, 1:12:2, :20], batch.x[:, 13:14, :20]
        equal = tf.reduce_all(shown == asked, axis=-1)  # [batch, item]
        return tf.argmax(equal, axis=-1)

    positions = drawn(task, 1000, position)  # [index, sequence]
    counts = np.bincount(positions.ravel(), minlength=6)
    assert counts[5] == 0
    assert chi_squared(counts[:5]) < CHI_SQUARED[4]
    together = np.mean(positions[:, 0] == positions[:, 1])
    assert together == pytest.approx(1 / 5, abs=0.05)  # 4 standard errors of 1000


@pytest.mark.parametrize("name", TASKS)
def test_nothing_beyond_the_length_is_shown_or_asked_and_padding_is_silent(name):
    task = TASKS[name](bits=2)
    per_item = getattr(task, "item_length", 1)
    length = tf.constant(2)
    vectors = np.zeros([3, task.lengths[1] * per_item, 2], np.float32)
    more = {"copy": (), "repeat_copy": (2,), "recall": (tf.constant([0, 0, 0]),)}[name]
    silent = task.arrange(vectors, length, *more)
    vectors[:, 2 * per_item :] = 1  # what does not count
    batch = task.arrange(vectors, length, *more)
    np.testing.assert_array_equal(batch.x, silent.x)
    np.testing.assert_array_equal(batch.y, silent.y)
    end = int(batch.steps)
    assert end < task.time
    assert not np.any(batch.x[:, end:]) and not np.any(batch.asked[end:])
    assert not np.any(batch.y.numpy() * (1 - batch.asked.numpy())[:, None])


@pytest.mark.parametrize("name", TASKS)
def test_shapes_are_as_announced_and_the_longest_sequence_just_fits(name):
    task = TASKS[name](batch=2)
    for index in range(3):
        batch = task(index)
        assert batch.x.shape == (2, task.time, task.channels)
        assert batch.y.shape == (2, task.time, task.outputs)
        assert batch.asked.shape == (task.time,) and batch.steps.shape == ()
    longest = {"min_length": task.lengths[1]}
    if name == "repeat_copy":
        longest["min_repeats"] = 3
    assert int(TASKS[name](**longest)(0).steps) == task.time


def test_the_paper_s_sizes_are_the_defaults():
    copy, repeat, recall = CopyTask(), RepeatCopyTask(), AssociativeRecallTask()
    assert (copy.channels, copy.outputs, copy.time) == (9, 8, 41)
    assert (repeat.channels, repeat.outputs, repeat.time) == (10, 9, 112)
    assert (recall.channels, recall.outputs, recall.time) == (8, 6, 32)


def test_all_lengths_occur_equally_often():
    lengths = (drawn(CopyTask(), 4000, lambda batch: batch.steps) - 1) // 2
    counts = np.bincount(lengths, minlength=21)
    assert counts[0] == 0 and len(counts) == 21
    assert chi_squared(counts[1:]) < CHI_SQUARED[19]


def test_all_lengths_and_repeats_occur_equally_often_and_independently():
    def both(batch):
        length = tf.argmax(batch.x[0, :, 8], output_type=tf.int32)
        return tf.stack([length, (batch.steps - length - 2) // length])

    lengths, repeats = drawn(RepeatCopyTask(), 4000, both).T
    for values in (lengths, repeats):
        counts = np.bincount(values, minlength=11)
        assert counts[0] == 0 and len(counts) == 11
        assert chi_squared(counts[1:]) < CHI_SQUARED[9]
    assert abs(np.corrcoef(lengths, repeats)[0, 1]) < 4 / np.sqrt(4000)


def test_all_numbers_of_items_occur_equally_often():
    items = drawn(AssociativeRecallTask(), 4000, lambda batch: tf.reduce_sum(batch.x[0, :, 6]))
    counts = np.bincount(items.astype(int), minlength=7)
    assert not counts[:2].any() and len(counts) == 7
    assert chi_squared(counts[2:]) < CHI_SQUARED[4]


@pytest.mark.parametrize("name", TASKS)
def test_vectors_are_fair_bits_whatever_the_length_and_the_sequence(name):
    """The first vectors of two sequences, of every length: bits of mean 1/2, all independent."""
    task = TASKS[name](bits=5, batch=2)
    first = 1 if name == "recall" else 0  # an item marker stands before the first vector

    def read(batch):
        bits = tf.reshape(batch.x[:, first, :5], [10])
        return tf.concat([bits, [tf.cast(batch.steps, tf.float32)]], axis=0)

    values = drawn(task, 4000, read)
    bits, steps = values[:, :10], values[:, 10]
    assert set(np.unique(bits)) == {0, 1}
    for number in np.unique(steps):
        some = bits[steps == number]
        assert np.abs(some.mean(axis=0) - 0.5).max() < 4.5 * 0.5 / np.sqrt(len(some))
    off_diagonal = np.corrcoef(bits.T) - np.eye(10)
    assert np.abs(off_diagonal).max() < 4.5 / np.sqrt(4000)


def test_bits_of_all_positions_are_fair():
    task = CopyTask(batch=1000, bits=3, min_length=4, max_length=4)
    bits = task(0).x.numpy()[:, :4, :3].reshape(1000, -1)  # [sequence, step * bit]
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 4.5 * 0.5 / np.sqrt(1000)
    assert np.abs(np.corrcoef(bits.T) - np.eye(12)).max() < 4.5 / np.sqrt(1000)


@pytest.mark.parametrize("low,high", [(1, 10), (1, 2), (2, 4), (3, 3)])
def test_the_scaled_number_of_repeats_has_mean_0_and_variance_1(low, high):
    task = RepeatCopyTask(batch=1, bits=1, max_length=1, min_repeats=low, max_repeats=high)
    vectors = tf.zeros([1, 1, 1])
    amounts = [
        float(task.arrange(vectors, tf.constant(1), tf.constant(repeats)).x[0, 1, 2])
        for repeats in range(low, high + 1)
    ]
    assert np.mean(amounts) == pytest.approx(0, abs=1e-6)
    assert np.var(amounts) == pytest.approx(1 if high > low else 0, abs=1e-5)
    assert amounts == sorted(amounts)


def test_more_repeats_than_in_training_are_scaled_as_in_training():
    more = RepeatCopyTask(max_length=1, min_repeats=20, max_repeats=20, scale=(1, 10))
    amount = float(more(0).x[0, 1, 9])
    assert amount == pytest.approx((20 - 5.5) / np.sqrt(99 / 12), rel=1e-6)


@pytest.mark.parametrize("name", TASKS)
def test_eager_graph_and_xla_draw_the_same_sequences(name):
    task = TASKS[name](seed=4)
    graph, xla = tf.function(task), tf.function(task, jit_compile=True)
    for index in (0, 7, 1000):
        eager = task(index)
        for compiled in (graph, xla):
            for a, b in zip(eager, compiled(tf.constant(index)), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-6)  # scaled repeats are no whole numbers


@pytest.mark.parametrize("name", TASKS)
def test_same_seed_and_index_give_the_same_sequences_others_do_not(name):
    def x(seed, index):
        return TASKS[name](seed=seed, bits=20)(index).x.numpy()

    first = x(1, 5)
    np.testing.assert_array_equal(first, x(1, 5))
    for other in (x(1, 6), x(2, 5), x(5, 1)):
        assert not np.array_equal(first[:, 1], other[:, 1])


@pytest.mark.parametrize("name", TASKS)
def test_index_may_be_a_64_bit_tensor(name):
    batches = list(tf.data.Dataset.range(3).map(TASKS[name]()))
    np.testing.assert_array_equal(batches[2].x, TASKS[name]()(2).x)


@pytest.mark.parametrize(
    ("task", "options", "sentence"),
    [
        ("copy", {"batch": 0}, "batch is 0; it must be at least 1."),
        ("copy", {"bits": 0}, "bits is 0; it must be at least 1."),
        ("copy", {"min_length": 0}, "min_length is 0; it must be at least 1."),
        (
            "copy",
            {"min_length": 5, "max_length": 3},
            "min_length 5 is above max_length 3; swap them.",
        ),
        ("repeat_copy", {"bits": -1}, "bits is -1; it must be at least 1."),
        ("repeat_copy", {"min_repeats": 0}, "min_repeats is 0; it must be at least 1."),
        (
            "repeat_copy",
            {"min_length": 9},
            "min_length 9 is above max_length 4; swap them.",
        ),
        (
            "repeat_copy",
            {"min_repeats": 7},
            "min_repeats 7 is above max_repeats 3; swap them.",
        ),
        ("recall", {"item_length": 0}, "item_length is 0; it must be at least 1."),
        ("recall", {"min_length": 1}, "min_length is 1; an answer needs at least 2 items."),
        (
            "recall",
            {"min_length": 7},
            "min_length 7 is above max_length 6; swap them.",
        ),
    ],
)
def test_impossible_sequences_are_refused_when_the_sampler_is_built(task, options, sentence):
    with pytest.raises(DataError) as caught:
        TASKS[task](**options)
    assert str(caught.value) == sentence

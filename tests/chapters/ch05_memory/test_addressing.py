"""The four steps of addressing, reading and writing, against NumPy loops and by hand."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from chapters.ch05_memory import addressing

RNG = np.random.default_rng(5)
BATCH, HEADS, SLOTS, WIDTH = 2, 3, 7, 4  # all different, so that no two axes can be confused


def weights(rng=RNG, heads=HEADS):
    w = rng.random([BATCH, heads, SLOTS]) + 0.01
    return w / w.sum(axis=-1, keepdims=True)


def one_hot_shift(position, moves):
    """A weight at slot 2 of 5, moved by the share at ``position`` alone; where it went."""
    weight = tf.one_hot([[2]], 5)  # [1, 1, slot]
    moved = addressing.shift(weight, tf.one_hot([[position]], moves))
    np.testing.assert_allclose(np.sort(moved[0, 0]), [0, 0, 0, 0, 1])
    return int(tf.argmax(moved[0, 0]))


def test_content_equals_a_loop_over_slots(float64):
    key, beta = RNG.normal(size=[BATCH, HEADS, WIDTH]), RNG.random([BATCH, HEADS]) * 5
    memory = RNG.normal(size=[BATCH, SLOTS, WIDTH])
    expected = np.zeros([BATCH, HEADS, SLOTS])
    for b in range(BATCH):
        for h in range(HEADS):
            k, scores = key[b, h], []
            for row in memory[b]:
                cosine = sum(k * row) / (np.sqrt(sum(k * k)) * np.sqrt(sum(row * row)))
                scores.append(np.exp(beta[b, h] * cosine))
            expected[b, h] = np.array(scores) / sum(scores)
    found = addressing.content(*map(tf.constant, (key, beta, memory)))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_content_by_hand():
    """Rows along, across and against the key: cosines 1, 0, -1 whatever their lengths."""
    memory = tf.constant([[[2.0, 0.0], [0.0, 0.5], [-3.0, 0.0]]])
    found = addressing.content(tf.constant([[[7.0, 0.0]]]), tf.fill([1, 1], 0.6931472), memory)
    np.testing.assert_allclose(found[0, 0], np.array([2, 1, 0.5]) / 3.5, rtol=1e-5)


def test_interpolation_with_gate_0_and_1_and_between():
    """E5.2: the gate is any number between 0 and 1."""
    content, previous = weights().astype("f"), weights().astype("f")
    for gate, expected in ((1.0, content), (0.0, previous), (0.25, content / 4 + previous * 3 / 4)):
        found = addressing.interpolate(content, previous, tf.fill([BATCH, HEADS], gate))
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("reach", [0, 1, 2, 3])
def test_shift_equals_the_circular_convolution(reach):
    weight = weights()
    shifts = RNG.dirichlet(np.ones(2 * reach + 1), size=[BATCH, HEADS])
    expected = np.zeros_like(weight)
    for i in range(SLOTS):
        for j in range(SLOTS):
            for position, move in enumerate(range(-reach, reach + 1)):
                if (i - j) % SLOTS == move % SLOTS:
                    expected[..., i] += weight[..., j] * shifts[..., position]
    found = addressing.shift(tf.constant(weight), tf.constant(shifts))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_e5_3_and_e5_4_each_share_moves_the_peak_as_it_is_labelled():
    """Shares are for moves -1, 0, +1 in this order; -1 goes to the lower slot."""
    assert [one_hot_shift(position, 3) for position in range(3)] == [1, 2, 3]
    assert [one_hot_shift(position, 5) for position in range(5)] == [0, 1, 2, 3, 4]


def test_a_shift_wraps_at_both_ends():
    last, first = tf.one_hot([[4]], 5), tf.one_hot([[0]], 5)
    forward, back = tf.one_hot([[2]], 3), tf.one_hot([[0]], 3)
    np.testing.assert_allclose(addressing.shift(last, forward), first)
    np.testing.assert_allclose(addressing.shift(first, back), last)


@pytest.mark.parametrize("gamma", [1.0, 2.0, 5.5])
def test_sharpening_equals_the_formula(gamma, float64):
    weight = weights()
    power = weight**gamma
    found = addressing.sharpen(
        tf.constant(weight), tf.fill([BATCH, HEADS], tf.constant(gamma, tf.float64))
    )
    np.testing.assert_allclose(found, power / power.sum(-1, keepdims=True), rtol=1e-8)


def test_sharpening_by_one_changes_nothing_and_a_weight_of_zero_stays_zero():
    weight = tf.constant([[[0.5, 0.3, 0.2, 0.0]]])
    found = addressing.sharpen(weight, tf.ones([1, 1]))
    np.testing.assert_allclose(found, weight, atol=1e-7)


def test_e5_11_sharpening_by_fifty_finds_the_largest_even_of_128_nearly_equal_ones():
    """(1/128)^50 is zero in float32; the quotient of two zeros would not be a number."""
    weight = tf.fill([1, 1, 128], 1 / 128)
    found = addressing.sharpen(weight, tf.fill([1, 1], 50.0))
    np.testing.assert_allclose(found, weight, rtol=1e-4)
    peak = weight * (1 + 0.2 * tf.one_hot(9, 128))
    found = addressing.sharpen(peak, tf.fill([1, 1], 50.0))
    assert int(tf.argmax(found[0, 0])) == 9
    assert float(found[0, 0, 9]) > 0.98


def test_reading_equals_a_weighted_sum_of_rows():
    weight, memory = weights(), RNG.normal(size=[BATCH, SLOTS, WIDTH])
    expected = np.zeros([BATCH, HEADS, WIDTH])
    for slot in range(SLOTS):
        expected += weight[:, :, slot, None] * memory[:, None, slot]
    np.testing.assert_allclose(addressing.read(weight, memory), expected, rtol=1e-12)


def test_writing_equals_erasing_then_adding_head_by_head():
    """E5.1: erase has the width of a row, not the number of slots."""
    memory, weight = RNG.normal(size=[BATCH, SLOTS, WIDTH]), weights()
    erase = RNG.random([BATCH, HEADS, WIDTH])
    add = RNG.normal(size=[BATCH, HEADS, WIDTH])
    expected = memory.copy()
    for h in range(HEADS):
        expected *= 1 - weight[:, h, :, None] * erase[:, h, None, :]
    for h in range(HEADS):
        expected += weight[:, h, :, None] * add[:, h, None, :]
    np.testing.assert_allclose(addressing.write(memory, weight, erase, add), expected, rtol=1e-12)


def test_the_books_erase_by_hand():
    """Section 5.2: the weight (0, 0, 1, 0) with a full erase leaves 1 - w e = (1, 1, 0, 1)."""
    weight, memory = tf.constant([[[0.0, 0, 1, 0]]]), tf.ones([1, 4, 3])
    found = addressing.write(memory, weight, tf.ones([1, 1, 3]), tf.zeros([1, 1, 3]))
    np.testing.assert_allclose(found[0, :, 0], [1, 1, 0, 1])


def test_what_is_written_is_read_again():
    memory = tf.fill([1, 6, WIDTH], 0.7)
    slot, row = tf.one_hot([[3]], 6), tf.constant([[[0.1, -0.2, 0.3, 0.9]]])
    memory = addressing.write(memory, slot, tf.ones([1, 1, WIDTH]), row)
    np.testing.assert_allclose(addressing.read(slot, memory), row, atol=1e-7)
    by_content = addressing.content(row, tf.constant([[50.0]]), memory)
    assert int(tf.argmax(by_content[0, 0])) == 3


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1e-3, 1.0, 100.0]))
def test_weights_stay_weights_over_a_thousand_random_steps(seed, scale):
    """Forty steps for each of 25 draws: never negative, always with sum 1, whatever comes in."""
    rng = np.random.default_rng(seed)
    weight = tf.constant(weights(rng), tf.float32)
    memory = tf.zeros([BATCH, SLOTS, WIDTH])

    def draw(*shape):
        return tf.constant(scale * rng.normal(size=shape), tf.float32)

    for _ in range(40):
        content = addressing.content(
            tf.tanh(draw(BATCH, HEADS, WIDTH)), tf.nn.softplus(draw(BATCH, HEADS)), memory
        )
        weight = addressing.interpolate(content, weight, tf.sigmoid(draw(BATCH, HEADS)))
        weight = addressing.shift(weight, tf.nn.softmax(draw(BATCH, HEADS, 3)))
        weight = addressing.sharpen(weight, 1 + tf.nn.softplus(draw(BATCH, HEADS)))
        memory = addressing.write(
            memory, weight, tf.sigmoid(draw(BATCH, HEADS, WIDTH)), draw(BATCH, HEADS, WIDTH)
        )
        assert np.all(weight.numpy() >= 0) and np.all(weight.numpy() <= 1 + 1e-5)
        np.testing.assert_allclose(tf.reduce_sum(weight, axis=-1), 1.0, atol=1e-4)
    assert np.all(np.isfinite(memory))


@pytest.mark.parametrize("memory", ["zero", "constant", "random"])
def test_extremes_have_finite_values_and_gradients(memory):
    """Zero memory or key, key strength 1e6, sharpening 50, a weight that is all in one slot."""
    start = {"zero": 0.0, "constant": 1e-6, "random": RNG.normal(size=[1, SLOTS, WIDTH])}[memory]
    memory = tf.zeros([1, SLOTS, WIDTH]) + tf.cast(start, tf.float32)
    key = tf.constant([[[0.0] * WIDTH, [1.0, 0.0, -1.0, 2.0]]])  # [1, 2 heads, width]
    beta, gamma = tf.fill([1, 2], 1e6), tf.fill([1, 2], 50.0)
    previous, gate = tf.one_hot([[1, 2]], SLOTS), tf.constant([[0.0, 0.5]])
    shifts = tf.one_hot([[1, 2]], 3)
    inputs = [memory, key, beta, gamma, previous, gate, shifts]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        weight = addressing.content(key, beta, memory)
        weight = addressing.interpolate(weight, previous, gate)
        weight = addressing.sharpen(addressing.shift(weight, shifts), gamma)
        read = addressing.read(weight, memory)
        total = tf.reduce_sum(read * RNG.normal(size=[1, 2, WIDTH]).astype("f"))
        total += tf.reduce_sum(weight * RNG.normal(size=[1, 2, SLOTS]).astype("f"))
    assert np.all(np.isfinite(weight))
    for gradient in tape.gradient(total, inputs):
        assert np.all(np.isfinite(gradient))

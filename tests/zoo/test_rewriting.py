"""Graphs in ordinary operators give the same numbers, whatever the sizes."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import networks
from datasets.tasks import draws
from zoo.exports.rewriting import RULES, rewrite

# What neither ONNX nor LiteRT knows.
FOREIGN = {
    "ReluGrad", "TanhGrad", "SigmoidGrad", "RsqrtGrad", "SparseSoftmaxCrossEntropyWithLogits",
    "Conv2DBackpropInput", "Conv2DBackpropFilter", "StridedSliceGrad", "BroadcastGradientArgs",
    "DynamicStitch", "ShapeN", "ConcatOffset", "Roll", "StatelessRandomUniformFullIntV2",
}  # fmt: skip


def slope(function):
    """The gradient of ``sum(function(x) ** 2)`` in x."""

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(function(x) ** 2)
        return tape.gradient(y, x)

    return gradient


def operators(graph) -> set[str]:
    """Types of all operators, those of loops too."""
    inner = [node for f in graph.as_graph_def().library.function for node in f.node_def]
    return {op.type for op in graph.get_operations()} | {node.op for node in inner}


def check(function, *shapes, dtype=tf.float32, tolerance=1e-5):
    """Rewritten once with free leading axes, equal for each of the shapes."""
    signature = [tf.TensorSpec([None, *shapes[0][1:]], dtype, name="x")]
    made = rewrite(lambda x: {"y": function(x)}, signature).get_concrete_function()
    left = operators(made.graph) & FOREIGN
    for shape in shapes:
        rng = np.random.default_rng(len(shape))
        x = rng.normal(size=shape) if dtype.is_floating else rng.integers(0, 3, shape)
        x = tf.constant(x, dtype)
        expected = function(x).numpy()
        found = made(x)["y"].numpy()
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
        assert np.ptp(expected) > 0
    return left


POINTWISE = {
    "relu": tf.nn.relu,
    "tanh": tf.tanh,
    "sigmoid": tf.sigmoid,
    "rsqrt": lambda x: tf.math.rsqrt(1 + x**2),
    "square": lambda x: x**2,
    "mean": lambda x: x * tf.reduce_mean(x, axis=0, keepdims=True),
    "broadcast": lambda x: x * x[:, :1, :1] + tf.ones([4]),
    "two free lengths": lambda x: x * tf.reverse(x, [0]),
    "outer product": lambda x: x[:, None] * x[None],
    "part": lambda x: x[:, 1:3],
    "part counted from the end": lambda x: x[:, -2:],
    "one item": lambda x: x[:, 1] * x[0, 0, 0],
    "new axis": lambda x: x[..., None] * x[:, :, None] + x[:, None, :, None],
    "join": lambda x: tf.concat([x, 2 * x[:, :2]], axis=1),
    "roll": lambda x: tf.roll(x, 1, axis=1) * tf.roll(x, -1, axis=2),
    "loop": lambda x: tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y)), (0, x))[
        1
    ],
}


@pytest.mark.parametrize("name", POINTWISE)
def test_values_and_derivatives_are_the_same(name):
    function = POINTWISE[name]
    assert not check(function, (2, 3, 4), (5, 3, 4))
    if name != "roll":  # no learner differentiates it
        assert not check(slope(function), (2, 3, 4), (5, 3, 4))


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("height", "width", "size"), [(6, 7, 3), (5, 8, 2), (4, 4, 1)])
def test_convolutions_and_both_their_derivatives(padding, stride, height, width, size):
    rng = np.random.default_rng(0)
    image = tf.constant(rng.normal(size=[2, height, width, 2]), tf.float32)
    kernel = tf.constant(rng.normal(size=[size, size, 2, 3]), tf.float32)

    def of_image(x):
        return tf.nn.conv2d(x, kernel, stride, padding)

    def of_kernel(x):  # [9 or so, ...]: a leading axis that is free
        one = tf.reshape(x, [size, size, 2, 3])
        return tf.nn.conv2d(image, one, stride, padding)

    assert not check(slope(of_image), (2, height, width, 2), (3, height, width, 2), tolerance=1e-4)
    rows = (size * size * 2, 3)
    assert not check(of_kernel, rows)
    assert not check(slope(of_kernel), rows, tolerance=1e-4)


def test_cross_entropy_and_its_derivative():
    def loss(logits):
        labels = tf.range(tf.shape(logits)[0]) % 3
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

    assert not check(loss, (4, 3), (7, 3))
    assert not check(slope(loss), (4, 3), (7, 3))


@pytest.mark.parametrize(("on", "off"), [(None, None), (2.5, -1.0), (True, False)])
def test_one_hot_of_any_kind_and_depth(on, off):
    def one_hot(x):
        hit = tf.one_hot(x, tf.reduce_max(x) + 1, on_value=on, off_value=off)
        return tf.cast(hit, tf.float32)

    assert not check(one_hot, (4,), (9,), dtype=tf.int32)


def test_division_rounds_down_below_zero():
    assert not check(lambda x: (x - 2) // 3 + -(-x // 2), (4,), (9,), dtype=tf.int32)


def test_random_numbers_of_a_constant_seed_are_the_same():
    def shuffled(x):
        rounds, items = 3, tf.shape(x)[0]
        order = tf.math.top_k(draws.uniform([rounds, items], (1, 2)), items).indices
        return tf.gather(x, order)  # [round, item, dim]

    assert not check(shuffled, (4, 2), (11, 2))


def test_a_constant_kernel_stays_with_the_runtimes_own_convolution():
    network = networks.conv4((12, 12, 1), 3, 4)
    made = rewrite(
        lambda x: {"y": network(x, training=False)}, [tf.TensorSpec([None, 12, 12, 1], name="x")]
    )
    types = [op.type for op in made.get_concrete_function().graph.get_operations()]
    assert types.count("Conv2D") == 4


def test_a_slice_that_no_rule_knows_is_left_as_it_is():
    assert check(slope(lambda x: x[:, ::2]), (2, 4)) == {"StridedSliceGrad"}


def test_every_operator_of_the_list_has_its_rule():
    assert set(RULES) >= FOREIGN

"""Networks with weights of their own per task equal a Python loop over the tasks, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from chapters.engine import per_task
from chapters.engine.errors import RunError
from chapters.engine.per_task import (
    call_layers,
    call_per_task,
    layers_in_order,
    normalises,
    repeat_for_tasks,
    weights_of,
)

TASKS, ITEMS = 3, 4


pytestmark = pytest.mark.usefixtures("float64")  # second derivatives to ten digits


def chain(*parts, shape=(5, 7, 2)):
    return keras.Sequential([layers.Input(shape), *parts])


def nested():
    inner = chain(layers.Conv2D(3, 3, strides=2), layers.BatchNormalization())
    head = chain(layers.ReLU(negative_slope=0.1), layers.Flatten(), shape=inner.output_shape[1:])
    return chain(inner, head, layers.Dense(2))


SEQUENTIALS = {
    "dense": lambda: chain(
        layers.Dense(4, "tanh"), layers.Dense(3, "sigmoid", use_bias=False), layers.Dense(2),
        shape=(3,),
    ),
    "same, stride 2, odd sizes": lambda: chain(
        layers.Conv2D(3, 3, strides=2, padding="same", activation="tanh"),
        layers.Conv2D(2, 3, strides=2, padding="same", use_bias=False),
        layers.GlobalAveragePooling2D(), layers.Dense(2),
    ),
    "same, even kernel": lambda: chain(
        layers.Conv2D(3, (2, 4), padding="same", activation="softplus"),
        layers.AveragePooling2D(2), layers.Reshape((-1,)), layers.Dense(2),
    ),
    "valid, uneven strides, pooling": lambda: chain(
        layers.Conv2D(3, (2, 3), strides=(1, 2), activation="tanh"),
        layers.MaxPooling2D(2, padding="same"), layers.Flatten(), layers.Dense(2),
    ),
    "batch norm": lambda: chain(
        layers.Dense(4), layers.BatchNormalization(epsilon=0.1), layers.Activation("tanh"),
        layers.Dense(2), shape=(3,),
    ),
    "batch norm of images, without scale": lambda: chain(
        layers.Conv2D(3, 3, use_bias=False), layers.BatchNormalization(scale=False),
        layers.Activation("tanh"), layers.Flatten(), layers.Dense(2),
    ),
    "batch norm without centre": lambda: chain(
        layers.Dense(4), layers.BatchNormalization(center=False), layers.Dense(2), shape=(3,)
    ),
    "batch norm with neither": lambda: chain(
        layers.Dense(4), layers.BatchNormalization(center=False, scale=False), layers.Dense(2),
        shape=(3,),
    ),
    "nested": nested,
}  # fmt: skip


def pixelwise():
    """A chain, but with a dense layer on each pixel; heights like the number of tasks tempt."""
    return chain(layers.Dense(3, "tanh"), layers.GlobalAveragePooling2D(), shape=(TASKS, ITEMS, 2))


def skip_network(*norms):
    """Not a chain: the input takes a way around."""
    x = layers.Input((4,))
    h = layers.Dense(4, "tanh")(x)
    for norm in norms:
        h = norm(h)
    return keras.Model(x, layers.Dense(2, "tanh")(layers.Add()([x, h])))


def skip_norm():
    return skip_network(layers.BatchNormalization())


OTHERS = {
    "skip": skip_network,
    "pixelwise": pixelwise,
    "batch norm": skip_norm,
    "layer norm": lambda: skip_network(layers.LayerNormalization()),
    "group norm": lambda: skip_network(layers.GroupNormalization(2)),
}


def normal(rng, *shape):
    return tf.constant(rng.normal(size=shape))


def weights_and_items(network, tasks=TASKS, seed=1):
    """Random weights [task, ...] and items [task, item, ...]."""
    rng = np.random.default_rng(seed)
    weights = [normal(rng, tasks, *v.shape) for v in network.trainable_variables]
    return weights, normal(rng, tasks, ITEMS, *network.input_shape[1:])


def keras_loop(network, weights, x):
    """Keras' own call for each task, one after the other: [task, item, out]."""
    outputs = [
        network.stateless_call(
            [w[task] for w in weights], network.non_trainable_variables, x[task], training=True
        )[0]
        for task in range(len(x))
    ]
    return tf.stack(outputs)


@pytest.fixture
def exact_moments(monkeypatch):
    """Keras with a second derivative of the variance: ``tf.nn.moments`` holds the mean constant."""

    def moments(x, axes, keepdims=False):
        mean = tf.reduce_mean(x, axes, keepdims=keepdims)
        return mean, tf.math.reduce_variance(x, axes, keepdims=keepdims)

    monkeypatch.setattr(tf.nn, "moments", moments)


def derivatives(call, network, weights, x):
    """Output; gradient of a loss; gradient of that gradient's squared norm."""
    with tf.GradientTape() as outer:
        outer.watch([weights, x])
        with tf.GradientTape() as inner:
            inner.watch(weights)
            y = call(network, weights, x)
            loss = tf.reduce_sum(tf.sin(y) * tf.range(1.0, ITEMS + 1, dtype=y.dtype)[:, None])
        first = inner.gradient(loss, weights)
        norm = tf.add_n([tf.reduce_sum(g**2) for g in first])
    return [y, *first, *outer.gradient(norm, [*weights, x])]


def assert_equals_keras(network, weights, x):
    ours = derivatives(call_per_task, network, weights, x)
    theirs = derivatives(keras_loop, network, weights, x)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        atol = 1e-10 * max(1.0, np.linalg.norm(b))  # a bias before batch norm: no gradient
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=atol)
    assert float(tf.norm(ours[-1])) > 0  # there was something to compare


@pytest.mark.usefixtures("exact_moments")
@pytest.mark.parametrize("tasks", [1, TASKS])
@pytest.mark.parametrize("name", SEQUENTIALS)
def test_a_chain_equals_keras_with_both_derivatives(name, tasks, monkeypatch):
    """One task by TensorFlow's kernels, several by matrix products; neither by mapping."""
    monkeypatch.setattr(per_task, "_any_network", None)
    network = SEQUENTIALS[name]()
    assert_equals_keras(network, *weights_and_items(network, tasks))


@pytest.mark.usefixtures("exact_moments")
@pytest.mark.parametrize("tasks", [1, TASKS])
@pytest.mark.parametrize("name", OTHERS)
def test_any_other_network_gives_kerass_numbers_too(name, tasks):
    network = OTHERS[name]()
    assert_equals_keras(network, *weights_and_items(network, tasks))


@pytest.mark.parametrize("network", [SEQUENTIALS["batch norm"], *list(OTHERS.values())[2:]])
@pytest.mark.parametrize("tasks", [1, TASKS])
def test_the_second_derivative_of_normalisation_equals_central_differences(network, tasks):
    """That of Keras' own layers does not; TensorFlow's function is back in place afterwards."""
    network, tensorflows = network(), tf.nn.moments
    weights, x = weights_and_items(network, tasks)
    direction = weights_and_items(network, tasks, seed=5)[0]

    def squared_gradient(move):
        moved = [w + move * d for w, d in zip(weights, direction, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(moved)
            loss = tf.reduce_sum(tf.sin(call_per_task(network, moved, x)))
        return tf.add_n([tf.reduce_sum(g**2) for g in tape.gradient(loss, moved)])

    move = tf.Variable(0.0, dtype=tf.float64)
    with tf.GradientTape() as tape:
        result = squared_gradient(move)
    expected = (squared_gradient(1e-5) - squared_gradient(-1e-5)) / 2e-5
    np.testing.assert_allclose(tape.gradient(result, move), expected, rtol=1e-6)
    assert tf.nn.moments is tensorflows


def test_layers_that_are_frozen_keep_their_own_weights():
    network = chain(layers.Dense(4, "tanh"), layers.Dense(2), shape=(3,))
    network.layers[0].trainable = False
    weights, x = weights_and_items(network)
    assert len(weights) == 2
    assert_equals_keras(network, weights, x)


@pytest.mark.parametrize("name", ["nested", "batch norm"])
def test_a_graph_need_not_know_the_number_of_tasks_and_items(name):
    network = SEQUENTIALS[name]()
    weights, x = weights_and_items(network)
    free = [tf.TensorSpec([None, *w.shape[1:]], w.dtype) for w in weights]
    free_x = tf.TensorSpec([None, None, *x.shape[2:]], x.dtype)

    @tf.function(input_signature=[free, free_x])
    def graph(weights, x):
        return call_per_task(network, weights, x)

    np.testing.assert_allclose(graph(weights, x), keras_loop(network, weights, x), atol=1e-12)
    one = [w[:1] for w in weights], x[:1, :2]
    np.testing.assert_allclose(graph(*one), keras_loop(network, *one), atol=1e-12)


@pytest.mark.parametrize("name", SEQUENTIALS)
def test_tasks_do_not_see_each_other(name):
    """Another task's weights and items change nothing, so summed losses may be differentiated."""
    network = SEQUENTIALS[name]()
    weights, x = weights_and_items(network)
    before = call_per_task(network, weights, x)
    others, other_x = weights_and_items(network, seed=2)
    mixed = [tf.concat([w[:1], o[1:]], 0) for w, o in zip(weights, others, strict=True)]
    after = call_per_task(network, mixed, tf.concat([x[:1], other_x[1:]], 0))
    np.testing.assert_allclose(after[0], before[0], atol=1e-12)
    assert np.abs(after[1] - before[1]).max() > 1e-3


def two_norms():
    """Dense, batch norm, ReLU, twice."""
    blocks = [
        (layers.Dense(4), layers.BatchNormalization(scale=False), layers.ReLU()) for _ in range(2)
    ]
    return chain(*blocks[0], *blocks[1], layers.Dense(2), shape=(3,))


def test_normalise_by_equals_numpy_with_the_support_sets_statistics():
    network = two_norms()
    weights, x = weights_and_items(network)
    support = normal(np.random.default_rng(4), TASKS, 5, 3) + 1.0
    found = call_per_task(network, weights, x, normalise_by=support)
    for task in range(TASKS):
        *blocks, kernel, bias = (w[task].numpy() for w in weights)
        s, q = support[task].numpy(), x[task].numpy()
        for w, b, beta in (blocks[:3], blocks[3:]):
            s, q = s @ w + b, q @ w + b
            mean, deviation = s.mean(axis=0), np.sqrt(s.var(axis=0) + 1e-3)
            s, q = ((z - mean) / deviation + beta for z in (s, q))
            s, q = np.maximum(s, 0), np.maximum(q, 0)
        np.testing.assert_allclose(found[task], q @ kernel + bias, atol=1e-10)


@pytest.mark.parametrize("name", ["batch norm of images, without scale", "nested"])
def test_with_normalise_by_a_query_does_not_know_of_the_others(name):
    network = SEQUENTIALS[name]()
    weights, x = weights_and_items(network)
    support = weights_and_items(network, seed=3)[1]

    def first_query(normalise_by):
        alone = call_per_task(network, weights, x[:, :1], normalise_by)
        return np.abs(call_per_task(network, weights, x, normalise_by)[:, :1] - alone).max()

    assert first_query(support) < 1e-12
    assert first_query(None) > 1e-3  # transductive: it learns from them


def test_items_normalised_by_themselves_are_the_transductive_ones():
    network = SEQUENTIALS["batch norm of images, without scale"]()
    weights, x = weights_and_items(network)
    found = call_per_task(network, weights, x, normalise_by=x)
    np.testing.assert_allclose(found, call_per_task(network, weights, x), atol=1e-12)


@pytest.mark.parametrize("network", [SEQUENTIALS["dense"], skip_network])
def test_normalise_by_is_of_no_account_without_batch_norm(network):
    network = network()
    weights, x = weights_and_items(network)
    found = call_per_task(network, weights, x, normalise_by=x + 1.0)
    np.testing.assert_array_equal(found, call_per_task(network, weights, x))


@pytest.mark.parametrize("name", SEQUENTIALS)
def test_a_network_in_two_stretches_is_the_network(name):
    network = SEQUENTIALS[name]()
    weights, x = weights_and_items(network)
    plan = layers_in_order(network)
    below, above = plan[:1], plan[1:]
    cut = len(weights_of(below))
    assert len(weights_of(plan)) == len(weights)
    z = call_layers(below, weights[:cut], x)
    expected = call_per_task(network, weights, x)
    np.testing.assert_allclose(call_layers(above, weights[cut:], z), expected, rtol=1e-12)
    # By the statistics of the first two items: those among them as if they were alone.
    z = call_layers(below, weights[:cut], x, counted=2)
    found = call_layers(above, weights[cut:], z, counted=2)
    expected = call_per_task(network, weights, x[:, 2:], normalise_by=x[:, :2])
    np.testing.assert_allclose(found[:, 2:], expected, rtol=1e-12)
    alone = call_per_task(network, weights, x[:, :2])
    np.testing.assert_allclose(found[:, :2], alone, rtol=1e-12)


def test_support_statistics_in_a_network_that_is_no_chain_are_refused():
    network = skip_norm()
    weights, x = weights_and_items(network)
    with pytest.raises(RunError, match="needs a keras.Sequential of dense.*training=True instead"):
        call_per_task(network, weights, x, normalise_by=x)


@pytest.mark.parametrize("network", [two_norms, nested, skip_norm])
def test_stored_averages_are_neither_used_nor_changed(network):
    network = network()
    weights, x = weights_and_items(network)
    expected = call_per_task(network, weights, x)
    stored = network.non_trainable_variables
    for number, variable in enumerate(stored):
        variable.assign(tf.fill(variable.shape, tf.constant(7.0 + number, tf.float64)))
    before = [v.numpy() for v in stored]
    np.testing.assert_array_equal(call_per_task(network, weights, x), expected)
    assert len(before) >= 2
    for variable, value in zip(stored, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_copies_hold_the_values_once_per_task_and_pass_the_gradient_on():
    variables = [tf.Variable([[1.0, 2.0]]), tf.Variable(3.0)]
    with tf.GradientTape() as tape:
        matrix, scalar = repeat_for_tasks(variables, 2)
        loss = tf.reduce_sum(matrix * [[[1.0, 2.0]], [[3.0, 4.0]]]) + scalar[1]
    np.testing.assert_array_equal(matrix, [[[1.0, 2.0]], [[1.0, 2.0]]])
    np.testing.assert_array_equal(scalar, [3.0, 3.0])
    gradients = tape.gradient(loss, variables)
    np.testing.assert_array_equal(gradients[0], [[4.0, 6.0]])  # summed over the tasks
    assert float(gradients[1]) == 1.0


def test_batch_norm_is_found_at_any_depth():
    assert normalises(nested()) and normalises(skip_norm())
    assert not normalises(skip_network()) and not normalises(SEQUENTIALS["dense"]())

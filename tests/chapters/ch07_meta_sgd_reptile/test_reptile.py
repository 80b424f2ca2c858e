"""Reptile: inner loops against NumPy, the outer step by hand, the errata of the book."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import networks
from chapters.ch06_maml.losses import cross_entropy, squared_error
from chapters.ch07_meta_sgd_reptile.reptile import OPTIMIZERS, Reptile, minibatches, train_step
from chapters.engine.functional import call_with_weights
from chapters.engine.mapping import MODES
from datasets.tasks.sinusoid import SineTasks
from tests.chapters.ch07_meta_sgd_reptile.small import (
    classification,
    network,
    one_task,
    regression,
    relative_error,
    steps_of,
)


def linear(inputs=2):
    """y = x w + b: its gradients are written by hand below."""
    return keras.Sequential([keras.layers.Input((inputs,)), keras.layers.Dense(1)])


def movement(learner, batches, **options):
    """theta after - theta before training steps, as one vector."""
    before, after, _ = steps_of(train_step, learner, batches, **options)
    return np.concatenate([(a - b).ravel() for a, b in zip(after, before, strict=True)])


def adapt(learner, batch, *arguments):
    inputs, _ = batch
    return learner.adapt(inputs["support_x"], inputs["support_y"], *arguments)


def numpy_steps(theta, v, taken, x, y, order, rate, optimizer="adam"):
    """SGD, or Adam with beta1 = 0, on the mean squared error of a linear model.

    Second moments ``v`` are those of ``taken`` steps; returns weights and moments.
    """
    for t, items in enumerate(order, start=taken + 1):
        rows = np.concatenate([x[items], np.ones([len(items), 1])], axis=1)
        g = 2 * rows.T @ (rows @ theta - y[items, 0]) / len(items)
        if optimizer == "adam":
            v = 0.999 * v + 0.001 * g**2
            g = np.sqrt(1 - 0.999**t) * g / (np.sqrt(v) + 1e-8)
        theta = theta - rate * g
    return theta, v


def numpy_inner_loop(weight, bias, x, y, order, rate, optimizer):
    """The steps with moments of their own."""
    theta = np.concatenate([weight[:, 0], bias])
    return numpy_steps(theta, np.zeros_like(theta), 0, x, y, order, rate, optimizer)[0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("size", [2, 0])
def test_inner_loop_equals_numpy(float64, optimizer, size):
    learner = Reptile(linear(), squared_error, 0.05, 7, size, optimizer)
    batch = regression()
    adapted = adapt(learner, batch)
    order = minibatches(5, size or 5, 7, (0, 0)).numpy()
    weight, bias = (v.numpy() for v in learner.network.trainable_variables)
    for task in range(3):
        x, y = (batch[0][name][task].numpy() for name in ("support_x", "support_y"))
        expected = numpy_inner_loop(weight, bias, x, y, order, 0.05, optimizer)
        found = [adapted[0][task].numpy(), adapted[1][task].numpy()]
        assert relative_error(found, [expected]) < 1e-12


@pytest.mark.parametrize(("items", "size"), [(6, 2), (5, 2), (4, 4), (3, 5)])
def test_minibatches_use_up_the_items_before_they_are_shuffled_again(items, size):
    order = minibatches(items, size, 8, (1, 2)).numpy()
    assert order.shape == (8, size)
    rounds = order.ravel()[: 8 * size // items * items].reshape(-1, items)
    assert (np.sort(rounds, axis=1) == np.arange(items)).all()
    assert len({tuple(r) for r in rounds}) > 1  # shuffled again


def test_minibatches_are_a_function_of_the_seed_also_under_xla():
    compiled = tf.function(lambda step: minibatches(6, 2, 5, (3, step)), jit_compile=True)
    orders = [minibatches(6, 2, 5, (3, step)).numpy() for step in range(3)]
    for step, order in enumerate(orders):
        np.testing.assert_array_equal(compiled(tf.constant(step)), order)
    assert not (orders[0] == orders[1]).all()
    assert not (orders[1] == orders[2]).all()


def test_training_shuffles_anew_at_every_step():
    """The order is a function of seed and step: the same run twice is the same."""
    learner, batch = Reptile(network(), squared_error, 0.1, 3, 2), regression()
    first, second = (movement(learner, [batch] * steps, epsilon=0.0) for steps in (1, 2))
    assert not first.any()  # epsilon 0 moves nothing, so only the order tells the steps apart
    assert not second.any()
    losses = [
        float(steps_of(train_step, learner, [batch] * steps, epsilon=0.0)[2]["loss"])
        for steps in (1, 2, 1, 2)
    ]
    assert losses[:2] == losses[2:]
    assert losses[0] != losses[1]


def test_nothing_is_differentiated_through_the_inner_loop():
    learner, batch = Reptile(network(), squared_error, 0.1, 2), regression()
    with tf.GradientTape() as tape:
        total = sum(tf.reduce_sum(w) for w in adapt(learner, batch))
    assert tape.gradient(total, learner.trainable_variables) == [None] * 4


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_epsilon_one_with_one_task_moves_to_the_adapted_weights(float64, optimizer):
    learner = Reptile(network(), squared_error, 0.05, 4, 0, optimizer)
    batch = regression(tasks=1)
    _, after, _ = steps_of(train_step, learner, [batch], epsilon=1.0)
    assert relative_error(after, [w[0].numpy() for w in adapt(learner, batch)]) < 1e-12


@pytest.mark.parametrize("mode", MODES)
def test_e7_8_batched_update_is_the_mean_over_tasks(float64, mode):
    learner, batch = Reptile(network(), squared_error, 0.05, 3), regression(tasks=3)
    ours = movement(learner, [batch], mode=mode, epsilon=0.25)
    each = [movement(learner, [one_task(batch, n)], epsilon=0.25) for n in range(3)]
    assert relative_error([ours], [np.mean(each, axis=0)]) < 1e-12


def test_e7_13_a_batch_is_not_one_update_after_the_other(float64):
    learner, batch = Reptile(network(), squared_error, 0.05, 3), regression(tasks=2)
    tasks = [one_task(batch, 0), one_task(batch, 1)]
    ours, serial = movement(learner, [batch]), movement(learner, tasks)
    assert relative_error([ours], [serial]) > 0.1
    # Serial: the second task starts where the first one left theta.
    _, after, _ = steps_of(train_step, learner, tasks[:1])
    start = [v.numpy() for v in learner.trainable_variables]
    for variable, value in zip(learner.trainable_variables, after, strict=True):
        variable.assign(value)
    end = adapt(learner, tasks[1])
    expected = np.concatenate([(e[0] - s).numpy().ravel() for e, s in zip(end, start, strict=True)])
    assert relative_error([serial], [expected]) < 1e-12


def test_e7_9_one_full_step_of_sgd_is_joint_training(float64):
    """The update is -epsilon rate times the mean task gradient, by Keras' own call."""
    learner, batch = Reptile(network(), squared_error, 0.05, inner_steps=1), regression()
    model, (inputs, _) = learner.network, batch
    with tf.GradientTape() as tape:
        x, y = (tf.concat(tf.unstack(inputs[n]), axis=0) for n in ("support_x", "support_y"))
        loss = tf.reduce_mean((model(x) - y) ** 2)  # tasks are of equal size
    gradients = tape.gradient(loss, model.trainable_variables)
    expected = np.concatenate([-0.25 * 0.05 * g.numpy().ravel() for g in gradients])
    assert relative_error([movement(learner, [batch], epsilon=0.25)], [expected]) < 1e-12


def test_e7_9_second_derivatives_come_with_the_second_step(float64):
    """theta' - theta = -rate (g1 + g2) + rate^2 H2 g1, exact where the loss is quadratic."""
    learner = Reptile(linear(), squared_error, 0.05, inner_steps=2, inner_batch=2)
    inputs, _ = batch = regression(tasks=1)
    theta = np.concatenate([v.numpy().ravel() for v in learner.trainable_variables])
    g, h = [], []
    for items in minibatches(5, 2, 2, (0, 0)).numpy():
        x, y = (inputs[name][0].numpy()[items] for name in ("support_x", "support_y"))
        rows = np.concatenate([x, np.ones([2, 1])], axis=1)
        g.append(2 * rows.T @ (rows @ theta - y[:, 0]) / 2)
        h.append(2 * rows.T @ rows / 2)
    expected = -0.05 * (g[0] + g[1]) + 0.05**2 * h[1] @ g[0]
    found = np.concatenate([w[0].numpy().ravel() for w in adapt(learner, batch)]) - theta
    assert relative_error([found], [expected]) < 1e-12


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_e7_12_identical_tasks_are_solved_identically(optimizer):
    """Whatever came before them: no moments are carried from task to task."""
    learner = Reptile(network(), squared_error, 0.05, 4, 2, optimizer)
    task = one_task(regression(), 0)
    twice = tf.nest.map_structure(lambda x: tf.concat([x, x], axis=0), task)
    for weights in adapt(learner, twice):
        np.testing.assert_array_equal(weights[0], weights[1])
    before = adapt(learner, task)
    steps_of(train_step, learner, [regression(seed=1)])  # other tasks; puts theta back
    for a, b in zip(adapt(learner, task), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_rate_zero_and_no_steps_leave_the_initialisation(optimizer):
    model, batch = network(), regression()
    for learner in (
        Reptile(model, squared_error, 0.0, 3, 2, optimizer),
        Reptile(model, squared_error, 0.1, 0, 2, optimizer),
    ):
        for weights, theta in zip(adapt(learner, batch), model.trainable_variables, strict=True):
            np.testing.assert_array_equal(weights, np.stack([theta] * 3))
        assert not movement(learner, [batch]).any()


@pytest.mark.parametrize(("mode", "compiled"), [("sequential", False), ("batched", True)])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_mappings_and_xla_give_the_same_numbers(mode, compiled, optimizer):
    learner = Reptile(network(outputs=3), cross_entropy, 0.05, 4, 2, optimizer)
    batches = [classification(seed=seed) for seed in range(3)]
    _, eager, metrics = steps_of(train_step, learner, batches)
    _, found, found_metrics = steps_of(train_step, learner, batches, mode, 1.0, compiled)
    for a, b in zip(found, eager, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert set(metrics) == {"loss", "accuracy"}
    for name, value in metrics.items():
        np.testing.assert_allclose(found_metrics[name], value, atol=1e-5)


def test_no_retracing_and_one_copy_of_the_inner_step():
    """The graph has the same size for 5 inner steps as for 50."""
    sizes = []
    for steps in (5, 50):
        learner = Reptile(network(), squared_error, 0.01, steps, 2)
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(learner.trainable_variables)
        step = tf.function(train_step(learner, optimizer, "sequential"))
        for seed in range(3):
            step(regression(seed=seed), tf.constant([0, seed]))
        assert step.experimental_get_tracing_count() == 1
        graph = step.get_concrete_function(regression(), tf.constant([0, 0])).graph.as_graph_def()
        nodes = sum(len(function.node_def) for function in graph.library.function)
        sizes.append(nodes + len(graph.node))
    assert sizes[0] == sizes[1]


def test_adapting_takes_any_number_of_tasks_and_items():
    learner = Reptile(network(outputs=3), cross_entropy, 0.05, 4, 5)
    free = {"support_x": [None, None, 2], "support_y": [None, None], "query_x": [None, None, 2]}
    dtypes = {"support_y": tf.int32}
    signature = {n: tf.TensorSpec(s, dtypes.get(n, tf.float32)) for n, s in free.items()}
    serve = tf.function(learner, input_signature=[signature])
    for shape in ({"tasks": 2, "support": 3}, {"tasks": 1, "support": 7}):
        inputs, _ = classification(**shape)
        np.testing.assert_allclose(serve(inputs), learner(inputs), atol=1e-6)


def test_queries_are_not_used_in_training():
    learner, (inputs, query_y) = Reptile(network(), squared_error, 0.1, 2), regression()
    other = {**inputs, "query_x": inputs["query_x"] + 1}
    ours = movement(learner, [(inputs, query_y)])
    np.testing.assert_array_equal(movement(learner, [(other, query_y - 1)]), ours)


def test_reported_loss_is_that_of_the_adapted_networks_on_their_support_sets(float64):
    learner = Reptile(network(outputs=3), cross_entropy, 0.1, 3)
    inputs, _ = batch = classification()
    metrics = steps_of(train_step, learner, [batch])[2]
    adapted, losses, hits = adapt(learner, batch), [], []
    for task in range(3):
        weights = [w[task] for w in adapted]
        logits = call_with_weights(learner.network, weights, inputs["support_x"][task]).numpy()
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        labels = inputs["support_y"][task].numpy()
        losses.append(-log_p[np.arange(6), labels].mean())
        hits.append((logits.argmax(axis=1) == labels).mean())
    assert float(metrics["loss"]) == pytest.approx(np.mean(losses), rel=1e-9)
    assert float(metrics["accuracy"]) == pytest.approx(np.mean(hits), rel=1e-6)


def test_test_has_steps_and_minibatches_of_its_own():
    learner = Reptile(network(), squared_error, 0.05, 2, 2, test_steps=5, test_batch=3)
    inputs, _ = batch = regression()
    expected = learner.predict_with(adapt(learner, batch, 5, 3), inputs["query_x"])
    np.testing.assert_allclose(learner(inputs), expected, atol=1e-6)
    for other in (adapt(learner, batch, 2, 3), adapt(learner, batch, 5, 2)):
        assert np.abs(learner.predict_with(other, inputs["query_x"]) - expected).max() > 1e-3


def test_batch_norm_is_honest_or_transductive():
    model = networks.dense4((2,), way=3)
    learner = Reptile(model, cross_entropy, 0.05, 2)
    inputs, _ = batch = classification()
    adapted, first = adapt(learner, batch), {**inputs, "query_x": inputs["query_x"][:, :1]}
    honest = learner(inputs)
    np.testing.assert_allclose(learner(first)[:, 0], honest[:, 0], atol=1e-5)  # on its own
    transductive = learner(inputs, training=True)
    np.testing.assert_allclose(
        transductive, learner.predict_with(adapted, inputs["query_x"]), atol=1e-5
    )
    assert np.abs(transductive - honest).max() > 1e-3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tasks", [1, 3])
def test_kept_moments_equal_a_loop_in_numpy(float64, tasks, mode):
    """Four outer steps, then a test; with one task per step it is the reference implementation."""
    learner = Reptile(linear(), squared_error, 0.05, 3, 2, "adam", 5, keep_moments=True)
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build(learner.trainable_variables)
    step = tf.function(train_step(learner, optimizer, mode))
    theta = np.concatenate([v.numpy().ravel() for v in learner.trainable_variables])
    v, taken = np.zeros(3), 0

    def numpy_task(batch, task, order):
        x, y = (batch[0][name][task].numpy() for name in ("support_x", "support_y"))
        return numpy_steps(theta, v, taken, x, y, order, 0.05)

    for number in range(4):
        batch, seed = regression(tasks=tasks, seed=number), tf.constant([0, number])
        step(batch, seed)
        order = minibatches(5, 2, 3, seed).numpy()
        ends = [numpy_task(batch, task, order) for task in range(tasks)]
        theta = theta + 0.5 * (np.mean([end for end, _ in ends], axis=0) - theta)
        v, taken = np.mean([moments for _, moments in ends], axis=0), taken + 3
        assert relative_error(learner.trainable_variables, [theta]) < 1e-12
        assert relative_error(learner.moments, [v]) < 1e-12
    batch, order = regression(tasks=2, seed=9), minibatches(5, 2, 5, (0, 0)).numpy()
    for task in range(2):
        expected, _ = numpy_task(batch, task, order)
        assert relative_error([w[task] for w in adapt(learner, batch)], [expected]) < 1e-12
    assert relative_error(learner.moments, [v]) < 1e-12  # a test leaves nothing behind
    assert int(learner.steps_taken) == 12


def test_moments_are_kept_with_the_weights(tmp_path):
    """In the file of weights, in checkpoints, and on the way of every learner into a file."""
    learner = Reptile(network(), squared_error, 0.05, 3, 2, "adam", keep_moments=True)
    other = Reptile(network(), squared_error, 0.05, 3, 2, "adam", keep_moments=True)
    assert len(learner.trainable_variables) == 4
    assert len(learner.non_trainable_variables) == 5
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(learner.trainable_variables)
    train_step(learner, optimizer, "batched")(regression(), tf.constant([0, 0]))
    assert int(learner.steps_taken) == 3
    learner.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    for ours, theirs in zip(learner.variables, other.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_moments_of_sgd_are_refused():
    with pytest.raises(
        ValueError, match="keep_moments is for inner_optimizer adam; sgd has no moments"
    ):
        Reptile(network(), squared_error, 0.1, 1, keep_moments=True)


def test_unknown_inner_optimizer_is_named():
    with pytest.raises(ValueError, match="'adma'; it must be one of sgd, adam"):
        Reptile(network(), squared_error, 0.1, 1, inner_optimizer="adma")


def test_an_inner_loop_that_diverges_moves_nothing():
    learner, batch = Reptile(network(), squared_error, 1e30, 3), regression()
    assert learner.describe_rate() == "rate 1e+30 of sgd"
    before = [v.numpy() for v in learner.trainable_variables]
    with pytest.raises(tf.errors.InvalidArgumentError, match="not finite"):
        movement(learner, [batch])
    for variable, value in zip(learner.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def largest_curve():
    """A single task of amplitude 5, known at 100 points."""
    sampler = SineTasks(100, 1, amplitude=(5.0, 5.0), grid=101)
    inputs, _ = sampler(0)
    return inputs["support_x"], inputs["support_y"]


def fitted_error(model):
    """Mean squared error on the largest curve after 10,000 steps of Adam on it."""
    learner = Reptile(model, squared_error, 0.01, 10_000, 0, "adam")

    @tf.function(jit_compile=True)
    def error():
        x, y = largest_curve()
        return squared_error(y, learner.predict_with(learner.adapt(x, y), x))

    return float(error()[0])


def test_e7_10_linear_output_fits_the_largest_curve_and_tanh_cannot():
    assert fitted_error(networks.mlp(1, 1, (64,), "tanh")) < 0.1
    tanh_output = [keras.layers.Dense(64, "tanh"), keras.layers.Dense(1, "tanh")]
    error = fitted_error(keras.Sequential([keras.layers.Input((1,)), *tanh_output]))
    _, y = largest_curve()
    best = np.mean(np.maximum(np.abs(y) - 1, 0) ** 2)  # of all functions within +-1
    assert error >= best > 5


def share_of_zero_gradients(model):
    """Share of inputs in [-5, 5] at which the output has gradient 0 in every weight."""
    x = tf.linspace(-5.0, 5.0, 100)[:, None]
    with tf.GradientTape() as tape:
        y = model(x)[:, 0]  # [item]
    rows = [tf.reshape(j, [100, -1]) for j in tape.jacobian(y, model.trainable_variables)]
    return float(np.mean((tf.concat(rows, axis=1).numpy() == 0).all(axis=1)))


def test_e7_11_no_input_is_without_gradient_at_the_start():
    for _ in range(5):
        assert share_of_zero_gradients(networks.mlp(1, 1, (64,), "tanh")) == 0
    # The book's start: everything from U(0, 1), tanh at the output.
    model = networks.mlp(1, 1, (64,), "tanh")
    model.layers[-1].activation = keras.activations.tanh
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.uniform(size=variable.shape))
    assert share_of_zero_gradients(model) > 0.5


def test_e7_17_theta_moves_after_the_inner_loop_and_not_within(float64):
    learner = Reptile(network(), squared_error, 0.05, inner_steps=4)
    batch = regression(tasks=1)
    ours = movement(learner, [batch], epsilon=0.25)
    start = [v.numpy() for v in learner.trainable_variables]
    end = adapt(learner, batch)
    moved = [0.25 * (e[0].numpy() - s) for e, s in zip(end, start, strict=True)]
    assert relative_error([ours], moved) < 1e-12
    # As listed in full: theta is drawn after every inner step towards weights that go on alone.
    listed = start
    for steps in range(1, 5):
        weights = adapt(learner, batch, steps)
        listed = [s + 0.25 * (w[0].numpy() - s) for s, w in zip(listed, weights, strict=True)]
    listed = [n - s for n, s in zip(listed, start, strict=True)]
    assert relative_error([ours], listed) > 0.1

"""MAML: its meta-gradient, what it reduces to, and the errata of sections 6.2 to 6.5."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from chapters.ch06_maml import maml, networks, numpy_maml, train_sine
from chapters.ch06_maml.losses import binary_cross_entropy, cross_entropy, squared_error
from chapters.ch06_maml.maml import MAML
from chapters.ch06_maml.presets import SCRIPTS
from chapters.engine import configuration
from chapters.engine.mapping import MODES
from chapters.engine.runs import RunFolder
from chapters.experiments import sine
from datasets.tasks.hyperplanes import HyperplaneTasks
from datasets.tasks.sinusoid import SineTasks
from tests.chapters.meta_gradients import (
    assert_close,
    central_differences,
    classification,
    differ,
    one_task,
    query_loss,
    regression,
    step_gradient,
    tanh_network,
)

pytestmark = pytest.mark.usefixtures("float64")  # central differences need the digits


def conv_network(*norm):
    """Images of 5 x 5 to three classes, smooth everywhere."""
    convolution = layers.Conv2D(2, 3, strides=2, padding="same", use_bias=not norm)
    head = [layers.Activation("tanh"), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    return keras.Sequential([layers.Input((5, 5, 1)), convolution, *norm, *head])


def normalised_network():
    return conv_network(layers.BatchNormalization())


def problem(kind):
    """(network, objective, batch)"""
    images = classification((5, 5, 1))
    return {
        "dense": (tanh_network, squared_error, regression()),
        "convolution": (conv_network, cross_entropy, images),
        "batch norm": (normalised_network, cross_entropy, images),
    }[kind]


def learner_of(kind, rate=0.3, **options):
    """(learner, batch)"""
    network, objective, batch = problem(kind)
    return MAML(network(), objective, rate, **options), batch


def gradient(learner, batch, **options):
    return step_gradient(maml.train_step, learner, batch, **options)


# The meta-gradient.


@pytest.mark.parametrize("kind", ["dense", "batch norm"])
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_e6_7_the_meta_gradient_equals_central_differences(kind, inner_steps):
    """The book's code takes the first-order one for it, which is far off."""
    learner, batch = learner_of(kind, inner_steps=inner_steps)
    found = gradient(learner, batch)
    expected = central_differences(
        lambda: query_loss(learner, batch), learner.trainable_variables
    )  # fmt: skip
    assert_close(found, expected, 1e-6)
    learner.first_order = True
    assert differ(gradient(learner, batch), expected) > 0.02


def test_with_the_support_sets_statistics_the_gradient_equals_differences_too():
    learner, batch = learner_of("batch norm", batch_norm="support")
    expected = central_differences(
        lambda: query_loss(learner, batch), learner.trainable_variables
    )  # fmt: skip
    assert_close(gradient(learner, batch), expected, 1e-6)
    transductive, _ = learner_of("batch norm")
    transductive.network.set_weights(learner.network.get_weights())
    assert differ(gradient(transductive, batch), expected) > 1e-3


def slow_gradient(network, objective, batch, rate, steps):
    """A tape around tapes, task after task, through Keras' own call."""
    inputs, query_y = batch
    stored, theta = network.non_trainable_variables, network.trainable_variables

    def loss(weights, x, y):
        return objective(y[None], network.stateless_call(weights, stored, x)[0][None])[0]

    with tf.GradientTape() as outer:
        total = 0.0
        for task in range(len(query_y)):
            x, y, query_x = (inputs[n][task] for n in ("support_x", "support_y", "query_x"))
            weights = [tf.convert_to_tensor(v) for v in theta]
            for _ in range(steps):
                with tf.GradientTape() as inner:
                    inner.watch(weights)
                    support_loss = loss(weights, x, y)
                slopes = inner.gradient(support_loss, weights)
                weights = [w - rate * g for w, g in zip(weights, slopes, strict=True)]
            total += loss(weights, query_x, query_y[task]) / len(query_y)
    return [g.numpy() for g in outer.gradient(total, theta)]


@pytest.mark.parametrize("kind", ["dense", "convolution"])
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_the_gradient_equals_a_slow_loop_over_tasks(kind, inner_steps):
    learner, batch = learner_of(kind, inner_steps=inner_steps)
    expected = slow_gradient(learner.network, learner.objective, batch, 0.3, inner_steps)
    assert_close(gradient(learner, batch), expected, 1e-10)


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_the_gradient_equals_the_one_written_by_hand(inner_steps, first_order):
    """With ReLU, as in the sine experiment."""
    start = numpy_maml.initialise((1, 6, 5, 1))
    rng = np.random.default_rng(1)
    start = [w + 0.3 * rng.normal(size=w.shape) for w in start]
    inputs, query_y = regression(inputs=1)
    sets = (inputs["support_x"], inputs["support_y"], inputs["query_x"], query_y)
    tasks = list(zip(*(values.numpy() for values in sets), strict=True))
    expected = numpy_maml.meta_gradient(start, tasks, 0.05, inner_steps, first_order)

    network = networks.mlp(1, 1, (6, 5), dtype="float64")
    network.set_weights(start)
    learner = MAML(network, squared_error, 0.05, inner_steps, first_order=first_order)
    assert_close(gradient(learner, (inputs, query_y)), expected, 1e-10)


def test_first_order_leaves_out_alpha_times_the_hessian_and_nothing_else():
    """On linear regression: H = 2 X^T X / n per task, exact = g - alpha H g."""
    network = keras.Sequential([layers.Input((2,)), layers.Dense(1, use_bias=False)])
    (inputs, query_y), rate = regression(), 0.1
    batch, w = (inputs, query_y), network.get_weights()[0]
    first, exact = [], []
    for task in range(len(query_y)):
        x, y, query_x = (inputs[n][task].numpy() for n in ("support_x", "support_y", "query_x"))
        adapted = w - rate * 2 * x.T @ (x @ w - y) / len(x)
        error = query_x @ adapted - query_y[task].numpy()
        g = 2 * query_x.T @ error / len(query_x)
        hessian = 2 * x.T @ x / len(x)
        first.append(g)
        exact.append(g - rate * hessian @ g)
    second = MAML(network, squared_error, rate)
    assert_close(gradient(second, batch), [np.mean(exact, axis=0)], 1e-12)
    fomaml = MAML(network, squared_error, rate, first_order=True)
    assert_close(gradient(fomaml, batch), [np.mean(first, axis=0)], 1e-12)


@pytest.mark.parametrize(
    ("network", "batch", "objective"),
    [
        (lambda: networks.conv4((28, 28, 1), 3, filters=4), (28, 28, 1), cross_entropy),
        (lambda: networks.dense4((6, 6, 1), 3), (6, 6, 1), cross_entropy),
        (lambda: networks.mlp(2, 1, dtype="float64"), None, squared_error),
    ],
)
@pytest.mark.parametrize("first_order", [False, True])
def test_every_weight_receives_gradient(network, batch, objective, first_order):
    batch = regression() if batch is None else classification(batch)
    learner = MAML(network(), objective, 0.1, first_order=first_order)
    for variable, found in zip(
        learner.trainable_variables, gradient(learner, batch), strict=True
    ):  # fmt: skip
        assert np.linalg.norm(found) > 0, variable.path


# What it reduces to.


def test_with_no_inner_steps_it_is_joint_training():
    learner, batch = learner_of("dense", inner_steps=0)
    inputs, query_y = batch
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((learner.network(tf.reshape(inputs["query_x"], [-1, 2]))
                               - tf.reshape(query_y, [-1, 1])) ** 2)  # fmt: skip
    expected = tape.gradient(loss, learner.trainable_variables)
    assert_close(gradient(learner, batch), [g.numpy() for g in expected], 1e-12)


@pytest.mark.parametrize("kind", ["dense", "batch norm"])
def test_at_rate_zero_the_initialisation_stays(kind):
    learner, batch = learner_of(kind, rate=0.0, inner_steps=3)
    weights = learner.adapt(batch[0]["support_x"], batch[0]["support_y"], steps=3)
    for ours, theta in zip(weights, learner.trainable_variables, strict=True):
        np.testing.assert_array_equal(ours, np.stack([theta] * 3))  # once per task
    still, _ = learner_of(kind, inner_steps=0)
    still.network.set_weights(learner.network.get_weights())
    assert_close(gradient(learner, batch), gradient(still, batch), 1e-12)


# Modes of computing it.


@pytest.mark.parametrize("kind", ["dense", "convolution", "batch norm"])
def test_both_mappings_give_the_same_gradient_and_metrics(kind):
    learner, batch = learner_of(kind, inner_steps=2)
    one, other = (gradient(learner, batch, mapping=mode, compiler=tf.function) for mode in MODES)
    assert_close(one, other, 1e-11)
    results = [maml.train_step(learner, keras.optimizers.SGD(0.0), mode)(batch) for mode in MODES]
    assert results[0].keys() == ({"loss"} if kind == "dense" else {"loss", "accuracy"})
    for name, value in results[0].items():
        np.testing.assert_allclose(value, results[1][name], rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_xla_changes_nothing(mode):
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    learner, batch = MAML(tanh_network(), squared_error, 0.1, 3), regression(dtype=tf.float32)
    plain = gradient(learner, batch, mapping=mode, compiler=tf.function)
    compiled = gradient(
        learner, batch, mapping=mode, compiler=lambda f: tf.function(f, jit_compile=True)
    )
    assert_close(compiled, plain, 1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_no_retracing_after_the_first_step(mode):
    learner, _ = learner_of("dense", inner_steps=2)
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.build(learner.trainable_variables)
    traces, forward = [], learner.call

    def counted(inputs, training=False):
        traces.append(1)
        return forward(inputs, training)

    learner.call = counted
    step = tf.function(maml.train_step(learner, optimizer, mode))
    step(regression(seed=0))
    warm = len(traces)
    for seed in range(1, 4):
        step(regression(seed=seed))
    assert len(traces) == warm > 0


# Adapting and predicting.


@pytest.mark.parametrize("kind", ["dense", "batch norm"])
def test_adapt_and_predict_are_two_calls_as_well_as_one(kind):
    learner, (inputs, _) = learner_of(kind, inner_steps=1, test_steps=3)
    x, y, query_x = (inputs[name] for name in ("support_x", "support_y", "query_x"))
    weights = learner.adapt(x, y)
    for w, theta in zip(weights, learner.trainable_variables, strict=True):
        assert w.shape == (3, *theta.shape)
    np.testing.assert_array_equal(learner.predict_with(weights, query_x, x), learner(inputs))
    in_training = learner.predict_with(learner.adapt(x, y, 1), query_x)
    np.testing.assert_array_equal(in_training, learner(inputs, training=True))
    # The weights can be used again: on other queries, and to go on adapting.
    other = learner({**inputs, "query_x": query_x[:, :1]})
    np.testing.assert_allclose(learner.predict_with(weights, query_x[:, :1], x), other, rtol=1e-12)
    further = learner.inner_step(learner.adapt(x, y, 2), x, y)
    for a, b in zip(further, weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_order_of_the_support_set_is_of_no_account():
    learner, (inputs, _) = learner_of("batch norm", inner_steps=2)
    order = [3, 0, 5, 1, 4, 2]
    shuffled = {
        name: tf.gather(x, order, axis=1) if name.startswith("support") else x
        for name, x in inputs.items()
    }
    np.testing.assert_allclose(learner(shuffled), learner(inputs), atol=1e-12)


def test_renaming_the_classes_renames_the_predictions():
    """With the outputs of the last layer renamed, too: an initialisation prefers some labels."""
    learner, (inputs, _) = learner_of("batch norm", inner_steps=2)
    names = [2, 0, 1]  # new name of class 0, 1, 2
    expected = tf.gather(learner(inputs), np.argsort(names), axis=-1)
    *below, kernel, bias = learner.network.trainable_variables
    kernel.assign(kernel.numpy()[:, np.argsort(names)])
    bias.assign(bias.numpy()[np.argsort(names)])
    renamed = {**inputs, "support_y": tf.gather(names, inputs["support_y"])}
    np.testing.assert_allclose(learner(renamed), expected, atol=1e-12)


def test_stored_averages_of_batch_norm_are_neither_used_nor_changed():
    learner, (inputs, query_y) = learner_of("batch norm", inner_steps=2)
    expected = learner(inputs).numpy(), learner(inputs, training=True).numpy()
    stored = learner.non_trainable_variables
    assert len(stored) == 2  # mean and variance
    for variable in stored:
        variable.assign(tf.fill(variable.shape, tf.constant(9.0, tf.float64)))
    np.testing.assert_array_equal(learner(inputs), expected[0])
    np.testing.assert_array_equal(learner(inputs, training=True), expected[1])
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(learner.trainable_variables)
    maml.train_step(learner, optimizer, "batched")((inputs, query_y))
    for variable in stored:
        np.testing.assert_array_equal(variable, [9.0, 9.0])


def test_a_query_learns_from_the_others_in_training_only():
    learner, (inputs, _) = learner_of("batch norm")
    alone = {**inputs, "query_x": inputs["query_x"][:, :1]}
    np.testing.assert_allclose(learner(inputs)[:, :1], learner(alone), atol=1e-12)
    together = learner(inputs, training=True)[:, :1]
    assert np.abs(together - learner(alone, training=True)).max() > 1e-3


def test_learner_works_with_compile_and_fit():
    learner, batch = learner_of("batch norm", rate=0.5)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    learner.compile(keras.optimizers.Adam(0.05), loss, metrics=["accuracy"])
    data = tf.data.Dataset.from_tensors(batch).repeat()
    history = learner.fit(data, steps_per_epoch=5, epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["accuracy"][-1] >= history["accuracy"][0]


# Errata of chapter 6 (the numbers are those of the chapter's ERRATA.md).


def test_e6_1_judged_on_another_task_than_it_adapts_to_it_learns_not_to_adapt():
    """f = t0 t1 x; the tasks are y = x and y = -x; the outer set of the same task, or of either."""
    x = tf.constant([[-1.0], [1.0]], tf.float64)
    signs = tf.constant([1.0, -1.0, 1.0, -1.0], tf.float64)[:, None, None]
    losses, norms = {}, {}
    for name, order in (("same", [0, 1, 2, 3]), ("independent", [0, 1, 3, 2])):
        first, second = (
            layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(start))
            for start in (1.0, 0.3)
        )
        network = keras.Sequential([layers.Input((1,)), first, second])
        learner = MAML(network, squared_error, 0.2)
        inputs = {"support_x": tf.stack([x] * 4), "support_y": signs * x}
        batch = {**inputs, "query_x": tf.stack([x] * 4)}, tf.gather(signs, order) * x
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(learner.trainable_variables)
        step = tf.function(maml.train_step(learner, optimizer, "batched"))
        for _ in range(200):
            losses[name] = step(batch)["loss"].numpy()
        norms[name] = np.linalg.norm([v.numpy() for v in learner.trainable_variables])
    assert losses["same"] < 0.1 and norms["same"] > 1.0
    assert losses["independent"] > 0.95 and norms["independent"] < 0.3


def test_e6_1_support_and_query_of_a_batch_lie_on_one_curve():
    curves = SineTasks(5, 7, tasks=4, seed=2)
    inputs, query_y = curves(3)
    parameters = curves.parameters(3)
    for x, y in ((inputs["support_x"], inputs["support_y"]), (inputs["query_x"], query_y)):
        np.testing.assert_allclose(curves.curve(parameters, x), y, atol=1e-5)


def test_e6_3_the_gradient_with_respect_to_the_adapted_weights_can_point_the_wrong_way():
    """The book's layer on ten of its points, at a rate that moves something."""
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    normal = keras.initializers.RandomNormal(0.0, 1.0, seed=1)
    layer = layers.Dense(1, use_bias=False, kernel_initializer=normal)
    network = keras.Sequential([layers.Input((50,)), layer])
    batch = HyperplaneTasks(10, 10, tasks=10)(0)

    def cosine(rate):
        exact, first = (
            gradient(MAML(network, binary_cross_entropy, rate, first_order=first), batch)[0]
            for first in (False, True)
        )
        return np.sum(exact * first) / np.linalg.norm(exact) / np.linalg.norm(first)

    assert cosine(1e-4) > 0.9999
    assert cosine(1.0) < 0


def test_e6_4_every_repetition_draws_new_tasks_adapts_and_moves_theta_once(tmp_path):
    """Three turns of the script's loop are three outer steps on three batches, by hand."""
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    options = {"run": str(tmp_path / "run"), "tasks": 3, "hidden": "5", "learning_rate": 0.05}
    options |= {"steps": 3, "steps_per_epoch": 3, "steps_per_call": 3}
    config = configuration.build(SCRIPTS["train_sine"], "quick", options)
    training, validation, _ = sine.samplers(config)
    looped, by_hand = (train_sine.build_learner(config) for _ in range(2))
    by_hand.network.set_weights(looped.network.get_weights())

    def step_of(learner):
        optimizer = sine.outer_optimizer(config, learner.trainable_variables)
        return maml.train_step(learner, optimizer, "batched"), optimizer

    step, optimizer = step_of(looped)
    run = RunFolder.open(config, "tests.e6_4")
    sine.loop(step, looped, optimizer, training, validation, run, config, verbose=0)()
    step, _ = step_of(by_hand)
    batches = [training(index) for index in range(3)]
    assert len({float(query_y[0, 0, 0]) for _, query_y in batches}) == 3
    for batch in batches:
        step(batch)
    for ours, theirs in zip(looped.network.weights, by_hand.network.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_e6_8_at_the_books_rate_the_inner_step_is_void():
    """Of the support loss, 1e-4 takes away next to nothing, and the paper's 0.01 a good part."""
    inputs, _ = SineTasks(10, 10, tasks=100)(0)
    inputs = {name: tf.cast(x, tf.float64) for name, x in inputs.items()}
    x, y = inputs["support_x"], inputs["support_y"]

    def share(rate):
        learner = MAML(networks.mlp(1, 1, dtype="float64"), squared_error, rate)
        before, after = (
            squared_error(y, learner.predict_with(learner.adapt(x, y, steps), x))
            for steps in (0, 1)
        )
        return float(tf.reduce_mean(before - after) / tf.reduce_mean(before))

    assert share(1e-4) < 0.002
    assert share(1e-2) > 0.05


def test_e6_11_on_curves_never_seen_the_query_loss_falls_with_every_inner_step():
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    curves, fresh = SineTasks(10, 10, tasks=25), SineTasks(10, 40, tasks=200, seed=1)
    learner = MAML(networks.mlp(1, 1), squared_error, 0.01)
    optimizer = keras.optimizers.Adam(2e-3)
    optimizer.build(learner.trainable_variables)
    step = maml.train_step(learner, optimizer, "batched")

    @tf.function(jit_compile=True)
    def train():
        for index in tf.range(1500):
            step(curves(index))

    train()
    inputs, query_y = fresh(0)
    losses = []
    for steps in (0, 1, 5, 10):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
        prediction = learner.predict_with(weights, inputs["query_x"])
        losses.append(float(tf.reduce_mean(squared_error(query_y, prediction))))
    assert losses == sorted(losses, reverse=True)
    assert losses[1] < 0.7 * losses[0] and losses[3] < 0.4 * losses[0]


def test_e6_12_all_tasks_adapt_before_theta_moves_once():
    learner, batch = learner_of("dense", inner_steps=2)
    inputs = batch[0]
    together = learner.adapt(inputs["support_x"], inputs["support_y"])
    for task in range(3):
        alone, _ = one_task(batch, task)
        for w, own in zip(
            together, learner.adapt(alone["support_x"], alone["support_y"]), strict=True
        ):  # fmt: skip
            np.testing.assert_allclose(w[task], own[0], atol=1e-13)
    each = [gradient(learner, one_task(batch, task)) for task in range(3)]
    mean = [np.mean(parts, axis=0) for parts in zip(*each, strict=True)]
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build(learner.trainable_variables)
    before = [v.numpy() for v in learner.trainable_variables]
    for mode in MODES:
        maml.train_step(learner, optimizer, mode)(batch)
        moved = [b - v.numpy() for b, v in zip(before, learner.trainable_variables, strict=True)]
        assert_close(moved, mean, 1e-12)
        learner.network.set_weights(before)
    assert int(optimizer.iterations) == 2  # one update per step, not one per task

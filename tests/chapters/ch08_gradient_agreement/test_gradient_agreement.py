"""Gradient agreement: weights, steps, what they reduce to, and the errata of chapter 8."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import maml
from chapters.ch06_maml.losses import cross_entropy, squared_error
from chapters.ch06_maml.maml import MAML
from chapters.ch08_gradient_agreement.gradient_agreement import (
    GradientAgreement,
    agreement_weights,
    equal_weights,
    maml_step,
    reptile_step,
)
from chapters.engine.mapping import MODES
from tests.chapters.meta_gradients import (
    assert_close,
    central_differences,
    classification,
    differ,
    one_task,
    regression,
    step_gradient,
    tanh_network,
    use,
)

STEPS = [maml_step, reptile_step]
BOOK_EXAMPLE = np.array([[1.0, 0.0], [-1.0, 0.5], [0.2, 1.0]])


@pytest.fixture(autouse=True)
def float64():
    """Central differences need the digits."""
    use("float64")
    yield
    use("float32")


def learner(network=None, **options):
    return GradientAgreement(network or tanh_network(), squared_error, 0.2, **options)


def slow_weights(g):
    """The formula by loops over pairs of tasks."""
    sums = []
    for one in g:
        total = 0.0
        for other in g:
            total += sum(a * b for a, b in zip(one, other, strict=True))
        sums.append(total)
    return np.array(sums) / sum(abs(s) for s in sums)


def flat_moves(model, batch):
    """theta - theta'_i of each task, one task after the other: [task, parameter]."""
    inputs, _ = batch
    theta = np.concatenate([np.ravel(v) for v in model.trainable_variables])
    rows = []
    for number in range(len(inputs["support_x"])):
        task = one_task(inputs, number)
        adapted = model.adapt(task["support_x"], task["support_y"], model.inner_steps)
        rows.append(theta - np.concatenate([np.ravel(w) for w in adapted]))
    return np.array(rows)


def weighted(w, flat, like):
    """sum_i w_i v_i of vectors [task, parameter], in the shapes of a list of weights."""
    sizes = np.cumsum([np.size(v) for v in like])[:-1]
    parts = np.split(w @ flat, sizes)
    return [part.reshape(v.shape) for part, v in zip(parts, like, strict=True)]


def same_task(batch, times=3):
    """A batch of the first task only."""
    return tf.nest.map_structure(
        lambda x: tf.tile(x[:1], [times] + [1] * (len(x.shape) - 1)), batch
    )


def opposed(batch):
    """The first task twice, and once with mirrored targets, large beside what theta predicts."""
    inputs, query_y = batch
    inputs = {name: tf.concat([x[:1], x[:1], x[:1]], axis=0) for name, x in inputs.items()}
    sign = tf.reshape(tf.constant([9.0, 9.0, -9.0], tf.float64), [3, 1, 1])
    inputs["support_y"] *= sign
    return inputs, tf.concat([query_y[:1]] * 3, axis=0) * sign


def test_weights_equal_loops_over_pairs():
    g = np.random.default_rng(1).normal(size=[5, 7])
    np.testing.assert_allclose(agreement_weights(g), slow_weights(g), rtol=1e-12)


def test_e8_1_absolute_values_of_sums_not_of_pairs():
    """The book's code gives (.032, .087, .245), whose sum is .364."""
    found = agreement_weights(BOOK_EXAMPLE).numpy()
    np.testing.assert_allclose(found, [0.087, 0.240, 0.672], atol=1e-3)
    pairs = BOOK_EXAMPLE @ BOOK_EXAMPLE.T
    printed = pairs.sum(axis=1) / np.abs(pairs).sum()
    np.testing.assert_allclose(printed, [0.032, 0.087, 0.245], atol=1e-3)


def test_e8_1_absolute_weights_add_up_to_one():
    rng = np.random.default_rng(2)
    found = [agreement_weights(rng.normal(size=[4, 6])).numpy() for _ in range(20)]
    np.testing.assert_allclose([np.abs(w).sum() for w in found], 1.0)
    assert any(w.min() < 0 for w in found)  # so it is about absolute values


def mean_output(y, prediction):
    """The mean prediction of each task, whatever the targets: [task, item, out] -> [task]."""
    return tf.reduce_mean(prediction, axis=[1, 2])


mean_output.output = "values"


def linear(weights=(0.0, 0.0, 0.0)):
    """f(x) = x theta with the mean output as loss: its gradient is the mean of the inputs."""
    network = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    network.trainable_variables[0].assign(np.reshape(weights, [3, 1]))
    return GradientAgreement(network, mean_output, 0.1)


def linear_tasks(support, query):
    """One item each, whose values are the gradients."""
    x, query_x = (tf.constant(rows, tf.float64)[:, None] for rows in (support, query))
    y = tf.zeros([len(support), 1, 1], tf.float64)
    return {"support_x": x, "support_y": y, "query_x": query_x}, y


def test_e8_2_a_weight_scales_a_vector():
    """(1, -2, 3) with w = .5 is (.5, -1, 1.5); the book's code sums it up to (1, 1, 1)."""
    support = [[1.0, 1.0, 0.0]] * 2  # they agree: w is .5 for both
    batch = linear_tasks(support, [[1.0, -2.0, 3.0], [0.0, 0.0, 0.0]])
    (update,) = step_gradient(maml_step, linear(), batch)
    np.testing.assert_allclose(update[:, 0], [0.5, -1.0, 1.5], rtol=1e-12)


@pytest.mark.parametrize("train_step", STEPS)
def test_e8_2_the_update_differs_from_coordinate_to_coordinate(train_step):
    update = step_gradient(train_step, learner(), regression())
    assert all(np.ptp(u) > 0.1 * np.abs(u).max() for u in update if u.size > 1)


@pytest.mark.parametrize("train_step", STEPS)
def test_e8_3_there_is_no_second_division_by_the_number_of_tasks(train_step):
    """Three times the same task move theta as far as once."""
    model, batch = learner(), regression()
    thrice = step_gradient(train_step, model, same_task(batch))
    assert_close(thrice, step_gradient(train_step, model, one_task(batch, 0)), 1e-12)


def test_e8_5_every_task_enters_and_every_weight_is_normalised():
    """In the book's listing only the last gradient is kept and the last weight divided."""
    model, batch = learner(), regression()
    found = model.agreement(batch[0]).numpy()
    np.testing.assert_allclose(found, slow_weights(flat_moves(model, batch)), rtol=1e-10)
    assert len(set(found)) == 3


def test_e8_8_an_outlier_task_among_others_gets_a_negative_weight():
    found = learner().agreement(opposed(regression())[0]).numpy()
    assert found[0] == pytest.approx(found[1])
    assert found[0] > 0 > found[2]


def test_e8_8_of_two_tasks_the_longer_gradient_wins():
    """w_i ~ |g_i|^2 + g_1 . g_2: with two tasks nobody is outvoted."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        g = rng.normal(size=[2, 6])
        w = agreement_weights(g).numpy()
        assert (w[0] > w[1]) == (np.linalg.norm(g[0]) > np.linalg.norm(g[1]))


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("inner_steps", [1, 2])
def test_the_step_with_maml_equals_its_formula(inner_steps, first_order):
    """sum_i w_i grad L_i: gradients by central differences, weights by loops, task by task."""
    model, batch = learner(inner_steps=inner_steps, first_order=first_order), regression()
    inputs, query_y = batch
    w = slow_weights(flat_moves(model, batch))
    found = step_gradient(maml_step, model, batch)
    if first_order:  # the same as the gradient at theta'_i
        gradients = []
        for number in range(3):
            task, y = one_task(batch, number)
            adapted = model.adapt(task["support_x"], task["support_y"])
            variables = [tf.Variable(a[0]) for a in adapted]

            def loss(variables=variables, x=task["query_x"], y=y):
                weights = [tf.convert_to_tensor(v)[None] for v in variables]
                return squared_error(y, model.predict_with(weights, x))

            own = central_differences(loss, variables)
            gradients.append(np.concatenate([np.ravel(g) for g in own]))
        expected = weighted(w, np.array(gradients), found)
    else:
        slopes = central_differences(
            lambda: squared_error(query_y, model(inputs, training=True)), model.trainable_variables
        )
        expected = [slope @ w for slope in slopes]  # [*entry, task] by [task]
    assert_close(found, expected, 1e-6)


@pytest.mark.parametrize("inner_steps", [1, 3])
def test_the_step_with_reptile_equals_its_formula(inner_steps):
    model, batch = learner(inner_steps=inner_steps), regression()
    moves = flat_moves(model, batch)
    found = step_gradient(reptile_step, model, batch)
    assert_close(found, weighted(slow_weights(moves), moves, found), 1e-12)


def test_weights_are_constants_to_the_gradient():
    g = tf.constant(BOOK_EXAMPLE)
    with tf.GradientTape() as tape:
        tape.watch(g)
        w = agreement_weights(g)
    assert tape.gradient(w, g) is None


@pytest.mark.parametrize("train_step", STEPS)
def test_tasks_that_do_not_move_give_no_step_and_no_nan(train_step):
    np.testing.assert_array_equal(agreement_weights(tf.zeros([3, 4])), [0.0] * 3)
    model, batch = learner(), regression()
    model.inner_rate = 0.0
    assert not any(np.any(u) for u in step_gradient(train_step, model, batch))


def test_perfect_agreement_is_mamls_mean():
    network, batch = tanh_network(), same_task(regression())
    model, plain = learner(network, inner_steps=2), MAML(network, squared_error, 0.2, 2)
    np.testing.assert_allclose(model.agreement(batch[0]), 1 / 3, rtol=1e-12)
    expected = step_gradient(maml.train_step, plain, batch)
    assert_close(step_gradient(maml_step, model, batch), expected, 1e-12)


def equally(train_step):
    """The step in which every task counts 1 / n, whatever its direction."""
    return functools.partial(train_step, weigh=equal_weights)


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("mapping", MODES)
def test_with_equal_weights_the_gradient_is_mamls(mapping, first_order):
    network, batch = tanh_network(), regression()
    options = {"inner_steps": 2, "first_order": first_order}
    expected = step_gradient(
        maml.train_step, MAML(network, squared_error, 0.2, **options), batch, mapping
    )
    found = step_gradient(equally(maml_step), learner(network, **options), batch, mapping)
    assert_close(found, expected, 1e-12)


@pytest.mark.parametrize("batch_norm", ["transductive", "support"])
def test_in_both_batch_norm_regimes_equal_weights_are_maml(batch_norm):
    layers = [keras.layers.Input((2,)), keras.layers.Dense(5), keras.layers.BatchNormalization()]
    network = keras.Sequential([*layers, keras.layers.Activation("tanh"), keras.layers.Dense(1)])
    options, batch = {"batch_norm": batch_norm}, regression()
    plain = MAML(network, squared_error, 0.2, **options)
    expected = step_gradient(maml.train_step, plain, batch)
    found = step_gradient(equally(maml_step), learner(network, **options), batch)
    assert differ(found, expected) < 1e-12


def test_with_equal_weights_reptile_moves_to_the_mean():
    model, batch = learner(inner_steps=2), regression()
    found = step_gradient(equally(reptile_step), model, batch)
    mean = flat_moves(model, batch).mean(axis=0, keepdims=True)
    assert_close(found, weighted(np.ones(1), mean, found), 1e-12)


def test_reptile_of_one_inner_step_points_along_the_weighted_task_gradients():
    """theta'_i - theta is minus the rate times the task's gradient at theta."""
    model, batch = learner(), regression()
    inputs, _ = batch
    w = slow_weights(flat_moves(model, batch))
    slopes = central_differences(
        lambda: squared_error(
            inputs["support_y"],
            model.predict_with(
                model.adapt(inputs["support_x"], inputs["support_y"], 0), inputs["support_x"]
            ),
        ),
        model.trainable_variables,
    )
    found = step_gradient(reptile_step, model, batch)
    assert_close(found, [0.2 * slope @ w for slope in slopes], 1e-6)


@pytest.mark.parametrize("train_step", STEPS)
def test_both_mappings_give_the_same_step_and_metrics(train_step):
    network, batch = tanh_network(outputs=3), classification()
    model = GradientAgreement(network, cross_entropy, 0.2)
    one, other = (
        step_gradient(train_step, model, batch, mode, compiler=tf.function) for mode in MODES
    )
    assert_close(one, other, 1e-12)
    results = [train_step(model, keras.optimizers.SGD(0.0), mode)(batch) for mode in MODES]
    assert results[0].keys() == {"loss", "accuracy", "weight_min", "weight_max"}
    w = model.agreement(batch[0]).numpy()
    assert float(results[0]["weight_min"]) == pytest.approx(w.min())
    assert float(results[0]["weight_max"]) == pytest.approx(w.max())
    for name, value in results[0].items():
        np.testing.assert_allclose(value, results[1][name], rtol=1e-6)


@pytest.mark.parametrize("train_step", STEPS)
def test_the_weights_of_outlier_tasks_are_told_apart(train_step):
    model, batch = learner(), regression()
    w = model.agreement(batch[0]).numpy()
    told = train_step(model, keras.optimizers.SGD(0.0), "batched", outliers=1)(batch)
    assert float(told["weight_outliers"]) == pytest.approx(w[2])
    assert float(told["weight_others"]) == pytest.approx(w[:2].mean())
    assert float(told["weight_min"]) == pytest.approx(w[:2].min())
    assert float(told["weight_max"]) == pytest.approx(w[:2].max())


@pytest.mark.parametrize("train_step", STEPS)
def test_compiled_by_xla_the_step_is_the_same(train_step):
    use("float32")
    model, batch = learner(inner_steps=2), regression(dtype=tf.float32)
    plain, compiled = (
        step_gradient(
            train_step, model, batch, compiler=lambda f, x=x: tf.function(f, jit_compile=x)
        )
        for x in (False, True)
    )
    assert_close(compiled, plain, 1e-5)


@pytest.mark.parametrize("mapping", MODES)
@pytest.mark.parametrize("train_step", STEPS)
def test_no_retracing(train_step, mapping):
    model, traces = learner(), []
    step = train_step(model, keras.optimizers.SGD(0.1), mapping)
    run = tf.function(lambda batch: traces.append(1) or step(batch))
    losses = [float(run(regression(seed=seed))["loss"]) for seed in range(3)]
    assert len(traces) == 1
    assert len(set(losses)) == 3


def test_it_adapts_and_predicts_as_maml():
    network, (inputs, _) = tanh_network(), regression()
    plain = MAML(network, squared_error, 0.2, inner_steps=1, test_steps=3)
    model = learner(network, inner_steps=1, test_steps=3)
    for training in (False, True):
        np.testing.assert_allclose(
            model(inputs, training=training), plain(inputs, training=training), rtol=1e-12
        )
    assert differ([model(inputs).numpy()], [model(inputs, training=True).numpy()]) > 1e-3


@pytest.mark.parametrize("train_step", STEPS)
def test_an_unknown_mapping_is_refused(train_step):
    with pytest.raises(ValueError, match="'parallel'.*sequential, batched"):
        train_step(learner(), keras.optimizers.SGD(0.1), "parallel")(regression())

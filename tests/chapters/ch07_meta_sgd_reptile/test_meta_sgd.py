"""Meta-SGD: gradients against differences, hand derivations and MAML; the errata of the book."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import maml, networks
from chapters.ch06_maml.losses import cross_entropy, squared_error
from chapters.ch07_meta_sgd_reptile import meta_sgd
from chapters.ch07_meta_sgd_reptile.meta_sgd import FIRST_RATE, MetaSGD
from chapters.engine.errors import RunError
from chapters.engine.functional import as_tensors, call_with_weights
from chapters.engine.mapping import MODES
from datasets.tasks.sinusoid import SineTasks
from tests.chapters.ch07_meta_sgd_reptile.small import (
    central_differences,
    classification,
    gradient_of,
    network,
    one_task,
    regression,
    relative_error,
    steps_of,
)


def uneven(learner, seed=1):
    """Give every weight a rate of its own, negative ones too."""
    rng = np.random.default_rng(seed)
    for rate in learner.rates:
        rate.assign(rng.uniform(-0.1, 0.3, rate.shape))
    return learner


def query_loss(learner, batch):
    inputs, query_y = batch
    return lambda: tf.reduce_mean(squared_error(query_y, learner(inputs, training=True)))


def gradient_at(model, weights, x, y):
    """Gradient of the mean squared error by Keras' own call: independent of the task axis."""
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = tf.reduce_mean((call_with_weights(model, weights, x) - y) ** 2)
    return tape.gradient(loss, weights)


def g0_and_g1(learner, batch):
    """Gradients of support loss at theta and of query loss at theta', of a batch of one task."""
    (inputs, query_y), model = batch, learner.network
    theta = as_tensors(model.trainable_variables)
    g0 = gradient_at(model, theta, inputs["support_x"][0], inputs["support_y"][0])
    adapted = [w - r * g for w, r, g in zip(theta, as_tensors(learner.rates), g0, strict=True)]
    g1 = gradient_at(model, adapted, inputs["query_x"][0], query_y[0])
    return [g.numpy() for g in g0], [g.numpy() for g in g1]


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("mode", MODES)
def test_gradient_of_theta_and_alpha_equals_central_differences(float64, steps, mode):
    learner, batch = uneven(MetaSGD(network(), squared_error, inner_steps=steps)), regression()
    ours = gradient_of(meta_sgd.train_step, learner, batch, mode)
    slow = central_differences(tf.function(query_loss(learner, batch)), learner.trainable_variables)
    assert len(ours) == 2 * len(learner.network.trainable_variables)
    for path in slow:  # theta and alpha have gradients of different size: each on its own
        assert relative_error([ours[path]], [slow[path]]) < 1e-6, path


def test_e7_1_gradient_of_alpha_is_minus_g0_times_g1(float64):
    learner, batch = uneven(MetaSGD(network(), squared_error)), regression(tasks=1)
    ours = gradient_of(meta_sgd.train_step, learner, batch)
    g0, g1 = g0_and_g1(learner, batch)
    alpha = [ours[rate.path] for rate in learner.rates]
    assert relative_error(alpha, [-a * b for a, b in zip(g0, g1, strict=True)]) < 1e-12
    # The book's code updates alpha with g1: another vector, and often another sign.
    wrong_sign = np.concatenate([(a * b < 0).ravel() for a, b in zip(alpha, g1, strict=True)])
    assert wrong_sign.any()
    assert relative_error(alpha, g1) > 0.1


def test_gradient_of_theta_equals_identity_minus_hessian_times_rates(float64):
    """dL/dtheta = (I - H diag(alpha)) g1, with the Hessian written out."""
    learner, batch = uneven(MetaSGD(network(), squared_error)), regression(tasks=1)
    ours = gradient_of(meta_sgd.train_step, learner, batch)
    model, (inputs, _) = learner.network, batch
    theta = as_tensors(model.trainable_variables)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        gradients = gradient_at(model, theta, inputs["support_x"][0], inputs["support_y"][0])
        flat = tf.concat([tf.reshape(g, [-1]) for g in gradients], 0)
    blocks = [tf.reshape(b, [len(flat), -1]) for b in tape.jacobian(flat, theta)]
    hessian = tf.concat(blocks, axis=1).numpy()
    _, g1 = g0_and_g1(learner, batch)
    g1 = np.concatenate([g.ravel() for g in g1])
    alpha = np.concatenate([rate.numpy().ravel() for rate in learner.rates])
    expected = (np.eye(len(g1)) - hessian @ np.diag(alpha)) @ g1
    found = [ours[v.path] for v in model.trainable_variables]
    assert relative_error(found, [expected]) < 1e-12
    assert relative_error(found, [g1]) > 0.01  # the first-order gradient is another one


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("mode", MODES)
def test_with_equal_rates_it_is_maml_term_by_term(float64, steps, mode):
    model, batch = network(), regression()
    learner = MetaSGD(model, squared_error, rate=0.125, inner_steps=steps)
    peer = maml.MAML(model, squared_error, inner_rate=0.125, inner_steps=steps)
    ours = gradient_of(meta_sgd.train_step, learner, batch, mode)
    theirs = gradient_of(maml.train_step, peer, batch, mode)
    for path, gradient in theirs.items():
        assert relative_error([ours[path]], [gradient]) < 1e-12, path
    # MAML's derivative in its single rate is the sum of ours.
    total = sum(ours[rate.path].sum() for rate in learner.rates)
    losses = []
    for peer.inner_rate in (0.125 + 1e-5, 0.125 - 1e-5):
        losses.append(float(query_loss(peer, batch)()))
    assert total == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6)


def test_adapted_weights_equal_a_loop_over_tasks_steps_and_weights(float64):
    learner, (inputs, _) = uneven(MetaSGD(network(), squared_error)), regression()
    adapted = learner.adapt(inputs["support_x"], inputs["support_y"], steps=3)
    for task in range(3):
        weights = as_tensors(learner.network.trainable_variables)
        for _ in range(3):
            x, y = inputs["support_x"][task], inputs["support_y"][task]
            gradients = gradient_at(learner.network, weights, x, y)
            for number, rate in enumerate(learner.rates):
                weights[number] = weights[number] - rate.numpy() * gradients[number].numpy()
        found = [w[task].numpy() for w in adapted]
        assert relative_error(found, [w.numpy() for w in weights]) < 1e-12


def test_rates_start_at_one_small_positive_value():
    drawn = []
    for seed in range(20):
        keras.utils.set_random_seed(seed)
        rates = MetaSGD(network(), squared_error).learned_rates()
        drawn += {float(value) for rate in rates.values() for value in rate.ravel()}
    assert len(drawn) == len(set(drawn)) == 20  # one value each, another for each seed
    assert FIRST_RATE[0] <= min(drawn) < 0.02
    assert 0.08 < max(drawn) < FIRST_RATE[1]
    keras.utils.set_random_seed(7)
    first = MetaSGD(network(), squared_error).learned_rates()
    keras.utils.set_random_seed(7)
    again = MetaSGD(network(), squared_error).learned_rates()
    assert [r.tolist() for r in first.values()] == [r.tolist() for r in again.values()]


def test_every_weight_has_a_rate_of_its_shape_under_its_name():
    model = networks.conv4((8, 8, 1), way=3, filters=2)
    learner = MetaSGD(model, cross_entropy, rate=0.25)
    rates = learner.learned_rates()
    weights = {v.path: v.shape for v in model.trainable_variables}
    assert {path: rate.shape for path, rate in rates.items()} == weights
    assert all((rate == 0.25).all() for rate in rates.values())
    learner.rates[0].assign_add(tf.ones(learner.rates[0].shape))
    learner.rates[-1].assign_sub(tf.ones(learner.rates[-1].shape))
    assert learner.describe_rate() == "learned rates from -0.75 to 1.25"


def test_e7_2_inner_step_lowers_the_support_loss_before_meta_training():
    inputs, _ = SineTasks(shot=10, query=1, tasks=200)(0)
    x, y = inputs["support_x"], inputs["support_y"]

    def improvement(learner):
        adapted = learner.adapt(x, y, 0), learner.adapt(x, y, 1)
        before, after = (squared_error(y, learner.predict_with(w, x)) for w in adapted)
        return (before - after).numpy()  # [task]

    for seed in range(3):
        keras.utils.set_random_seed(seed)
        assert improvement(MetaSGD(networks.mlp(1, 1), squared_error)).mean() > 0.3
    # The book draws each rate from N(0, 1): the loss rises in most tasks.
    learner = MetaSGD(networks.mlp(1, 1), squared_error)
    rng = np.random.default_rng(0)
    for rate in learner.rates:
        rate.assign(rng.normal(size=rate.shape))
    assert (improvement(learner) < 0).mean() > 0.5


def test_training_moves_every_rate_apart():
    learner, batch = MetaSGD(network(), squared_error, rate=0.1), regression()
    start, after, _ = steps_of(meta_sgd.train_step, learner, [batch], epsilon=0.1)
    paths = [v.path for v in learner.trainable_variables]
    moved = {p: a - s for p, a, s in zip(paths, after, start, strict=True)}
    assert all((change != 0).all() for change in moved.values())
    rates = np.concatenate([moved[rate.path].ravel() for rate in learner.rates])
    assert len(set(rates.tolist())) == len(rates)


def test_rate_zero_and_no_steps_leave_the_initialisation():
    (inputs, _), model = regression(), network()
    still = [
        MetaSGD(model, squared_error, rate=0.0).adapt(inputs["support_x"], inputs["support_y"], 2),
        MetaSGD(model, squared_error, rate=0.1).adapt(inputs["support_x"], inputs["support_y"], 0),
    ]
    for adapted in still:
        for weights, theta in zip(adapted, model.trainable_variables, strict=True):
            np.testing.assert_array_equal(weights, np.stack([theta] * 3))


@pytest.mark.parametrize(("mode", "compiled"), [("sequential", False), ("batched", True)])
def test_mappings_and_xla_give_the_same_numbers(mode, compiled):
    learner = uneven(MetaSGD(network(outputs=3), cross_entropy, inner_steps=2))
    batches = [classification(seed=seed) for seed in range(3)]
    _, eager, metrics = steps_of(meta_sgd.train_step, learner, batches)
    _, found, found_metrics = steps_of(meta_sgd.train_step, learner, batches, mode, 1.0, compiled)
    for a, b in zip(found, eager, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert set(metrics) == {"loss", "accuracy"}
    for name, value in metrics.items():
        np.testing.assert_allclose(found_metrics[name], value, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_gradient_of_a_batch_is_the_mean_over_its_tasks(float64, mode):
    learner, batch = uneven(MetaSGD(network(), squared_error)), regression(tasks=3)
    ours = gradient_of(meta_sgd.train_step, learner, batch, mode)
    each = [gradient_of(meta_sgd.train_step, learner, one_task(batch, n)) for n in range(3)]
    for path, gradient in ours.items():
        assert relative_error([gradient], [np.mean([g[path] for g in each], axis=0)]) < 1e-12


def test_no_retracing_after_the_first_step():
    learner = MetaSGD(network(), squared_error)
    optimizer = keras.optimizers.Adam(0.001)
    optimizer.build(learner.trainable_variables)
    step = tf.function(meta_sgd.train_step(learner, optimizer, "batched"))
    for seed in range(3):
        step(regression(seed=seed))
    assert step.experimental_get_tracing_count() == 1


def test_rates_are_saved_with_the_weights(tmp_path):
    learner, (inputs, _) = uneven(MetaSGD(network(), squared_error)), regression()
    learner.save_weights(tmp_path / "m.weights.h5")
    again = MetaSGD(network(), squared_error, rate=0.5)
    again.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(again(inputs), learner(inputs))


def test_test_steps_and_adapting_apart_from_predicting():
    learner = uneven(MetaSGD(network(), squared_error, inner_steps=1, test_steps=3))
    inputs, _ = regression()
    x, y, query = inputs["support_x"], inputs["support_y"], inputs["query_x"]
    for training, steps in ((False, 3), (True, 1)):
        apart = learner.predict_with(learner.adapt(x, y, steps), query)
        np.testing.assert_allclose(learner(inputs, training=training), apart, atol=1e-6)


def test_support_set_that_does_not_fit_is_one_sentence():
    learner, (inputs, _) = MetaSGD(network(), squared_error), regression(inputs=3)
    with pytest.raises(RunError, match="support_x has items of shape"):
        learner.adapt(inputs["support_x"], inputs["support_y"])


def test_first_order_drops_the_hessian_and_keeps_the_gradient_of_alpha(float64):
    learner = uneven(MetaSGD(network(), squared_error, first_order=True))
    batch = regression(tasks=1)
    ours = gradient_of(meta_sgd.train_step, learner, batch)
    g0, g1 = g0_and_g1(learner, batch)
    theta = [ours[v.path] for v in learner.network.trainable_variables]
    assert relative_error(theta, g1) < 1e-12
    alpha = [ours[rate.path] for rate in learner.rates]
    assert relative_error(alpha, [-a * b for a, b in zip(g0, g1, strict=True)]) < 1e-12

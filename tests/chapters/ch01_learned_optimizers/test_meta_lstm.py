"""The meta-LSTM: gradient descent where its gates are fixed, NumPy where they are not."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from chapters.ch01_learned_optimizers.losses import cross_entropy
from chapters.ch01_learned_optimizers.meta_lstm import (
    MetaLSTM,
    UpdateCell,
    flatten,
    train_step,
    unflatten,
)
from chapters.ch01_learned_optimizers.networks import conv4


class FixedGates(UpdateCell):
    """Forget gate 1, input gate ``rate``, whatever is seen."""

    def __init__(self, rate):
        super().__init__(units=2)
        self.rate = rate

    def gates(self, state):
        one = tf.ones_like(state[:, :1])
        return one, self.rate * one


def dense(way=3):
    keras.utils.set_random_seed(4)
    return keras.Sequential([layers.Input((6,)), layers.Dense(5, "tanh"), layers.Dense(way)])


def task(tasks=2, way=3, shot=2, seed=0):
    rng = np.random.default_rng(seed)
    y = np.tile(np.repeat(np.arange(way), shot), (tasks, 1)).astype(np.int32)
    x = rng.normal(size=[tasks, way * shot, 6]).astype(np.float32)
    query = rng.normal(size=[tasks, way, 6]).astype(np.float32)
    return {"support_x": x, "support_y": y, "query_x": query}


@pytest.fixture
def learner():
    keras.utils.set_random_seed(5)
    return MetaLSTM(dense(), cross_entropy, UpdateCell(units=4), inner_steps=3)


def test_with_fixed_gates_it_is_gradient_descent_step_for_step_e1_4():
    network, inputs = dense(), task(tasks=1)
    learner = MetaLSTM(network, cross_entropy, FixedGates(0.1), inner_steps=4)
    adapted = learner.adapt(inputs["support_x"], inputs["support_y"])
    variables = [tf.Variable(v) for v in network.trainable_variables]
    optimizer = keras.optimizers.SGD(0.1)
    for _ in range(4):
        with tf.GradientTape() as tape:
            hidden = tf.tanh(inputs["support_x"][0] @ variables[0] + variables[1])
            logits = hidden @ variables[2] + variables[3]
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(inputs["support_y"][0], logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, variables), variables)
    for ours, theirs in zip(adapted, variables, strict=True):
        np.testing.assert_allclose(ours[0], theirs, atol=1e-6)


def test_the_sign_is_minus_e1_4():
    """On f = theta^2 / 2 from 1 at rate 0.1: 1, 0.9, 0.81, 0.729."""
    cell, theta = FixedGates(0.1), tf.constant([1.0])
    state, course = cell.start(1), []
    for _ in range(3):
        theta, state = cell(theta, theta, theta**2 / 2, state)
        course.append(float(theta[0]))
    np.testing.assert_allclose(course, [0.9, 0.81, 0.729], rtol=1e-6)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def preprocessed(v):
    if abs(v) >= np.exp(-10):
        return [np.log(abs(v)) / 10, np.sign(v)]
    return [-1, np.exp(10) * v]


def test_two_steps_of_the_cell_by_hand():
    keras.utils.set_random_seed(6)
    cell = UpdateCell(units=3)
    for variable in cell.trainable_variables:
        variable.assign(variable + 0.3 * tf.random.normal(variable.shape))
    kernel, recurrent, bias = (np.float64(w) for w in cell.lstm.get_weights())
    (w_f, b_f), (w_i, b_i) = (
        [np.float64(w) for w in gate.get_weights()] for gate in (cell.forget, cell.input_gate)
    )
    rng = np.random.default_rng(7)
    theta = rng.normal(size=4).astype(np.float32)
    gradients = (rng.normal(size=[2, 4]) * [1e-6, 0.01, 1, 10]).astype(np.float32)
    losses = np.array([1.7, 0.4], np.float32)
    found, state = tf.constant(theta), cell.start(4)
    for gradient, loss in zip(gradients, losses, strict=True):
        found, state = cell(found, tf.constant(gradient), tf.fill([4], loss), state)
    for n in range(4):
        h, c, f, i, value = np.zeros(3), np.zeros(3), 0.0, 0.0, float(theta[n])
        for gradient, loss in zip(gradients, losses, strict=True):
            x = np.array(preprocessed(gradient[n]) + preprocessed(loss))
            gi, gf, gc, go = np.split(x @ kernel + h @ recurrent + bias, 4)
            c = sigmoid(gf) * c + sigmoid(gi) * np.tanh(gc)
            h = sigmoid(go) * np.tanh(c)
            f = float((np.r_[h, value, f] @ w_f + b_f)[0])
            i = float((np.r_[h, value, i] @ w_i + b_i)[0])
            value = sigmoid(f) * value - sigmoid(i) * gradient[n]
        assert float(found[n]) == pytest.approx(value, rel=1e-4, abs=1e-6)
        gates = [float(gate[n, 0]) for gate in cell.gates(state)]
        assert gates == pytest.approx([sigmoid(f), sigmoid(i)], rel=1e-4)


def test_coordinates_have_states_of_their_own():
    keras.utils.set_random_seed(8)
    cell = UpdateCell(units=3)
    theta, gradient = tf.constant([1.0, -2.0, 0.5]), tf.constant([0.1, 3.0, -0.2])
    loss, state = tf.ones(3), tf.random.normal([3, cell.memory])
    together, after = cell(theta, gradient, loss, state)
    for n in range(3):
        alone, own = cell(theta[n : n + 1], gradient[n : n + 1], loss[:1], state[n : n + 1])
        np.testing.assert_allclose(alone[0], together[n], atol=1e-6)
        np.testing.assert_allclose(own[0], after[n], atol=1e-6)


def test_gates_begin_where_little_is_forgotten_and_taken():
    cell = UpdateCell()
    state = cell.start(1)
    _, state = cell(tf.zeros(1), tf.zeros(1), tf.ones(1), state)
    forget, take = (float(gate[0, 0]) for gate in cell.gates(state))
    assert sigmoid(3.9) < forget < sigmoid(6.1) and sigmoid(-5.1) < take < sigmoid(-3.9)


def test_tasks_do_not_see_each_other(learner):
    inputs = task(tasks=2)
    both = learner(inputs)
    for n in range(2):
        alone = learner({name: x[n : n + 1] for name, x in inputs.items()})
        np.testing.assert_allclose(alone[0], both[n], atol=1e-5)


def test_gradients_and_losses_are_constants(learner):
    """The derivative of the outcome is that with the same gradients given as numbers."""
    inputs, phi = task(tasks=1), learner.trainable_variables
    support = tf.constant(inputs["support_x"]), tf.constant(inputs["support_y"])
    with tf.GradientTape() as tape:
        weights = learner.adapt(*support)
        total = tf.add_n([tf.reduce_sum(w**2) for w in weights])
    ours = tape.gradient(total, phi)
    given, weights = [], learner.start(support[0])
    state = learner.cell.start(tf.size(flatten(weights)))
    for _ in range(3):
        loss, gradient = learner._support_gradient(weights, *support)
        given.append((tf.constant(loss.numpy()), tf.constant(gradient.numpy())))
        weights, state = learner.inner_step(weights, *support, state)
    with tf.GradientTape() as tape:
        theta = flatten(learner.start(support[0]))[0]
        state = learner.cell.start(tf.size(theta))
        for loss, gradient in given:
            theta, state = learner.cell(theta, gradient[0], tf.repeat(loss, len(theta)), state)
        total = tf.reduce_sum(theta**2)
    for one, other in zip(ours, tape.gradient(total, phi), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_the_meta_step_moves_the_first_weights_and_the_cell_e1_5_e1_7(learner):
    before = [v.numpy() for v in learner.trainable_variables]
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(learner.trainable_variables)
    query_y = np.tile(np.arange(3, dtype=np.int32), (2, 1))
    metrics = train_step(learner, optimizer, "batched")((task(), query_y))
    assert set(metrics) == {"loss", "accuracy"}
    names = {"network": learner.network, "cell": learner.cell}
    for name, part in names.items():
        owned = {id(v) for v in part.trainable_variables}
        moved = [
            np.abs(v.numpy() - old).max()
            for v, old in zip(learner.trainable_variables, before, strict=True)
            if id(v) in owned
        ]
        assert moved and min(moved) > 0, name
    assert len(before) == sum(len(part.trainable_variables) for part in names.values())


def test_the_outer_loss_is_of_the_last_weights_e1_6(learner):
    inputs = task()
    weights = learner.adapt(inputs["support_x"], inputs["support_y"], 3)
    expected = learner.predict_with(weights, inputs["query_x"], inputs["support_x"])
    np.testing.assert_allclose(learner(inputs, training=True), expected, atol=1e-6)


def test_weights_keep_their_places():
    weights = [tf.random.normal([2, 3, 4]), tf.random.normal([2, 5]), tf.random.normal([2, 1, 1])]
    for ours, theirs in zip(unflatten(flatten(weights), weights), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_no_query_knows_of_another():
    """Batch norm has the statistics of the support set, in training too."""
    keras.utils.set_random_seed(9)
    network = conv4((16, 16, 1), 2, filters=4)
    learner = MetaLSTM(network, cross_entropy, UpdateCell(units=3), inner_steps=2)
    rng = np.random.default_rng(10)
    x = rng.random([1, 4, 16, 16, 1]).astype(np.float32)
    inputs = {"support_x": x[:, :2], "support_y": np.array([[0, 1]]), "query_x": x[:, 2:]}
    alone = {**inputs, "query_x": inputs["query_x"][:, :1]}
    for training in (False, True):
        first = learner(inputs, training=training)[:, :1]
        np.testing.assert_allclose(learner(alone, training=training), first, atol=1e-5)


def test_a_learner_survives_saving(learner, tmp_path):
    learner(task())
    learner.save(tmp_path / "learner.keras")
    again = keras.saving.load_model(tmp_path / "learner.keras")
    np.testing.assert_allclose(again(task()), learner(task()), atol=1e-6)

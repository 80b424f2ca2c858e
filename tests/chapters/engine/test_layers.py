"""Batch normalisation equals Keras' own, and tasks do not see each other through it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.evaluation import Evaluator
from chapters.engine.functional import as_tensors
from chapters.engine.layers import BatchNormalization, embed_tasks


def layers_alike(**options):
    """Ours and Keras' with the same random weights and averages."""
    rng = np.random.default_rng(1)
    start = [
        rng.normal(size=3),
        rng.normal(size=3),
        rng.normal(size=3),
        rng.uniform(0.5, 2, size=3),
    ]
    pair = BatchNormalization(**options), keras.layers.BatchNormalization(**options)
    for layer in pair:
        layer.build((None, None, None, 3))
        layer.set_weights(start)
    return pair


def images(count=6, side=5, seed=2, dtype=tf.float32):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.normal(2.0, 3.0, size=[count, side, side, 3]), dtype)


def passed(layer, x, training):
    """Output, gradients of a scalar by input, gamma and beta, and all weights after."""
    direction = tf.constant(np.random.default_rng(3).normal(size=x.shape), x.dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        scalar = tf.reduce_sum(y * direction + y**3)
    gradients = tape.gradient(scalar, [x, *layer.trainable_variables])
    return [y, *gradients, *layer.variables]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("momentum", [0.99, 0.5])
@pytest.mark.parametrize("graph", [True, False])
def test_batch_normalization_equals_keras(training, momentum, graph):
    ours, theirs = layers_alike(momentum=momentum)
    run = (
        (lambda layer, x: tf.function(passed)(layer, x, training))
        if graph
        else (lambda layer, x: passed(layer, x, training))
    )
    for seed in (2, 3):  # the second call starts from moved averages
        x = images(seed=seed)
        for a, b in zip(run(ours, x), run(theirs, x), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)
    for a, b in zip(ours.non_trainable_variables, theirs.non_trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)  # biased variance, as Keras keeps it


def test_gradient_of_a_gradient_equals_keras():
    """Inner loops differentiate through the gradient of a training-mode call."""
    results = []
    for layer in layers_alike():
        x = images()
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                scalar = tf.reduce_sum(tf.tanh(layer(x, training=True)))
            first = inner.gradient(scalar, x)
            size = tf.reduce_sum(first**2)
        results.append(outer.gradient(size, [x, *layer.trainable_variables]))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_a_frozen_layer_uses_and_keeps_its_averages():
    ours, theirs = layers_alike(trainable=False)
    before = as_tensors(ours.variables)
    x = images()
    np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), rtol=1e-5)
    for variable, kept in zip(ours.variables, before, strict=True):
        np.testing.assert_array_equal(variable, kept)


def test_float64_and_flat_inputs_go_the_way_of_keras():
    ours, theirs = layers_alike(dtype="float64")
    x = images(dtype=tf.float64)
    np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), rtol=1e-12)
    ours, theirs = BatchNormalization(), keras.layers.BatchNormalization()
    flat = tf.random.normal([9, 4])
    np.testing.assert_allclose(ours(flat, training=True), theirs(flat, training=True), rtol=1e-5)


def test_one_value_per_channel_is_finite():
    layer, _ = layers_alike()
    assert np.all(np.isfinite(layer(images(1, 1), training=True)))
    assert all(np.all(np.isfinite(v)) for v in layer.variables)


def encoder():
    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [
            keras.layers.Input((5, 5, 3)),
            keras.layers.Conv2D(4, 3, use_bias=False),
            BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
        ]
    )


def task_batch(tasks=3, items=4):
    rng = np.random.default_rng(5)
    level = np.arange(tasks).reshape(-1, 1, 1, 1, 1)  # tasks differ clearly
    return tf.constant(rng.normal(level, 1.0 + level, size=[tasks, items, 5, 5, 3]), tf.float32)


@pytest.mark.parametrize("graph", [True, False])
def test_in_training_each_task_is_embedded_as_if_alone(graph):
    net, x = encoder(), task_batch()
    start = as_tensors(net.non_trainable_variables)
    alone, updates = [], []
    for number in range(3):
        z, updated = net.stateless_call(net.trainable_variables, start, x[number], training=True)
        alone.append(z)
        updates.append(updated)
    embed = tf.function(embed_tasks) if graph else embed_tasks
    together = embed(net, x, True)
    np.testing.assert_allclose(together, tf.stack(alone), rtol=1e-5, atol=1e-5)
    # Moving averages: the mean of what each task alone would have made of them.
    for number, variable in enumerate(net.non_trainable_variables):
        mean = np.mean([u[number] for u in updates], axis=0)
        np.testing.assert_allclose(variable, mean, rtol=1e-5, atol=1e-6)
        assert not np.allclose(variable, start[number])


def test_in_training_a_task_does_not_change_the_embedding_of_another():
    net, x = encoder(), task_batch()
    other = tf.concat([x[:1], 100.0 * x[1:]], axis=0)
    first, second = embed_tasks(net, x, True), embed_tasks(net, other, True)
    np.testing.assert_array_equal(first[0], second[0])
    assert not np.allclose(first[1], second[1])
    folded = net(tf.reshape(x, [12, 5, 5, 3]), training=True)  # what the function avoids
    assert not np.allclose(tf.reshape(folded, first.shape), first, atol=0.1)


def test_a_single_task_takes_the_direct_way_with_the_same_result():
    direct, mapped, x = encoder(), encoder(), task_batch(1)
    unknown = tf.function(
        lambda x: embed_tasks(mapped, x, True), input_signature=[tf.TensorSpec([None, 4, 5, 5, 3])]
    )
    np.testing.assert_allclose(embed_tasks(direct, x, True), unknown(x), rtol=1e-5, atol=1e-6)
    for a, b in zip(direct.variables, mapped.variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_gradients_reach_every_weight_through_the_tasks():
    net, x = encoder(), task_batch()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(embed_tasks(net, x, True) ** 2)
    found = tape.gradient(loss, net.trainable_variables)
    expected = [0.0] * len(found)
    for number in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(net(x[number], training=True) ** 2)
        alone = tape.gradient(loss, net.trainable_variables)
        expected = [a + b for a, b in zip(expected, alone, strict=True)]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)
        assert np.abs(a).max() > 0


def test_at_inference_items_are_folded_and_keep_their_places():
    net, x = encoder(), task_batch()
    before = as_tensors(net.variables)
    z = embed_tasks(net, x, False)
    assert z.shape == (3, 4, 36)
    for task in range(3):
        for item in range(4):
            alone = net(x[task, item][None], training=False)[0]
            np.testing.assert_allclose(z[task, item], alone, rtol=1e-4, atol=1e-5)
    for variable, kept in zip(net.variables, before, strict=True):
        np.testing.assert_array_equal(variable, kept)


class Embedder(keras.Model):
    """A learner that only embeds, task by task."""

    def __init__(self):
        super().__init__()
        self.encoder = encoder()

    def call(self, inputs, training=False):
        """[task, item, ...] -> [task, item, dim]"""
        return embed_tasks(self.encoder, inputs, training)


class OneBatch:
    """The same batch for every index."""

    tasks, seed = 3, 0

    def __call__(self, index):
        return task_batch(), tf.zeros([3, 4])


def test_transductive_evaluation_keeps_tasks_apart_and_averages_untouched():
    learner = Embedder()
    learner(task_batch())
    before = as_tensors(learner.variables)
    measured = []

    def first_of_each_task(_, z):
        measured.append(1)
        return z[:, 0, 0]  # [task]

    score = Evaluator(learner, OneBatch(), 3, "transductive", first_of_each_task)()
    for variable, kept in zip(learner.variables, before, strict=True):
        np.testing.assert_array_equal(variable, kept)
    alone = [learner.encoder(x, training=True)[0, 0] for x in task_batch()]
    assert measured
    assert score.mean == pytest.approx(np.mean(alone), rel=1e-4, abs=1e-5)


def test_the_layer_survives_saving(tmp_path):
    net = encoder()
    net(task_batch()[0], training=True)
    net.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert type(again.layers[1]) is BatchNormalization
    x = task_batch()[1]
    np.testing.assert_array_equal(again(x, training=True), net(x, training=True))

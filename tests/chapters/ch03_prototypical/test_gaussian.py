"""Gaussian prototypical networks against loops, hand values, plain networks and the errata."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical import gaussian, models
from chapters.ch03_prototypical.gaussian import (
    GaussianPrototypicalNetwork,
    InverseTransform,
    class_gaussians,
    get_gaussians,
    root_distance,
    squared_distance,
)
from chapters.engine.errors import RunError
from chapters.engine.evaluation import accuracy


class Identity(keras.layers.Layer):
    """An encoder that returns what it is given: an item is its embedding and its raw precision."""

    def call(self, x, training=False):
        """[item, dim + s] -> [item, dim + s]"""
        return x


def random_task(way=4, sizes=(3, 1, 2, 4), query=5, dim=6, tasks=2, seed=0, dtype=tf.float32):
    """Random items, classes of ``sizes``, labels in every order: inputs and query labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(way), sizes)
    support_y = np.stack([rng.permutation(labels) for _ in range(tasks)])
    query_y = np.stack([rng.permutation(np.repeat(np.arange(way), query)) for _ in range(tasks)])
    inputs = {
        "support_x": tf.constant(rng.normal(size=[tasks, len(labels), dim]), dtype),
        "support_y": tf.constant(support_y, tf.int32),
        "query_x": tf.constant(rng.normal(size=[tasks, way * query, dim]), dtype),
    }
    return inputs, tf.constant(query_y, tf.int32)


def random_classes(tasks=2, support=9, way=3, dim=4, seed=1):
    """Embeddings, precisions above 0 and labels of a support set, as NumPy arrays."""
    rng = np.random.default_rng(seed)
    x, s = rng.normal(size=[tasks, support, dim]), rng.uniform(1, 5, [tasks, support, dim])
    y = np.stack([rng.permutation(np.arange(support) % way) for _ in range(tasks)])
    return x, s, y


def slow_classes(x, s, y, way):
    """Loops over tasks, items and dimensions."""
    tasks, items, dim = x.shape
    weighted, precision = np.zeros([2, tasks, way, dim])
    for t in range(tasks):
        for i in range(items):
            for d in range(dim):
                weighted[t, y[t, i], d] += s[t, i, d] * x[t, i, d]
                precision[t, y[t, i], d] += s[t, i, d]
    return weighted / precision, precision


def slow_logits(z, support_y, query_z, way, transform):
    """Loops over tasks, queries and classes, for one raw precision per item."""
    x, s = z[..., :-1], transform(z[..., -1:]) * np.ones_like(z[..., :-1])
    prototypes, precision = slow_classes(x, s, support_y, way)
    logits = np.zeros([*query_z.shape[:2], way])
    for t, q, k in np.ndindex(*logits.shape):
        difference = query_z[t, q, :-1] - prototypes[t, k]
        logits[t, q, k] = -np.sqrt(difference @ np.diag(precision[t, k]) @ difference)
    return logits


def test_prototypes_and_class_precisions_equal_loops():
    x, s, y = random_classes()
    ours = class_gaussians(tf.constant(x), tf.constant(s), tf.constant(y), 3)
    for found, expected in zip(ours, slow_classes(x, s, y, 3), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_worked_example_of_two_good_points_and_a_bad_one():
    x = tf.constant([[[0.0, 0.0], [0.0, 0.0], [10.0, 10.0]]])
    s = tf.constant([[[5.0, 5.0], [5.0, 5.0], [1.0, 1.0]]])
    prototype, precision = class_gaussians(x, s, tf.constant([[0, 0, 0]]), 1)
    np.testing.assert_allclose(prototype[0, 0], [10 / 11] * 2, rtol=1e-6)  # the mean is 3.333
    np.testing.assert_allclose(precision[0, 0], [11.0, 11.0])


def test_the_distance_equals_the_quadratic_form():
    rng = np.random.default_rng(2)
    query, centre = rng.normal(size=[2, 5, 4]), rng.normal(size=[2, 3, 4])
    s = rng.uniform(1, 5, [2, 3, 4])
    expected = np.zeros([2, 5, 3])
    for t, q, k in np.ndindex(2, 5, 3):
        difference = query[t, q] - centre[t, k]
        expected[t, q, k] = difference @ np.diag(s[t, k]) @ difference
    np.testing.assert_allclose(squared_distance(query, centre, s), expected, rtol=1e-9)
    np.testing.assert_allclose(root_distance(query, centre, s), np.sqrt(expected), rtol=1e-7)


@pytest.mark.parametrize("distance", sorted(gaussian.DISTANCES))
def test_the_whole_loss_equals_numpy(distance):
    inputs, query_y = random_task()
    learner = GaussianPrototypicalNetwork(Identity(), "radius", "softplus", distance)
    loss = models.negative_log_likelihood(query_y, learner(inputs))
    values = (inputs[name].numpy() for name in ("support_x", "support_y", "query_x"))
    logits = slow_logits(*values, 4, lambda raw: 1 + np.log1p(np.exp(raw)))
    logits = logits if distance == "root" else -(logits**2)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    chosen = np.take_along_axis(p, query_y.numpy()[..., None], axis=-1)
    np.testing.assert_allclose(loss, -np.log(chosen).mean(), rtol=1e-4)


def test_of_diagonal_precisions_every_dimension_has_its_own():
    z = tf.constant([[[1.0, 2.0, -50.0, 0.0], [3.0, 6.0, -50.0, 4.0]]])
    learner = GaussianPrototypicalNetwork(Identity(), "diagonal")
    x, s = learner.gaussians(z)
    np.testing.assert_allclose(x, [[[1.0, 2.0], [3.0, 6.0]]])
    softplus = [1 + np.log(2), 1 + np.log1p(np.exp(4))]
    np.testing.assert_allclose(s, [[[1.0, softplus[0]], [1.0, softplus[1]]]], rtol=1e-6)


def test_equal_precisions_are_a_plain_prototypical_network():
    inputs, _ = random_task(sizes=(3, 3, 3, 3))
    raw = tf.fill([*inputs["support_x"].shape[:2], 1], 0.7)
    queries = tf.fill([*inputs["query_x"].shape[:2], 1], -3.0)  # of queries it plays no role
    given = {
        **inputs,
        "support_x": tf.concat([inputs["support_x"], raw], -1),
        "query_x": tf.concat([inputs["query_x"], queries], -1),
    }
    ours = GaussianPrototypicalNetwork(Identity())(given)
    plain = models.PrototypicalNetwork(Identity())(inputs)  # minus the squares
    # s^c = shot s, so d_c = sqrt(shot s) ||x - c_k||
    scale = np.sqrt(3 * (1 + np.log1p(np.exp(0.7))))
    np.testing.assert_allclose(ours, -scale * np.sqrt(-plain), rtol=1e-4)
    untrusting = GaussianPrototypicalNetwork(Identity(), "none")(inputs)
    np.testing.assert_allclose(untrusting, -np.sqrt(3 * -plain), rtol=1e-4)


def test_an_item_of_small_precision_moves_the_prototype_little():
    def prototype(raw):
        z = tf.constant([[[0.0, 5.0], [0.0, 5.0], [10.0, raw]]])
        x, s = GaussianPrototypicalNetwork(Identity()).gaussians(z)
        return float(class_gaussians(x, s, tf.constant([[0, 0, 0]]), 1)[0][0, 0, 0])

    assert prototype(-5.0) < 1.0 < prototype(5.0) < 10 / 3 + 1e-6 < prototype(20.0)


def test_permuting_the_support_set_changes_nothing():
    inputs, _ = random_task()
    learner = GaussianPrototypicalNetwork(Identity())
    order = np.random.default_rng(3).permutation(inputs["support_y"].shape[1])
    shuffled = {
        **inputs,
        "support_x": tf.gather(inputs["support_x"], order, axis=1),
        "support_y": tf.gather(inputs["support_y"], order, axis=1),
    }
    np.testing.assert_allclose(learner(inputs), learner(shuffled), atol=1e-5)


def test_one_example_of_a_class_is_its_prototype():
    inputs, _ = random_task(sizes=(1, 1, 1, 1))
    learner = GaussianPrototypicalNetwork(Identity())
    x, s = learner.gaussians(inputs["support_x"])
    prototypes, precision = class_gaussians(x, s, inputs["support_y"], 4)
    order = tf.argsort(inputs["support_y"], axis=1)
    np.testing.assert_allclose(prototypes, tf.gather(x, order, batch_dims=1), rtol=1e-6)
    np.testing.assert_allclose(precision, tf.gather(s, order, batch_dims=1), rtol=1e-6)


@pytest.mark.parametrize("training", [False, True])
def test_tasks_of_a_step_do_not_see_each_other(training):
    learner = GaussianPrototypicalNetwork(get_gaussians((16, 16, 1), 4, 4))
    rng = np.random.default_rng(5)
    batch = {
        "support_x": tf.constant(rng.random([3, 6, 16, 16, 1]), tf.float32),
        "support_y": tf.constant([[0, 1, 2, 2, 1, 0]] * 3),
        "query_x": tf.constant(rng.random([3, 4, 16, 16, 1]), tf.float32),
    }
    start = learner.get_weights()
    together = learner(batch, training=training)
    for t in range(3):
        learner.set_weights(start)
        alone = learner({name: x[t : t + 1] for name, x in batch.items()}, training=training)
        np.testing.assert_allclose(together[t], alone[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("component", ["radius", "diagonal"])
@pytest.mark.parametrize("kind", InverseTransform.TYPES)
def test_gradients_equal_finite_differences(float64, kind, component):
    dim = 6 if component == "radius" else 8
    inputs, query_y = random_task(dim=dim, tasks=1, query=2, dtype=tf.float64)
    layer = keras.layers.Dense(dim, kernel_initializer="orthogonal", bias_initializer="ones")
    learner = GaussianPrototypicalNetwork(
        keras.Sequential([keras.layers.Input([dim]), layer]), component, kind
    )

    def loss():
        return models.negative_log_likelihood(query_y, learner(inputs))

    variables = learner.trainable_variables
    assert len(variables) == (5 if kind == "other" else 2)
    with tf.GradientTape() as tape:
        value = loss()
    for variable, gradient in zip(variables, tape.gradient(value, variables), strict=True):
        start = np.array(variable)
        for place in [*np.ndindex(*start.shape)][:4]:
            ends = []
            for width in (1e-6, -1e-6):
                moved = start.copy()
                moved[place] += width
                variable.assign(moved)
                ends.append(float(loss()))
            variable.assign(start)
            slope = (ends[0] - ends[1]) / 2e-6
            np.testing.assert_allclose(gradient.numpy()[place], slope, rtol=1e-5, atol=1e-8)


def test_at_distance_zero_the_slope_is_finite_and_as_the_difference_says():
    centre, s = tf.zeros([1, 1, 3], tf.float64), tf.fill([1, 1, 3], tf.constant(2.0, tf.float64))
    x = tf.zeros([1, 1, 3], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch([x, centre, s])
        d = root_distance(x, centre, s)
    for gradient in tape.gradient(d, [x, centre, s]):
        np.testing.assert_array_equal(gradient, np.zeros([1, 1, 3]))
    step = tf.constant([[[1e-6, 0.0, 0.0]]], tf.float64)
    difference = root_distance(x + step, centre, s) - root_distance(x - step, centre, s)
    np.testing.assert_allclose(difference, 0.0, atol=1e-12)


@pytest.mark.parametrize("distance", sorted(gaussian.DISTANCES))
@pytest.mark.parametrize("value", [0.0, 1.0, 1000.0])
def test_gradients_are_finite_when_all_embeddings_are_identical(distance, value):
    x = tf.fill([1, 4, 3], value)
    labels = tf.constant([[0, 0, 1, 1]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        learner = GaussianPrototypicalNetwork(Identity(), distance=distance)
        logits = learner({"support_x": x, "support_y": labels, "query_x": x})
        loss = models.negative_log_likelihood(labels, logits)
    np.testing.assert_allclose(loss, np.log(2), rtol=1e-3)
    assert np.isfinite(tape.gradient(loss, x)).all()


def test_the_distance_is_never_imaginary():
    z = tf.constant(np.random.default_rng(4).normal(1000, 1, [1, 50, 8]), tf.float32)
    assert float(tf.reduce_min(squared_distance(z, z, tf.fill([1, 50, 8], 3.0)))) >= 0.0


def test_random_embeddings_score_at_chance():
    inputs, query_y = random_task(way=5, sizes=(3,) * 5, query=10, tasks=200)
    scores = accuracy(query_y, GaussianPrototypicalNetwork(Identity())(inputs)).numpy()
    assert abs(scores.mean() - 0.2) < 4 * scores.std() / np.sqrt(len(scores))


# The transforms.


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("softplus", 1, np.inf), ("sigmoid", 1, 2), ("sigmoid_2", 1, 5), ("other", 1, np.inf)],
)
def test_the_range_of_every_transform(kind, low, high):
    raw = tf.constant([[-80.0], [-5.0], [0.0], [5.0], [80.0]])
    s = InverseTransform(kind)(raw).numpy().ravel()
    assert (np.diff(s) >= 0).all()
    np.testing.assert_allclose(s[0], low, atol=1e-6)
    np.testing.assert_allclose(s[-1], 81 if high == np.inf else high, rtol=1e-6)
    middle = {"softplus": 1 + np.log(2), "sigmoid": 1.5, "sigmoid_2": 3, "other": 1 + np.log(2)}
    np.testing.assert_allclose(s[2], middle[kind], rtol=1e-6)


def test_the_trained_transform_never_divides_by_zero_and_comes_back():
    transform = InverseTransform("other")
    for weight in transform.trainable_variables:
        weight.assign(-1.0 if weight.name != "div" else 0.0)
    with tf.GradientTape() as tape:
        s = transform(tf.constant([[-2.0], [0.0], [2.0]]))
        total = tf.reduce_sum(s)
    assert np.isfinite(s).all() and (s.numpy() > 0).all()
    gradients = tape.gradient(total, transform.trainable_variables)
    assert all(np.isfinite(gradient) and gradient != 0 for gradient in gradients)


# The encoder.


@pytest.mark.parametrize("component", ["radius", "diagonal"])
def test_the_plain_network_has_as_many_parameters(component):
    encoder = get_gaussians((28, 28, 1), component=component)
    ours = GaussianPrototypicalNetwork(encoder, component)
    plain = GaussianPrototypicalNetwork(encoder, "none")
    assert ours.count_params() == plain.count_params()
    with_numbers = GaussianPrototypicalNetwork(encoder, component, "other")
    assert with_numbers.count_params() == plain.count_params() + 3
    assert encoder.output_shape == (None, 65 if component == "radius" else 128)


def test_the_encoder_is_conv4_and_one_channel():
    trainable = sum(int(np.prod(v.shape)) for v in get_gaussians((28, 28, 1)).trainable_variables)
    assert trainable == 111680 + 9 * 64 + 2  # of the prototypical network, and of one channel more


@pytest.mark.parametrize(
    ("size", "component", "outputs"),
    [(32, "radius", 4 * 8 + 1), (32, "diagonal", 2 * 4 * 8), (50, "radius", 9 * 8 + 1)],
)
def test_larger_images_keep_embedding_and_precision_apart(size, component, outputs):
    """The book's reshape takes maps of one pixel only."""
    encoder = get_gaussians((size, size, 3), 4, 8, component)
    assert encoder.output_shape == (None, outputs)
    learner = GaussianPrototypicalNetwork(encoder, component)
    x = tf.random.uniform([2, size, size, 3], seed=1)
    # Moving the offset of the last channel moves no embedding, and every precision.
    embedding, before = learner.embed(x), learner.confidence(x)
    offset = encoder.layers[_last_block(encoder)].layers[1].beta
    offset.assign(np.eye(offset.shape[0])[-1] * 3.0)
    np.testing.assert_allclose(learner.embed(x), embedding, atol=1e-6)
    moved = learner.confidence(x) - before
    assert (moved.numpy().max(axis=1) > 0.1).all()


def _last_block(encoder) -> int:
    """Number of the layer that holds the last convolution."""
    blocks = [i for i, layer in enumerate(encoder.layers) if isinstance(layer, keras.Sequential)]
    return blocks[-1]


def test_an_item_that_is_no_number_has_no_confidence():
    learner = GaussianPrototypicalNetwork(get_gaussians((16, 16, 1), 4, 4))
    x = np.zeros([2, 16, 16, 1], np.float32)
    x[0, 0, 0] = np.nan
    assert np.isnan(learner.confidence(x)[0]).all() and np.isfinite(learner.confidence(x)[1]).all()


@pytest.mark.parametrize("kind", ["softplus", "other"])
def test_learner_survives_saving(tmp_path, kind):
    rng = np.random.default_rng(6)
    task = {
        "support_x": tf.constant(rng.random([1, 4, 16, 16, 1]), tf.float32),
        "support_y": tf.constant([[0, 1, 1, 0]]),
        "query_x": tf.constant(rng.random([1, 3, 16, 16, 1]), tf.float32),
    }
    learner = GaussianPrototypicalNetwork(
        get_gaussians((16, 16, 1), 4, 4, "diagonal"), "diagonal", kind, "squared"
    )
    for variable in learner.trainable_variables:
        variable.assign_add(tf.ones_like(variable) * 0.1)
    expected = learner(task)
    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras")
    np.testing.assert_allclose(loaded(task), expected, rtol=1e-5)
    learner.save_weights(tmp_path / "learner.weights.h5")
    learner.set_weights([w * 0 + 2 for w in learner.get_weights()])
    learner.load_weights(tmp_path / "learner.weights.h5")
    np.testing.assert_allclose(learner(task), expected, rtol=1e-5)


def test_learner_works_with_compile_and_fit():
    inputs, query_y = random_task(way=3, sizes=(2, 3, 1), dim=10)
    encoder = keras.Sequential([keras.layers.Input([10]), keras.layers.Dense(10)])
    learner = GaussianPrototypicalNetwork(encoder, inverse_transform_type="other")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    learner.compile(keras.optimizers.Adam(0.05), loss, metrics=["accuracy"])
    data = tf.data.Dataset.from_tensors((inputs, query_y)).repeat()
    history = learner.fit(data, steps_per_epoch=10, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"component": "sphere"}, "radius, diagonal, none"),
        ({"distance": "cosine"}, "root, squared"),
        ({"inverse_transform_type": "exp"}, "softplus, sigmoid, sigmoid_2, other"),
    ],
)
def test_unknown_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        GaussianPrototypicalNetwork(Identity(), **options)


def test_labels_that_leave_a_class_out_are_refused():
    inputs, _ = random_task()
    wrong = {**inputs, "support_y": inputs["support_y"] * 2}
    with pytest.raises(RunError, match="0 to way - 1"):
        GaussianPrototypicalNetwork(Identity())(wrong)


# Errata of sections 3.4 and 3.5 (the numbers are those of the chapter's ERRATA.md).


def test_e3_15_precisions_of_a_class_add_up():
    """Every example twice: prototypes stay, distances are sqrt(2) times as long."""
    inputs, _ = random_task()
    twice = {
        **inputs,
        "support_x": tf.concat([inputs["support_x"]] * 2, axis=1),
        "support_y": tf.concat([inputs["support_y"]] * 2, axis=1),
    }
    learner = GaussianPrototypicalNetwork(Identity())
    one, two = (
        class_gaussians(*learner.gaussians(task["support_x"]), task["support_y"], 4)
        for task in (inputs, twice)
    )
    np.testing.assert_allclose(two[0], one[0], atol=1e-6)
    np.testing.assert_allclose(two[1], 2 * one[1], rtol=1e-6)
    np.testing.assert_allclose(learner(twice), np.sqrt(2) * learner(inputs), rtol=1e-4)


def test_e3_16_offset_scale_and_div_are_trained_from_one():
    learner = GaussianPrototypicalNetwork(Identity(), inverse_transform_type="other")
    assert {v.name: float(v.numpy()) for v in learner.trainable_variables} == {
        "offset": 1.0,
        "scale": 1.0,
        "div": 1.0,
    }
    transform = learner.transform
    for variable, value in zip(transform.trainable_variables, (0.5, 2.0, 4.0), strict=True):
        variable.assign(value)
    expected = 0.5 + 2 * np.log1p(np.exp(3.0 / 4))
    np.testing.assert_allclose(transform(tf.constant([[3.0]])), [[expected]], rtol=1e-6)


@pytest.mark.parametrize("kind", InverseTransform.TYPES)
def test_e3_17_an_item_need_not_be_trusted(kind):
    """No ReLU on the last block: precisions come within 0.05 of 1, embeddings below 0."""
    encoder = get_gaussians((28, 28, 1), 8, 8)
    learner = GaussianPrototypicalNetwork(encoder, inverse_transform_type=kind)
    x = tf.random.uniform([6, 28, 28, 1], seed=2)
    assert float(tf.reduce_min(learner.embed(x))) < 0
    offset = encoder.layers[_last_block(encoder)].layers[1].beta
    offset.assign(np.eye(9)[-1] * -6.0)  # of the channel of the precision
    assert float(tf.reduce_max(learner.confidence(x))) < 1.05
    after_relu = InverseTransform(kind)(tf.nn.relu(tf.constant(-6.0)))
    assert float(after_relu) >= 1.49  # as printed, for any weights


def test_e3_18_there_are_as_many_classes_as_labels():
    inputs, _ = random_task(way=7, sizes=(1, 2, 3, 1, 2, 3, 1))
    logits = GaussianPrototypicalNetwork(Identity())(inputs)
    assert logits.shape == (2, 35, 7)
    p = models.predicted_probability(logits).numpy()
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, atol=1e-6)


def test_e3_19_every_weight_takes_part_in_the_loss():
    """The printed line does not parse, and one name stands for input, map and embedding."""
    learner = GaussianPrototypicalNetwork(get_gaussians((16, 16, 1), 4, 4), "radius", "other")
    x = tf.random.uniform([1, 6, 16, 16, 1], seed=3)
    labels = tf.constant([[0, 1, 2, 0, 1, 2]])
    with tf.GradientTape() as tape:
        logits = learner({"support_x": x, "support_y": labels, "query_x": x + 0.1}, training=True)
        loss = models.negative_log_likelihood(labels, logits)
    gradients = tape.gradient(loss, learner.trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    assert all(float(tf.reduce_max(tf.abs(gradient))) > 0 for gradient in gradients)

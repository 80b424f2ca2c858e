"""The relation network against slow references, hand values and the errata of the book."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch04_relation_matching import losses, relation
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Evaluator, accuracy

SIDE = 28


def small_learner(shots="mean", seed=0, shape=(SIDE, SIDE, 1)):
    """A narrow network with weights and averages that differ from everything they begin with."""
    embedding = relation.embedding_function(shape, 3, 2, momentum=0.1)
    function = relation.relation_function(embedding.output_shape[1:], 4, 5, momentum=0.1)
    learner = relation.RelationNetwork(embedding, function, shots)
    rng = np.random.default_rng(seed)
    for variable in learner.trainable_variables:
        size = np.sqrt(2 / np.prod(variable.shape[:-1]))
        random = rng.normal(0, size, variable.shape)
        variable.assign(random if variable.name == "kernel" else 1 + 0.3 * random)
    learner(random_task(seed=seed + 1, shape=shape)[0], training=True)
    return learner


def random_task(way=3, shot=2, query=2, tasks=1, seed=0, shape=(SIDE, SIDE, 1)):
    """Random images with shuffled labels: inputs and query labels."""
    rng = np.random.default_rng(seed)

    def labels(count):
        rows = [rng.permutation(np.repeat(np.arange(way), count)) for _ in range(tasks)]
        return tf.constant(np.stack(rows), tf.int32)

    def items(count):
        return tf.constant(rng.random([tasks, way * count, *shape]), tf.float32)

    inputs = {"support_x": items(shot), "support_y": labels(shot), "query_x": items(query)}
    return inputs, labels(query)


# The relation function for one pair, in NumPy.


def slow_convolution(x, kernel):
    """3x3 with a border of zeros: [row, column, channel] -> [row, column, filter]."""
    rows, columns, _ = x.shape
    padded = np.pad(x, [(1, 1), (1, 1), (0, 0)])
    y = np.zeros([rows, columns, kernel.shape[-1]])
    for r, c, i, j in itertools.product(range(rows), range(columns), range(3), range(3)):
        y[r, c] += padded[r + i, c + j] @ kernel[i, j]
    return y


def slow_pool(x):
    """The largest of each 2x2; what is left over at the border is dropped."""
    rows, columns = x.shape[0] // 2, x.shape[1] // 2
    y = np.zeros([rows, columns, x.shape[2]])
    for r, c in itertools.product(range(rows), range(columns)):
        y[r, c] = x[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].max(axis=(0, 1))
    return y


def slow_score(function, first, second):
    """r = g(Z(first, second)) with stored averages, from the weights in their order."""
    kernel1, *norm1, kernel2 = (v.numpy() for v in function.trainable_variables[:4])
    norm2 = [v.numpy() for v in function.trainable_variables[4:6]]
    dense = [v.numpy() for v in function.trainable_variables[6:]]
    stored = [v.numpy() for v in function.non_trainable_variables]
    x = np.concatenate([first, second], axis=-1)  # in depth
    for kernel, (gamma, beta), (mean, variance) in (
        (kernel1, norm1, stored[:2]),
        (kernel2, norm2, stored[2:]),
    ):
        x = slow_convolution(x, kernel)
        x = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
        x = slow_pool(np.maximum(x, 0))
    hidden = np.maximum(x.ravel() @ dense[0] + dense[1], 0)
    return 1 / (1 + np.exp(-(hidden @ dense[2] + dense[3])[0]))


@pytest.mark.parametrize("shots", relation.RelationNetwork.SHOTS)
def test_scores_equal_a_loop_over_all_pairs(shots):
    learner = small_learner(shots)
    inputs, _ = random_task(tasks=2)
    scores = learner.relation_scores(inputs).numpy()
    assert scores.shape == (2, 6, 3)
    for t, q, k in itertools.product(range(2), range(6), range(3)):
        support = learner.embedding(inputs["support_x"][t], training=False).numpy()
        query = learner.embedding(inputs["query_x"][t, q][None], training=False)[0].numpy()
        members = [z for z, y in zip(support, inputs["support_y"][t], strict=True) if y == k]
        class_map = sum(members) / (len(members) if shots == "mean" else 1)
        expected = slow_score(learner.relation, class_map, query)
        assert scores[t, q, k] == pytest.approx(expected, abs=1e-5)


def concatenated_logits(function, class_z, query_z, training):
    """Every pair made, concatenated and passed, as the paper writes it: one task."""
    queries, way = query_z.shape[1], class_z.shape[1]
    pairs = [
        tf.concat([class_z[0, k], query_z[0, q]], axis=-1)
        for q, k in itertools.product(range(queries), range(way))
    ]
    return tf.reshape(function(tf.stack(pairs), training=training), [1, queries, way])


@pytest.mark.parametrize("training", [True, False])
def test_convolving_every_map_once_equals_convolving_all_pairs(training):
    rng = np.random.default_rng(1)
    class_z = tf.constant(rng.normal(size=[1, 3, 5, 5, 2]), tf.float32)
    query_z = tf.constant(rng.normal(size=[1, 4, 5, 5, 2]), tf.float32)
    found = []
    for compare in (relation.relation_logits, concatenated_logits):
        function = small_learner().relation
        with tf.GradientTape() as tape:
            tape.watch([class_z, query_z])
            logits = compare(function, class_z, query_z, training)
            loss = tf.reduce_sum(tf.sin(logits))
        gradients = tape.gradient(loss, [class_z, query_z, *function.trainable_variables])
        found.append([logits, *gradients, *function.non_trainable_variables])
    for ours, slow in zip(*found, strict=True):
        np.testing.assert_allclose(ours, slow, rtol=1e-3, atol=1e-4)


def test_the_class_comes_first_in_a_pair():
    rng = np.random.default_rng(2)
    one, other = (tf.constant(rng.normal(size=[1, 1, 5, 5, 2]), tf.float32) for _ in range(2))
    function = small_learner().relation
    there = relation.relation_logits(function, one, other)
    back = relation.relation_logits(function, other, one)
    assert abs(float(there[0, 0, 0] - back[0, 0, 0])) > 1e-3
    pair = tf.concat([one[0], other[0]], axis=-1)
    np.testing.assert_allclose(there[0, 0], function(pair)[0], atol=1e-5)


def test_class_maps_of_classes_of_different_size_by_hand():
    z = tf.reshape(tf.constant([1.0, 2.0, 3.0, 4.0, 10.0, 20.0]), [1, 3, 1, 1, 2])
    labels = tf.constant([[0, 0, 1]])
    total = relation.class_maps(z, labels, 3, "sum")
    assert total.shape == (1, 3, 1, 1, 2)
    np.testing.assert_allclose(tf.reshape(total, [3, 2]), [[4, 6], [10, 20], [0, 0]])
    mean = relation.class_maps(z, labels, 3, "mean")
    np.testing.assert_allclose(tf.reshape(mean, [3, 2]), [[2, 3], [10, 20], [0, 0]])


def test_with_one_item_per_class_the_map_of_a_class_is_its_item_in_order_of_labels():
    z = tf.random.normal([1, 4, 5, 5, 2], seed=1)
    maps = relation.class_maps(z, tf.constant([[2, 0, 3, 1]]), 4)
    np.testing.assert_allclose(maps[0], tf.gather(z[0], [1, 3, 0, 2]), atol=1e-6)


def test_permuting_the_support_set_changes_nothing_and_renaming_renames():
    learner = small_learner()
    inputs, _ = random_task()
    order = np.random.default_rng(3).permutation(6)
    shuffled = {
        **inputs,
        "support_x": tf.gather(inputs["support_x"], order, axis=1),
        "support_y": tf.gather(inputs["support_y"], order, axis=1),
    }
    np.testing.assert_allclose(learner(inputs), learner(shuffled), atol=1e-5)
    new = tf.constant([2, 0, 1])
    renamed = learner({**inputs, "support_y": tf.gather(new, inputs["support_y"])})
    np.testing.assert_allclose(learner(inputs), tf.gather(renamed, new, axis=-1), atol=1e-5)


def test_scores_are_between_0_and_1():
    scores = small_learner().relation_scores(random_task()[0]).numpy()
    assert 0 < scores.min() < scores.max() < 1


def test_probabilities_are_what_scores_say_when_exactly_one_class_is_right():
    """All outcomes of independent pairs are enumerated; those with one related pair are kept."""
    learner = small_learner()
    inputs, _ = random_task()
    scores = learner.relation_scores(inputs)[0].numpy()
    answer = learner.answer(learner(inputs)[0], inputs["support_y"][0])["probabilities"].numpy()
    for r, p in zip(scores, answer, strict=True):
        weight = np.zeros(3)
        for outcome in itertools.product((0, 1), repeat=3):
            if sum(outcome) == 1:
                weight += np.array(outcome) * np.prod(np.where(outcome, r, 1 - r))
        np.testing.assert_allclose(p, weight / weight.sum(), rtol=1e-4)
        assert p.sum() == pytest.approx(1, abs=1e-6)
        assert p.argmax() == r.argmax()


@pytest.mark.parametrize("objective", losses.OBJECTIVES.values())
def test_equal_items_have_finite_gradients_that_know_nothing(objective):
    learner = small_learner()
    x = tf.fill([1, 4, SIDE, SIDE, 1], 0.3)
    labels = tf.constant([[0, 0, 1, 1]])
    with tf.GradientTape() as tape:
        logits = learner({"support_x": x, "support_y": labels, "query_x": x}, training=True)
        loss = objective(labels, logits)
    assert np.isfinite(loss)
    for gradient in tape.gradient(loss, learner.trainable_variables):
        assert np.isfinite(gradient).all()
    np.testing.assert_allclose(logits[..., 0], logits[..., 1], atol=1e-5)


def fresh_learner():
    """As a training begins."""
    embedding = relation.embedding_function((SIDE, SIDE, 1), 8, 8)
    function = relation.relation_function(embedding.output_shape[1:], 8)
    return relation.RelationNetwork(embedding, function)


@pytest.mark.parametrize("objective", losses.OBJECTIVES)
def test_a_gradient_reaches_everything(objective):
    learner = fresh_learner()
    inputs, query_y = random_task()
    with tf.GradientTape() as tape:
        loss = losses.OBJECTIVES[objective](query_y, learner(inputs, training=True))
    *gradients, last = tape.gradient(loss, learner.trainable_variables)
    for variable, gradient in zip(learner.trainable_variables, gradients, strict=False):
        assert np.abs(gradient).max() > 0, variable.path
    # What all logits have in common is nothing to a softmax: its scores have no zero.
    assert (abs(float(last[0])) < 1e-7) == (objective == "cross_entropy")


def test_no_hidden_unit_is_dead_at_first():
    """With a bias of zero and such small weights half of them could be."""
    for seed in range(5):
        keras.utils.set_random_seed(seed)
        learner = fresh_learner()
        hidden = learner.relation.layers[-1].layers[-2]
        assert hidden.units == 8
        features = tf.abs(tf.random.normal([50, hidden.input.shape[-1]], seed=seed))
        assert float(tf.reduce_min(hidden(features))) > 0


def test_several_tasks_in_training_equal_tasks_one_by_one():
    """Batch statistics are of one task alone, in the embedding and in the relation function."""
    inputs, _ = random_task(tasks=3)
    learner = small_learner()
    together = learner(inputs, training=True)
    averages = [v.numpy() for v in learner.non_trainable_variables]
    alone, updates = [], []
    for t in range(3):
        other = small_learner()
        alone.append(other({name: x[t : t + 1] for name, x in inputs.items()}, training=True))
        updates.append([v.numpy() for v in other.non_trainable_variables])
    np.testing.assert_allclose(together, tf.concat(alone, 0), rtol=1e-3, atol=1e-4)
    for average, *each in zip(averages, *updates, strict=True):
        np.testing.assert_allclose(average, np.mean(each, axis=0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("tasks", [1, 3])
def test_in_results_a_query_is_answered_as_if_it_were_alone(tasks):
    """Stored averages unless it is asked otherwise; with the batch's own, queries have a say."""
    learner = small_learner()
    inputs, _ = random_task(way=2, query=4, tasks=tasks)
    before = [v.numpy() for v in learner.variables]

    def first_query(queries, *regime):
        def episodes(index):
            some = {**inputs, "query_x": inputs["query_x"][:, :queries]}
            return some, tf.zeros([tasks, queries], tf.int32)

        episodes.tasks, episodes.seed = tasks, 0
        options = {"measure": lambda query_y, logits: logits[:, 0, 0]}
        return Evaluator(learner, episodes, 1, *regime, **options)().mean

    assert first_query(1) == pytest.approx(first_query(5), rel=1e-4)
    assert abs(first_query(1, "transductive") - first_query(5, "transductive")) > 1e-3
    for variable, value in zip(learner.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)  # a test leaves the averages alone


def test_maps_and_parameters_are_those_the_readme_states():
    embedding = relation.embedding_function((28, 28, 1))
    assert embedding.output_shape == (None, 5, 5, 64)
    function = relation.relation_function((5, 5, 64))

    def count(model):
        return sum(int(np.prod(v.shape)) for v in model.trainable_variables)

    # convolutions, and scale and offset of their batch norms; the dense layers have biases
    assert count(embedding) == 576 + 3 * 36864 + 4 * 128 == 111680
    assert count(function) == 73728 + 36864 + 2 * 128 + (64 * 8 + 8) + (8 + 1) == 111377


@pytest.mark.parametrize(("shape", "maps"), [((32, 32, 3), 6), ((22, 22, 1), 4), ((84, 84, 3), 19)])
def test_pictures_of_other_sizes_and_in_colour(shape, maps):
    learner = small_learner(shape=shape)
    assert learner.embedding.output_shape == (None, maps, maps, 2)
    assert learner(random_task(shape=shape)[0]).shape == (1, 6, 3)


@pytest.mark.parametrize("side", [16, 21])
def test_pictures_that_are_too_small_are_refused_in_a_sentence(side):
    with pytest.raises(ConfigError, match=f"{side} x {side} pixels are too small .* use 22 x 22"):
        relation.embedding_function((side, side, 1))


def test_first_weights_are_the_authors():
    keras.utils.set_random_seed(0)
    function = relation.relation_function((5, 5, 64))
    kernel = function.layers[0].kernel
    assert np.std(kernel) == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)
    *_, hidden, last = function.layers[1].layers
    assert np.std(hidden.kernel) == pytest.approx(0.01, rel=0.1)
    np.testing.assert_array_equal(hidden.bias, 1.0)
    np.testing.assert_array_equal(last.bias, 0.0)  # a score of one half


def test_layers_of_one_shape_begin_with_weights_of_their_own_and_a_seed_repeats_them():
    def kernels():
        keras.utils.set_random_seed(3)
        embedding = relation.embedding_function((28, 28, 1), 8, 8)
        return [v.numpy() for v in embedding.trainable_variables if v.name == "kernel"]

    first, again = kernels(), kernels()
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in itertools.combinations(first[1:], 2):
        assert np.abs(one - other).max() > 0.01


def test_unknown_shots_are_refused():
    with pytest.raises(ValueError, match="sum, mean"):
        relation.RelationNetwork(None, None, "product")


def test_learner_survives_saving(tmp_path):
    learner, (inputs, _) = small_learner("mean"), random_task()
    expected = learner(inputs)
    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras")
    assert loaded.shots == "mean"
    np.testing.assert_allclose(loaded(inputs), expected, atol=1e-6)


@pytest.mark.parametrize("objective", losses.OBJECTIVES)
def test_training_starts_at_once(objective):
    """The classes of a task are patterns of blocks with noise, new in every step."""
    learner, optimizer = fresh_learner(), keras.optimizers.Adam(3e-3)
    optimizer.build(learner.trainable_variables)

    @tf.function
    def step(seed):
        blocks = tf.random.stateless_uniform([1, 3, 7, 7, 1], [seed, 0])
        patterns = tf.repeat(tf.repeat(blocks, 4, axis=2), 4, axis=3)
        labels = tf.repeat(tf.range(3), 4)[None]
        noise = tf.random.stateless_uniform([1, 15, 28, 28, 1], [seed, 1])
        inputs = {
            "support_x": patterns + 0.5 * noise[:, :3],
            "support_y": tf.range(3)[None],
            "query_x": tf.repeat(patterns, 4, axis=1) + 0.5 * noise[:, 3:],
        }
        with tf.GradientTape() as tape:
            logits = learner(inputs, training=True)
            loss = losses.OBJECTIVES[objective](labels, logits)
        gradients = tape.gradient(loss, learner.trainable_variables)
        optimizer.apply(gradients, learner.trainable_variables)
        return accuracy(labels, logits)[0]

    found = [float(step(tf.constant(seed))) for seed in range(60)]
    assert np.mean(found[-15:]) > 0.8  # one in three at first


# Errata of chapter 4 (the numbers are those of the chapter's ERRATA.md); the others are
# of the toy.


def test_e4_1_a_sum_depends_on_the_shot_and_a_mean_does_not():
    inputs, _ = random_task(shot=1)
    twice = {
        **inputs,
        "support_x": tf.repeat(inputs["support_x"], 2, axis=1),
        "support_y": tf.repeat(inputs["support_y"], 2, axis=1),
    }
    total, mean = small_learner("sum"), small_learner("mean")
    mean.set_weights(total.get_weights())
    np.testing.assert_allclose(total(inputs), mean(inputs), atol=1e-5)  # one shot: the same
    np.testing.assert_allclose(mean(twice), mean(inputs), atol=1e-5)
    assert np.abs(total(twice) - total(inputs)).max() > 1e-2


def test_e4_1_the_two_functions_have_weights_of_their_own():
    learner = small_learner()
    paths = [{v.path for v in part.variables} for part in (learner.embedding, learner.relation)]
    assert not paths[0] & paths[1]
    assert len(learner.variables) == len(paths[0] | paths[1])


def test_e4_5_the_halves_of_a_pair_of_equal_items_are_equal():
    """One embedding for support and query: the pair of x with x is the same twice."""
    learner = small_learner()
    seen = []

    class Watching(keras.layers.Layer):
        """Keeps what the embedding gives."""

        input_shape = learner.embedding.input_shape
        compute_dtype = "float32"

        def __call__(self, x, training=False):
            seen.append(learner.embedding(x, training=training))
            return seen[-1]

    x = random_task(way=1, shot=1)[0]["support_x"]
    twin = relation.RelationNetwork(learner.embedding, learner.relation)
    twin.embedding = Watching()
    twin.call({"support_x": x, "support_y": tf.zeros([1, 1], tf.int32), "query_x": x})
    (z,) = seen  # one pass for both
    np.testing.assert_allclose(z[0], z[1], atol=1e-6)

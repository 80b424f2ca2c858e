"""Prototypical networks against slow references, hand values and the errata of the book."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical import models
from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.engine.evaluation import Evaluator, accuracy
from chapters.experiments.images.baselines import PixelNeighbour


class Identity(keras.layers.Layer):
    """An encoder that returns what it is given: items are their own embeddings."""

    def call(self, x, training=False):
        """[item, dim] -> [item, dim]"""
        return x


def random_task(way=4, shot=3, query=5, dim=6, tasks=2, seed=0):
    """Random embeddings with shuffled labels: inputs and query labels."""
    rng = np.random.default_rng(seed)
    support_y = np.stack([rng.permutation(np.repeat(np.arange(way), shot)) for _ in range(tasks)])
    query_y = np.stack([rng.permutation(np.repeat(np.arange(way), query)) for _ in range(tasks)])
    inputs = {
        "support_x": tf.constant(rng.normal(size=[tasks, way * shot, dim]), tf.float32),
        "support_y": tf.constant(support_y, tf.int32),
        "query_x": tf.constant(rng.normal(size=[tasks, way * query, dim]), tf.float32),
    }
    return inputs, tf.constant(query_y, tf.int32)


def slow_prototypes(z, y, way):
    """Triple loop: task, item, dimension."""
    tasks, items, dim = z.shape
    total, count = np.zeros([tasks, way, dim]), np.zeros([tasks, way])
    for t in range(tasks):
        for i in range(items):
            count[t, y[t, i]] += 1
            for d in range(dim):
                total[t, y[t, i], d] += z[t, i, d]
    return total / count[..., None]


def slow_distances(query, prototypes, distance):
    """Triple loop: task, query, class."""
    tasks, queries, way = query.shape[0], query.shape[1], prototypes.shape[1]
    result = np.zeros([tasks, queries, way])
    for t in range(tasks):
        for q in range(queries):
            for k in range(way):
                result[t, q, k] = distance(query[t, q], prototypes[t, k])
    return result


def test_prototypes_equal_a_triple_loop():
    inputs, _ = random_task()
    ours = models.class_prototypes(inputs["support_x"], inputs["support_y"], 4)
    slow = slow_prototypes(inputs["support_x"].numpy(), inputs["support_y"].numpy(), 4)
    np.testing.assert_allclose(ours, slow, atol=1e-6)


def test_prototypes_of_classes_of_different_size_by_hand():
    z = tf.constant([[[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]]])
    prototypes = models.class_prototypes(z, tf.constant([[0, 0, 1]]), 2)
    np.testing.assert_allclose(prototypes, [[[2.0, 3.0], [10.0, 20.0]]])


def test_squared_euclidean_equals_a_triple_loop():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=[2, 7, 5]), rng.normal(size=[2, 3, 5])
    slow = slow_distances(a, b, lambda x, y: sum((x[d] - y[d]) ** 2 for d in range(5)))
    np.testing.assert_allclose(models.squared_euclidean(a, b), slow, rtol=1e-9)


def test_cosine_distance_equals_a_triple_loop():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=[2, 7, 5]), rng.normal(size=[2, 3, 5])
    slow = slow_distances(a, b, lambda x, y: 1 - x @ y / np.sqrt((x @ x) * (y @ y)))
    np.testing.assert_allclose(models.cosine_distance(a, b), slow, rtol=1e-6)


@pytest.mark.parametrize("distance", sorted(models.DISTANCES))
def test_whole_loss_equals_numpy(distance):
    inputs, query_y = random_task()
    learner = models.PrototypicalNetwork(Identity(), distance)
    loss = models.negative_log_likelihood(query_y, learner(inputs))
    slow_distance = {
        "euclidean": lambda x, y: np.sum((x - y) ** 2),
        "cosine": lambda x, y: 1 - x @ y / np.sqrt((x @ x) * (y @ y)),
    }[distance]
    prototypes = slow_prototypes(inputs["support_x"].numpy(), inputs["support_y"].numpy(), 4)
    d = slow_distances(inputs["query_x"].numpy(), prototypes, slow_distance)
    p = np.exp(-d) / np.exp(-d).sum(axis=-1, keepdims=True)
    chosen = np.take_along_axis(p, query_y.numpy()[..., None], axis=-1)
    np.testing.assert_allclose(loss, -np.log(chosen).mean(), rtol=1e-5)


def test_permuting_the_support_set_changes_nothing():
    inputs, _ = random_task()
    learner = models.PrototypicalNetwork(Identity())
    order = np.random.default_rng(3).permutation(inputs["support_y"].shape[1])
    shuffled = {
        **inputs,
        "support_x": tf.gather(inputs["support_x"], order, axis=1),
        "support_y": tf.gather(inputs["support_y"], order, axis=1),
    }
    np.testing.assert_allclose(learner(inputs), learner(shuffled), atol=1e-5)


def test_renaming_the_classes_renames_the_predictions():
    inputs, _ = random_task()
    learner = models.PrototypicalNetwork(Identity())
    renamed = tf.constant([2, 0, 3, 1])
    other = learner({**inputs, "support_y": tf.gather(renamed, inputs["support_y"])})
    np.testing.assert_allclose(learner(inputs), tf.gather(other, renamed, axis=-1), atol=1e-5)


def test_random_embeddings_score_at_chance():
    inputs, query_y = random_task(way=5, query=10, tasks=200)
    scores = accuracy(query_y, models.PrototypicalNetwork(Identity())(inputs)).numpy()
    standard_error = scores.std() / np.sqrt(len(scores))
    assert abs(scores.mean() - 0.2) < 4 * standard_error


@pytest.mark.parametrize("distance", sorted(models.DISTANCES))
def test_gradients_are_finite_when_all_embeddings_are_identical(distance):
    for value in (0.0, 1.0):
        x = tf.fill([1, 4, 3], value)
        with tf.GradientTape() as tape:
            tape.watch(x)
            inputs = {"support_x": x, "support_y": tf.constant([[0, 0, 1, 1]]), "query_x": x}
            logits = models.PrototypicalNetwork(Identity(), distance)(inputs)
            loss = models.negative_log_likelihood(tf.constant([[0, 0, 1, 1]]), logits)
        assert np.isfinite(loss)
        assert np.isfinite(tape.gradient(loss, x)).all()


def test_distance_of_a_point_to_itself_is_never_negative():
    z = tf.constant(np.random.default_rng(4).normal(1000, 1, [1, 50, 8]), tf.float32)
    assert float(tf.reduce_min(models.squared_euclidean(z, z))) >= 0.0


def test_unknown_distance_is_refused():
    with pytest.raises(ValueError, match="euclidean, cosine"):
        models.PrototypicalNetwork(Identity(), "manhattan")


def test_encoder_has_the_parameters_the_readme_states():
    encoder = get_embeddings((28, 28, 1))
    trainable = sum(int(np.prod(v.shape)) for v in encoder.trainable_variables)
    # 9 * 1 * 64 + 3 * (9 * 64 * 64) weights, and scale and offset of four batch norms
    assert trainable == 576 + 3 * 36864 + 4 * 128 == 111680
    assert encoder.output_shape == (None, 64)


def test_learner_survives_saving(tmp_path):
    inputs, _ = random_task(dim=28 * 28)
    images = {
        name: tf.reshape(x, [2, -1, 28, 28, 1]) if name.endswith("x") else x
        for name, x in inputs.items()
    }
    learner = models.PrototypicalNetwork(get_embeddings((28, 28, 1), 8, 8), "cosine")
    expected = learner(images)
    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras")
    np.testing.assert_allclose(loaded(images), expected, atol=1e-6)


def test_learner_works_with_compile_and_fit():
    inputs, query_y = random_task(way=3, dim=10)
    encoder = keras.Sequential([keras.layers.Input([10]), keras.layers.Dense(10)])
    learner = models.PrototypicalNetwork(encoder)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    learner.compile(keras.optimizers.Adam(0.05), loss, metrics=["accuracy"])
    data = tf.data.Dataset.from_tensors((inputs, query_y)).repeat()
    history = learner.fit(data, steps_per_epoch=10, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_pixel_baseline_equals_a_slow_nearest_neighbour():
    inputs, _ = random_task(way=3, shot=2, query=4, tasks=1)
    predicted = np.argmax(PixelNeighbour((6,))(inputs)[0], axis=-1)
    support, labels = inputs["support_x"][0].numpy(), inputs["support_y"][0].numpy()
    for query, found in zip(inputs["query_x"][0].numpy(), predicted, strict=True):
        cosines = [query @ s / np.linalg.norm(query) / np.linalg.norm(s) for s in support]
        assert labels[int(np.argmax(cosines))] == found


# Errata of chapter 3 (the numbers are those of the chapter's ERRATA.md).


def test_e3_1_prototypes_are_of_one_class_each():
    z = tf.constant([[[0.0], [2.0], [10.0], [12.0]]])
    prototypes = models.class_prototypes(z, tf.constant([[0, 0, 1, 1]]), 2)
    np.testing.assert_allclose(prototypes, [[[1.0], [11.0]]])  # the mean of all would be 6


def test_e3_2_probabilities_sum_to_one_over_classes_and_differ():
    inputs, _ = random_task()
    p = models.predicted_probability(models.PrototypicalNetwork(Identity())(inputs)).numpy()
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, atol=1e-6)
    assert np.ptp(p, axis=-1).min() > 1e-3


def test_e3_3_the_nearest_prototype_has_the_largest_probability():
    inputs, _ = random_task()
    p = models.predicted_probability(models.PrototypicalNetwork(Identity())(inputs)).numpy()
    prototypes = slow_prototypes(inputs["support_x"].numpy(), inputs["support_y"].numpy(), 4)
    d = slow_distances(inputs["query_x"].numpy(), prototypes, lambda x, y: np.sum((x - y) ** 2))
    np.testing.assert_array_equal(p.argmax(axis=-1), d.argmin(axis=-1))


def test_e3_4_the_distance_is_the_square():
    d = models.squared_euclidean(tf.constant([[[0.0, 0.0]]]), tf.constant([[[3.0, 4.0]]]))
    assert float(d[0, 0, 0]) == 25.0


def test_e3_5_perfect_embeddings_score_one_and_identical_ones_lose_ln_way():
    way, query = 6, 5
    labels = np.repeat(np.arange(way), query)[None]
    one_hot = tf.one_hot(labels, way) * 10.0
    inputs = {"support_x": one_hot, "support_y": tf.constant(labels), "query_x": one_hot}
    learner = models.PrototypicalNetwork(Identity())
    assert float(accuracy(tf.constant(labels), learner(inputs))[0]) == 1.0

    same = {**inputs, "support_x": one_hot * 0.0, "query_x": one_hot * 0.0}
    loss = models.negative_log_likelihood(tf.constant(labels), learner(same))
    np.testing.assert_allclose(loss, np.log(way), rtol=1e-6)  # ln 6, not ln 30


def test_e3_6_support_and_query_share_one_encoder_of_four_convolutions():
    encoder = get_embeddings((28, 28, 1))
    learner = models.PrototypicalNetwork(encoder)
    kernels = [v for v in learner.variables if v.path.endswith("kernel")]
    assert len(kernels) == 4
    x = tf.random.uniform([1, 5, 28, 28, 1], seed=1)
    inputs = {"support_x": x, "support_y": tf.constant([[0, 1, 2, 3, 4]]), "query_x": x}
    logits = learner(inputs, training=False)
    # a query that is the support image of its class lies on its prototype
    np.testing.assert_allclose(tf.linalg.diag_part(logits), 0.0, atol=1e-4)


def test_e3_8_distance_is_the_sum_over_features_not_the_mean():
    x, y = np.zeros([1, 1, 64], np.float32), np.ones([1, 1, 64], np.float32)
    assert float(models.squared_euclidean(x, y)[0, 0, 0]) == 64.0


def test_e3_9_query_labels_have_a_row_per_class():
    from datasets.tasks.episodes import EpisodeSampler
    from tests.datasets.test_episodes import marked_dataset

    query_y = EpisodeSampler(marked_dataset(), "train", 4, 1, 3).episode(0).query_y
    np.testing.assert_array_equal(np.reshape(query_y, [4, 3]), np.arange(4)[:, None].repeat(3, 1))


def test_e3_12_more_than_256_classes_keep_their_labels():
    from datasets.tasks.episodes import EpisodeSampler
    from tests.datasets.test_episodes import marked_dataset

    dataset = marked_dataset((2,) * 300)
    dataset.splits["train"] = np.arange(300)
    query_y = EpisodeSampler(dataset, "train", 300, 1, 1).episode(0).query_y
    assert int(tf.reduce_max(query_y)) == 299


def test_e3_14_in_results_a_query_is_answered_as_if_it_were_alone():
    """Stored averages unless it is asked otherwise; with the batch's own, queries have a say."""
    learner = models.PrototypicalNetwork(get_embeddings((16, 16, 1), 4, 4))
    x = tf.constant(np.random.default_rng(4).random([1, 9, 16, 16, 1]), tf.float32)
    support = {"support_x": x[:, :4], "support_y": tf.constant([[0, 1, 2, 3]])}

    def first_query(queries, *regime):
        def episodes(index):
            return {**support, "query_x": x[:, 4 : 4 + queries]}, tf.zeros([1, queries], tf.int32)

        episodes.tasks, episodes.seed = 1, 0
        options = {"measure": lambda query_y, logits: logits[:, 0, 0]}
        return Evaluator(learner, episodes, 1, *regime, **options)().mean

    assert first_query(1) == pytest.approx(first_query(5), rel=1e-4)
    alone, among_others = (first_query(queries, "transductive") for queries in (1, 5))
    assert abs(alone / among_others - 1) > 0.01

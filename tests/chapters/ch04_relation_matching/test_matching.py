"""Matching networks against slow references, hand values and the errata of the book."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch04_relation_matching import matching
from chapters.ch04_relation_matching.context import FullContext
from chapters.ch04_relation_matching.encoder import get_embeddings
from chapters.ch04_relation_matching.matching import MatchingNetwork
from chapters.engine.evaluation import accuracy
from chapters.engine.export import adapt_and_predict


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


def with_context(dim=6, steps=3):
    """A context net on bare embeddings, with biases and weights of no symmetry."""
    context = FullContext(dim, steps)
    rng = np.random.default_rng(9)
    for variable in context.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) * 0.5)
    return MatchingNetwork(Identity(), "learned", context)


def slow_probabilities(inputs, scale, way=4):
    """p(y | x, S) by loops over tasks, queries and support items."""
    x, y, q = (inputs[name].numpy() for name in ("support_x", "support_y", "query_x"))
    result = np.zeros([*q.shape[:2], way])
    for t in range(len(q)):
        for j, query in enumerate(q[t]):
            lengths = [np.linalg.norm(query) * np.linalg.norm(item) for item in x[t]]
            cosines = [query @ item / n for item, n in zip(x[t], lengths, strict=True)]
            weight = np.exp(scale * np.array(cosines))
            for i, label in enumerate(y[t]):
                result[t, j, label] += weight[i] / weight.sum()
    return result


@pytest.mark.parametrize(("scale", "factor"), [("none", 1.0), ("learned", matching.FIRST_SCALE)])
def test_probabilities_and_loss_equal_loops(scale, factor):
    inputs, query_y = random_task()
    log_p = MatchingNetwork(Identity(), scale)(inputs)
    slow = slow_probabilities(inputs, factor)
    np.testing.assert_allclose(tf.exp(log_p), slow, rtol=1e-4, atol=1e-7)
    chosen = np.take_along_axis(slow, query_y.numpy()[..., None], axis=-1)
    loss = matching.negative_log_likelihood(query_y, log_p)
    np.testing.assert_allclose(loss, -np.log(chosen).mean(), rtol=1e-5)


def test_log_probabilities_are_logits_of_the_same_probabilities():
    inputs, _ = random_task()
    learner = MatchingNetwork(Identity(), "learned")
    log_p = learner(inputs)
    np.testing.assert_allclose(tf.nn.softmax(log_p), tf.exp(log_p), rtol=1e-5)
    answer = learner.answer(log_p[0], inputs["support_y"][0])
    np.testing.assert_allclose(answer["probabilities"], tf.exp(log_p[0]), rtol=1e-5)


def test_a_class_is_looked_at_item_by_item_and_has_no_prototype():
    """The mean of two opposite items is nothing; a query equal to one of them is of their class."""
    items = [[1.0, 0.0], [-1.0, 0.0], [0.6, 0.8], [0.6, 0.8]]
    inputs = {
        "support_x": tf.constant([items]),
        "support_y": tf.constant([[0, 0, 1, 1]]),
        "query_x": tf.constant([[[1.0, 0.0]]]),
    }
    log_p = MatchingNetwork(Identity(), "learned")(inputs)[0, 0]
    scale = matching.FIRST_SCALE
    by_hand = np.array([np.exp(scale) + np.exp(-scale), 2 * np.exp(0.6 * scale)])
    np.testing.assert_allclose(tf.exp(log_p), by_hand / by_hand.sum(), rtol=1e-4)


def test_tiny_probabilities_keep_their_logarithm_and_absent_classes_are_finite():
    similarity = tf.constant([[[300.0, 0.0, -100.0]]])
    log_p = matching.log_probability(similarity, tf.constant([[0, 1, 1]]), 3)[0, 0]
    np.testing.assert_allclose(log_p[:2], [0.0, -300.0], atol=1e-4)  # exp(-300) is 0 in float32
    assert -2e9 < float(log_p[2]) < -1e8


def test_one_item_per_class_gives_its_attention():
    inputs, _ = random_task(shot=1)
    learner = MatchingNetwork(Identity(), "learned")
    weights = matching.attention(learner.similarity(inputs["support_x"], inputs["query_x"]))
    np.testing.assert_allclose(tf.reduce_sum(weights, axis=-1), 1.0, rtol=1e-5)
    p, labels = tf.exp(learner(inputs)).numpy(), inputs["support_y"].numpy()
    for t in range(2):
        np.testing.assert_allclose(p[t][:, labels[t]], weights[t], rtol=1e-4)


def test_permuting_the_support_set_changes_nothing_without_context_and_something_with_it():
    inputs, _ = random_task()
    order = np.random.default_rng(3).permutation(inputs["support_y"].shape[1])
    shuffled = {
        **inputs,
        "support_x": tf.gather(inputs["support_x"], order, axis=1),
        "support_y": tf.gather(inputs["support_y"], order, axis=1),
    }
    plain, context = MatchingNetwork(Identity(), "learned"), with_context()
    np.testing.assert_allclose(plain(inputs), plain(shuffled), atol=1e-4)
    assert np.abs(context(inputs) - context(shuffled)).max() > 0.01


@pytest.mark.parametrize("context", [False, True])
def test_several_tasks_at_once_equal_one_by_one(context):
    inputs, _ = random_task(tasks=3)
    learner = with_context() if context else MatchingNetwork(Identity())
    together = learner(inputs)
    for t in range(3):
        alone = learner({name: x[t : t + 1] for name, x in inputs.items()})
        np.testing.assert_allclose(together[t], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_tasks_of_pictures_do_not_see_each_other_through_batch_norm(training):
    rng = np.random.default_rng(0)
    learner = MatchingNetwork(get_embeddings((16, 16, 1), 4, 4), "none", FullContext(4, 2))
    inputs = {
        "support_x": tf.constant(rng.random([2, 3, 16, 16, 1]), tf.float32),
        "support_y": tf.constant([[0, 1, 2], [2, 0, 1]]),
        "query_x": tf.constant(rng.random([2, 4, 16, 16, 1]), tf.float32),
    }
    first = learner.variables[0].numpy()
    together = learner(inputs, training=training)
    alone = learner({name: x[:1] for name, x in inputs.items()}, training=training)
    np.testing.assert_allclose(together[0], alone[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(learner.variables[0], first)


def test_renaming_the_classes_renames_the_predictions():
    inputs, _ = random_task()
    renamed = tf.constant([2, 0, 3, 1])
    for learner in (MatchingNetwork(Identity(), "learned"), with_context()):
        other = learner({**inputs, "support_y": tf.gather(renamed, inputs["support_y"])})
        np.testing.assert_allclose(learner(inputs), tf.gather(other, renamed, axis=-1), atol=1e-4)


def test_random_embeddings_score_at_chance():
    inputs, query_y = random_task(way=5, query=10, tasks=200)
    scores = accuracy(query_y, MatchingNetwork(Identity())(inputs)).numpy()
    assert abs(scores.mean() - 0.2) < 4 * scores.std() / np.sqrt(len(scores))


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("context", [False, True])
def test_identical_embeddings_are_finite_and_lose_ln_way(value, context):
    learner = with_context(dim=3) if context else MatchingNetwork(Identity())
    if context:  # g still tells places apart; without its LSTMs all items are alike
        for cell in (learner.context.forward_cell, learner.context.backward_cell):
            for variable in cell.trainable_variables:
                variable.assign(variable * 0)
    x, y = tf.fill([1, 4, 3], value), tf.constant([[0, 0, 1, 1]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        log_p = learner({"support_x": x, "support_y": y, "query_x": x})
        loss = matching.negative_log_likelihood(y, log_p)
    np.testing.assert_allclose(loss, np.log(2), rtol=1e-5)
    assert np.isfinite(tape.gradient(loss, x)).all()


def test_the_gradient_of_the_scale_is_that_of_finite_differences(float64):
    inputs, query_y = random_task()
    inputs = {name: tf.cast(x, tf.float64) if "x" in name else x for name, x in inputs.items()}
    learner = MatchingNetwork(Identity(), "learned")

    def loss_at(value):
        learner.log_scale.assign(value)
        return matching.negative_log_likelihood(query_y, learner(inputs))

    with tf.GradientTape() as tape:
        loss = loss_at(1.3)
    gradient = tape.gradient(loss, learner.trainable_variables)[0]
    difference = (loss_at(1.3 + 1e-5) - loss_at(1.3 - 1e-5)) / 2e-5
    np.testing.assert_allclose(gradient, difference, rtol=1e-6)


def test_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="none, learned"):
        MatchingNetwork(Identity(), "fixed")


@pytest.mark.parametrize("context", [False, True])
def test_learner_survives_saving(context, tmp_path):
    rng = np.random.default_rng(1)
    inputs = {
        "support_x": tf.constant(rng.random([1, 3, 16, 16, 1]), tf.float32),
        "support_y": tf.constant([[0, 1, 2]]),
        "query_x": tf.constant(rng.random([1, 4, 16, 16, 1]), tf.float32),
    }
    learner = MatchingNetwork(
        get_embeddings((16, 16, 1), 4, 4), "learned", FullContext(4, 2) if context else None
    )
    learner.log_scale.assign(1.5)
    expected = learner(inputs)
    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras")
    np.testing.assert_allclose(loaded(inputs), expected, atol=1e-6)


@pytest.mark.parametrize("context", [False, True])
def test_a_graph_takes_any_number_of_items_and_classes(context):
    learner = MatchingNetwork(
        get_embeddings((16, 16, 1), 4, 4), "learned", FullContext(4, 3) if context else None
    )
    serve = tf.function(adapt_and_predict(learner), input_signature=learner.signature())
    for way, items, queries in ((2, 2, 1), (3, 7, 4), (5, 5, 2)):
        x = tf.random.uniform([items + queries, 16, 16, 1], seed=items)
        labels = tf.range(items) % way
        found = serve(x[:items], labels, x[items:])["probabilities"]
        task = {
            "support_x": x[None, :items],
            "support_y": labels[None],
            "query_x": x[None, items:],
        }
        np.testing.assert_allclose(found, tf.exp(learner(task)[0]), atol=1e-5)
        np.testing.assert_allclose(tf.reduce_sum(found, axis=-1), 1.0, rtol=1e-5)


# Errata of chapter 4, sections 4.6 to 4.9 (the numbers are those of the chapter's ERRATA.md).


def test_e4_8_a_query_equal_to_a_support_item_gets_its_label():
    inputs, _ = random_task(shot=1)
    asked = {**inputs, "query_x": inputs["support_x"]}
    for learner in (MatchingNetwork(Identity()), MatchingNetwork(Identity(), "learned")):
        found = tf.argmax(learner(asked), axis=-1, output_type=tf.int32)
        np.testing.assert_array_equal(found, inputs["support_y"])


@pytest.mark.parametrize("way", [5, 20])
def test_e4_10_perfect_probabilities_lose_nothing(way):
    labels = tf.constant(np.arange(way)[None])
    perfect = tf.math.log(tf.one_hot(labels, way) + 1e-30)
    assert float(matching.negative_log_likelihood(labels, perfect)) == 0.0
    # a second softmax, of probabilities: what the book's loss gives for the same answer
    double = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.exp(perfect))
    expected = -np.log(np.e / (np.e + way - 1))
    np.testing.assert_allclose(double[0, 0], expected, rtol=1e-5)
    assert round(expected, 3) == {5: 0.905, 20: 2.078}[way]


@pytest.mark.parametrize(
    ("lowest", "way", "floor"),
    [(-1, 5, 0.433), (-1, 20, 1.273), (0, 5, 0.905), (0, 20, 2.078)],  # 0: rectified embeddings
)
def test_a_bare_cosine_has_a_floor_and_a_scale_removes_it(lowest, way, floor):
    """The best that any encoder could do: cosine 1 with the right item, the lowest with others."""
    best = np.full([1, way, way], lowest, np.float32)
    best[0, np.arange(way), np.arange(way)] = 1.0
    labels = tf.constant(np.arange(way)[None])
    bare = matching.log_probability(tf.constant(best), labels, way)
    loss = float(matching.negative_log_likelihood(labels, bare))
    rest = np.exp(1 - lowest)
    np.testing.assert_allclose(loss, -np.log(rest / (rest + way - 1)), rtol=1e-5)
    assert round(loss, 3) == floor
    scaled = matching.log_probability(tf.constant(20 * best), labels, way)
    assert float(matching.negative_log_likelihood(labels, scaled)) < 1e-6


def test_e4_14_both_sides_are_normalised():
    inputs, _ = random_task()
    learner = MatchingNetwork(Identity(), "learned")
    cosine = matching.cosine_similarity(inputs["query_x"], inputs["support_x"]).numpy()
    assert np.abs(cosine).max() <= 1 + 1e-6
    for name in ("query_x", "support_x"):  # ten times as long: not one probability moves
        longer = {**inputs, name: 10 * inputs[name]}
        np.testing.assert_allclose(learner(longer), learner(inputs), atol=1e-4)


def test_e4_14_cosines_equal_a_triple_loop():
    inputs, _ = random_task()
    found = matching.cosine_similarity(inputs["query_x"], inputs["support_x"])
    for t in range(2):
        for q, query in enumerate(inputs["query_x"][t].numpy()):
            for s, item in enumerate(inputs["support_x"][t].numpy()):
                slow = sum(a * b for a, b in zip(query, item, strict=True))
                slow /= np.sqrt(sum(query**2)) * np.sqrt(sum(item**2))
                np.testing.assert_allclose(found[t, q, s], slow, rtol=1e-5, atol=1e-6)


def test_e4_15_there_are_four_convolutions_whatever_the_number_of_images():
    learner = MatchingNetwork(get_embeddings((28, 28, 1)))
    kernels = [v for v in learner.variables if v.path.endswith("kernel")]
    assert len(kernels) == 4
    trainable = sum(int(np.prod(v.shape)) for v in learner.trainable_variables)
    assert trainable == 111_680  # those of the encoder, and nothing else
    scaled = MatchingNetwork(learner.image_encoder, "learned").trainable_variables
    assert sum(int(np.prod(v.shape)) for v in scaled) == 111_681


def test_e4_17_labels_have_no_axis_of_their_own_and_a_batch_of_one_keeps_its_axis():
    inputs, query_y = random_task(tasks=1)
    log_p = MatchingNetwork(Identity())(inputs)
    assert log_p.shape == (1, 20, 4)
    assert matching.negative_log_likelihood(query_y, log_p).shape == ()

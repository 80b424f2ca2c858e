"""Zero-shot prototypical network: prototypes are embedded descriptions of length one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical.models import negative_log_likelihood
from chapters.ch03_prototypical.zero_shot import (
    ZeroShotPrototypicalNetwork,
    description_embedding,
)
from chapters.engine.errors import RunError

WORDS, DIM, PIXELS = 6, 4, 5


def network(hidden=0, dropout=0.0):
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential([keras.layers.Input((PIXELS,)), keras.layers.Dense(DIM)])
    return ZeroShotPrototypicalNetwork(encoder, description_embedding(WORDS, DIM, hidden, dropout))


def task(tasks=2, way=3, queries=7, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "attributes": rng.random([tasks, way, WORDS]).astype(np.float32),
        "query_x": rng.normal(size=[tasks, queries, PIXELS]).astype(np.float32),
    }


def test_logits_are_negative_squared_distances_to_unit_prototypes():
    """Against loops: c_k = g(v_k) / |g(v_k)|, d = sum (f(x) - c_k)^2."""
    learner, inputs = network(), task()
    found = learner(inputs)
    w, b = learner.encoder.get_weights()
    v, a = learner.describer.get_weights()
    for t in range(2):
        for q in range(7):
            z = inputs["query_x"][t, q] @ w + b
            for k in range(3):
                c = inputs["attributes"][t, k] @ v + a
                distance = np.sum((z - c / np.linalg.norm(c)) ** 2)
                np.testing.assert_allclose(found[t, q, k], -distance, rtol=1e-4)


def test_a_prototype_has_length_one_however_long_its_description():
    learner, inputs = network(hidden=8), task()
    c = learner.prototypes(tf.constant(inputs["attributes"]))
    np.testing.assert_allclose(tf.norm(c, axis=-1), 1.0, rtol=1e-5)


def test_prototypes_of_any_length_are_what_the_embedding_says():
    learner, inputs = network(), task()
    free = ZeroShotPrototypicalNetwork(learner.encoder, learner.describer, unit=False)
    v, a = learner.describer.get_weights()
    found = free.prototypes(tf.constant(inputs["attributes"]))
    np.testing.assert_allclose(found, inputs["attributes"] @ v + a, rtol=1e-5, atol=1e-6)
    assert not ZeroShotPrototypicalNetwork.from_config(free.get_config()).unit


def test_the_embedding_of_images_is_that_of_another_network_than_that_of_words():
    learner = network()
    images = {id(v) for v in learner.encoder.trainable_variables}
    words = {id(v) for v in learner.describer.trainable_variables}
    assert images and words and not images & words
    assert images | words == {id(v) for v in learner.trainable_variables}


def test_the_order_of_classes_moves_the_answers_and_nothing_else():
    learner, inputs = network(), task()
    turned = {**inputs, "attributes": inputs["attributes"][:, [2, 0, 1]]}
    np.testing.assert_allclose(learner(turned), learner(inputs).numpy()[..., [2, 0, 1]], rtol=1e-5)


def test_equal_descriptions_get_equal_answers_and_the_loss_is_ln_way():
    learner, inputs = network(), task(way=4)
    inputs["attributes"][:] = inputs["attributes"][:, :1]
    loss = negative_log_likelihood(tf.zeros([2, 7], tf.int32), learner(inputs))
    np.testing.assert_allclose(loss, np.log(4), rtol=1e-5)


def test_a_description_without_a_known_word_is_finite():
    learner, inputs = network(), task()
    learner.describer.layers[-1].bias.assign(tf.zeros(DIM))
    inputs["attributes"][0, 0] = 0
    assert np.isfinite(learner(inputs)).all()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(learner(inputs) ** 2)
    assert all(np.isfinite(g).all() for g in tape.gradient(loss, learner.trainable_variables))


def test_words_are_left_out_in_training_alone():
    learner, inputs = network(dropout=0.5), task()
    np.testing.assert_array_equal(learner(inputs), learner(inputs))
    assert np.abs(learner(inputs, training=True) - learner(inputs, training=True)).max() > 0


def test_gradients_reach_both_embeddings():
    learner, inputs = network(hidden=8), task()
    with tf.GradientTape() as tape:
        loss = negative_log_likelihood(tf.zeros([2, 7], tf.int32), learner(inputs, training=True))
    gradients = tape.gradient(loss, learner.trainable_variables)
    assert len(gradients) == 6 and all(np.abs(g).max() > 0 for g in gradients)


def test_one_class_gets_all_of_the_probability():
    learner, inputs = network(), task(way=1)
    prediction = learner(inputs)[0]
    np.testing.assert_array_equal(learner.answer(prediction, None)["probabilities"], 1.0)


def test_missing_descriptions_are_told():
    with pytest.raises(RunError, match="attributes is missing"):
        network()({"query_x": task()["query_x"]})
    wrong = {**task(), "attributes": np.zeros([2, 3, WORDS + 1], np.float32)}
    with pytest.raises(RunError, match="attributes has items of shape"):
        network()(wrong)


def test_a_saved_configuration_makes_the_same_network():
    learner, inputs = network(hidden=8), task()
    copy = ZeroShotPrototypicalNetwork.from_config(learner.get_config())
    copy.set_weights(learner.get_weights())
    np.testing.assert_allclose(copy(inputs), learner(inputs), rtol=1e-6)

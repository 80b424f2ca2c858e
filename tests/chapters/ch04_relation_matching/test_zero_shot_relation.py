"""Zero-shot relation network: every query with every description, in order."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch04_relation_matching.losses import squared_error
from chapters.ch04_relation_matching.zero_shot import (
    ZeroShotRelationNetwork,
    description_embedding,
    relation_function,
)
from chapters.engine.errors import RunError

WORDS, DIM, PIXELS = 6, 4, 5


def network(dropout=0.0):
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential([keras.layers.Input((PIXELS,)), keras.layers.Dense(DIM)])
    return ZeroShotRelationNetwork(
        encoder, description_embedding(WORDS, DIM, 7, dropout), relation_function(DIM, 8)
    )


def task(tasks=2, way=3, queries=7):
    rng = np.random.default_rng(0)
    return {
        "attributes": rng.random([tasks, way, WORDS]).astype(np.float32),
        "query_x": rng.normal(size=[tasks, queries, PIXELS]).astype(np.float32),
    }


def rectified(x):
    return np.maximum(x, 0)


def test_logits_are_those_of_all_pairs_by_loops():
    """r_cj = g(Z(f1(v_c), f2(x_j))), the description first."""
    learner, inputs = network(), task()
    found = learner(inputs)
    w, b = learner.encoder.get_weights()
    v1, a1, v2, a2 = learner.describer.get_weights()
    g1, c1, g2, c2 = learner.relation.get_weights()
    for t in range(2):
        for q in range(7):
            z = inputs["query_x"][t, q] @ w + b
            for k in range(3):
                described = rectified(rectified(inputs["attributes"][t, k] @ v1 + a1) @ v2 + a2)
                pair = np.concatenate([described, z])
                logit = rectified(pair @ g1 + c1) @ g2 + c2
                np.testing.assert_allclose(found[t, q, k], logit[0], rtol=1e-4, atol=1e-5)


def test_the_order_of_classes_moves_the_answers_and_nothing_else():
    learner, inputs = network(), task()
    turned = {**inputs, "attributes": inputs["attributes"][:, [2, 0, 1]]}
    np.testing.assert_allclose(
        learner(turned), learner(inputs).numpy()[..., [2, 0, 1]], rtol=1e-4, atol=1e-6
    )


def test_a_query_is_answered_as_if_it_were_alone():
    learner, inputs = network(), task()
    alone = {**inputs, "query_x": inputs["query_x"][:, 3:4]}
    np.testing.assert_allclose(learner(alone)[:, 0], learner(inputs)[:, 3], rtol=1e-4, atol=1e-6)


def test_gradients_reach_all_three_functions():
    learner, inputs = network(), task()
    with tf.GradientTape() as tape:
        loss = squared_error(tf.zeros([2, 7], tf.int32), learner(inputs, training=True))
    gradients = tape.gradient(loss, learner.trainable_variables)
    assert len(gradients) == 10 and all(np.isfinite(g).all() for g in gradients)
    parts = (learner.encoder, learner.describer, learner.relation)
    by_variable = dict(zip((v.path for v in learner.trainable_variables), gradients, strict=True))
    for part in parts:
        assert any(np.abs(by_variable[v.path]).max() > 0 for v in part.trainable_variables)


def test_equal_descriptions_get_equal_scores():
    learner, inputs = network(), task()
    inputs["attributes"][:] = inputs["attributes"][:, :1]
    found = learner(inputs).numpy()
    np.testing.assert_allclose(found, np.repeat(found[..., :1], 3, axis=-1), rtol=1e-5)


def test_missing_descriptions_are_told():
    with pytest.raises(RunError, match="attributes is missing"):
        network()({"query_x": task()["query_x"]})


def test_a_saved_configuration_makes_the_same_network():
    learner, inputs = network(), task()
    copy = ZeroShotRelationNetwork.from_config(learner.get_config())
    copy.set_weights(learner.get_weights())
    np.testing.assert_allclose(copy(inputs), learner(inputs), rtol=1e-5)

"""The semi-supervised learner: a prototypical network with one input more."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical import models
from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.ch03_prototypical.semi_supervised import METHODS, SemiSupervisedPrototypicalNetwork
from chapters.engine.errors import RunError
from tests.chapters.ch03_prototypical.test_models import Identity, random_task

# Logits are -d^2; those of ``cluster``, whose classes have radius 1, are -d^2 / 2.
SHARPNESS = {"supervised": 1.0, "soft": 1.0, "cluster": 0.5, "masked": 1.0}
LEARNED = {"supervised": 0, "soft": 0, "cluster": 1, "masked": 5 * 20 + 20 + 20 * 3 + 3}


def task(unlabelled=6, **options):
    """A random task with unlabelled items."""
    inputs, query_y = random_task(**options)
    rng = np.random.default_rng(9)
    x = rng.normal(size=[len(inputs["query_x"]), unlabelled, inputs["query_x"].shape[-1]])
    return {**inputs, "unlabelled_x": tf.constant(x, tf.float32)}, query_y


def without(inputs):
    """The same task without them."""
    return {name: x for name, x in inputs.items() if name != "unlabelled_x"}


@pytest.mark.parametrize("method", METHODS)
def test_without_unlabelled_items_it_is_a_prototypical_network(method):
    inputs, _ = task()
    learner = SemiSupervisedPrototypicalNetwork(Identity(), method)
    plain = tf.nn.log_softmax(
        SHARPNESS[method] * models.PrototypicalNetwork(Identity())(without(inputs))
    )
    alone, refined = (tf.nn.log_softmax(learner(x)) for x in (without(inputs), inputs))
    np.testing.assert_allclose(alone, plain, atol=1e-5)
    assert np.abs(refined - plain).max() > 1e-3


def test_a_query_may_be_of_the_distractor_cluster_in_training_alone():
    """A query at the origin, far from every class, is the cluster's; its loss is that of all."""
    inputs, _ = task(way=4)
    far = {**inputs, "support_x": 9.0 * inputs["support_x"], "query_x": 0.0 * inputs["query_x"]}
    learner = SemiSupervisedPrototypicalNetwork(Identity(), "cluster")
    logits, trained = learner(far), learner(far, training=True)
    assert logits.shape[-1] == 4 and trained.shape[-1] == 5
    np.testing.assert_allclose(trained[..., :-1], logits, atol=1e-4)
    np.testing.assert_array_equal(tf.argmax(trained, axis=-1), np.full(trained.shape[:2], 4))
    # at the centre of the cluster: -log(2 pi) / 2 - log 100
    expected = -0.5 * math.log(2 * math.pi) - math.log(100)
    np.testing.assert_allclose(trained[..., -1], expected, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("refinements", [1, 3])
def test_several_tasks_of_a_step_equal_one_by_one(method, refinements):
    """With batch statistics too: no task sees another."""
    rng = np.random.default_rng(0)
    shapes = {"support_x": 4, "unlabelled_x": 6, "query_x": 3}
    inputs = {
        name: tf.constant(rng.random([3, count, 16, 16, 1]), tf.float32)
        for name, count in shapes.items()
    }
    inputs["support_y"] = tf.constant([[0, 1, 0, 1]] * 3)
    encoder = get_embeddings((16, 16, 1), 4, 4)
    learner = SemiSupervisedPrototypicalNetwork(encoder, method, refinements)
    for training in (False, True):
        together = learner(inputs, training=training)
        for number in range(3):
            one = {name: x[number : number + 1] for name, x in inputs.items()}
            alone = learner(one, training=training)
            np.testing.assert_allclose(together[number], alone[0], rtol=1e-3, atol=1e-4)


def test_supervised_given_unlabelled_items_takes_the_step_of_soft_kmeans():
    inputs, _ = task()
    supervised, soft = (
        SemiSupervisedPrototypicalNetwork(Identity(), method) for method in ("supervised", "soft")
    )
    np.testing.assert_array_equal(supervised(inputs), soft(inputs))


@pytest.mark.parametrize("method", METHODS)
def test_all_items_pass_one_encoder_together(method):
    calls = []

    class Counting(Identity):
        """Says how many items it was given."""

        def call(self, x, training=False):
            """[item, dim] -> [item, dim]"""
            calls.append(len(x))
            return super().call(x)

    inputs, _ = task(way=4, shot=3, query=5, tasks=1)
    SemiSupervisedPrototypicalNetwork(Counting(), method)(inputs, training=True)
    assert calls == [12 + 6 + 20]


@pytest.mark.parametrize("method", METHODS)
def test_each_method_learns_what_it_should_and_every_weight_gets_a_gradient(method):
    inputs, query_y = task(dim=10)
    encoder = keras.Sequential([keras.layers.Input([10]), keras.layers.Dense(10)])
    learner = SemiSupervisedPrototypicalNetwork(encoder, method)
    own = learner.count_params() - encoder.count_params()
    assert own == LEARNED[method]
    with tf.GradientTape() as tape:
        logits = learner(inputs, training=True)
        loss = models.negative_log_likelihood(query_y, logits)
    gradients = tape.gradient(loss, learner.trainable_variables)
    assert all(g is not None and np.isfinite(g).all() for g in gradients)
    assert any(np.abs(g).max() > 0 for g in gradients)


def test_radius_and_thresholds_begin_as_in_the_authors_code():
    cluster = SemiSupervisedPrototypicalNetwork(Identity(), "cluster")
    np.testing.assert_allclose(cluster.log_radius, math.log(100), rtol=1e-6)
    masked = SemiSupervisedPrototypicalNetwork(Identity(), "masked")
    outputs = masked.thresholds(np.random.default_rng(0).normal(size=[50, 5]))
    assert np.abs(outputs).max() < 0.05  # threshold and slope e^0 = 1


@pytest.mark.parametrize("method", METHODS)
def test_a_learner_survives_saving(method, tmp_path):
    rng = np.random.default_rng(0)
    inputs = {
        "support_x": tf.constant(rng.random([1, 4, 16, 16, 1]), tf.float32),
        "support_y": tf.constant([[0, 1, 0, 1]]),
        "unlabelled_x": tf.constant(rng.random([1, 5, 16, 16, 1]), tf.float32),
        "query_x": tf.constant(rng.random([1, 3, 16, 16, 1]), tf.float32),
    }
    learner = SemiSupervisedPrototypicalNetwork(get_embeddings((16, 16, 1), 4, 4), method, 2)
    for variable in learner.trainable_variables[-1:]:
        variable.assign_add(0.1 * tf.ones_like(variable))
    expected = learner(inputs)
    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras")
    assert (loaded.method, loaded.refinements) == (method, 2)
    np.testing.assert_allclose(loaded(inputs), expected, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_saved_model_takes_tasks_with_and_without_unlabelled_items(method, tmp_path):
    rng = np.random.default_rng(0)
    given = {
        "support_x": tf.constant(rng.random([4, 16, 16, 1]), tf.float32),
        "support_y": tf.constant([0, 1, 0, 1]),
        "query_x": tf.constant(rng.random([3, 16, 16, 1]), tf.float32),
    }
    more = {**given, "unlabelled_x": tf.constant(rng.random([5, 16, 16, 1]), tf.float32)}
    learner = SemiSupervisedPrototypicalNetwork(get_embeddings((16, 16, 1), 4, 4), method)
    learner.export(tmp_path / "model")
    signatures = tf.saved_model.load(str(tmp_path / "model")).signatures
    for name, inputs in (("serve", given), ("serve_full", more)):
        found = signatures[name](**inputs)["probabilities"]
        expected = tf.nn.softmax(learner({key: x[None] for key, x in inputs.items()})[0])
        np.testing.assert_allclose(found, expected, atol=1e-5)
    none = signatures["serve_full"](**{**more, "unlabelled_x": more["unlabelled_x"][:0]})
    plain = signatures["serve"](**given)
    np.testing.assert_allclose(none["probabilities"], plain["probabilities"], atol=1e-5)
    spoilt = tf.fill([5, 16, 16, 1], float("nan"))
    found = signatures["serve_full"](**{**more, "unlabelled_x": spoilt})["probabilities"]
    assert np.isnan(found).all()


def test_a_wrong_method_and_empty_or_odd_unlabelled_items_are_refused():
    with pytest.raises(ValueError, match="supervised, soft, cluster, masked"):
        SemiSupervisedPrototypicalNetwork(Identity(), "hard")
    inputs, _ = task()
    learner = SemiSupervisedPrototypicalNetwork(get_embeddings((16, 16, 1), 4, 4), "soft")
    with pytest.raises(RunError, match="unlabelled_x has shape .2, 0, 6.; a task needs at least"):
        SemiSupervisedPrototypicalNetwork(Identity(), "soft")(
            {**inputs, "unlabelled_x": inputs["unlabelled_x"][:, :0]}
        )
    with pytest.raises(RunError, match="did you mean 'unlabelled_x'"):
        learner({**without(inputs), "unlabeled_x": inputs["unlabelled_x"]})

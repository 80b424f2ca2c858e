"""What metric learners share: one pass for all items, and predictions from embeddings alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch02_siamese.models import NearestNeighbour, SiameseNetwork
from chapters.ch03_prototypical.gaussian import GaussianPrototypicalNetwork
from chapters.ch03_prototypical.models import PrototypicalNetwork
from chapters.ch03_prototypical.semi_supervised import SemiSupervisedPrototypicalNetwork
from chapters.ch04_relation_matching.classifier import CosineClassifier
from chapters.ch04_relation_matching.matching import MatchingNetwork
from chapters.ch04_relation_matching.relation import RelationNetwork, relation_function
from chapters.ch09_frontiers.concepts import ConceptLearner
from chapters.engine.layers import BatchNormalization


def encoder():
    """Vectors of 6 numbers -> 5, with averages that training moves."""
    return keras.Sequential([keras.Input([6]), keras.layers.Dense(5), BatchNormalization()])


def maps():
    """Vectors of 6 numbers -> maps of 4 x 4 with two channels."""
    return keras.Sequential(
        [keras.Input([6]), keras.layers.Dense(32), keras.layers.Reshape([4, 4, 2])]
    )


LEARNERS = {
    "siamese": lambda: NearestNeighbour(SiameseNetwork(encoder())),
    "prototypical": lambda: PrototypicalNetwork(encoder()),
    "gaussian": lambda: GaussianPrototypicalNetwork(encoder()),
    "semi-supervised": lambda: SemiSupervisedPrototypicalNetwork(encoder()),
    "matching": lambda: MatchingNetwork(encoder(), scale="learned"),
    "relation": lambda: RelationNetwork(maps(), relation_function([4, 4, 2], r_dim=3)),
    "cosine": lambda: CosineClassifier(encoder()),
    "concepts": lambda: ConceptLearner(encoder(), PrototypicalNetwork(keras.Sequential(
        [keras.Input([5]), keras.layers.Dense(4)]))),
}  # fmt: skip


@pytest.fixture(params=LEARNERS)
def learner(request):
    return LEARNERS[request.param]()


def task():
    rng = np.random.default_rng(0)
    support_y = np.array([0, 1, 2, 0, 2], np.int32)
    return {
        "support_x": rng.normal(size=[5, 6]).astype(np.float32),
        "support_y": support_y,
        "query_x": rng.normal(size=[4, 6]).astype(np.float32),
    }


def test_what_was_embedded_once_gives_the_same_predictions(learner):
    given = task()
    expected = learner({name: x[None] for name, x in given.items()})
    z = learner.encode(np.concatenate([given["support_x"], given["query_x"]]))[None]
    found = learner.classify(z[:, :5], given["support_y"][None], z[:, 5:])
    assert found.shape == (1, 4, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_an_item_has_the_shape_that_the_encoder_takes(learner):
    assert learner.item_shape == (6,)


def test_an_item_that_is_not_finite_is_so_in_all_numbers_of_its_embedding_or_map(learner):
    x = task()["query_x"]
    x[1, 2] = np.nan
    z = np.asarray(learner.encode(x)).reshape(4, -1)
    assert np.isnan(z[1]).all() and np.isfinite(z[[0, 2, 3]]).all()


def test_support_set_and_queries_share_batch_statistics_in_training():
    learner = PrototypicalNetwork(encoder())
    given = {name: tf.constant(x[None]) for name, x in task().items()}
    support_z, query_z = learner.embed_task(given, training=True)
    # Keras' layers begin with scale 1 and offset 0: all items of a task have mean 0, variance 1.
    z = np.concatenate([support_z[0], query_z[0]])
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=0), 1, atol=0.05)

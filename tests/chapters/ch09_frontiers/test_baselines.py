"""The rivals of tasks made of clusters, against loops and scikit-learn."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from chapters.ch09_frontiers import baselines


def flat(x, training=False):
    """An embedding: the pixels."""
    return tf.reshape(x, [-1, int(np.prod(x.shape[1:]))])


def task(tasks=2, way=3, shot=2, query=4):
    rng = np.random.default_rng(0)
    y = np.tile(np.repeat(np.arange(way), shot), (tasks, 1)).astype(np.int32)
    inputs = {
        "support_x": rng.normal(size=[tasks, way * shot, 2, 2, 1]).astype(np.float32),
        "support_y": y,
        "query_x": rng.normal(size=[tasks, query, 2, 2, 1]).astype(np.float32),
    }
    return {name: tf.constant(value) for name, value in inputs.items()}


def by_loops(inputs, code):
    """Minus the squared distance to the nearest support item of each class."""
    support, query, labels = (
        inputs[name].numpy() for name in ("support_x", "query_x", "support_y")
    )
    way = labels.max() + 1
    logits = np.zeros([*query.shape[:2], way])
    for t in range(len(query)):
        for q in range(query.shape[1]):
            for k in range(way):
                members = support[t][labels[t] == k]
                apart = [((code(query[t, q]) - code(x)) ** 2).sum() for x in members]
                logits[t, q, k] = -min(apart)
    return logits


def test_nearest_neighbour_by_loops():
    found = baselines.nearest(flat)(task())
    np.testing.assert_allclose(found, by_loops(task(), np.ravel), rtol=1e-4)


def test_cluster_matching_knows_items_by_their_cluster_alone():
    centres = np.random.default_rng(1).normal(size=[5, 4])

    def centre(x):
        return centres[((centres - x.ravel()) ** 2).sum(axis=1).argmin()]

    found = baselines.matching(flat, centres)(task())
    np.testing.assert_allclose(found, by_loops(task(), centre), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("way", [2, 3])
def test_linear_is_logistic_regression_of_each_task(way):
    inputs = task(way=way)
    found = tf.function(baselines.linear(flat))(inputs)
    assert found.shape[:2] == (2, 4)
    for t in range(2):
        model = LogisticRegression(max_iter=200)
        model.fit(inputs["support_x"][t].numpy().reshape(-1, 4), inputs["support_y"][t].numpy())
        expected = model.predict_log_proba(inputs["query_x"][t].numpy().reshape(-1, 4))
        np.testing.assert_allclose(found[t], expected, rtol=1e-3, atol=1e-4)

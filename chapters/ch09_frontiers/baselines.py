"""What tasks of clusters have to beat: the embedding that the clusters were made of, as it is.

Each takes the inputs of a test and returns logits [task, query, way], and learns nothing before.
"""

import numpy as np
import tensorflow as tf

from chapters.engine.evaluation import Evaluator
from chapters.engine.layers import embed_tasks
from chapters.experiments import images

FAR = 1e9  # of items of other classes


def nearest(embedding):
    """The class of the nearest support item."""

    def predict(inputs):
        support_z, query_z = _embed(embedding, inputs)
        return _nearest(query_z, support_z, inputs["support_y"])

    return predict


def linear(embedding):
    """Logistic regression on the support set of each task (scikit-learn's)."""

    def fit(support_z, support_y, query_z):
        from sklearn.linear_model import LogisticRegression

        tasks = zip(support_z, support_y, query_z, strict=True)
        fitted = [(LogisticRegression(max_iter=200).fit(z, y), query) for z, y, query in tasks]
        # Two classes have one column of decisions: that of the second.
        return np.stack([model.predict_log_proba(query) for model, query in fitted]).astype("f4")

    def predict(inputs):
        support_z, query_z = _embed(embedding, inputs)
        labels = inputs["support_y"]
        logits = tf.numpy_function(fit, [support_z, labels, query_z], tf.float32)
        return tf.ensure_shape(logits, [labels.shape[0], query_z.shape[1], None])

    return predict


def matching(embedding, centres):
    """Cluster matching: every item counts as the cluster it is in.

    A query belongs to the class whose support item has the nearest cluster; where both are in the
    same, that is certain.

    Args:
        embedding: pictures -> codes.
        centres: [cluster, dim].
    """
    centres = tf.constant(centres, tf.float32)

    def centre_of(z):
        squares = tf.reduce_sum(centres**2, axis=-1)  # [cluster]
        # |z - m|^2 but for |z|^2, which is the same for all m
        distance = squares - 2 * tf.einsum("tid,cd->tic", z, centres)  # [task, item, cluster]
        return tf.gather(centres, tf.argmin(distance, axis=-1))  # [task, item, dim]

    def predict(inputs):
        support_z, query_z = (centre_of(z) for z in _embed(embedding, inputs))
        return _nearest(query_z, support_z, inputs["support_y"])

    return predict


def test(clusters, tests, data, config) -> list[dict]:
    """Print the tests of all; rows of ``metrics.json``."""
    embedding = clusters.embedding
    contenders = {
        "embedding, nearest neighbour": nearest(embedding),
        "embedding, linear": linear(embedding),
        "cluster matching": matching(embedding, clusters.centres),
    }
    scores = {
        name: {
            column: Evaluator(predict, sampler, config.test_episodes)()
            for column, sampler in tests.items()
        }
        for name, predict in contenders.items()
    }
    print(images.table(scores, {}, data, config))
    return images.rows(scores, {}, data, config)


def _embed(embedding, inputs):
    """Codes of support and queries: [task, item, dim] each."""
    return [embed_tasks(embedding, inputs[name], False) for name in ("support_x", "query_x")]


def _nearest(query_z, support_z, support_y):
    """Minus the squared distance of the nearest item of each class: [task, query, way]."""
    way = tf.reduce_max(support_y) + 1
    # [task, query, support]
    apart = tf.reduce_sum((query_z[:, :, None] - support_z[:, None]) ** 2, axis=-1)
    outside = tf.one_hot(support_y, way, on_value=0.0, off_value=FAR)  # [task, support, way]
    return -tf.reduce_min(apart[..., None] + outside[:, None], axis=2)

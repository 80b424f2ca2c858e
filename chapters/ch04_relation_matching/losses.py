"""Losses of the relation network; both take the logits of all pairs of query and class."""

import tensorflow as tf


def squared_error(query_y, logits):
    """Mean over pairs, queries and tasks of (r - 1(y_i == y_j))^2 with r = sigmoid(logit).

    The paper's, equation 2: a regression of scores on 1 and 0. It is way / 4 - ... nothing.

    Args:
        query_y: labels [task, query].
        logits: [task, query, way].
    """
    same = tf.one_hot(query_y, tf.shape(logits)[-1], dtype=logits.dtype)  # [task, query, way]
    return tf.reduce_mean((tf.sigmoid(logits) - same) ** 2)


def cross_entropy(query_y, logits):
    """-log softmax(logits)_y, mean over queries and tasks; arguments as for ``squared_error``."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(query_y, logits)  # [task, query]
    return tf.reduce_mean(losses)


OBJECTIVES = {"squared_error": squared_error, "cross_entropy": cross_entropy}

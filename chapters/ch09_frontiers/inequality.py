"""How unequal the losses of tasks are: 0 when all are equal, the same for losses twice as large.

Measures of income inequality, on losses instead of incomes (Jamal and Qi, 2019, section 3.2; book,
section 9.1). Each takes the losses l of M tasks [task], positive, and returns a number; order means
nothing.
"""

import tensorflow as tf

SMALLEST = 1e-8  # a loss that has reached 0 counts as this: its logarithm would be infinite


def gini(loss):
    """Gini's coefficient: half the mean absolute difference of two tasks, relative to the mean.

    0 to 1 - 1/M.
    """
    # G = sum_i sum_j |l_i - l_j| / (2 M sum_i l_i)
    tasks = tf.cast(tf.shape(loss)[0], loss.dtype)
    apart = tf.reduce_sum(tf.abs(loss[:, None] - loss))  # of [task, task]
    return apart / (2 * tasks * tf.maximum(tf.reduce_sum(loss), SMALLEST))


def theil(loss):
    """Theil's index: ln M minus the entropy of the shares; 0 to ln M."""
    # T = 1/M sum_i (l_i / l) ln(l_i / l), l the mean (E9.2)
    share = _relative(loss)
    return tf.reduce_mean(share * tf.math.log(share))


def variance_of_logarithms(loss):
    """Variance of ln l over the tasks (E9.3)."""
    # V = 1/M sum_i (ln l_i - ln g)^2, g the geometric mean
    logarithm = tf.math.log(tf.maximum(loss, SMALLEST))
    return tf.math.reduce_variance(logarithm)


def generalised_entropy(loss, alpha: float = 2.0):
    """Generalised entropy index; larger ``alpha`` looks more at the largest losses.

    1 is Theil's index, 0 the mean logarithmic deviation.
    """
    share = _relative(loss)
    if alpha == 1:
        return theil(loss)
    if alpha == 0:
        return -tf.reduce_mean(tf.math.log(share))
    # GE(a) = 1/(M a (a - 1)) sum_i ((l_i / l)^a - 1)
    return tf.reduce_mean(share**alpha - 1) / (alpha * (alpha - 1))


def atkinson(loss, epsilon: float = 1.0):
    """Atkinson's index; larger ``epsilon`` looks more at the smallest losses. 0 to 1."""
    share = _relative(loss)
    if epsilon == 1:
        # A(1) = 1 - (prod_i l_i)^(1/M) / l
        return 1 - tf.exp(tf.reduce_mean(tf.math.log(share)))
    # A(e) = 1 - (1/M sum_i l_i^(1-e))^(1/(1-e)) / l
    return 1 - tf.reduce_mean(share ** (1 - epsilon)) ** (1 / (1 - epsilon))


def _relative(loss):
    """Losses over their mean [task]."""
    loss = tf.maximum(loss, SMALLEST)
    return loss / tf.reduce_mean(loss)


MEASURES = {
    "gini": gini,
    "theil": theil,
    "variance_of_logarithms": variance_of_logarithms,
    "generalised_entropy": generalised_entropy,
    "atkinson": atkinson,
}


def entropy(logits):
    """Mean entropy of the predictions of each task: [task, item, way] -> [task], 0 to ln way.

    Computed from logarithms: a prediction that is certain has entropy 0 and a finite gradient.
    """
    # H = -E_x sum_n p_n log p_n
    log_p = tf.nn.log_softmax(logits)  # [task, item, way]
    return -tf.reduce_mean(tf.reduce_sum(tf.exp(log_p) * log_p, axis=-1), axis=-1)

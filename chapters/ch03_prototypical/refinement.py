"""Prototypes refined by unlabelled items (Ren et al., 2018; section 3.6 of the book).

An unlabelled item has a say in the prototypes of the classes that it seems to be of; it is never
sorted in for good, as the book's "add or ignore" has it, and has no prototype of its own (E3.21).
Three ways to weigh it: by a softmax over the classes (soft k-means); by a softmax in which a
cluster for what is of no class takes part; by the first softmax times a mask, which is near zero
for what lies far from a class, as far as a small network finds from the distances.

All three begin with the prototypes of the support set. ``member`` is 1 where a support item is of a
class and 0 elsewhere. Without unlabelled items nothing changes.
"""

import math

import tensorflow as tf

from chapters.ch03_prototypical.models import squared_euclidean

STATISTICS = 5  # of the distances to a prototype, see ``distance_statistics``
OUTPUTS = 3  # of the network that reads them, see ``masked_soft_kmeans``


def refined_prototypes(support_z, member, unlabelled_z, weight):
    """Means of each class over support items, which count once, and weighted unlabelled items.

    Args:
        support_z: embeddings [task, support, dim].
        member: [task, support, way], 0 or 1.
        unlabelled_z: embeddings [task, unlabelled, dim].
        weight: [task, unlabelled, way], between 0 and 1.

    Returns:
        Prototypes [task, way, dim].
    """
    # p~_c = (sum_i h(x_i) z_ic + sum_j h(x~_j) z~_jc) / (sum_i z_ic + sum_j z~_jc)   equation 4
    z = tf.concat([support_z, unlabelled_z], axis=1)  # [task, support + unlabelled, dim]
    share = tf.concat([member, weight], axis=1)  # [task, support + unlabelled, way]
    total = tf.einsum("tiw,tid->twd", share, z)  # [task, way, dim]
    return tf.math.divide_no_nan(total, tf.reduce_sum(share, axis=1)[..., None])


def soft_kmeans(prototypes, support_z, member, unlabelled_z, steps: int = 1):
    """Steps of soft k-means; the weights are taken for constants when gradients are computed.

    Args:
        prototypes: of the support set [task, way, dim].
        support_z, member, unlabelled_z: as for ``refined_prototypes``.
        steps: refinements, at least one.

    Returns:
        Prototypes [task, way, dim], and the weights of the last step [task, unlabelled, way].
    """
    for _ in range(steps):
        # z~_jc = exp(-||h(x~_j) - p_c||^2) / sum_c' exp(-||h(x~_j) - p_c'||^2)
        distance = squared_euclidean(unlabelled_z, prototypes)  # [task, unlabelled, way]
        weight = tf.stop_gradient(tf.nn.softmax(-distance, axis=-1))  # [task, unlabelled, way]
        prototypes = refined_prototypes(support_z, member, unlabelled_z, weight)
    return prototypes, weight


def soft_kmeans_with_distractors(
    prototypes, support_z, member, unlabelled_z, log_radius, steps: int = 1
):
    """Soft k-means with one cluster more, for what is of no class.

    Its centre is the origin and its radius is learned; those of the classes are 1. The book gives
    it neither centre nor radius (E3.22).

    Args:
        prototypes, support_z, member, unlabelled_z, steps: as for ``soft_kmeans``.
        log_radius: of the distractor cluster, scalar.

    Returns:
        As ``soft_kmeans``; what the weights of an item lack to 1 is the distractor cluster's.
    """
    for _ in range(steps):
        # z~_jc is the softmax over c of these logits, the distractor cluster among them
        share = tf.nn.softmax(cluster_logits(unlabelled_z, prototypes, log_radius), axis=-1)
        weight = share[..., :-1]  # [task, unlabelled, way]
        prototypes = refined_prototypes(support_z, member, unlabelled_z, weight)
    return prototypes, weight


def cluster_logits(z, prototypes, log_radius):
    """Logits of the classes and, last, of the distractor cluster: [task, item, way + 1].

    Args:
        z: embeddings [task, item, dim].
        prototypes: [task, way, dim].
        log_radius: of the distractor cluster, scalar.
    """
    origin = tf.zeros_like(prototypes[:, :1])  # [task, 1, dim]
    centres = tf.concat([prototypes, origin], axis=1)  # [task, way + 1, dim]
    distance = squared_euclidean(z, centres)  # [task, item, way + 1]
    log_r = tf.concat([tf.zeros_like(prototypes[0, :, 0]), log_radius[None]], axis=0)  # [way + 1]
    # -||h(x) - p_c||^2 / (2 r_c^2) - A(r_c),  A(r) = log(2 pi) / 2 + log r
    return -0.5 * distance * tf.exp(-2.0 * log_r) - 0.5 * math.log(2.0 * math.pi) - log_r


def masked_soft_kmeans(prototypes, support_z, member, unlabelled_z, outputs, steps: int = 1):
    """Soft k-means in which an item far from a class has no say in it.

    Args:
        prototypes, support_z, member, unlabelled_z, steps: as for ``soft_kmeans``.
        outputs: of the network that reads ``distance_statistics``, [task, way, 3]: logarithm of a
            threshold, what is added to the threshold up to the last of several steps, logarithm of
            a slope.

    Returns:
        As ``soft_kmeans``.
    """
    start, course, slope = tf.unstack(outputs[:, None], axis=-1)  # [task, 1, way] each
    for step in range(steps):
        distance = squared_euclidean(unlabelled_z, prototypes)  # [task, unlabelled, way]
        threshold = tf.exp(start) + step / max(steps - 1, 1) * course
        mask = soft_mask(normalised(distance), threshold, tf.exp(slope))
        weight = tf.nn.softmax(-distance, axis=-1) * mask  # [task, unlabelled, way]
        prototypes = refined_prototypes(support_z, member, unlabelled_z, weight)
    return prototypes, weight


def soft_mask(distance, threshold, slope):
    """m_jc = sigmoid(-gamma_c (d~_jc - beta_c)): [task, unlabelled, way], near 1 for what is near.

    Args:
        distance: normalised, [task, unlabelled, way].
        threshold: beta, [task, 1, way].
        slope: gamma, [task, 1, way].
    """
    return tf.sigmoid(-slope * (distance - threshold))


def normalised(distance):
    """d~_jc = d_jc / (mean over j of d_jc): [task, unlabelled, way]; zeros stay zeros."""
    return distance / _not_zero(tf.reduce_mean(distance, axis=1, keepdims=True))


def distance_statistics(distance):
    """How the distances of the unlabelled items to each prototype are spread.

    Args:
        distance: normalised, [task, unlabelled, way].

    Returns:
        Smallest, largest, variance, skewness and kurtosis [task, way, 5] (E3.20: the book has no
        variance). Gradients do not pass.
    """
    mean, variance = (
        _not_zero(moment) for moment in tf.nn.moments(distance, axes=[1], keepdims=True)
    )
    # skew = mean of ((d - mu) / sd)^3,  kurt = mean of ((d - mu) / sd)^4 - 3
    deviation = (distance - mean) * tf.math.rsqrt(variance)  # [task, unlabelled, way]
    statistics = [
        tf.reduce_min(distance, axis=1),
        tf.reduce_max(distance, axis=1),
        variance[:, 0],
        tf.reduce_mean(deviation**3, axis=1),
        tf.reduce_mean(deviation**4, axis=1) - 3.0,
    ]
    return tf.stop_gradient(tf.stack(statistics, axis=-1))  # [task, way, 5]


def _not_zero(x):
    """1 in the place of 0, so that what is divided by it stays 0."""
    return tf.where(x == 0.0, tf.ones_like(x), x)

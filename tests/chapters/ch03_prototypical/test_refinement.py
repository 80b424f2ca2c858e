"""Refined prototypes against loops in NumPy, special cases and the errata of the book."""

import math

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical import refinement
from chapters.ch03_prototypical.models import class_prototypes, squared_euclidean

WAY, SHOT, UNLABELLED, DIM, TASKS = 3, 2, 7, 5, 2


def random_case(seed=0, spread=1.0, dtype=tf.float32, tasks=TASKS, unlabelled=UNLABELLED):
    """prototypes, support_z, member, unlabelled_z: items near classes that are apart."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=[tasks, WAY, DIM])
    labels = np.tile(np.repeat(np.arange(WAY), SHOT), (tasks, 1))
    support_z = np.take_along_axis(centres, labels[..., None], axis=1)
    support_z = support_z + 0.5 * rng.normal(size=support_z.shape)
    unlabelled_z = spread * rng.normal(size=[tasks, unlabelled, DIM])
    support_z, unlabelled_z = tf.constant(support_z, dtype), tf.constant(unlabelled_z, dtype)
    labels = tf.constant(labels, tf.int32)
    prototypes = class_prototypes(support_z, labels, WAY)
    return prototypes, support_z, tf.one_hot(labels, WAY, dtype=dtype), unlabelled_z


def random_outputs(seed=3, dtype=tf.float32, tasks=TASKS):
    """Of the network of thresholds."""
    return tf.constant(np.random.default_rng(seed).normal(0, 0.5, [tasks, WAY, 3]), dtype)


LOG_RADIUS = tf.constant(0.6)
METHODS = {
    "soft": lambda case, steps=1: refinement.soft_kmeans(*case, steps),
    "cluster": lambda case, steps=1: refinement.soft_kmeans_with_distractors(
        *case, tf.cast(LOG_RADIUS, case[0].dtype), steps
    ),
    "masked": lambda case, steps=1: refinement.masked_soft_kmeans(
        *case, random_outputs(dtype=case[0].dtype, tasks=case[0].shape[0]), steps
    ),
}


# --- loops ----------------------------------------------------------------------------------------


def slow_distance(x, p):
    return sum((x[d] - p[d]) ** 2 for d in range(len(x)))


def slow_weights(method, prototypes, unlabelled, outputs, step, steps):
    """Weight of each unlabelled item in each class, one task."""
    weights = np.zeros([len(unlabelled), len(prototypes)])
    d = np.array([[slow_distance(x, p) for p in prototypes] for x in unlabelled])
    for j, x in enumerate(unlabelled):
        if method == "cluster":
            r = math.exp(float(LOG_RADIUS))
            logits = [-d[j, c] / 2 - 0.5 * math.log(2 * math.pi) for c in range(len(prototypes))]
            own = -slow_distance(x, np.zeros_like(x)) / (2 * r**2)
            logits.append(own - 0.5 * math.log(2 * math.pi) - math.log(r))
        else:
            logits = list(-d[j])
        total = sum(math.exp(logit) for logit in logits)
        for c in range(len(prototypes)):
            weights[j, c] = math.exp(logits[c]) / total
            if method == "masked":
                start, course, slope = outputs[c]
                threshold = math.exp(start) + (step / (steps - 1) * course if steps > 1 else 0.0)
                distance = d[j, c] / np.mean(d[:, c])
                mask = 1 / (1 + math.exp(math.exp(slope) * (distance - threshold)))
                weights[j, c] *= mask
    return weights


def slow_refinement(method, prototypes, support, member, unlabelled, outputs, steps):
    """Loops over steps, classes, items and dimensions, one task."""
    for step in range(steps):
        weights = slow_weights(method, prototypes, unlabelled, outputs, step, steps)
        refined = np.zeros_like(prototypes)
        for c in range(len(prototypes)):
            count = 0.0
            for i in range(len(support)):
                refined[c] += member[i, c] * support[i]
                count += member[i, c]
            for j in range(len(unlabelled)):
                refined[c] += weights[j, c] * unlabelled[j]
                count += weights[j, c]
            refined[c] /= count
        prototypes = refined
    return prototypes, weights


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_each_refinement_equals_loops(method, steps):
    case = random_case(dtype=tf.float64)
    prototypes, weights = METHODS[method](case, steps)
    outputs = random_outputs(dtype=tf.float64).numpy()
    for task in range(TASKS):
        parts = [x[task].numpy() for x in case]
        slow = slow_refinement(method, *parts, outputs[task], steps)
        np.testing.assert_allclose(prototypes[task], slow[0], rtol=1e-6)
        np.testing.assert_allclose(weights[task], slow[1], rtol=1e-5, atol=1e-12)


def test_statistics_equal_those_of_scipy():
    from scipy import stats

    rng = np.random.default_rng(1)
    d = rng.gamma(2.0, size=[2, 9, 3])
    found = refinement.distance_statistics(tf.constant(d)).numpy()
    expected = [d.min(1), d.max(1), d.var(1), stats.skew(d, axis=1), stats.kurtosis(d, axis=1)]
    np.testing.assert_allclose(found, np.stack(expected, axis=-1), rtol=1e-9)


def test_normalised_distances_have_mean_one():
    d = tf.constant(np.random.default_rng(1).gamma(2.0, size=[2, 9, 3]))
    np.testing.assert_allclose(tf.reduce_mean(refinement.normalised(d), axis=1), 1.0, rtol=1e-12)


# --- what changes nothing -------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_no_unlabelled_items_leave_the_prototypes_as_they_are(method):
    prototypes, support_z, member, unlabelled_z = random_case()
    refined, weights = METHODS[method]((prototypes, support_z, member, unlabelled_z[:, :0]))
    np.testing.assert_allclose(refined, prototypes, atol=1e-6)
    assert weights.shape == (TASKS, 0, WAY)


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_unlabelled_items_plays_no_role(method):
    case = random_case()
    order = np.random.default_rng(5).permutation(UNLABELLED)
    shuffled = (*case[:3], tf.gather(case[3], order, axis=1))
    (refined, weights), (again, other) = METHODS[method](case), METHODS[method](shuffled)
    np.testing.assert_allclose(refined, again, atol=1e-5)
    np.testing.assert_allclose(tf.gather(weights, order, axis=1), other, atol=1e-5)


@pytest.mark.parametrize("method", ["soft", "cluster"])
def test_several_tasks_equal_one_by_one(method):
    case = random_case()
    together, _ = METHODS[method](case)
    for task in range(TASKS):
        alone, _ = METHODS[method](tuple(x[task : task + 1] for x in case))
        np.testing.assert_allclose(together[task], alone[0], atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_items_that_lie_on_the_prototypes_do_not_move_them(method):
    prototypes, support_z, member, _ = random_case(seed=2)
    far = 30.0 * prototypes  # apart, so that every item is sorted in where it lies
    case = (far, 30.0 * support_z, member, far)
    np.testing.assert_allclose(METHODS[method](case)[0], far, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_identical_embeddings_give_finite_prototypes_and_gradients(method, value):
    labels = tf.constant([[0, 0, 1, 1, 2, 2]])
    x = tf.fill([1, 6, DIM], value)
    u = tf.fill([1, 4, DIM], value)
    with tf.GradientTape() as tape:
        tape.watch([x, u])
        prototypes = class_prototypes(x, labels, WAY)
        outputs = refinement.distance_statistics(
            refinement.normalised(squared_euclidean(u, prototypes))
        )[..., :3]
        case = prototypes, x, tf.one_hot(labels, WAY), u
        if method == "masked":
            refined, _ = refinement.masked_soft_kmeans(*case, outputs)
        else:
            refined, _ = METHODS[method](case)
        total = tf.reduce_sum(refined**2)
    np.testing.assert_allclose(refined, value, atol=1e-6)
    assert all(np.isfinite(g).all() for g in tape.gradient(total, [x, u]))


@pytest.mark.parametrize("method", METHODS)
def test_a_single_unlabelled_item_is_enough(method):
    prototypes, support_z, member, unlabelled_z = random_case()
    refined, weights = METHODS[method]((prototypes, support_z, member, unlabelled_z[:, :1]))
    assert np.isfinite(refined).all()
    assert weights.shape == (TASKS, 1, WAY)
    statistics = refinement.distance_statistics(
        refinement.normalised(squared_euclidean(unlabelled_z[:, :1], prototypes))
    )
    # one distance is its own mean: 1, no spread; variance 0 is replaced by 1
    np.testing.assert_allclose(statistics[0, 0], [1.0, 1.0, 1.0, 0.0, -3.0], atol=1e-6)


# --- gradients ------------------------------------------------------------------------------------


def pull(method, case):
    """Gradient of a distance to the refined prototypes in the unlabelled embeddings."""
    prototypes, support_z, member, unlabelled_z = case
    query = tf.constant(np.random.default_rng(8).normal(size=[1, 4, DIM]), unlabelled_z.dtype)
    with tf.GradientTape() as tape:
        tape.watch(unlabelled_z)
        refined, weights = METHODS[method]((prototypes, support_z, member, unlabelled_z))
        loss = tf.reduce_sum(squared_euclidean(query, refined)[..., 0])
    return tape.gradient(loss, unlabelled_z), refined, weights, query


def held_weights(case, weights, query):
    """The same gradient by hand, weights held: d/dz of sum_q |q - p|^2, p = total / count."""
    _, _, member, _ = case
    count = tf.reduce_sum(member, axis=1)[:, 0] + tf.reduce_sum(weights, axis=1)[:, 0]  # [task]
    return lambda refined: (
        2 * tf.reduce_sum(refined[:, :1] - query, axis=1)[:, None]
        * (weights[..., :1] / count[:, None, None])
    )  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_gradients_pass_through_the_weights_of_all_but_plain_soft_kmeans(method):
    case = random_case(dtype=tf.float64, tasks=1)
    gradient, refined, weights, query = pull(method, case)
    held = held_weights(case, weights, query)(refined)
    if method == "soft":
        np.testing.assert_allclose(gradient, held, rtol=1e-9)
    else:
        assert np.abs(gradient - held).max() > 1e-3 * np.abs(held).max()


@pytest.mark.parametrize("method", ["cluster", "masked"])
def test_gradients_equal_finite_differences(method):
    case = random_case(dtype=tf.float64, tasks=1)
    gradient, *_ = pull(method, case)
    query = np.random.default_rng(8).normal(size=[1, 4, DIM])

    def loss(unlabelled_z):
        refined, _ = METHODS[method]((*case[:3], tf.constant(unlabelled_z)))
        return float(np.sum((query[0] - refined.numpy()[0, 0]) ** 2))

    z, step = case[3].numpy(), 1e-6
    for j in range(UNLABELLED):
        for d in range(DIM):
            shift = np.zeros_like(z)
            shift[0, j, d] = step
            slope = (loss(z + shift) - loss(z - shift)) / (2 * step)
            np.testing.assert_allclose(gradient[0, j, d], slope, rtol=1e-5, atol=1e-7)


def test_the_radius_and_the_thresholds_get_the_gradient_of_finite_differences():
    case = random_case(dtype=tf.float64, tasks=1)

    def by_radius(value):
        return tf.reduce_sum(refinement.soft_kmeans_with_distractors(*case, value)[0] ** 2)

    def by_outputs(value):
        return tf.reduce_sum(refinement.masked_soft_kmeans(*case, value)[0] ** 2)

    for function, start in (
        (by_radius, tf.constant(0.7, tf.float64)),
        (by_outputs, random_outputs(dtype=tf.float64, tasks=1)),
    ):
        with tf.GradientTape() as tape:
            tape.watch(start)
            value = function(start)
        gradient = tape.gradient(value, start).numpy()
        numbers = np.ndindex(gradient.shape)
        for place in numbers:
            shift = np.zeros(gradient.shape)
            shift[place] = 1e-6
            slope = (function(start + shift) - function(start - shift)) / 2e-6
            np.testing.assert_allclose(gradient[place], slope, rtol=1e-5, atol=1e-8)
        assert np.abs(gradient).max() > 1e-4


def test_no_gradient_passes_the_statistics():
    d = tf.Variable(np.random.default_rng(1).gamma(2.0, size=[1, 9, 3]))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(refinement.distance_statistics(d))
    assert tape.gradient(total, d) is None


# --- distractors ----------------------------------------------------------------------------------


def shares_of(z, prototypes):
    """Of each class, and of the distractor cluster."""
    return tf.nn.softmax(refinement.cluster_logits(z, prototypes, LOG_RADIUS), axis=-1)


def test_shares_with_distractors_add_up_to_one_and_the_rest_is_the_cluster():
    prototypes, *_, unlabelled_z = case = random_case()
    shares = shares_of(unlabelled_z, prototypes)
    np.testing.assert_allclose(tf.reduce_sum(shares, axis=-1), 1.0, atol=1e-6)
    _, weights = refinement.soft_kmeans_with_distractors(*case, LOG_RADIUS)
    np.testing.assert_allclose(weights, shares[..., :-1], atol=1e-6)


@pytest.mark.parametrize("method", ["cluster", "masked"])
def test_where_all_unlabelled_items_are_distractors_the_prototypes_hardly_move(method):
    """Items around the origin, prototypes far from it; plain soft k-means is dragged along."""
    prototypes, support_z, member, unlabelled_z = random_case(spread=0.1)
    far = (8.0 * prototypes, 8.0 * support_z, member, unlabelled_z)
    if method == "cluster":
        refined, _ = refinement.soft_kmeans_with_distractors(*far, tf.constant(0.0))
    else:
        outputs = tf.tile(tf.constant([[[-3.0, 0.0, 3.0]]]), [TASKS, WAY, 1])  # threshold 0.05
        refined, _ = refinement.masked_soft_kmeans(*far, outputs)
    plain, _ = refinement.soft_kmeans(*far)

    def moved(x):
        return float(tf.reduce_max(tf.norm(x - far[0], axis=-1)))

    assert np.isfinite(refined).all()
    assert moved(refined) < 1e-3 < 1.0 < moved(plain)


# --- errata ---------------------------------------------------------------------------------------


def test_e3_20_the_statistics_have_the_variance():
    """Two sets of distances that only the variance tells apart from the others' look."""
    d = tf.constant([[[0.5], [0.5], [1.5], [1.5]]])  # [task, unlabelled, way]
    statistics = refinement.distance_statistics(d)[0, 0].numpy()
    np.testing.assert_allclose(statistics, [0.5, 1.5, 0.25, 0.0, -2.0], atol=1e-6)


def test_e3_21_unlabelled_items_move_prototypes_and_the_mask_is_soft():
    """There are as many prototypes as before; an item counts by degrees, not wholly or not."""
    case = random_case()
    refined, weights = METHODS["masked"](case)
    assert refined.shape == case[0].shape
    assert float(tf.reduce_max(tf.abs(refined - case[0]))) > 1e-2
    distance = tf.linspace([[0.0]], [[2.0]], 9, axis=1)
    mask = refinement.soft_mask(distance, tf.ones([1, 1, 1]), tf.fill([1, 1, 1], 4.0))[0, :, 0]
    assert (np.diff(mask) < 0).all()
    np.testing.assert_allclose(mask[4], 0.5)
    assert len(np.unique(np.round(weights, 4))) > WAY * TASKS


def test_e3_22_points_at_the_origin_are_the_distractor_clusters():
    prototypes, *_ = random_case(seed=4)
    prototypes = prototypes / tf.norm(prototypes, axis=-1, keepdims=True) * 6.0
    shares = shares_of(tf.zeros([TASKS, 4, DIM]), prototypes)
    assert float(tf.reduce_min(shares[..., -1])) > 0.99
    on_a_class = shares_of(prototypes, prototypes)
    np.testing.assert_array_equal(tf.argmax(on_a_class, axis=-1), [range(WAY)] * TASKS)


def test_e3_22_a_mask_of_one_is_soft_kmeans_and_a_mask_of_zero_none():
    case = random_case()
    open_ = tf.tile(tf.constant([[[6.0, 0.0, 3.0]]]), [TASKS, WAY, 1])  # threshold e^6
    shut = tf.tile(tf.constant([[[-6.0, 0.0, 6.0]]]), [TASKS, WAY, 1])  # slope e^6
    np.testing.assert_allclose(
        refinement.masked_soft_kmeans(*case, open_)[0], refinement.soft_kmeans(*case)[0], atol=1e-5
    )
    np.testing.assert_allclose(refinement.masked_soft_kmeans(*case, shut)[0], case[0], atol=1e-4)

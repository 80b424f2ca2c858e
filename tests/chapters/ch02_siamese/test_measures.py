"""Measures of verification against hand values and brute force."""

import itertools

import numpy as np
import pytest

from chapters.ch02_siamese import measures


@pytest.fixture
def timid():
    """Accepts 1 of 1000 genuine pairs and none of 1000 imposite ones (erratum E2.3)."""
    genuine = np.repeat([True, False], 1000)
    distance = np.ones(2000)
    distance[0] = 0.1
    return genuine, distance


def test_e2_3_accuracy_sees_the_genuine_pairs_that_are_rejected(timid):
    assert measures.compute_accuracy(*timid) == 0.5005
    assert measures.precision(*timid) == 1.0  # what the book prints as accuracy


def test_e2_3_precision_without_an_accepted_pair_is_not_a_number_and_accuracy_is():
    genuine, distance = [True, False], [0.9, 0.8]
    assert np.isnan(measures.precision(genuine, distance))
    assert measures.compute_accuracy(genuine, distance) == 0.5


def test_accuracy_and_precision_by_hand():
    genuine, distance = [1, 1, 1, 0, 0], [0.1, 0.2, 0.9, 0.3, 0.8]
    assert measures.compute_accuracy(genuine, distance) == pytest.approx(3 / 5)
    assert measures.precision(genuine, distance) == pytest.approx(2 / 3)
    weight = measures.balance(genuine)  # genuine 1/6 each, imposite 1/4 each
    accuracy = measures.compute_accuracy(genuine, distance, weight=weight)
    assert accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)
    precision = measures.precision(genuine, distance, weight=weight)
    assert precision == pytest.approx((2 / 6) / (2 / 6 + 1 / 4))


def random_pairs(seed, genuine=60, imposite=300):
    random = np.random.default_rng(seed)
    distance = np.concatenate(
        [random.normal(0.4, 0.15, genuine), random.normal(0.7, 0.2, imposite)]
    )
    return np.repeat([True, False], [genuine, imposite]), np.round(distance, 2)  # with ties


def test_auc_is_the_chance_that_a_genuine_pair_is_nearer():
    genuine, distance = random_pairs(0)
    wins = [
        (g < i) + 0.5 * (g == i)
        for g, i in itertools.product(distance[genuine], distance[~genuine])
    ]
    assert measures.auc(genuine, distance) == pytest.approx(np.mean(wins))


def test_equal_error_rate_lies_between_both_errors_around_their_crossing():
    genuine, distance = random_pairs(1)
    rate = measures.equal_error_rate(genuine, distance)
    thresholds = np.unique(distance)
    errors = [
        (np.mean(distance[~genuine] <= t), np.mean(distance[genuine] > t)) for t in thresholds
    ]
    before = max(accept for accept, reject in errors if accept <= reject)
    after = min(accept for accept, reject in errors if accept >= reject)
    assert before <= rate <= after


def test_equal_error_rate_of_perfect_useless_and_reversed_distances():
    genuine = np.repeat([True, False], 50)
    assert measures.equal_error_rate(genuine, np.repeat([0.1, 0.9], 50)) == 0.0
    assert measures.equal_error_rate(genuine, np.full(100, 0.5)) == pytest.approx(0.5)
    assert measures.equal_error_rate(genuine, np.repeat([0.9, 0.1], 50)) == pytest.approx(1.0)


def test_best_threshold_beats_every_other_one():
    genuine, distance = random_pairs(2)
    weight = measures.balance(genuine)
    best = measures.compute_accuracy(
        genuine, distance, measures.best_threshold(genuine, distance), weight
    )
    for threshold in np.linspace(0, 1.5, 400):
        assert best >= measures.compute_accuracy(genuine, distance, threshold, weight) - 1e-12


def test_one_shot_accuracy_equals_the_mean_over_every_choice_of_support_items():
    random = np.random.default_rng(3)
    classes = np.repeat([0, 1, 2], 3)
    points = random.normal(size=[9, 2]) + classes[:, None]
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    right = []
    for query in range(9):
        groups = [np.setdiff1d(np.flatnonzero(classes == c), query) for c in range(3)]
        for supports in itertools.product(*groups):
            right.append(np.argmin(distances[query, list(supports)]) == classes[query])
    assert measures.one_shot_accuracy(distances, classes) == pytest.approx(np.mean(right))


def test_one_shot_accuracy_of_perfect_and_useless_distances():
    classes = np.repeat(np.arange(4), 3)
    perfect = (classes[:, None] != classes[None]).astype(float)
    assert measures.one_shot_accuracy(perfect, classes) == 1.0
    random = np.random.default_rng(4)
    chances = [measures.one_shot_accuracy(random.random([12, 12]), classes) for _ in range(200)]
    assert np.mean(chances) == pytest.approx(1 / 4, abs=0.02)


def test_calibration_finds_the_slope_of_a_logistic_model():
    random = np.random.default_rng(5)
    distance = random.uniform(0, 1, 20_000)
    genuine = random.random(20_000) < 1 / (1 + np.exp(-10 * (0.5 - distance)))
    assert measures.calibrate(genuine, distance) == pytest.approx(10, rel=0.1)


def test_interval_is_students():
    summary = measures.summarise([0.9, 0.92, 0.94, 0.96, 0.98])
    assert summary.mean == pytest.approx(0.94)
    # deviation 0.0316, error 0.01414, t(0.975; 4) = 2.776
    assert summary.interval == pytest.approx(2.776 * 0.0141421, rel=1e-3)
    assert measures.summarise([0.5]).interval == 0.0
    assert measures.summarise([0.5, float("nan"), 0.7]).mean == pytest.approx(0.6)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="3 labels but 2 distances"):
        measures.auc([1, 0, 1], [0.1, 0.2])

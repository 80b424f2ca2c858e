"""How well distances tell genuine pairs from imposite ones.

All functions take ``genuine`` [pair] (1 or true: genuine) and ``distance`` [pair], in NumPy. There
are many more imposite than genuine pairs among the items of a test; ``balance`` gives weights that
let both kinds count the same, as in the book's sets of as many of each.
"""

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve

from chapters.engine.results import interval95_of_runs


def compute_accuracy(genuine, distance, threshold: float = 0.5, weight=None) -> float:
    """Share of pairs decided rightly: mean of (E < threshold) == (Y == 1).

    The book's function of this name returns ``precision`` (erratum E2.3).
    """
    genuine, distance = _vectors(genuine, distance)
    return float(np.average((distance < threshold) == genuine, weights=weight))


def precision(genuine, distance, threshold: float = 0.5, weight=None) -> float:
    """Share of genuine pairs among those that are accepted; NaN when none is.

    This is what the book prints as accuracy. It does not see genuine pairs that are rejected: a
    network that accepts a single pair in a thousand can have precision 1.
    """
    genuine, distance = _vectors(genuine, distance)
    accepted = distance < threshold
    weight = np.ones(len(distance)) if weight is None else np.asarray(weight)
    if not accepted.any():
        return float("nan")
    return float(np.average(genuine[accepted], weights=weight[accepted]))


def auc(genuine, distance) -> float:
    """Area under the ROC curve: chance that a genuine pair is nearer than an imposite one."""
    genuine, distance = _vectors(genuine, distance)
    return float(roc_auc_score(genuine, -distance))


def one_against_others(label, score) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each class against all others, as ``auc`` and ``roc_curve`` take it; of two classes, one.

    Args:
        label: [clip], numbers of classes.
        score: [clip, class].

    Returns:
        For every class: whether a clip is of it [clip], and how far its score lies below the best
        other one [clip].
    """
    found = []
    for k in range(score.shape[1]):
        others = np.delete(score, k, axis=1).max(axis=1)
        found.append((label == k, others - score[:, k]))
    return found[1:] if len(found) == 2 else found


def equal_error_rate(genuine, distance) -> float:
    """Error at the threshold where as many imposite pairs are accepted as genuine ones rejected."""
    genuine, distance = _vectors(genuine, distance)
    false_accept, true_accept, _ = roc_curve(genuine, -distance, drop_intermediate=False)
    gap = false_accept + true_accept - 1.0  # false accept - false reject, rising from -1 to 1
    # np.interp wants its axis to rise strictly; where gap stands still both rates stand still too.
    return float(np.interp(0.0, gap, false_accept))


def best_threshold(genuine, distance) -> float:
    """Threshold with the highest accuracy when both kinds of pair count the same."""
    genuine, distance = _vectors(genuine, distance)
    false_accept, true_accept, score = roc_curve(genuine, -distance, drop_intermediate=False)
    best = int(np.argmax(true_accept - false_accept))
    accepted = -score[best]  # the largest distance that should still be accepted
    rejected = distance[distance > accepted]
    return float((accepted + rejected.min()) / 2 if len(rejected) else accepted + 1e-6)


def balance(genuine) -> np.ndarray:
    """Weights [pair] under which genuine and imposite pairs count one half each."""
    genuine = np.asarray(genuine, bool).ravel()
    return np.where(genuine, 0.5 / genuine.sum(), 0.5 / (~genuine).sum())


def calibrate(genuine, distance) -> float:
    """Slope of p(genuine | distance) = sigmoid(slope * (threshold - distance)), at least 1.

    A logistic regression on pairs of which half count as genuine. It makes softmax(-slope *
    distance) over the classes of a support set a sensible probability.
    """
    genuine, distance = _vectors(genuine, distance)
    model = LogisticRegression(class_weight="balanced").fit(distance[:, None], genuine)
    return float(max(-model.coef_[0, 0], 1.0))


def one_shot_accuracy(distances, classes) -> float:
    """N-way one-shot accuracy over all choices of one support item per class, without drawing.

    Every item is a query once. Against each support item of its own class, the chance to be right
    is the product over the other classes of the share of their items that are further away.

    Args:
        distances: [item, item].
        classes: [item].
    """
    distances, classes = np.asarray(distances), np.asarray(classes)
    chances = []
    for query, own in enumerate(classes):
        supports = np.flatnonzero(classes == own)
        for support in supports[supports != query]:
            further = distances[query] > distances[query, support]  # [item]
            shares = [further[classes == other].mean() for other in set(classes) - {own}]
            chances.append(np.prod(shares))
    return float(np.mean(chances))


class Verification(NamedTuple):
    """The measures of one set of pairs; accuracy and precision at ``threshold``.

    In these two genuine and imposite pairs count the same. ``precision`` is the book's measure.
    """

    auc: float
    equal_error_rate: float
    accuracy: float
    precision: float
    threshold: float


def verification(genuine, distance, threshold: float) -> Verification:
    """All measures; ``threshold`` must come from other pairs than these."""
    weight = balance(genuine)
    return Verification(
        auc=auc(genuine, distance),
        equal_error_rate=equal_error_rate(genuine, distance),
        accuracy=compute_accuracy(genuine, distance, threshold, weight),
        precision=precision(genuine, distance, threshold, weight),
        threshold=threshold,
    )


class Summary(NamedTuple):
    """Mean over runs, and half the width of its 95 % interval."""

    mean: float
    interval: float
    runs: int

    def __str__(self):
        return f"{self.mean:.3f} +- {self.interval:.3f}"


def summarise(values) -> Summary:
    """Mean with the 95 % interval of Student's t: five splits are too few for 1.96 deviations.

    The interval is 0 for a single value, and NaN values (a precision without accepted pairs) are
    left out.
    """
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    mean = float(values.mean()) if len(values) else float("nan")
    return Summary(mean, interval95_of_runs(values), len(values))


def _vectors(genuine, distance):
    """Both as vectors [pair]; ValueError when they differ in length."""
    genuine, distance = np.asarray(genuine).ravel().astype(bool), np.asarray(distance).ravel()
    if len(genuine) != len(distance):
        raise ValueError(f"{len(genuine)} labels but {len(distance)} distances")
    return genuine, distance

"""Calibration: probabilities that mean what they say, and distances of what belongs to no class.

One temperature is fitted on tasks of validation classes, and what it changes is measured on test
classes. The card keeps both; ``zoo.loading`` gives the temperature to the learner.
"""

import itertools
from typing import NamedTuple

import numpy as np
from scipy import optimize

import datasets
from datasets.dataset import Dataset
from datasets.tasks.episodes import to_float
from zoo.classifying import Answers, embed, embeds, respond_in_parts
from zoo.loaded import Loaded
from zoo.records.cards import SHARES
from zoo.rejecting import left_out, share_beyond

WAYS, SHOTS, QUERY = (5, 20), (1, 5), 5  # of the tasks, as far as model and classes have them
SEEN = (1, 2, 3, 5, 10)  # examples of a class, for distances
TASKS = {True: 40, False: 20}  # of a way and shot, for learners that embed and others
TURNS = 4000  # examples that are left out, of each way and shot
BINS = 15
COLDEST, HOTTEST = 0.01, 100.0  # temperatures
TINY = np.finfo(np.float32).tiny


class Classes(NamedTuple):
    """Items of classes that a model has not seen."""

    items: np.ndarray  # of ``classifying.embed`` [item, ...]
    members: list[np.ndarray]  # of each class, positions of its items


class Tasks(NamedTuple):
    """Positions of items, [task, item], and labels."""

    support: np.ndarray
    support_y: np.ndarray
    query: np.ndarray
    query_y: np.ndarray
    unknown: np.ndarray  # of as many other classes, as many as queries


class Outcomes(NamedTuple):
    """What was said of queries, and what is true: [query]."""

    probabilities: np.ndarray  # [query, way], of 0 for classes that a task does not have
    truth: np.ndarray


def measure(loaded: Loaded) -> tuple[dict, dict[str, np.ndarray]]:
    """What the card says of a model, and the curves of ``pictures.reliability``.

    Both are empty for a model without classes that were kept for validation.

    Args:
        loaded: the model; its learner's temperature is set to 1.
    """
    loaded.learner.temperature = 1.0
    data = loaded.kind.data(loaded) if hasattr(loaded.kind, "data") else None
    known = {"val", "test"} <= set(data.splits) if data else False
    if not known or getattr(loaded.config, "train_split", "train") != "train":
        return {}, {}
    if loaded.config.data in datasets.LOADERS and data.name != loaded.config.data:
        return {}, {}  # a stand-in: its classes are not like those that the model knows
    held_out = classes(loaded, data, "val")
    temperature = float(f"{fit(outcomes(loaded, held_out)):.4g}")
    before = outcomes(loaded, classes(loaded, data, "test"))
    after = at_temperature(before, temperature)
    card = {
        "temperature": temperature,
        "error": round(expected_error(after), 5),
        "error_before": round(expected_error(before), 5),
        **distances(loaded, held_out),
    }
    return card, {"as trained": reliability(before), "calibrated": reliability(after)}


def classes(loaded: Loaded, data: Dataset, split: str) -> Classes:
    """The classes of a split, every item embedded once."""
    groups = [data.items_of(k) for k in data.classes(split)]
    shown = np.concatenate(groups)
    x = data.items[shown].reshape(len(shown), *data.image_shape)
    ends = np.cumsum([len(group) for group in groups])
    items = embed(loaded.learner, to_float(x))
    return Classes(items, np.split(np.arange(len(x)), ends[:-1]))


def draw(members, way: int, shot: int, query: int, count: int, others: int = 0) -> Tasks | None:
    """Tasks of a number of classes; None where there are too few of them.

    Args:
        members: of ``Classes``.
        way, shot: as everywhere.
        query: of a class, at most: fewer where half of the classes would have too few items.
        count: tasks.
        others: classes that no support item shows, and of which queries are drawn too.
    """
    sizes = np.array([len(group) for group in members])
    while query > 1 and (sizes >= shot + query).mean() < 0.5:
        query -= 1
    enough = [group for group in members if len(group) >= shot + query]
    if len(enough) < way + others:
        return None
    rng = np.random.default_rng([way, shot])
    support, asked, unknown = [], [], []
    for _ in range(count):
        drawn = rng.choice(len(enough), way + others, replace=False)
        items = [rng.permutation(enough[k])[: shot + query] for k in drawn]
        support.append(np.concatenate([one[:shot] for one in items[:way]]))
        asked.append(np.concatenate([one[shot:] for one in items[:way]]))
        unknown.append([i for one in items[way:] for i in one[shot:]])
    support_y, query_y = (np.repeat(np.arange(way, dtype=np.int32), n) for n in (shot, query))
    return Tasks(
        np.stack(support),  # [task, way * shot]
        np.tile(support_y, [count, 1]),
        np.stack(asked),  # [task, way * query]
        np.tile(query_y, [count, 1]),
        np.array(unknown, int),  # [task, others * query]
    )


def outcomes(loaded: Loaded, held_out: Classes) -> Outcomes:
    """What the learner says of queries, in tasks of all ways and shots."""
    parts, truth = [], []
    for way in ways(loaded):
        for shot in SHOTS:
            tasks = draw(held_out.members, way, shot, QUERY, TASKS[embeds(loaded.learner)])
            if tasks is None:
                continue
            found = answers(loaded, held_out, tasks, tasks.query).probabilities
            parts.append(found.reshape(-1, found.shape[-1]))  # [query, way]
            truth.append(tasks.query_y.ravel())
    width = max(part.shape[1] for part in parts)
    parts = [np.pad(part, [(0, 0), (0, width - part.shape[1])]) for part in parts]
    return Outcomes(np.concatenate(parts), np.concatenate(truth))


def ways(loaded: Loaded) -> list[int]:
    """Classes of the tasks that a model is tried on."""
    return [way for way in WAYS if not loaded.way or way <= loaded.way] or [loaded.way]


def answers(loaded: Loaded, held_out: Classes, tasks: Tasks, query: np.ndarray) -> Answers:
    """Of queries [task, query], positions in ``held_out.items``."""
    return respond_in_parts(loaded.learner, held_out.items, tasks.support, tasks.support_y, query)


def at_temperature(found: Outcomes, temperature: float) -> Outcomes:
    """What is said when logits are divided by a temperature: softmax(log p / T)."""
    logits = np.log(np.maximum(found.probabilities.astype(float), TINY)) / temperature
    logits = np.where(found.probabilities > 0, logits, -np.inf)
    scaled = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return found._replace(probabilities=scaled / scaled.sum(axis=-1, keepdims=True))


def fit(found: Outcomes) -> float:
    """The temperature under which what is true is most probable: the least mean -log p."""

    def loss(log_temperature: float) -> float:
        scaled = at_temperature(found, np.exp(log_temperature)).probabilities
        of_truth = scaled[np.arange(len(scaled)), found.truth]
        return -np.log(np.maximum(of_truth, TINY)).mean()

    bounds = np.log([COLDEST, HOTTEST])
    return float(np.exp(optimize.minimize_scalar(loss, bounds=bounds, method="bounded").x))


def reliability(found: Outcomes) -> np.ndarray:
    """Of each bin of probabilities: share of queries, mean probability, share that is right.

    The answer is the most probable class. Guo et al. (2017), figure 1.

    Returns:
        [bin, 3]; NaN twice where a bin is empty.
    """
    chance = found.probabilities.max(axis=-1)
    right = found.probabilities.argmax(axis=-1) == found.truth
    place = np.minimum((chance * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, x, minlength=BINS) / count for x in (chance, right)]
    return np.stack([count / count.sum(), *means], axis=-1)


def expected_error(found: Outcomes) -> float:
    """Expected calibration error: |accuracy - probability|, averaged over queries by their bins."""
    share, chance, right = reliability(found).T
    # sum_b n_b / n |acc_b - conf_b|                                   Guo et al. (2017), equation 3
    return float(np.nansum(share * np.abs(right - chance)))


def distances(loaded: Loaded, held_out: Classes) -> dict[str, dict[str, list[float]]]:
    """How far queries are from the nearest class, in tasks such as ``5w1s``: for ``rejecting``.

    Returns:
        ``limits``, the distances beyond which ``SHARES`` of the queries lie; and ``levels``, the
        ranks among the examples left out that as many lie beyond, for two examples or more. A
        learner that has to be adapted anew for each of them has no levels.
    """
    limits, levels = {}, {}
    for way, shot in itertools.product(ways(loaded), SEEN):
        count = max(1, min(TASKS[embeds(loaded.learner)], TURNS // (way * shot)))
        tasks = draw(held_out.members, way, shot, QUERY, count)
        if tasks is None:
            continue
        nearest = answers(loaded, held_out, tasks, tasks.query).distance.min(axis=-1)
        limits[f"{way}w{shot}s"] = _rounded(np.quantile(nearest, 1 - np.array(SHARES)))
        if shot > 1 and embeds(loaded.learner):
            beyond = [
                share_beyond(query, left_out(loaded.learner, held_out.items[support], labels))
                for query, support, labels in zip(
                    nearest, tasks.support, tasks.support_y, strict=True
                )
            ]
            levels[f"{way}w{shot}s"] = _rounded(np.quantile(np.concatenate(beyond), SHARES))
    return {"limits": limits, "levels": levels}


def _rounded(values) -> list[float]:
    return [float(f"{x:.5g}") for x in values]

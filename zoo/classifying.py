"""What a learner answers to any number of queries, when the support set has been seen before.

A metric learner embeds an item once, whatever it is compared with afterwards; other learners need
the items themselves.
"""

from typing import NamedTuple

import numpy as np

from chapters.engine.metric import MetricLearner
from zoo.errors import ZooError

AT_ONCE = 64  # queries in one call: memory stays the same for any number of files
PAIRS = 20_000  # of queries and classes that are compared in one call
NUMBERS = 2**24  # of the embeddings of the support sets in one call
ITEMS = 1024  # that are not embedded before, in one call


class Answers(NamedTuple):
    """Of tasks [task, query, way], or of one task [query, way]."""

    probabilities: np.ndarray
    distance: np.ndarray  # from each class; 3.4e38 for one that the support set does not show


def embeds(learner) -> bool:
    """Whether it embeds an item once, whatever it is compared with."""
    return isinstance(learner, MetricLearner)


def embed(learner, x) -> np.ndarray:
    """What has to be kept of items [item, ...]: embeddings of a metric learner, or the items."""
    return learner.encode(x).numpy() if embeds(learner) else np.asarray(x)


def respond(learner, support, support_y, query, **others) -> Answers:
    """Answers to tasks, from what ``embed`` gave.

    Args:
        learner: ``FewShotLearner`` of classes; its ``answer`` says what its predictions mean.
        support, query: [task, item, ...].
        support_y: labels [task, support], 0 to way - 1.
        others: what it takes besides, such as ``unlabelled`` [task, item, ...].
    """
    if embeds(learner):
        named = {f"{name}_z": z for name, z in others.items()}
        predictions, distances = learner.compare(support, support_y, query, **named)
    else:
        task = {"support_x": support, "support_y": support_y, "query_x": query}
        predictions, distances = learner.predict_with_distance(task)
    known = [predictions, support_y, *([] if distances is None else [distances])]
    found = [learner.answer(*one) for one in zip(*known, strict=True)]
    if "probabilities" not in found[0]:
        raise ZooError(f"The model answers with {', '.join(found[0])}, not with probabilities.")
    return Answers(*(np.stack([one[name] for one in found]) for name in Answers._fields))


def respond_in_parts(learner, items, support, support_y, query) -> Answers:
    """``respond``, with no more tasks and queries in a call than fit into memory.

    Args:
        learner: few-shot learner.
        items: of ``embed`` [item, ...].
        support, query: positions in ``items`` [task, support], [task, query].
        support_y: labels [task, support].
    """
    way = int(support_y.max()) + 1
    tasks = max(1, min(PAIRS // (query.shape[1] * way), _room(learner, items) // support.shape[1]))
    parts = []
    for start in range(0, len(support), tasks):
        part = slice(start, start + tasks)
        pairs = support[part].size * way  # [task, support, way], for one query
        queries = max(1, min(query.shape[1], PAIRS * AT_ONCE // pairs))
        shown, labels = items[support[part]], support_y[part]
        asked = [query[part, i : i + queries] for i in range(0, query.shape[1], queries)]
        parts.append(_joined([respond(learner, shown, labels, items[one]) for one in asked], 1))
    return _joined(parts, 0)


def _room(learner, items) -> int:
    """Items of support sets in one call."""
    return NUMBERS // items[0].size if embeds(learner) else ITEMS


def _joined(parts: list[Answers], axis: int) -> Answers:
    return Answers(*(np.concatenate(several, axis) for several in zip(*parts, strict=True)))


def classify(learner, support_x, support_y, query_x) -> np.ndarray:
    """Probabilities of ``answers``, for items that were not embedded before [support, ...]."""
    return answers(learner, embed(learner, support_x), support_y, query_x).probabilities


def answers(learner, support, support_y, query_x, **others) -> Answers:
    """Answers to one task, over the classes that the support set shows.

    Args:
        learner: as for ``respond``.
        support: of ``embed`` [support, ...].
        support_y: labels [support], 0 to way - 1, each at least once.
        query_x: items [query, ...] as the network sees them.
        others: as for ``respond``, without a task axis.
    """
    labels = np.asarray(support_y, np.int32)
    way = int(labels.max()) + 1
    known = {name: z[None] for name, z in others.items()}
    parts = []
    for start in range(0, len(query_x), AT_ONCE):
        query = embed(learner, query_x[start : start + AT_ONCE])[None]
        found = respond(learner, support[None], labels[None], query, **known)
        parts.append(Answers(*(x[0, :, :way] for x in found)))  # of absent classes: nothing
    return _joined(parts, 0)

"""What a learner answers to any number of queries, when the support set has been seen before.

A metric learner embeds an item once, whatever it is compared with afterwards; other learners need
the items themselves.
"""

import numpy as np

from chapters.engine.metric import MetricLearner
from zoo.errors import ZooError

AT_ONCE = 64  # queries in one call: memory stays the same for any number of files


def embed(learner, x) -> np.ndarray:
    """What has to be kept of items [item, ...]: embeddings of a metric learner, or the items."""
    return learner.encode(x).numpy() if isinstance(learner, MetricLearner) else np.asarray(x)


def chances(learner, support, support_y, query, **others) -> np.ndarray:
    """Probabilities of tasks [task, query, way], from what ``embed`` gave.

    Args:
        learner: ``FewShotLearner`` of classes; its ``answer`` says what its predictions mean.
        support, query: [task, item, ...].
        support_y: labels [task, support], 0 to way - 1.
        others: what it takes besides, such as ``unlabelled`` [task, item, ...].
    """
    if isinstance(learner, MetricLearner):
        named = {f"{name}_z": z for name, z in others.items()}
        predictions = learner.classify(support, support_y, query, **named)
    else:
        task = {"support_x": support, "support_y": support_y, "query_x": query}
        predictions = learner(task, training=False)
    found = [learner.answer(*one) for one in zip(predictions, support_y, strict=True)]
    if "probabilities" not in found[0]:
        raise ZooError(f"The model answers with {', '.join(found[0])}, not with probabilities.")
    return np.stack([answer["probabilities"] for answer in found])


def classify(learner, support_x, support_y, query_x) -> np.ndarray:
    """``answers`` for items that were not embedded before: support [support, ...]."""
    return answers(learner, embed(learner, support_x), support_y, query_x)


def answers(learner, support, support_y, query_x, **others) -> np.ndarray:
    """Probabilities [query, way] of one task, over the classes that the support set shows.

    Args:
        learner: as for ``chances``.
        support: of ``embed`` [support, ...].
        support_y: labels [support], 0 to way - 1, each at least once.
        query_x: items [query, ...] as the network sees them.
        others: as for ``chances``, without a task axis.
    """
    way = int(np.max(support_y)) + 1
    known = {name: z[None] for name, z in others.items()}
    parts = []
    for start in range(0, len(query_x), AT_ONCE):
        query = embed(learner, query_x[start : start + AT_ONCE])[None]
        found = chances(learner, support[None], np.asarray(support_y)[None], query, **known)
        parts.append(found[0, :, :way])  # of absent classes: nothing
    return np.concatenate(parts)

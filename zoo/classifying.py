"""What a learner answers to any number of queries."""

import numpy as np

from zoo.errors import ZooError

AT_ONCE = 64  # queries in one call: memory stays the same for any number of files


def classify(learner, support_x, support_y, query_x, **others) -> np.ndarray:
    """Probabilities [query, way] of one task, over the classes that the support set shows.

    Args:
        learner: ``FewShotLearner`` of classes; its ``answer`` says what its predictions mean.
        support_x: items [support, ...] as the network sees them.
        support_y: labels [support], 0 to way - 1, each at least once.
        query_x: items [query, ...].
        others: what the learner takes besides, such as ``unlabelled_x`` [unlabelled, ...].
    """
    way = int(np.max(support_y)) + 1
    parts = []
    for start in range(0, len(query_x), AT_ONCE):
        task = {"support_x": support_x, "support_y": support_y, **others}
        task["query_x"] = query_x[start : start + AT_ONCE]
        prediction = learner({name: x[None] for name, x in task.items()}, training=False)[0]
        answer = learner.answer(prediction, np.asarray(support_y))
        if "probabilities" not in answer:
            raise ZooError(f"The model answers with {', '.join(answer)}, not with probabilities.")
        parts.append(np.asarray(answer["probabilities"])[:, :way])  # of absent classes: nothing
    return np.concatenate(parts)

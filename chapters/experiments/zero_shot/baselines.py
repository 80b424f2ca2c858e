"""What descriptions give without a network for them: prototypes by regression and by likeness.

Both map descriptions to class means of fixed image features, which are learned from the seen
classes; a query belongs to the nearest prototype.
"""

import numpy as np
import tensorflow as tf

from chapters.engine.layers import embed_items, embed_tasks
from chapters.experiments.zero_shot.tasks import Split
from datasets.tasks.episodes import to_float

CHANCE, MEAN = "chance", "mean of the seen classes, by shared words"
RIDGE = "ridge regression of words"
PENALTIES = np.logspace(-3, 3, 13)


def class_means(encoder, drawn: Split) -> np.ndarray:
    """Mean image feature of each seen class: [class, dim]."""
    data = drawn.data
    means = []
    for k in data.classes("train"):
        x = to_float(tf.constant(data.items[data.items_of(k)].reshape(-1, *data.image_shape)))
        means.append(embed_items(encoder, x).numpy().mean(axis=0))
    return np.stack(means)


def ridge(means, drawn: Split):
    """Descriptions [..., word] -> prototypes [..., dim], by ``ridge_weights``."""
    weights, bias = map(tf.constant, ridge_weights(means, drawn))
    return lambda described: described @ weights + bias


def ridge_weights(means, drawn: Split) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with a penalty on weights: float32 [word, dim], and a constant [dim].

    The penalty is the one that does best on each seen class in turn when it is left out.

    Args:
        means: of ``class_means`` [class, dim].
        drawn: classes.
    """
    from sklearn.linear_model import RidgeCV

    seen = drawn.described[drawn.data.classes("train")]  # [class, word]
    fitted = RidgeCV(PENALTIES).fit(seen, means)
    return fitted.coef_.T.astype(np.float32), fitted.intercept_.astype(np.float32)


def mean_of_seen(means, drawn: Split):
    """Descriptions [..., word] -> means of the seen classes, weighted by the likeness of words.

    Likeness is the cosine; a description without a known word gets the mean of all. Arguments as
    for ``ridge``.
    """
    seen = tf.constant(drawn.described[drawn.data.classes("train")])  # [class, word]

    def prototypes(described):
        likeness = tf.einsum("...w,cw->...c", described, seen) + 1e-6  # [..., class]
        share = likeness / tf.reduce_sum(likeness, axis=-1, keepdims=True)
        return share @ means  # [..., dim]

    return prototypes


def nearest(encoder, prototypes):
    """A function of the inputs of tasks: logits [task, query, way], the negative squared distance.

    Args:
        encoder: image features, [item, ...] -> [item, dim].
        prototypes: [task, way, word] -> [task, way, dim].
    """

    def predict(inputs):
        z = embed_tasks(encoder, inputs["query_x"], training=False)  # [task, query, dim]
        c = prototypes(inputs["attributes"])  # [task, way, dim]
        # d(z, c) = |z|^2 - 2 z.c + |c|^2; |z|^2 is the same for all classes
        return 2.0 * tf.einsum("tqd,twd->tqw", z, c) - tf.reduce_sum(c**2, axis=-1)[:, None]

    return predict

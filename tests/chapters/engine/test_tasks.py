"""Tasks that do not fit are refused in a sentence; what has a plain meaning is converted."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical.models import PrototypicalNetwork
from chapters.ch06_maml.losses import binary_cross_entropy, cross_entropy, squared_error
from chapters.engine.errors import RunError
from chapters.engine.learner import GradientLearner
from chapters.engine.tasks import checked_support


def network(*shape, outputs=3):
    parts = [keras.layers.Input(shape), keras.layers.Flatten(), keras.layers.Dense(outputs)]
    return keras.Sequential(parts)


CLASSIFIER = GradientLearner(network(8, 8, 1), cross_entropy)
ONE_LOGIT = GradientLearner(network(2, outputs=1), binary_cross_entropy)
REGRESSOR = GradientLearner(network(2, outputs=1), squared_error)
COMPARER = PrototypicalNetwork(network(8, 8, 1))  # any number of classes
IMAGES = np.zeros([2, 6, 8, 8, 1], np.float32)
POINTS, TARGETS = np.zeros([2, 6, 2], np.float32), np.zeros([2, 6, 1], np.float32)
LABELS = np.tile(np.arange(6) % 3, [2, 1])
ONE_HOT = np.eye(3, dtype=int)[LABELS]


@pytest.mark.parametrize(
    ("learner", "x", "y", "sentence"),
    [
        (CLASSIFIER, IMAGES[0], LABELS[0], "expected .task, support, 8, 8, 1.: give a single task"),
        (CLASSIFIER, IMAGES[:, :, :5], LABELS, r"items of shape \(5, 8, 1\); .*takes \(8, 8, 1\)"),
        (CLASSIFIER, IMAGES, LABELS[:, :5], r"\(2, 6, 8, 8, 1\) but support_y \(2, 5\); both need"),
        (CLASSIFIER, IMAGES, LABELS[:1], r"but support_y \(1, 6\); both need the same numbers"),
        (CLASSIFIER, IMAGES, LABELS[0], r"labels of shape \(6,\); expected \[task, support\]"),
        (CLASSIFIER, IMAGES, LABELS + 1, "labels from 1 to 3; .* 3 classes apart.* 0 to 2"),
        (CLASSIFIER, IMAGES, LABELS - 1, "labels from -1 to 1; .* 3 classes apart.* 0 to 2"),
        (CLASSIFIER, IMAGES, LABELS.astype(np.float32), "Labels of classes must be integers"),
        (CLASSIFIER, IMAGES, LABELS[..., None] + 1, r"labels of shape \(2, 6, 1\); expected"),
        (CLASSIFIER, IMAGES, ONE_HOT * 2, r"labels of shape \(2, 6, 3\); .* with a single 1"),
        (CLASSIFIER, IMAGES[:, :0], LABELS[:, :0], r"\(2, 0, 8, 8, 1\); a task needs at least one"),
        (CLASSIFIER, IMAGES * np.nan, LABELS, "support_x holds numbers that are not finite"),
        (
            CLASSIFIER,
            IMAGES + 255,
            LABELS,
            "values from 255 to 255; pictures are 0 to 1: divid",
        ),
        (CLASSIFIER, [["a"]], LABELS, "support_x is no array of numbers"),
        (CLASSIFIER, IMAGES, [[0, 1], [0]], "support_y is no array of numbers"),
        (
            COMPARER,
            IMAGES,
            LABELS - 1,
            "labels -1, 0, 1; expected 0 to way - 1, each at least",
        ),
        (COMPARER, IMAGES, LABELS * 2, "labels 0, 2, 4; expected 0 to way - 1"),
        (COMPARER, IMAGES, LABELS + 99_998, "labels 99998, 99999, 100000; expected 0 to way - 1"),
        (COMPARER, IMAGES, LABELS + 0.5, "float64 numbers of shape .* must be integers"),
        (COMPARER, IMAGES, LABELS[:, :3], r"but support_y \(2, 3\); both need the same numbers"),
        (ONE_LOGIT, POINTS, LABELS, "labels from 0 to 2; the network tells 2 classes apart"),
        (ONE_LOGIT, POINTS, TARGETS + 0.5, "float32 numbers .*must be integers"),
        (REGRESSOR, POINTS, LABELS, r"int64 targets of .* need floats \[task, support, 1\]"),
        (REGRESSOR, POINTS, TARGETS[..., 0], r"1 output\(s\) need floats \[task, support, 1\]"),
        (REGRESSOR, POINTS, np.zeros([2, 6, 2], np.float32), r"need floats \[task, support, 1\]"),
        (REGRESSOR, np.zeros([2, 6, 3]), TARGETS, r"items of shape \(3,\); the network takes"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(learner, x, y, sentence):
    with pytest.raises(RunError, match=sentence) as caught:
        checked_support(learner, x, y)
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError):
        learner({"support_x": x, "support_y": y, "query_x": x})


def test_a_regression_whose_loss_does_not_say_so_is_told_what_to_do():
    def error(y, prediction):
        return tf.reduce_mean((y - prediction) ** 2, axis=[1, 2])

    learner = GradientLearner(network(2, outputs=1), error)
    for targets in (TARGETS + 0.5, TARGETS):
        with pytest.raises(RunError, match=r'takes numbers: loss.output = "values"'):
            checked_support(learner, POINTS, targets)
    in_graph = tf.function(lambda x, y: checked_support(CLASSIFIER, x, y))
    with pytest.raises(RunError, match=r'takes numbers: loss.output = "values"'):
        in_graph(IMAGES, ONE_HOT.astype(np.float32) / 2)


def test_float_labels_are_refused_even_when_there_are_as_many_items_as_classes():
    """5-way 1-shot: [task, 5] must not pass for targets of 5 outputs."""
    with pytest.raises(RunError, match="Labels of classes must be integers"):
        checked_support(CLASSIFIER, IMAGES[:, :3], LABELS[:, :3].astype(np.float32))


@pytest.mark.parametrize(
    ("learner", "x", "y"),
    [
        (CLASSIFIER, IMAGES, LABELS),
        (CLASSIFIER, tf.constant(IMAGES), tf.constant(LABELS, tf.uint8)),
        (CLASSIFIER, IMAGES.astype(np.float64), LABELS.astype(np.int64)),
        (CLASSIFIER, (IMAGES + 255).astype(np.uint8), LABELS.tolist()),
        (CLASSIFIER, IMAGES.tolist(), LABELS % 2),  # fewer classes than outputs
        (CLASSIFIER, IMAGES, ONE_HOT),
        (COMPARER, IMAGES, ONE_HOT.astype(np.float32)),
        (COMPARER, IMAGES.astype(np.float16), LABELS.astype(np.uint8)),
        (CLASSIFIER, IMAGES, ONE_HOT.astype(np.float32)),  # as many columns as outputs
        (ONE_LOGIT, POINTS, LABELS % 2),  # the logit of the second of two classes
    ],
)
def test_what_has_a_plain_meaning_is_converted(learner, x, y):
    found_x, found_y = checked_support(learner, x, y)
    assert (found_x.dtype, found_y.dtype) == (tf.float32, tf.int32)
    top = np.asarray(x, np.float64).max()
    np.testing.assert_allclose(found_x, top / (255 if top > 1 else 1))
    y = np.asarray(y)
    np.testing.assert_array_equal(found_y, y.argmax(-1) if y.ndim == 3 else y)


def test_targets_keep_their_values():
    of_three = GradientLearner(network(2), squared_error)
    for learner, y in ((REGRESSOR, TARGETS + 0.5), (of_three, np.eye(3)[LABELS] / 2)):
        _, found = checked_support(learner, POINTS, y)
        assert found.dtype == tf.float32
        np.testing.assert_array_equal(found, y)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"query_x": IMAGES[:, :0]}, "query_x has shape .* a task needs at least one item"),
        ({"query_x": IMAGES[:1]}, r"support_x has 2 task\(s\) and query_x 1; both need the same"),
        ({"query_x": IMAGES[0]}, "query_x has shape .* give a single task a leading axis of 1"),
        ({"query_x": IMAGES[:, :, :5]}, "query_x has items of shape"),
        ({"query_x": IMAGES + np.inf}, "query_x holds numbers that are not finite"),
    ],
)
def test_queries_are_checked_like_support_items(changes, sentence):
    given = {"support_x": IMAGES, "support_y": LABELS, "query_x": IMAGES}
    for learner in (CLASSIFIER, COMPARER):
        with pytest.raises(RunError, match=sentence):
            learner({**given, **changes})


def test_an_input_that_is_missing_is_named():
    with pytest.raises(RunError, match="A task has support_x, support_y, query_x; query_x is miss"):
        COMPARER({"support_x": IMAGES, "support_y": LABELS})


def test_in_a_graph_shapes_are_checked_even_where_sizes_are_free():
    free = tf.TensorSpec([None, None, 8, 8, 1]), tf.TensorSpec([None, None], tf.int32)
    check = tf.function(lambda x, y: checked_support(CLASSIFIER, x, y))
    check.get_concrete_function(*free)
    with pytest.raises(RunError, match="takes"):
        check.get_concrete_function(tf.TensorSpec([None, None, 9, 9, 1]), free[1])

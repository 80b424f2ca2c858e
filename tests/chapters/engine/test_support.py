"""Support sets that do not fit are refused in a sentence; a diverging inner loop is located."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml.losses import squared_error
from chapters.ch06_maml.maml import MAML
from chapters.engine.errors import RunError
from chapters.engine.support import check_support, explain_divergence
from datasets.sinusoid import SineTasks


def network(*shape, outputs=3):
    parts = [keras.layers.Input(shape), keras.layers.Flatten(), keras.layers.Dense(outputs)]
    return keras.Sequential(parts)


CLASSIFIER, REGRESSOR = network(8, 8, 1), network(2, outputs=1)
IMAGES = np.zeros([2, 6, 8, 8, 1], np.float32)
POINTS, TARGETS = np.zeros([2, 6, 2], np.float32), np.zeros([2, 6, 1], np.float32)
LABELS = np.tile(np.arange(6) % 3, [2, 1])


@pytest.mark.parametrize(
    ("model", "x", "y", "sentence"),
    [
        (CLASSIFIER, IMAGES[0], LABELS[0], "expected .task, support, 8, 8, 1.: give a single task"),
        (CLASSIFIER, IMAGES[:, :, :5], LABELS, r"items of shape \(5, 8, 1\); .*takes \(8, 8, 1\)"),
        (CLASSIFIER, IMAGES, LABELS[:, :5], r"\(2, 6, 8, 8, 1\) but support_y \(2, 5\); both need"),
        (CLASSIFIER, IMAGES, LABELS[:1], r"but support_y \(1, 6\); both need the same numbers"),
        (CLASSIFIER, IMAGES, LABELS[0], r"but support_y \(6,\); both need the same numbers"),
        (CLASSIFIER, IMAGES, LABELS + 1, "labels from 1 to 3; .* 3 classes apart.* 0 to 2"),
        (CLASSIFIER, IMAGES, LABELS - 1, "labels from -1 to 1; .* 3 classes apart.* 0 to 2"),
        (CLASSIFIER, IMAGES, LABELS.astype(np.float32), "Labels of classes must be integers"),
        (CLASSIFIER, IMAGES, LABELS[..., None], r"labels of shape \(2, 6, 1\); .*\[task, support"),
        (CLASSIFIER, IMAGES, np.eye(3)[LABELS].astype(int), r"labels of shape \(2, 6, 3\)"),
        (REGRESSOR, POINTS, LABELS, "labels from 0 to 2; the network tells 2 classes apart"),
        (REGRESSOR, POINTS, TARGETS[..., 0], r"1 output\(s\) need \[task, support, 1\]"),
        (REGRESSOR, POINTS, np.zeros([2, 6, 2], np.float32), r"need \[task, support, 1\]"),
        (REGRESSOR, np.zeros([2, 6, 3]), TARGETS, r"items of shape \(3,\); the network takes"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(model, x, y, sentence):
    with pytest.raises(RunError, match=sentence) as caught:
        check_support(model, x, y)
    assert "\n" not in str(caught.value)


def test_float_labels_are_refused_even_when_there_are_as_many_items_as_classes():
    """5-way 1-shot: [task, 5] must not pass for targets of 5 outputs."""
    with pytest.raises(RunError, match="Labels of classes must be integers"):
        check_support(CLASSIFIER, IMAGES[:, :3], LABELS[:, :3].astype(np.float32))


@pytest.mark.parametrize(
    ("model", "x", "y"),
    [
        (CLASSIFIER, IMAGES, LABELS),
        (CLASSIFIER, tf.constant(IMAGES), tf.constant(LABELS, tf.uint8)),
        (CLASSIFIER, IMAGES, np.eye(3, dtype=np.float32)[LABELS]),  # targets for each output
        (REGRESSOR, POINTS, TARGETS),
        (REGRESSOR, POINTS, LABELS % 2),  # one output: the logit of the second of two classes
    ],
)
def test_what_fits_passes(model, x, y):
    check_support(model, x, y)


def test_in_a_graph_shapes_are_checked_even_where_sizes_are_free():
    free = tf.TensorSpec([None, None, 8, 8, 1]), tf.TensorSpec([None, None], tf.int32)
    check = tf.function(lambda x, y: check_support(CLASSIFIER, x, y))
    check.get_concrete_function(*free)
    with pytest.raises(RunError, match="takes"):
        check.get_concrete_function(tf.TensorSpec([None, None, 9, 9, 1]), free[1])


def learner(rate, steps=3):
    return MAML(network(1, outputs=1), squared_error, rate, inner_steps=steps)


@pytest.mark.parametrize(("rate", "step"), [(1e25, 1), (1e10, 2)])
def test_an_inner_loop_that_diverges_is_located(rate, step):
    """The square of a weight of 1e20 overflows; at a rate of 1e10 it takes a second step."""
    said = explain_divergence(learner(rate), SineTasks(5, 5, tasks=2, seed=3), index=7)
    assert "task 0 of batch 7 (seed 3)" in said
    assert f"not finite after inner step {step}, rate {rate:g}: lower the inner rate" in said


def test_the_first_task_that_diverges_is_named():
    class OneWild(SineTasks):
        """Targets of the second task, and of the third, are huge."""

        def __call__(self, index):
            inputs, query_y = super().__call__(index)
            wild = tf.constant([1.0, 1e18, 1e18, 1.0])[:, None, None]
            return {**inputs, "support_y": inputs["support_y"] * wild}, query_y

    said = explain_divergence(learner(10.0), OneWild(5, 5, tasks=4), index=0)
    assert "The support loss of task 1 of batch 0" in said


def test_a_loop_that_stays_finite_needs_no_explanation():
    assert explain_divergence(learner(0.01), SineTasks(5, 5, tasks=2), index=0) == ""

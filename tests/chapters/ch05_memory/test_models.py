"""Sequences of any length, a few-shot learner that reads its support set, and baselines."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch05_memory.baselines import Forgetful, LSTMCells
from chapters.ch05_memory.mann import MANNCell
from chapters.ch05_memory.models import SequenceModel, SequentialLearner, with_previous
from chapters.ch05_memory.ntm import NTMCell
from chapters.ch05_memory.training import sequence_step
from chapters.engine.errors import RunError
from datasets.tasks.sequences import CopyTask

WAY, SIDE = 3, 4
RNG = np.random.default_rng(0)


def sequence_model(cell=None, channels=5):
    return SequenceModel(cell or NTMCell(6, 8, 4, output_dim=4), channels)


def learner(cell=None):
    network = SequenceModel(cell or MANNCell(6, 8, 4, 2, output_dim=WAY), SIDE * SIDE + WAY)
    return SequentialLearner(network, WAY, (SIDE, SIDE, 1))


def pictures(*shape):
    return tf.constant(RNG.random([*shape, SIDE, SIDE, 1]), tf.float32)


def test_the_same_model_takes_sequences_of_every_length():
    model = sequence_model()
    x = tf.constant(RNG.normal(size=[2, 9, 5]), tf.float32)
    whole = model(x)
    for time in (1, 4):
        np.testing.assert_allclose(model(x[:, :time]), whole[:, :time], atol=1e-6)
        np.testing.assert_allclose(
            model(x, steps=tf.constant(time))[:, :time], whole[:, :time], atol=1e-6
        )


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [((1, 0, 5), "sequence is empty"), ((1, 3, 4), "has 4 channels, but the network takes 5")],
)
def test_sequences_that_do_not_fit_are_refused(shape, sentence):
    with pytest.raises(ValueError, match=sentence):
        sequence_model()(tf.zeros(shape))


@pytest.mark.parametrize(
    "cell",
    [
        lambda: NTMCell(6, 8, 4, output_dim=4),
        lambda: LSTMCells(6, 2, 4),
        lambda: Forgetful(6, 4),
        lambda: MANNCell(6, 8, 4, 2, output_dim=4),
    ],
)
def test_models_survive_saving(cell, tmp_path):
    model = sequence_model(cell())
    x = tf.constant(RNG.normal(size=[2, 3, 5]), tf.float32)
    expected = model(x)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), expected, atol=1e-6)


def test_e5_14_one_program_serves_all_lengths_of_training():
    model, task = sequence_model(channels=5), CopyTask(2, 4, 1, 6)
    optimizer = keras.optimizers.SGD(0.0)
    optimizer.build(model.trainable_variables)
    step = tf.function(sequence_step(model, optimizer))
    for length in (1, 3, 6):
        vectors = tf.cast(RNG.integers(0, 2, [2, 6, 4]), tf.float32)
        step(task.arrange(vectors, tf.constant(length)))
    assert step.experimental_get_tracing_count() == 1


def test_a_label_is_shown_one_step_after_its_picture():
    images = pictures(2, 4)
    label = tf.constant([[0, 1, 2, 0], [2, 2, 1, 0]])
    x = with_previous(images, tf.one_hot(label, WAY)).numpy()
    np.testing.assert_array_equal(x[:, :, : SIDE * SIDE], tf.reshape(images, [2, 4, -1]))
    assert np.all(x[:, 0, SIDE * SIDE :] == 0)
    np.testing.assert_array_equal(x[:, 1:, SIDE * SIDE :].argmax(-1), label[:, :-1])


def test_no_answer_depends_on_its_own_label_or_on_a_later_one():
    made, images = learner(), pictures(1, 5)
    label = np.array([[0, 1, 2, 1, 0]])
    logits = made.present(images, label)
    for t in range(5):
        other = label.copy()
        other[0, t:] = (other[0, t:] + 1) % WAY
        np.testing.assert_allclose(made.present(images, other)[:, : t + 1], logits[:, : t + 1])
    changed = made.present(images, (label + 1) % WAY)
    assert not np.allclose(changed[:, 1:], logits[:, 1:])


def test_the_few_shot_learner_answers_as_if_each_query_came_next():
    made = learner()
    support, label, query = pictures(2, 4), np.array([[0, 1, 2, 0], [1, 1, 0, 2]]), pictures(2, 3)
    found = made({"support_x": support, "support_y": label, "query_x": query})
    assert found.shape == (2, 3, WAY)
    for q in range(3):
        sequence = tf.concat([support, query[:, q : q + 1]], axis=1)
        shown = np.concatenate([label, [[0], [0]]], axis=1)  # the query's own label is never used
        expected = made.present(sequence, shown)[:, -1]
        np.testing.assert_allclose(found[:, q], expected, atol=1e-6)


@pytest.mark.parametrize("label", [-1, WAY])
def test_labels_out_of_range_are_refused(label):
    with pytest.raises(RunError, match=f"labels must be 0 to {WAY - 1}"):
        learner().present(pictures(1, 2), np.array([[0, label]]))


def test_e5_13_the_lstm_can_learn_one_sequence_by_heart():
    """Without an output layer its loss could never fall below 0.313."""
    keras.utils.set_random_seed(1)
    model, task = sequence_model(LSTMCells(32, 1, 4)), CopyTask(1, 4, 3, 3)
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    step = tf.function(sequence_step(model, optimizer), jit_compile=True)
    batch = task(0)
    for _ in range(400):
        result = step(batch)
    assert float(result["loss"]) < 0.05
    assert float(result["bits"]) == 0


def test_a_feed_forward_network_forgets():
    model = sequence_model(Forgetful(6, 4))
    x = tf.constant(RNG.normal(size=[2, 3, 5]), tf.float32)
    np.testing.assert_allclose(model(x)[:, 2], model(x[:, 2:])[:, 0], atol=1e-6)

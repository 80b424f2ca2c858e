"""Concept space: who learns from which loss, and what lambda does."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from chapters.ch09_frontiers import concepts, maml
from chapters.ch09_frontiers.concepts import ConceptLearner, Discriminator, Trained
from chapters.ch09_frontiers.losses import cross_entropy
from chapters.ch09_frontiers.models import PrototypicalNetwork
from chapters.engine.layers import BatchNormalization


def generator():
    return keras.Sequential(
        [layers.Input((6,)), layers.Dense(5), BatchNormalization(), layers.Activation("tanh")]
    )


def prototypes():
    nothing = keras.Sequential([layers.Input((5,)), layers.Identity()])
    return PrototypicalNetwork(nothing)


def adapting():
    return maml.MAML(keras.Sequential([layers.Input((5,)), layers.Dense(3)]), cross_entropy, 0.5)


def trained(head=prototypes):
    keras.utils.set_random_seed(0)
    learner = ConceptLearner(generator(), head())
    return Trained(learner, Discriminator(learner.generator, 4))


def batch():
    rng = np.random.default_rng(1)
    y = np.repeat(np.arange(3), 2)[None].astype(np.int32)
    inputs = {
        "support_x": rng.normal(size=[1, 6, 6]).astype(np.float32),
        "support_y": y,
        "query_x": rng.normal(size=[1, 6, 6]).astype(np.float32),
    }
    pictures = rng.normal(size=[8, 6]).astype(np.float32), np.arange(8, dtype=np.int32) % 4
    return tf.nest.map_structure(tf.constant, ((inputs, y), pictures))


def values(variables):
    return [np.array(variable) for variable in variables]


@pytest.mark.parametrize("head", [prototypes, adapting])
def test_a_meta_learner_sees_nothing_but_concepts(head):
    learner = trained(head).learner
    (inputs, _), _ = batch()
    z = {
        name: learner.generator(x[0])[None] if name.endswith("_x") else x
        for name, x in inputs.items()
    }
    np.testing.assert_allclose(learner(inputs), learner.learner(z), rtol=1e-5, atol=1e-6)


def test_on_prototypes_it_is_the_prototypical_network():
    learner = trained().learner
    (inputs, _), _ = batch()
    other = PrototypicalNetwork(learner.generator)
    for training in (False, True):
        found, expected = (one(inputs, training=training) for one in (learner, other))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("head", [prototypes, adapting])
def test_with_lambda_0_it_is_the_meta_learner_alone(head):
    tasks, pictures = batch()
    together, alone = trained(head), trained(head)
    before = values(together.discriminator.head.trainable_variables)
    ours, theirs = keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.1)
    for number in range(3):
        seed = tf.constant([0, number])
        concepts.joint_step(together, ours, weight=0.0)((tasks, pictures), seed)
        concepts.alone_step(alone, theirs)(tasks)
    pairs = zip(together.learner.variables, alone.learner.variables, strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    after = values(together.discriminator.head.trainable_variables)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_e9_10_the_discriminator_s_gradient_reaches_the_generator():
    model = trained()
    _, (x, y) = batch()
    kernel = tape_gradient(model, x, y)
    index = np.unravel_index(np.abs(kernel).argmax(), kernel.shape)
    assert kernel[index] != 0
    assert kernel[index] == pytest.approx(by_difference(model, x, y, index), rel=0.05)


def tape_gradient(model, x, y):
    with tf.GradientTape() as tape:
        loss, _ = concepts.external_loss(model.discriminator, x, y)
    return tape.gradient(loss, model.learner.generator.trainable_variables[0]).numpy()


def by_difference(model, x, y, index, step=1e-2):
    kernel = model.learner.generator.trainable_variables[0]
    start, losses = kernel.numpy(), []
    for sign in (1, -1):
        moved = start.copy()
        moved[index] += sign * step
        kernel.assign(moved)
        losses.append(float(concepts.external_loss(model.discriminator, x, y)[0]))
    kernel.assign(start)
    return (losses[0] - losses[1]) / (2 * step)


def test_one_step_follows_both_losses():
    model, (tasks, (x, y)) = trained(), batch()
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        few_shot, _ = concepts.few_shot_loss(model.learner, *tasks)
        external, _ = concepts.external_loss(model.discriminator, x, y)
        total = few_shot + 0.3 * external
    gradients = tape.gradient(total, variables)
    expected = [v.numpy() - 0.1 * g.numpy() for v, g in zip(variables, gradients, strict=True)]
    step = concepts.joint_step(model, keras.optimizers.SGD(0.1), weight=0.3)
    metrics = step((tasks, (x, y)), tf.constant([0, 0]))
    for value, variable in zip(expected, variables, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-4, atol=1e-5)
    assert float(metrics["loss"]) == pytest.approx(float(few_shot), rel=1e-4)
    assert float(metrics["concept_loss"]) == pytest.approx(float(external), rel=1e-4)


def test_concepts_that_come_later_teach_nothing_before():
    model, data = trained(), batch()
    step = concepts.joint_step(model, keras.optimizers.SGD(0.1), weight=1.0, begins=2)
    head = model.discriminator.head.trainable_variables
    moved = []
    for number in range(4):
        before = values(head)
        step(data, tf.constant([7, number]))
        moved.append(any((a != b).any() for a, b in zip(before, values(head), strict=True)))
    assert moved == [False, False, True, True]


def test_averages_for_tests_are_of_tasks_and_not_of_external_pictures():
    model, (_, (x, y)) = trained(), batch()
    before = values(model.learner.generator.non_trainable_variables)
    concepts.external_loss(model.discriminator, x, y)
    for one, other in zip(
        before, values(model.learner.generator.non_trainable_variables), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_frozen_concepts_stay_as_they_are():
    model, (tasks, _) = trained(adapting), batch()
    before = values(model.learner.generator.variables)
    head = values(model.learner.learner.trainable_variables)
    concepts.head_step(model, keras.optimizers.SGD(0.1))(tasks)
    for one, other in zip(before, values(model.learner.generator.variables), strict=True):
        np.testing.assert_array_equal(one, other)
    after = values(model.learner.learner.trainable_variables)
    assert any((a != b).any() for a, b in zip(head, after, strict=True))


@pytest.mark.parametrize("head", [prototypes, adapting])
def test_a_learner_of_concepts_survives_saving(head, tmp_path):
    learner = trained(head).learner
    (inputs, _), _ = batch()
    learner.save(tmp_path / "learner.keras")
    again = keras.saving.load_model(tmp_path / "learner.keras")
    np.testing.assert_allclose(again(inputs), learner(inputs), rtol=1e-6)
    assert again.way == learner.way and again.item_shape == (6,)

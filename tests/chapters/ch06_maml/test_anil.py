"""ANIL: its meta-gradient, MAML as the special case, what the encoder sees, and the zero head."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from chapters.ch06_maml import caml, maml, networks
from chapters.ch06_maml.anil import ANIL
from chapters.ch06_maml.caml import CAML
from chapters.ch06_maml.losses import cross_entropy, squared_error
from chapters.ch06_maml.maml import MAML
from chapters.engine.errors import RunError
from chapters.engine.mapping import MODES
from tests.chapters.meta_gradients import (
    assert_close,
    central_differences,
    classification,
    differ,
    one_task,
    query_loss,
    regression,
    step_gradient,
    tanh_network,
)

pytestmark = pytest.mark.usefixtures("float64")  # central differences need the digits
IMAGE = (5, 5, 1)


def image_network(bias=True):
    """Images of 5 x 5 to three classes, smooth everywhere, with batch norm."""
    norm = [layers.BatchNormalization(), layers.Activation("tanh")]
    encoder = [layers.Conv2D(3, 3, strides=2, padding="same", use_bias=False), *norm]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, use_bias=bias)]
    return keras.Sequential([layers.Input(IMAGE), *encoder, *head])


def learner_of(kind, rate=0.3, **options):
    """(learner, batch)"""
    if kind == "dense":
        return ANIL(tanh_network(), squared_error, rate, **options), regression()
    return ANIL(image_network(), cross_entropy, rate, **options), classification(IMAGE)


def gradient(learner, batch, **options):
    return step_gradient(maml.train_step, learner, batch, **options)


# The meta-gradient.


@pytest.mark.parametrize("batch_norm", ["transductive", "support"])
@pytest.mark.parametrize("kind", ["dense", "images"])
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_the_meta_gradient_equals_central_differences(kind, inner_steps, batch_norm):
    """Of the encoder and of the head."""
    learner, batch = learner_of(kind, inner_steps=inner_steps, batch_norm=batch_norm)
    expected = central_differences(
        lambda: query_loss(learner, batch), learner.trainable_variables
    )  # fmt: skip
    assert_close(gradient(learner, batch), expected, 1e-6)
    learner.first_order = True
    assert differ(gradient(learner, batch), expected) > 0.01


def test_the_gradient_of_a_zero_head_equals_central_differences_and_leaves_the_network_s_alone():
    learner, batch = learner_of("images", rate=3.0, inner_steps=2, zero_head=True)
    expected = central_differences(lambda: query_loss(learner, batch), learner.trainable_variables)
    found = gradient(learner, batch)
    assert not any(np.any(g) for g in (*found[-2:], *expected[-2:]))  # kernel and bias
    assert_close(found[:-2], expected[:-2], 1e-6)


# What it reduces to.


@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize(("kind", "depth"), [("dense", 2), ("images", 5)])
def test_with_all_layers_adapted_it_is_maml(kind, depth, first_order):
    options = {"inner_steps": 2, "first_order": first_order, "batch_norm": "support"}
    learner, batch = learner_of(kind, adapted_layers=depth, **options)
    assert learner.split()[0] == []
    plain = MAML(learner.network, learner.objective, 0.3, **options)
    assert_close(gradient(learner, batch), gradient(plain, batch), 1e-12)
    for training in (False, True):
        found, expected = (one(batch[0], training=training) for one in (learner, plain))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_inner_step_follows_the_central_differences_of_the_support_loss():
    """By the head alone, and each task's by its own head."""
    learner, (inputs, _) = learner_of("images")
    x, y = inputs["support_x"], inputs["support_y"]
    head = [tf.Variable(w) for w in learner.adapt(x, y, 0)]
    slopes = central_differences(
        lambda: tf.reduce_sum(cross_entropy(y, learner.predict_with(head, x))), head
    )
    for start, slope, adapted in zip(head, slopes, learner.adapt(x, y, 1), strict=True):
        np.testing.assert_allclose(adapted, start - 0.3 * slope, rtol=1e-7)


def class_means(z, y, way=3):
    """Mean feature of each class of each task: [task, way, dim]."""
    return np.array([[z[t][y[t] == k].mean(axis=0) for k in range(way)] for t in range(len(z))])


def test_one_step_from_a_zero_head_is_a_dot_product_with_centred_class_means():
    learner, (inputs, _) = learner_of("images", rate=2.0, zero_head=True)
    support_z, query_z = (
        z.numpy() for z in learner.features_together(inputs["support_x"], inputs["query_x"])
    )
    means = class_means(support_z, inputs["support_y"].numpy())
    centred = means - support_z.mean(axis=1, keepdims=True)
    expected = 2.0 / 3 * np.einsum("tqd,twd->tqw", query_z, centred)
    np.testing.assert_allclose(learner(inputs), expected, atol=1e-12)


def test_a_vector_that_all_classes_begin_with_is_the_same_as_zero():
    """Softmax does not see what all logits have in common, after any number of steps."""
    options = {"rate": 2.0, "inner_steps": 3}
    zero, (inputs, _) = learner_of("images", zero_head=True, **options)
    tied, _ = learner_of("images", **options)
    tied.network.set_weights(zero.network.get_weights())
    *_, kernel, bias = tied.network.trainable_variables
    vector = np.random.default_rng(1).normal(size=[3, 1])
    kernel.assign(np.tile(vector, [1, 3]))
    bias.assign([0.7, 0.7, 0.7])
    probabilities = [tf.nn.softmax(learner(inputs)) for learner in (tied, zero)]
    np.testing.assert_allclose(*probabilities, rtol=1e-10)


class HeadAsContext(keras.Model):
    """CAML's context is the head, which therefore begins at zero."""

    def __init__(self, learner):
        super().__init__()
        self.learner, self.built = learner, True
        self.context_size = 3 * 3
        self.input_shape, self.output_shape = (None, *IMAGE), (None, 3)

    def call(self, x, phi, normalise_by=None):
        """[task, item, ...], [task, dim * way] -> [task, item, way]"""
        head = [tf.reshape(phi, [-1, 3, 3])]  # [task, dim, way]
        return self.learner.predict_with(head, x, normalise_by)


@pytest.mark.parametrize("inner_steps", [1, 2])
def test_the_zero_head_is_a_context_of_caml(inner_steps):
    options = {"inner_rate": 2.0, "inner_steps": inner_steps, "batch_norm": "support"}
    learner = ANIL(image_network(bias=False), cross_entropy, zero_head=True, **options)
    context = CAML(HeadAsContext(learner), cross_entropy, **options)
    inputs, query_y = batch = classification(IMAGE)
    np.testing.assert_allclose(context(inputs), learner(inputs), rtol=1e-10)
    theta = learner.network.trainable_variables[:-1]  # of the encoder
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(cross_entropy(query_y, context(inputs, training=True)))
    assert_close(gradient(learner, batch)[:-1], [g.numpy() for g in tape.gradient(loss, theta)],
                 1e-10)  # fmt: skip
    assert caml.CAML.start(context, inputs["support_x"]).shape == (3, 9)


def test_with_no_inner_steps_it_is_joint_training():
    learner, batch = learner_of("dense", inner_steps=0)
    plain = MAML(learner.network, squared_error, 0.3, inner_steps=0)
    assert_close(gradient(learner, batch), gradient(plain, batch), 1e-12)


# The encoder: once per image, the same in all tasks.


@keras.saving.register_keras_serializable("tests")
class Counting(layers.ReLU):
    """Passes on what it is given and notes the number of items."""

    def __init__(self, **options):
        super().__init__(**options)
        self.items = []

    def call(self, inputs):
        """[item, ...] -> the same."""
        self.items.append(inputs.shape[0])
        return inputs


def images_seen(function):
    """How many images pass through the encoder of ``function(learner)``, by inner steps."""
    seen = {}
    for steps in (1, 2, 7):
        network = image_network()
        count = Counting()
        network = keras.Sequential([layers.Input(IMAGE), count, *network.layers])
        learner = ANIL(network, cross_entropy, 0.3, inner_steps=steps)
        count.items.clear()
        function(learner)
        seen[steps] = sum(count.items)
    return seen


@pytest.mark.parametrize("batch_norm", ["transductive", "support"])
@pytest.mark.parametrize("training", [False, True])
def test_every_image_passes_through_the_encoder_once(training, batch_norm):
    """3 tasks of 6 support and 9 query images, however many inner steps there are."""
    inputs, _ = classification(IMAGE)

    def forward(learner):
        learner.batch_norm = batch_norm
        learner(inputs, training=training)

    assert images_seen(forward) == dict.fromkeys((1, 2, 7), 3 * (6 + 9))


def test_adapting_embeds_the_support_set_once():
    inputs, _ = classification(IMAGE)
    seen = images_seen(lambda learner: learner.adapt(inputs["support_x"], inputs["support_y"]))
    assert seen == dict.fromkeys((1, 2, 7), 3 * 6)


def test_what_is_adapted_is_the_head():
    learner, (inputs, _) = learner_of("images")
    kernel, bias = learner.adapt(inputs["support_x"], inputs["support_y"])
    assert (kernel.shape, bias.shape) == ((3, 3, 3), (3, 3))
    assert [id(v) for v in learner.variables] == [id(v) for v in learner.network.variables]


# Modes of computing it, batch norm, tasks.


@pytest.mark.parametrize("kind", ["dense", "images"])
def test_both_mappings_give_the_same_gradient(kind):
    learner, batch = learner_of(kind, inner_steps=2)
    one, other = (gradient(learner, batch, mapping=mode, compiler=tf.function) for mode in MODES)
    assert_close(one, other, 1e-11)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("depth", [1, 5])
def test_two_calls_are_one_and_tasks_do_not_see_each_other(depth, training):
    learner, (inputs, _) = learner_of("images", inner_steps=2, adapted_layers=depth)
    x, y, query_x = (inputs[name] for name in ("support_x", "support_y", "query_x"))
    together = learner(inputs, training=training)
    weights = learner.adapt(x, y)
    two = learner.predict_with(weights, query_x, None if training else x)
    np.testing.assert_allclose(two, together, rtol=1e-10)
    for number in range(3):
        alone = learner(one_task(inputs, number), training=training)
        np.testing.assert_allclose(together[number], alone[0], rtol=1e-10)


def test_a_query_learns_from_the_others_in_training_only():
    learner, (inputs, _) = learner_of("images")
    alone = {**inputs, "query_x": inputs["query_x"][:, :1]}
    np.testing.assert_allclose(learner(inputs)[:, :1], learner(alone), atol=1e-12)
    together = learner(inputs, training=True)[:, :1]
    assert np.abs(together - learner(alone, training=True)).max() > 1e-3


def test_numbers_of_tasks_and_items_may_be_unknown_when_a_graph_is_made():
    learner, (inputs, _) = learner_of("images", inner_steps=2)
    free = {name: tf.TensorSpec([None, None, *x.shape[2:]], x.dtype) for name, x in inputs.items()}
    graph = tf.function(lambda inputs: learner(inputs), input_signature=[free])
    np.testing.assert_allclose(graph(inputs), learner(inputs), rtol=1e-10)


def test_the_paper_s_network_gets_gradient_in_every_weight():
    learner = ANIL(networks.conv4((28, 28, 1), 3, filters=4), cross_entropy, 0.1)
    for variable, found in zip(
        learner.trainable_variables, gradient(learner, classification((28, 28, 1))), strict=True
    ):  # fmt: skip
        assert np.linalg.norm(found) > 0, variable.path


# Networks that have no such head.


def branched():
    x = layers.Input((2,))
    return keras.Model(x, layers.Dense(3)(layers.concatenate([x, x])))


@pytest.mark.parametrize(
    ("network", "options", "sentence"),
    [
        (branched, {}, "needs a keras.Sequential .* use MAML for any other"),
        (image_network, {"adapted_layers": 0}, "adapted_layers is 0; .* it must be 1 to 5"),
        (image_network, {"adapted_layers": 6}, "adapted_layers is 6; the network has 5 layers"),
        (
            lambda: keras.Sequential([tanh_network(), layers.ReLU()]),
            {},
            r"The last 1 layer\(s\) of the network have no weights to adapt",
        ),
        (tanh_network, {"adapted_layers": 2, "zero_head": True}, "2 layers with weights, and all"),
    ],
)
def test_a_network_without_such_a_head_is_refused_in_one_sentence(network, options, sentence):
    with pytest.raises(RunError, match=sentence):
        ANIL(network(), cross_entropy, 0.1, **options)

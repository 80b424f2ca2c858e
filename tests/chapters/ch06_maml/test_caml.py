"""CAML: its meta-gradient, what it reduces to, batch norm, and the errata of section 6.8."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from chapters.ch06_maml import caml, maml
from chapters.ch06_maml.caml import CAML, ContextInputs, FiLM, image_network, sine_network
from chapters.ch06_maml.losses import cross_entropy, squared_error
from chapters.ch06_maml.maml import MAML
from chapters.engine.errors import RunError
from chapters.engine.mapping import MODES
from chapters.engine.per_task import call_per_task, repeat_for_tasks
from tests.chapters.meta_gradients import (
    assert_close,
    central_differences,
    classification,
    differ,
    one_task,
    regression,
    step_gradient,
    tanh_network,
    use,
)

IMAGE = (6, 5, 1)


@pytest.fixture(autouse=True)
def float64():
    """Central differences need the digits."""
    use("float64")
    yield
    use("float32")


def dense(context=3, **options):
    """Two inputs, smooth, phi beside them."""
    network = ContextInputs(tanh_network(inputs=2 + context), context)
    return CAML(network, squared_error, 0.5, **options)


def convolutional(context=3, norm=True, **options):
    """A small smooth image network, with batch norm on both sides of the context."""

    def normalise():
        return [layers.BatchNormalization()] if norm else []

    first = [layers.Input(IMAGE), layers.Conv2D(3, 3, strides=2), *normalise()]
    second = [layers.Activation("tanh"), layers.Conv2D(4, 2, padding="same"), *normalise()]
    second += [layers.Activation("tanh"), layers.Flatten(), layers.Dense(3)]
    before = keras.Sequential(first)
    after = keras.Sequential([layers.Input(before.output_shape[1:]), *second])
    return CAML(FiLM(before, after, context), cross_entropy, 0.5, **options)


def cases():
    """Each kind of network with tasks for it."""
    return {
        "dense": lambda **options: (dense(**options), regression()),
        "images": lambda **options: (convolutional(**options), classification(IMAGE)),
    }


@pytest.mark.parametrize("kind", cases())
@pytest.mark.parametrize("inner_steps", [1, 2])
def test_meta_gradient_equals_central_differences(kind, inner_steps):
    model, batch = cases()[kind](inner_steps=inner_steps)
    inputs, query_y = batch

    def loss():
        return tf.reduce_mean(model.objective(query_y, model(inputs, training=True)))

    found = step_gradient(caml.train_step, model, batch)
    expected = central_differences(loss, model.trainable_variables)
    # A bias in front of batch norm has no effect: its derivative is zero up to rounding.
    real = [np.linalg.norm(g) > 1e-8 for g in expected]
    assert sum(real) == len(real) - (2 if kind == "images" else 0)
    kept = [[g for g, r in zip(gs, real, strict=True) if r] for gs in (found, expected)]
    assert_close(*kept, 1e-6)


def test_the_inner_step_follows_the_central_differences_of_the_support_loss():
    model, (inputs, _) = dense(), regression()
    x, y = inputs["support_x"], inputs["support_y"]
    phi = tf.Variable(model.adapt(x, y, 1))  # not at zero
    slopes = central_differences(lambda: squared_error(y, model.predict_with(phi, x)), [phi])[0]
    own = np.einsum("tct->tc", slopes)  # [task, context]; [task, context, loss of task]
    np.testing.assert_allclose(slopes.sum(axis=2), own, atol=1e-12)  # no other task's
    np.testing.assert_allclose(model.adapt(x, y, 2), phi - 0.5 * own, rtol=1e-8)


class Offset(keras.Model):
    """All weights are the context: the network's weights are W + phi."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.context_size = network.count_params()
        self.input_shape, self.output_shape = network.input_shape, network.output_shape
        self.built = True

    def call(self, x, phi, normalise_by=None):
        """[task, item, dim], [task, parameter] -> [task, item, out]"""
        weights, start = [], 0
        for shared in repeat_for_tasks(self.network.trainable_variables, tf.shape(x)[0]):
            size = int(np.prod(shared.shape[1:]))
            weights.append(shared + tf.reshape(phi[:, start : start + size], tf.shape(shared)))
            start += size
        return call_per_task(self.network, weights, x, normalise_by)


@pytest.mark.parametrize("first_order", [False, True])
def test_with_all_weights_as_context_the_gradient_is_mamls(first_order):
    network, batch = tanh_network(), regression()
    options = {"inner_rate": 0.3, "inner_steps": 2, "first_order": first_order}
    context, plain = (
        CAML(Offset(network), squared_error, **options),
        MAML(network, squared_error, **options),
    )
    expected = step_gradient(maml.train_step, plain, batch)
    assert_close(step_gradient(caml.train_step, context, batch), expected, 1e-12)
    np.testing.assert_allclose(context(batch[0]), plain(batch[0]), rtol=1e-12)


def test_the_first_order_gradient_is_another():
    (model, batch), (first, _) = cases()["dense"](), cases()["dense"](first_order=True)
    first.set_weights(model.get_weights())
    second, first = (step_gradient(caml.train_step, m, batch) for m in (model, first))
    assert differ(first, second) > 1e-2


def test_without_inner_steps_it_is_joint_training():
    """phi stays zero, so the gradient is that of the network with zeros as further inputs."""
    model, (inputs, query_y) = dense(inner_steps=0), regression()
    x = tf.reshape(inputs["query_x"], [-1, 2])
    x = tf.concat([x, tf.zeros([len(x), 3], x.dtype)], axis=1)
    network = model.network.network
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((network(x) - tf.reshape(query_y, [-1, 1])) ** 2)
    expected = [g.numpy() for g in tape.gradient(loss, network.trainable_variables)]
    found = step_gradient(caml.train_step, model, (inputs, query_y))
    assert not np.any(found[0][2:])  # the rows of phi
    assert_close(found, expected, 1e-12)


def test_e6_26_the_outer_loop_learns_the_shared_weights_and_nothing_else():
    model, batch = dense(), regression()
    variables = model.trainable_variables
    assert [id(v) for v in variables] == [id(v) for v in model.network.network.variables]
    optimizer = keras.optimizers.Adam(0.1)
    caml.train_step(model, optimizer, "batched")(batch)
    assert [id(v) for v in optimizer._trainable_variables] == [id(v) for v in variables]
    assert len(model.variables) == len(variables)  # phi came and went


def test_e6_27_every_task_starts_with_a_context_of_zeros():
    model, (inputs, query_y) = dense(), regression()
    x, y = inputs["support_x"], inputs["support_y"]
    before = model.adapt(x, y)
    assert np.all(np.linalg.norm(before, axis=1) > 0)
    caml.train_step(model, keras.optimizers.SGD(0.0), "batched")((inputs, query_y))
    start = model.adapt(x, y, 0)
    assert start.shape == [3, 3]
    assert not np.any(start)
    np.testing.assert_array_equal(model.adapt(x, y), before)  # nothing is left of other tasks


def test_rate_zero_leaves_the_context_at_zero():
    model, (inputs, _) = dense(), regression()
    model.inner_rate = 0.0
    assert not np.any(model.adapt(inputs["support_x"], inputs["support_y"]))


@pytest.mark.parametrize("kind", cases())
def test_both_mappings_give_the_same_gradient_and_loss(kind):
    model, batch = cases()[kind]()
    found = [step_gradient(caml.train_step, model, batch, mode) for mode in MODES]
    assert differ(*found) < 1e-12
    losses = [caml.train_step(model, keras.optimizers.SGD(0.0), m)(batch)["loss"] for m in MODES]
    np.testing.assert_allclose(*losses, rtol=1e-12)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", cases())
def test_tasks_do_not_see_each_other(kind, training):
    model, (inputs, _) = cases()[kind]()
    together = model(inputs, training=training)
    for number in range(3):
        alone = model(one_task(inputs, number), training=training)
        np.testing.assert_allclose(together[number], alone[0], rtol=1e-10)


def test_honest_predictions_know_no_other_query():
    """Batch norm on both sides of the context takes the statistics of the support set."""
    model, (inputs, _) = convolutional(), classification(IMAGE)
    x, query_x = inputs["support_x"], inputs["query_x"]
    phi = model.adapt(x, inputs["support_y"])
    together = model.predict_with(phi, query_x, x)
    alone = model.predict_with(phi, query_x[:, :1], x)
    np.testing.assert_allclose(together[:, :1], alone, rtol=1e-10)
    np.testing.assert_array_equal(model(inputs), together)  # how it is called at test
    # The support set among the queries is normalised by itself.
    own = model.predict_with(phi, x)
    np.testing.assert_allclose(model.predict_with(phi, x, x), own, rtol=1e-10)
    transductive = model.predict_with(phi, query_x)
    np.testing.assert_array_equal(model(inputs, training=True), transductive)
    assert differ([transductive.numpy()], [together.numpy()]) > 1e-3


def test_film_equals_keras_layers_and_a_scale_and_shift():
    model, (inputs, _) = convolutional(), classification(IMAGE, tasks=1)
    network, x = model.network, inputs["query_x"]
    phi = tf.constant(np.random.default_rng(1).normal(size=[1, 3]))
    scale, shift = np.split(phi.numpy()[0] @ network.film.kernel.numpy(), 2)
    h = network.before(x[0], training=True).numpy()
    expected = network.after(tf.constant(h * (1 + scale) + shift), training=True)
    np.testing.assert_allclose(model.predict_with(phi, x)[0], expected, rtol=1e-8)


def test_the_context_stands_beside_every_input():
    model, (inputs, _) = dense(), regression()
    phi = tf.constant(np.random.default_rng(1).normal(size=[3, 3]))
    x = inputs["query_x"]
    beside = [[np.concatenate([x[t, i], phi[t]]) for i in range(4)] for t in range(3)]
    expected = [model.network.network(tf.constant(rows)) for rows in beside]
    np.testing.assert_allclose(model.predict_with(phi, x), expected, rtol=1e-10)


def test_compiled_by_xla_the_step_is_the_same():
    use("float32")
    model, batch = dense(), regression(dtype=tf.float32)
    plain, compiled = (
        step_gradient(
            caml.train_step, model, batch, compiler=lambda f, x=x: tf.function(f, jit_compile=x)
        )
        for x in (False, True)
    )
    assert_close(compiled, plain, 1e-5)


@pytest.mark.parametrize("mapping", MODES)
def test_no_retracing(mapping):
    model, traces = dense(), []
    step = caml.train_step(model, keras.optimizers.SGD(0.1), mapping)
    run = tf.function(lambda batch: traces.append(1) or step(batch))
    losses = [float(run(regression(seed=seed))["loss"]) for seed in range(3)]
    assert len(traces) == 1
    assert len(set(losses)) == 3


def test_the_papers_networks_have_the_papers_sizes_and_every_weight_learns():
    use("float32")
    sine = CAML(sine_network(context_size=5), squared_error)
    # 6 x 40 + 40, 40 x 40 + 40, 40 + 1
    assert sine.count_params() == 280 + 1640 + 41
    batch = regression(inputs=1, dtype=tf.float32)
    assert_close(*[step_gradient(caml.train_step, sine, batch)] * 2, 0)

    network = image_network((28, 28, 1), way=3, context_size=10, filters=8)
    images = CAML(network, cross_entropy)
    # convolutions without bias, four batch norms (offset alone, as MAML's), FiLM, dense
    trainable = 9 * 8 + 3 * 9 * 64 + 4 * 8 + 10 * 16 + 8 * 3 + 3
    assert sum(int(np.prod(v.shape)) for v in images.trainable_variables) == trainable
    batch = classification((28, 28, 1), dtype=tf.float32)
    gradients = step_gradient(caml.train_step, images, batch, "sequential")
    assert all(np.any(g) for g in gradients)
    assert images(batch[0]).shape == [3, 9, 3]


def test_a_few_hundred_steps_learn_to_tell_sines_apart():
    """Two tasks that differ in sign only: without a context the best is the mean, zero."""
    use("float32")
    x = tf.reshape(tf.linspace(-3.0, 3.0, 20), [1, 20, 1]) * tf.ones([2, 1, 1])
    y = tf.sin(x) * tf.constant([[[1.0]], [[-1.0]]])
    batch = {"support_x": x, "support_y": y, "query_x": x}, y
    model = CAML(sine_network(context_size=2), squared_error)
    step = tf.function(caml.train_step(model, keras.optimizers.Adam(1e-2), "batched"))
    for _ in range(200):
        step(batch)
    errors = [
        float(tf.reduce_mean(squared_error(y, model.predict_with(model.adapt(x, y, n), x))))
        for n in (0, 1)
    ]
    assert errors[0] > 0.4  # the mean of sin^2 is about a half
    assert errors[1] < 0.05


def test_the_context_survives_export_shapes():
    """Numbers of tasks and items may be unknown when a graph is made."""
    model, (inputs, _) = convolutional(), classification(IMAGE)
    free = {name: tf.TensorSpec([None, None, *x.shape[2:]], x.dtype) for name, x in inputs.items()}
    graph = tf.function(lambda inputs: model(inputs), input_signature=[free])
    np.testing.assert_allclose(graph(inputs), model(inputs), rtol=1e-10)


def test_a_support_set_of_another_width_is_refused():
    model, (inputs, _) = dense(), regression(inputs=3)
    with pytest.raises(RunError, match="items of shape .*3.*; the network takes .*2"):
        model.adapt(inputs["support_x"], inputs["support_y"])


def test_e6_28_the_name_is_expanded_in_one_way():
    root = Path(caml.__file__).parents[2]
    files = [root / "README.md", *(path for kind in ("*.py", "*.md") for top in ("chapters", "zoo")
                                   for path in (root / top).rglob(kind))]  # fmt: skip
    name = re.compile(r"(?:\w+\s+)?context[\s-]+adapt\w*(?:\s+\w+\s+[\w-]+)?", re.IGNORECASE)
    found = [words for path in files for words in name.findall(path.read_text(encoding="utf-8"))]
    assert len(found) >= 2  # the page and the module
    expanded = {" ".join(words.lower().split()) for words in found}
    assert expanded == {"fast context adaptation via meta-learning"}

"""Fast context adaptation via meta-learning, CAML (Zintgraf et al., 2018; section 6.8).

The parameters are split. Context parameters phi start at zero in every task and are all that the
inner loop changes; the rest, theta, is shared by all tasks and learned by the outer loop alone.
Adapting changes a handful of numbers, so it overfits less, and they can be looked at.

phi is no weight of the model. It enters as further inputs of a dense network (``ContextInputs``) or
by scaling and shifting the channels of an image network (``FiLM``).
"""

import keras
import tensorflow as tf
from keras import layers

from chapters.engine.evaluation import measures
from chapters.engine.mapping import mean_over_tasks
from chapters.engine.per_task import call_tasks, copies
from chapters.engine.support import check_support
from chapters.engine.update import apply_gradients


class CAML(keras.Model):
    """A network with a context that is found for each task before it predicts.

    Call it as MAML: ``support_x`` [task, support, ...], ``support_y`` [task, support] (labels) or
    [task, support, out] (targets) and ``query_x`` [task, query, ...] give predictions
    [task, query, out]. Its only weights are the network's, theta.

    Args:
        network: Keras model with a ``context_size``, called as ``network(x, phi, normalise_by)``:
            x [task, item, ...], phi [task, context] -> [task, item, out]; such as ``ContextInputs``
            or ``FiLM``.
        objective: (y, prediction) -> loss [task], see ``losses``.
        inner_rate: alpha.
        inner_steps: inner steps in training.
        test_steps: inner steps otherwise; as in training when None.
        first_order: leave out the derivative of the inner gradient.
        batch_norm: statistics for the queries in training: ``transductive``, those of the queries
            as in the paper, or ``support``, those of the support set.
    """

    def __init__(
        self,
        network,
        objective,
        inner_rate=1.0,
        inner_steps=1,
        test_steps=None,
        first_order=False,
        batch_norm="transductive",
    ):
        super().__init__()
        self.network, self.objective, self.batch_norm = network, objective, batch_norm
        self.inner_rate, self.inner_steps, self.first_order = inner_rate, inner_steps, first_order
        self.test_steps = inner_steps if test_steps is None else test_steps
        self.built = True  # all weights are the network's

    def inner_step(self, phi, support_x, support_y):
        """One gradient step of the context on the support set of each task: [task, context]."""
        with tf.GradientTape() as tape:
            tape.watch(phi)
            losses = self.objective(support_y, self.network(support_x, phi))  # [task]
        gradient = tape.gradient(losses, phi)  # [task, context]
        if self.first_order:
            gradient = tf.stop_gradient(gradient)
        # phi_i = phi_0 - alpha grad_phi L_Ti(f_{phi_0, theta})
        return phi - self.inner_rate * gradient

    def adapt(self, support_x, support_y, steps=None):
        """Context of each task after ``steps`` inner steps (``test_steps`` when None).

        Returns:
            [task, context]

        Raises:
            RunError: the support set does not fit the network.
        """
        check_support(self.network, support_x, support_y)
        tasks = support_x.shape[0] or tf.shape(support_x)[0]
        # phi_0 = 0, not theta (E6.27): every task starts without a context
        phi = tf.zeros([tasks, self.network.context_size], self.compute_dtype)
        for _ in range(self.test_steps if steps is None else steps):
            phi = self.inner_step(phi, support_x, support_y)
        return phi

    def predict_with(self, phi, query_x, support_x=None):
        """Predictions with given contexts: [task, query, out].

        Batch norm uses the statistics of ``support_x`` when it is given (honest), otherwise those
        of the queries (transductive).
        """
        return self.network(query_x, phi, support_x)

    def call(self, inputs, training=False):
        """Adapt to the support set, predict the queries; honest unless in training."""
        support_x, support_y = inputs["support_x"], inputs["support_y"]
        phi = self.adapt(support_x, support_y, self.inner_steps if training else None)
        transductive = training and self.batch_norm == "transductive"
        return self.predict_with(phi, inputs["query_x"], None if transductive else support_x)

    def describe_rate(self) -> str:
        """The inner rate in words, for error messages."""
        return f"rate {self.inner_rate:g}"


def train_step(learner, optimizer, mapping):
    """The outer step: ``step(batch)`` -> loss and measures, means over the tasks.

    Args:
        learner: CAML.
        optimizer: of ``learner.trainable_variables``.
        mapping: one of ``chapters.engine.mapping.MODES``.
    """

    def gradient(tasks):
        inputs, query_y = tasks
        theta = learner.trainable_variables
        with tf.GradientTape() as tape:
            prediction = learner(inputs, training=True)  # [task, query, out]
            losses = learner.objective(query_y, prediction)  # [task]
            loss = tf.reduce_mean(losses)
        # with respect to theta, through phi_i(theta); the book's is with respect to phi (E6.26)
        gradients = tape.gradient(loss, theta)
        return gradients, {"loss": losses, **measures(query_y, prediction)}

    def step(batch):
        # theta <- theta - beta grad_theta sum_i L_Ti(f_{phi_i, theta})
        gradients, metrics = mean_over_tasks(gradient, batch, mapping)
        apply_gradients(optimizer, metrics["loss"], gradients, learner.trainable_variables)
        return metrics

    return step


class ContextInputs(keras.Model):
    """Context parameters as further inputs of a network.

    h_j = g(sum_m W_jm x_m + sum_l V_jl phi_l + b_j) in its first layer. V must not be zero, or no
    gradient would reach phi.

    Args:
        network: built Keras model, [item, dim + context_size] -> [item, out].
        context_size: how many of its inputs are phi; they come last.
    """

    def __init__(self, network, context_size):
        super().__init__()
        self.network, self.context_size = network, context_size
        self.input_shape = (None, network.input_shape[-1] - context_size)
        self.output_shape = network.output_shape
        self.built = True

    def call(self, x, phi, normalise_by=None):
        """[task, item, dim], [task, context] -> [task, item, out]"""
        if normalise_by is not None:
            normalise_by = self.join(normalise_by, phi)
        return _call_shared(self.network, self.join(x, phi), normalise_by)

    def join(self, x, phi):
        """Every item with its task's context beside it: [task, item, dim + context]."""
        shape = [tf.shape(phi)[0], tf.shape(x)[1], self.context_size]
        phi = tf.broadcast_to(phi[:, None], shape)  # [task, item, context]
        return tf.concat([x, phi], axis=-1)  # [task, item, dim + context]


class FiLM(keras.Model):
    """Context parameters that scale and shift the channels between two parts of a network.

    Feature-wise linear modulation (Perez et al., 2018). Without a context it changes nothing.

    Args:
        before: built Keras model, [item, ...] -> [item, ..., channel].
        after: built Keras model, [item, ..., channel] -> [item, out].
        context_size: length of phi.
    """

    def __init__(self, before, after, context_size):
        super().__init__()
        self.before, self.after, self.context_size = before, after, context_size
        self.input_shape, self.output_shape = before.input_shape, after.output_shape
        self.film = layers.Dense(2 * before.output_shape[-1], use_bias=False, name="film")
        self.film.build((None, context_size))
        self.built = True

    def call(self, x, phi, normalise_by=None):
        """[task, item, ...], [task, context] -> [task, item, out]"""
        features = self.modulate(_call_shared(self.before, x, normalise_by), phi)
        if normalise_by is not None:
            normalise_by = self.modulate(_call_shared(self.before, normalise_by), phi)
        return _call_shared(self.after, features, normalise_by)

    def modulate(self, features, phi):
        """h_c <- (1 + gamma_c) h_c + beta_c with (gamma, beta) linear in phi."""
        gamma_beta = self.film(phi)  # [task, 2 * channel]
        ones = [1] * (len(features.shape) - 2)
        gamma_beta = tf.reshape(gamma_beta, [-1, *ones, gamma_beta.shape[-1]])
        gamma, beta = tf.split(gamma_beta, 2, axis=-1)  # [task, 1, ..., channel]
        return (1.0 + gamma) * features + beta  # [task, item, ..., channel]


def _call_shared(network, x, normalise_by=None):
    """``call_tasks`` with the same weights in every task."""
    weights = copies(network.trainable_variables, tf.shape(x)[0])
    return call_tasks(network, weights, x, normalise_by)


def sine_network(context_size: int = 5, hidden=(40, 40)) -> ContextInputs:
    """The paper's network for sine regression: 40-40 ReLU, with phi beside the input."""
    sizes = [layers.Dense(units, activation="relu") for units in hidden]
    network = keras.Sequential([layers.Input((1 + context_size,)), *sizes, layers.Dense(1)])
    return ContextInputs(network, context_size)


def image_network(image_shape, way: int, context_size: int = 100, filters: int = 64) -> FiLM:
    """Four convolutions of stride 2 with batch norm; phi enters after the third.

    As in the paper FiLM stands between batch norm and ReLU of its block. The blocks are MAML's for
    Omniglot (stride 2 instead of pooling, mean over space), so that the two can be compared.
    """

    def convolution():
        return layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)

    before = [layers.Input(image_shape)]
    for _ in range(2):
        before += [convolution(), layers.BatchNormalization(), layers.ReLU()]
    before = keras.Sequential([*before, convolution(), layers.BatchNormalization()])
    after = [layers.ReLU(), convolution(), layers.BatchNormalization(), layers.ReLU()]
    after += [layers.GlobalAveragePooling2D(), layers.Dense(way)]
    after = keras.Sequential([layers.Input(before.output_shape[1:]), *after])
    return FiLM(before, after, context_size)

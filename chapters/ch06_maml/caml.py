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

from chapters.engine.learner import GradientLearner
from chapters.engine.mapping import mean_over_tasks
from chapters.engine.per_task import call_per_task, repeat_for_tasks
from chapters.engine.update import apply_gradients


@keras.saving.register_keras_serializable(__package__)
class CAML(GradientLearner):
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
        options: of ``keras.Model``.
    """

    CONFIG = ("inner_rate", "inner_steps", "test_steps", "first_order", "batch_norm")

    def __init__(
        self,
        network,
        objective,
        inner_rate=1.0,
        inner_steps=1,
        test_steps=None,
        first_order=False,
        batch_norm="transductive",
        **options,
    ):
        super().__init__(network, objective, inner_steps, test_steps, batch_norm, **options)
        self.inner_rate, self.first_order = inner_rate, first_order

    def start(self, support_x):
        """phi_0 = 0, not theta (E6.27): every task starts without a context; [task, context]."""
        tasks = support_x.shape[0] or tf.shape(support_x)[0]
        return tf.zeros([tasks, self.network.context_size], self.precision)

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

    def predict_with(self, phi, query_x, support_x=None):
        """Predictions with given contexts [task, context]: [task, query, out].

        Batch norm uses the statistics of ``support_x`` when it is given (honest), otherwise those
        of the queries (transductive).
        """
        return self.network(query_x, phi, support_x)


def train_step(learner, optimizer, mapping):
    """The outer step: ``step(batch)`` -> loss and metrics, means over the tasks.

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
        return gradients, {"loss": losses, **learner.task_metrics(query_y, prediction)}

    def step(batch, seed=None):
        # theta <- theta - beta grad_theta sum_i L_Ti(f_{phi_i, theta})
        gradients, metrics = mean_over_tasks(gradient, batch, mapping)
        apply_gradients(optimizer, metrics["loss"], gradients, learner.trainable_variables)
        return metrics

    return step


@keras.saving.register_keras_serializable(__package__)
class ContextInputs(keras.Model):
    """Context parameters as further inputs of a network.

    h_j = g(sum_m W_jm x_m + sum_l V_jl phi_l + b_j) in its first layer. V must not be zero, or no
    gradient would reach phi.

    Args:
        network: built Keras model, [item, dim + context_size] -> [item, out].
        context_size: how many of its inputs are phi; they come last.
    """

    def __init__(self, network, context_size, **options):
        super().__init__(**options)
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

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "context_size": self.context_size}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("network")), **config)


@keras.saving.register_keras_serializable(__package__)
class FiLM(keras.Model):
    """Context parameters that scale and shift the channels between two parts of a network.

    Feature-wise linear modulation (Perez et al., 2018). Without a context it changes nothing.

    Args:
        before: built Keras model, [item, ...] -> [item, ..., channel].
        after: built Keras model, [item, ..., channel] -> [item, out].
        context_size: length of phi.
    """

    def __init__(self, before, after, context_size, **options):
        super().__init__(**options)
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

    def get_config(self):
        parts = {"before": self.before, "after": self.after}
        own = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **own, "context_size": self.context_size}

    @classmethod
    def from_config(cls, config):
        parts = ("before", "after")
        own = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in parts}
        return cls(**own, **config)


def _call_shared(network, x, normalise_by=None):
    """``call_per_task`` with the same weights in every task."""
    weights = repeat_for_tasks(network.trainable_variables, tf.shape(x)[0])
    return call_per_task(network, weights, x, normalise_by)


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

    def norm():  # the scale is left to the next layer, as in MAML's network
        return layers.BatchNormalization(scale=False)

    before = [layers.Input(image_shape)]
    for _ in range(2):
        before += [convolution(), norm(), layers.ReLU()]
    before = keras.Sequential([*before, convolution(), norm()])
    after = [layers.ReLU(), convolution(), norm(), layers.ReLU()]
    after += [layers.GlobalAveragePooling2D(), layers.Dense(way)]
    after = keras.Sequential([layers.Input(before.output_shape[1:]), *after])
    return FiLM(before, after, context_size)

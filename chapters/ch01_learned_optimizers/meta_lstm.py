"""The meta-LSTM: an LSTM whose cell state is the weights of another network.

Ravi and Larochelle (2017), "Optimization as a model for few-shot learning"; book, section 1.5.
Gradient descent is the update of such a cell with its gates held fixed:

    c_t = f_t c_{t-1} + i_t c~_t   with c_t = theta_t, c~_t = -grad L_t, f_t = 1, i_t = the rate

Here the gates are learned, and so is c_0, the first weights of the network.
"""

import keras
import tensorflow as tf
from keras import layers

from chapters.ch01_learned_optimizers.preprocessing import log_sign
from chapters.engine.learner import GradientLearner
from chapters.engine.mapping import mean_over_tasks
from chapters.engine.update import apply_gradients

FORGET, INPUT = (4.0, 6.0), (-5.0, -4.0)  # first biases of the gates: little is forgotten, or taken


@keras.saving.register_keras_serializable(__package__)
class UpdateCell(layers.Layer):
    """One step of the meta-LSTM for every coordinate: gates from gradient, loss and weight.

    All coordinates share the cell's weights; each has a state of its own: of the LSTM below, and
    the two gates of the step before.

    Args:
        units: of the LSTM that reads gradients and losses.
        options: of ``keras.layers.Layer``.
    """

    def __init__(self, units=20, **options):
        super().__init__(**options)
        self.units = units
        self.memory = 2 * units + 2
        self.lstm = layers.LSTMCell(units)
        uniform = keras.initializers.RandomUniform
        small = {"kernel_initializer": uniform(-0.01, 0.01)}
        self.forget = layers.Dense(1, bias_initializer=uniform(*FORGET), **small)
        self.input_gate = layers.Dense(1, bias_initializer=uniform(*INPUT), **small)
        self.lstm.build((None, 4))
        self.forget.build((None, units + 2))
        self.input_gate.build((None, units + 2))
        self.built = True

    def start(self, coordinates):
        """State before the first step: zeros [coordinate, memory]."""
        return tf.zeros([coordinates, self.memory])

    def call(self, theta, gradient, loss, state):
        """One step.

        Args:
            theta, gradient: [coordinate].
            loss: of the network, the same for every coordinate of a task, [coordinate].
            state: [coordinate, memory].

        Returns:
            The new weights [coordinate] and the new state, whose last two numbers are the gates.
        """
        # [coordinate, 4]
        seen = tf.concat([log_sign(gradient), log_sign(loss)], axis=-1)
        h, c, forget, take = tf.split(state, [self.units, self.units, 1, 1], axis=-1)
        hidden, (h, c) = self.lstm(seen, [h, c])  # [coordinate, unit]
        # f_t = sigmoid(W_f [h_t, theta_{t-1}, f_{t-1}] + b_f), fed back before its sigmoid
        forget = self.forget(tf.concat([hidden, theta[:, None], forget], axis=-1))
        # i_t = sigmoid(W_i [h_t, theta_{t-1}, i_{t-1}] + b_i)
        take = self.input_gate(tf.concat([hidden, theta[:, None], take], axis=-1))
        state = tf.concat([h, c, forget, take], axis=-1)  # [coordinate, memory]
        keep, rate = (gate[:, 0] for gate in self.gates(state))  # [coordinate]
        # theta_t = f_t theta_{t-1} + i_t (-grad L_t): the sign is minus (E1.4)
        return keep * theta - rate * gradient, state

    def gates(self, state):
        """Forget and input gate of the last step, each [coordinate, 1]."""
        return tf.sigmoid(state[:, -2:-1]), tf.sigmoid(state[:, -1:])

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(__package__)
class MetaLSTM(GradientLearner):
    """A network that an ``UpdateCell`` adapts to each task before it predicts.

    Batch norm uses the statistics of the task's support set, in training and in tests: nothing is
    gathered over episodes, and no query knows of another.

    Args:
        network: built Keras model, [item, ...] -> [item, way]; its weights are c_0 (E1.7).
        objective: (y, prediction) -> loss [task].
        cell: UpdateCell.
        inner_steps: steps in training.
        test_steps: steps otherwise; as in training when None.
        options: of ``keras.Model``.
    """

    CONFIG = ("inner_steps", "test_steps")

    def __init__(self, network, objective, cell, inner_steps=12, test_steps=None, **options):
        super().__init__(network, objective, inner_steps, test_steps, "support", **options)
        self.cell = cell

    def inner_loop(self, weights, support_x, support_y, steps):
        """``steps`` steps of the cell on the support set of each task."""
        state = self.cell.start(tf.size(flatten(weights)))
        for _ in range(steps):
            weights, state = self.inner_step(weights, support_x, support_y, state)
        return weights

    def inner_step(self, weights, support_x, support_y, state):
        """One step of the cell: weights, list of [task, ...], and state -> the same."""
        theta = flatten(weights)  # [task, coordinate]
        loss, gradient = self._support_gradient(weights, support_x, support_y)
        each = tf.repeat(loss, tf.shape(theta)[1])  # [task * coordinate]
        after, state = self.cell(tf.reshape(theta, [-1]), tf.reshape(gradient, [-1]), each, state)
        return unflatten(tf.reshape(after, tf.shape(theta)), weights), state

    def _support_gradient(self, weights, support_x, support_y):
        """Loss [task] and its gradient [task, coordinate]; both are constants."""
        points = [tf.stop_gradient(w) for w in weights]
        with tf.GradientTape() as tape:
            tape.watch(points)
            loss = self.objective(support_y, self.predict_with(points, support_x))  # [task]
        gradient = flatten(tape.gradient(loss, points))
        return tf.stop_gradient(loss), tf.stop_gradient(gradient)

    def describe_rate(self) -> str:
        """What the input gates begin with, for messages."""
        return f"input gates begin at sigmoid({INPUT[0]:g} to {INPUT[1]:g}), learned from there"

    def get_config(self):
        cell = keras.saving.serialize_keras_object(self.cell)
        return {**super().get_config(), "cell": cell}

    @classmethod
    def from_config(cls, config):
        cell = keras.saving.deserialize_keras_object(config.pop("cell"))
        return super().from_config({**config, "cell": cell})


def flatten(weights):
    """List of [task, ...] -> [task, coordinate]."""
    return tf.concat([tf.reshape(w, [tf.shape(w)[0], -1]) for w in weights], axis=1)


def unflatten(theta, weights):
    """[task, coordinate] -> list of tensors in the shapes of ``weights``."""
    sizes = [w.shape[1:].num_elements() for w in weights]
    parts = tf.split(theta, sizes, axis=1)  # [task, coordinate of one weight]
    return [
        tf.ensure_shape(tf.reshape(part, tf.concat([tf.shape(w)[:1], w.shape[1:]], 0)), w.shape)
        for part, w in zip(parts, weights, strict=True)
    ]


def train_step(learner, optimizer, mapping):
    """The outer step: ``step(batch)`` -> loss and metrics, means over the tasks.

    Args:
        learner: MetaLSTM.
        optimizer: of ``learner.trainable_variables``: the cell's weights and c_0.
        mapping: one of ``chapters.engine.mapping.MODES``.
    """

    def gradient(tasks):
        inputs, query_y = tasks
        phi = learner.trainable_variables
        with tf.GradientTape() as tape:
            prediction = learner(inputs, training=True)  # [task, query, way]
            # L(M(X_test; theta_T), Y_test), of the last weights (E1.6)
            losses = learner.objective(query_y, prediction)  # [task]
            loss = tf.reduce_mean(losses)
        # with respect to phi (E1.5), through all steps of the cell
        gradients = tape.gradient(loss, phi)
        return gradients, {"loss": losses, **learner.task_metrics(query_y, prediction)}

    def step(batch, seed=None):
        gradients, metrics = mean_over_tasks(gradient, batch, mapping)
        apply_gradients(optimizer, metrics["loss"], gradients, learner.trainable_variables)
        return metrics

    return step

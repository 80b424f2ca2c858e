"""Update rules that are learned: from a gradient and what is remembered of earlier ones to a step.

A rule sees one coordinate at a time, a single number of what is optimized: all coordinates share
its weights, each has a memory of its own. So one rule fits a problem of any size, and the order of
the coordinates means nothing.
"""

import keras
import tensorflow as tf
from keras import layers

from chapters.ch01_learned_optimizers.preprocessing import log_sign

EPSILON = 1e-8  # beside the root of the mean squared gradient


class LearnedRule(keras.Model):
    """theta_{t+1} = theta_t + u_t,   (u_t, s_{t+1}) = m(grad f(theta_t), s_t; phi)

    Called with the gradients of some steps [coordinate, time], it returns the updates that follow
    from them [coordinate, time]. ``step`` does one of them.

    Attributes:
        memory: numbers that a coordinate remembers.
    """

    memory: int = 0

    def advance(self, gradient, state):
        """One step: gradient [coordinate], state [coordinate, memory] -> update, state."""
        raise NotImplementedError

    def start(self, shape):
        """Memory of coordinates that have seen no gradient: zeros [*shape, memory]."""
        return tf.zeros(tf.concat([shape, [self.memory]], axis=0))

    def step(self, gradient, state):
        """One step for coordinates in any arrangement.

        Args:
            gradient: of the loss with respect to theta (E1.1), [...]; a constant, nothing is
                learned through it.
            state: [..., memory].

        Returns:
            What to add to theta [...], and the new state.
        """
        gradient = tf.stop_gradient(gradient)
        flat = tf.reshape(gradient, [-1])  # [coordinate]
        update, after = self.advance(flat, tf.reshape(state, [-1, self.memory]))
        return tf.reshape(update, tf.shape(gradient)), tf.reshape(after, tf.shape(state))

    def call(self, gradients):
        """Updates of a series of gradients, from an empty memory: [coordinate, time] -> the same.

        The number of steps must be known when a graph is made.
        """
        state, updates = self.start(tf.shape(gradients)[:1]), []
        for gradient in tf.unstack(gradients, axis=1):
            update, state = self.step(gradient, state)
            updates.append(update)
        return tf.stack(updates, axis=1)  # [coordinate, time]

    def serve(self, gradient, state):
        """What an exported file answers: gradient [coordinate], state [coordinate, memory]."""
        update, state = self.step(gradient, state)
        return {"update": update, "next_state": state}

    def serving(self, strict=False):
        """The function of an exported file; there is nothing that could be refused."""
        return self.serve

    def signature(self):
        """Inputs of an exported file: any number of coordinates."""
        return [
            tf.TensorSpec([None], name="gradient"),
            tf.TensorSpec([None, self.memory], name="state"),
        ]


def _apply(cells, x, state):
    """A stack of LSTM cells: x [coordinate, feature], state [coordinate, 2 * units * cell]."""
    parts, following = tf.split(state, 2 * len(cells), axis=-1), []
    for number, cell in enumerate(cells):
        x, after = cell(x, parts[2 * number : 2 * number + 2])  # [coordinate, unit]
        following += after
    return x, tf.concat(following, axis=-1)


@keras.saving.register_keras_serializable(__package__)
class LSTMRule(LearnedRule):
    """The coordinate-wise LSTM of "Learning to learn by gradient descent by gradient descent".

    Andrychowicz et al. (2016), section 2.1; book, section 1.4.

    Args:
        units, depth: of the LSTM.
        preprocessing: ``log_sign``, or ``none``: the gradient as it is, for problems whose
            gradients have one size.
        scale: factor of the output, so that the first steps are small.
    """

    def __init__(self, units=20, depth=2, preprocessing="log_sign", scale=0.1, **kwargs):
        super().__init__(**kwargs)
        self.units, self.depth = units, depth
        self.preprocessing, self.scale = preprocessing, scale
        self.memory = 2 * units * depth
        self.cells = [layers.LSTMCell(units) for _ in range(depth)]
        self.head = layers.Dense(1)
        self._build_all()

    def _build_all(self):
        features = 2 if self.preprocessing == "log_sign" else 1
        for cell in self.cells:
            cell.build((None, features))
            features = self.units
        self.head.build((None, features))
        self.built = True

    def advance(self, gradient, state):
        """One step: gradient [coordinate], state [coordinate, memory] -> update, state."""
        plain = self.preprocessing == "none"
        x = gradient[:, None] if plain else log_sign(gradient)  # [coordinate, feature]
        hidden, state = _apply(self.cells, x, state)
        return self.scale * self.head(hidden)[:, 0], state  # [coordinate]

    def get_config(self):
        names = ("units", "depth", "preprocessing", "scale")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(__package__)
class RNNprop(LearnedRule):
    """An LSTM that sees gradients as Adam does: relative to their size so far.

    Lv, Jiang and Li (2017), section 4. A loss times 100 has the same updates.

    Args:
        units, depth: of the LSTM; the dense layer before it has as many units.
        beta: what both averages keep in a step.
        largest: largest update.
    """

    AVERAGES = 3  # of the gradient, of its square, and of ones, by which both are corrected

    def __init__(self, units=20, depth=2, beta=0.95, largest=0.1, **kwargs):
        super().__init__(**kwargs)
        self.units, self.depth, self.beta, self.largest = units, depth, beta, largest
        self.memory = self.AVERAGES + 2 * units * depth
        self.project = layers.Dense(units, "elu")
        self.cells = [layers.LSTMCell(units) for _ in range(depth)]
        self.head = layers.Dense(1)
        self._build_all()

    def _build_all(self):
        self.project.build((None, 2))
        for layer in (*self.cells, self.head):
            layer.build((None, self.units))
        self.built = True

    def advance(self, gradient, state):
        """One step: gradient [coordinate], state [coordinate, memory] -> update, state."""
        averages, state = tf.split(state, [self.AVERAGES, self.memory - self.AVERAGES], axis=-1)
        # m_t = beta m + (1 - beta) g,   v_t = beta v + (1 - beta) g^2;   of ones: 1 - beta^t
        seen = tf.stack([gradient, gradient**2, tf.ones_like(gradient)], axis=-1)
        averages = self.beta * averages + (1 - self.beta) * seen  # [coordinate, average]
        mean, square, share = tf.unstack(averages, axis=-1)  # [coordinate]
        size = tf.sqrt(square / share) + EPSILON
        # (g / sqrt(v^), m^ / sqrt(v^))
        x = tf.stack([gradient / size, mean / share / size], axis=-1)  # [coordinate, 2]
        hidden, state = _apply(self.cells, self.project(x), state)
        update = self.largest * tf.tanh(self.head(hidden)[:, 0])  # [coordinate]
        return update, tf.concat([averages, state], axis=-1)

    def get_config(self):
        names = ("units", "depth", "beta", "largest")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

"""Update rules made by hand, in the form of learned ones: what a learned optimizer has to beat.

All work coordinate by coordinate and are linear in the rate, so a rate for each row of theta gives
a search over rates in one graph. Constants and forms are those of ``keras.optimizers``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

MOMENTUM = 0.9  # of ``momentum``, NAG
RHO = 0.9  # of RMSprop
BETAS = (0.9, 0.999)  # of Adam
EPSILON = 1e-7


class HandMade(NamedTuple):
    """A rule in the form of ``LearnedRule``.

    Attributes:
        start: shape of theta -> state.
        step: (gradient, state) -> (what to add to theta, state).
    """

    start: Callable[..., Any]
    step: Callable[..., tuple]


def sgd(rate) -> HandMade:
    """Stochastic gradient descent; ``rate`` is a number, or a tensor that fits theta."""
    return HandMade(lambda shape: (), lambda gradient, state: (-rate * gradient, state))


def momentum(rate, nesterov: bool = False) -> HandMade:
    """The same with a velocity; arguments as for ``sgd``."""

    def step(gradient, velocity):
        velocity = MOMENTUM * velocity - rate * gradient
        # Nesterov looks ahead: as if the next step's momentum had been taken already.
        update = MOMENTUM * velocity - rate * gradient if nesterov else velocity
        return update, velocity

    return HandMade(tf.zeros, step)


def nag(rate) -> HandMade:
    """Nesterov's accelerated gradient; arguments as for ``sgd``."""
    return momentum(rate, nesterov=True)


def rmsprop(rate) -> HandMade:
    """Gradients relative to the root of their mean square; arguments as for ``sgd``."""

    def step(gradient, square):
        square = RHO * square + (1 - RHO) * gradient**2
        return -rate * gradient / tf.sqrt(square + EPSILON), square

    return HandMade(tf.zeros, step)


def adam(rate) -> HandMade:
    """Kingma and Ba (2015); arguments as for ``sgd``."""
    one, two = BETAS

    def step(gradient, state):
        mean, square, left = state
        mean = one * mean + (1 - one) * gradient
        square = two * square + (1 - two) * gradient**2
        left = left * tf.constant(BETAS)  # beta^t of both
        corrected = rate * tf.sqrt(1 - left[1]) / (1 - left[0])
        return -corrected * mean / (tf.sqrt(square) + EPSILON), (mean, square, left)

    return HandMade(lambda shape: (tf.zeros(shape), tf.zeros(shape), tf.ones([2])), step)


RULES = {"SGD": sgd, "momentum": momentum, "NAG": nag, "RMSprop": rmsprop, "Adam": adam}

"""A step as far as a divergence allows (TRPO; Schulman et al., 2015).

    maximise L(theta)  subject to  KL(theta_old, theta) <= delta

The direction solves H x = g by conjugate gradients, with g the gradient of L and H the Hessian of
KL at theta_old; its length is that at which the quadratic model of KL reaches delta. A line search
then asks KL and L themselves.
"""

from typing import NamedTuple

import tensorflow as tf


class Step(NamedTuple):
    """What a step came to."""

    direction: list  # what is added to the variables; zeros where no length was accepted
    gained: tf.Tensor  # of L
    divergence: tf.Tensor  # KL of what was accepted
    accepted: tf.Tensor  # bool


def conjugate_gradients(product, b: list, iterations: int = 10, tolerance: float = 1e-10) -> list:
    """x with H x = b, for H known by its products: lists of tensors.

    Args:
        product: list -> H times it.
        b: right-hand side.
        iterations: at most; H of n numbers needs n at most.
        tolerance: squared length of what is left at which to stop.
    """

    def step(x, r, p, rr):
        hp = product(p)
        alpha = rr / _dot(p, hp)
        x = _add(x, alpha, p)
        r = _add(r, -alpha, hp)
        new = _dot(r, r)
        return x, r, _add(r, new / rr, p), new

    zeros = [tf.zeros_like(part) for part in b]
    start = (zeros, list(b), list(b), _dot(b, b))
    x, *_ = tf.while_loop(
        lambda x, r, p, rr: rr > tolerance, step, start, maximum_iterations=iterations
    )
    return x


def trust_region_step(
    objective,
    divergence,
    variables: list,
    bound: float,
    iterations: int = 10,
    damping: float = 1e-5,
    tries: int = 15,
    shrink: float = 0.8,
) -> Step:
    """Find the step; nothing is assigned.

    Args:
        objective: list of tensors in place of the variables -> L, to be made larger.
        divergence: the same -> KL from the old policy; 0 with a gradient of 0 at the variables.
        variables: where to start.
        bound: delta.
        iterations: of conjugate gradients.
        damping: added to the diagonal of H.
        tries: lengths of the line search, each ``shrink`` of the one before.
        shrink: below 1.
    """
    theta = [tf.convert_to_tensor(variable) for variable in variables]
    with tf.GradientTape() as tape:
        tape.watch(theta)
        before = objective(theta)
    g = tape.gradient(before, theta, unconnected_gradients="zero")

    def product(v):
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                apart = divergence(theta)
            slope = inner.gradient(apart, theta, unconnected_gradients="zero")
            along = _dot(slope, [tf.stop_gradient(part) for part in v])
        curved = outer.gradient(along, theta, unconnected_gradients="zero")
        return _add(curved, damping, v)

    x = conjugate_gradients(product, g, iterations)
    curvature = tf.maximum(_dot(x, product(x)), 1e-12)
    # 1/2 s^2 x'Hx = delta
    scale = tf.sqrt(2 * bound / curvature)

    def shorter(number, size, *_):
        moved = _add(theta, size, x)
        gained, apart = objective(moved) - before, divergence(moved)
        good = (gained > 0) & (apart <= bound)  # not a number is neither
        return number + 1, tf.where(good, size, shrink * size), gained, apart, good

    start = (
        tf.constant(0),
        scale,
        tf.zeros_like(before),
        tf.zeros_like(before),
        tf.constant(False),
    )
    _, size, gained, apart, accepted = tf.while_loop(
        lambda number, size, gained, apart, good: ~good & (number < tries), shorter, start
    )
    taken = tf.where(accepted, size, 0.0)
    none = tf.zeros_like(gained)
    return Step(
        [taken * part for part in x],
        tf.where(accepted, gained, none),
        tf.where(accepted, apart, none),
        accepted,
    )


def _dot(a: list, b: list):
    return tf.add_n([tf.reduce_sum(one * other) for one, other in zip(a, b, strict=True)])


def _add(a: list, scale, b: list) -> list:
    return [one + scale * other for one, other in zip(a, b, strict=True)]

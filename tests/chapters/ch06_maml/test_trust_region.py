"""Conjugate gradients and the trust-region step, against dense algebra and a hand-made problem."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml.trust_region import conjugate_gradients, trust_region_step


def positive(size=5, seed=0):
    a = np.random.default_rng(seed).normal(size=[size, size])
    return (a @ a.T + size * np.eye(size)).astype(np.float64)


def test_conjugate_gradients_solve_what_a_dense_solver_solves():
    h, b = positive(7), np.random.default_rng(1).normal(size=7)

    def product(parts):
        whole = tf.linalg.matvec(tf.constant(h), tf.concat(parts, axis=0))
        return [whole[:3], whole[3:]]

    parts = [tf.constant(b[:3]), tf.constant(b[3:])]
    x = conjugate_gradients(product, parts, iterations=7, tolerance=1e-20)
    np.testing.assert_allclose(tf.concat(x, axis=0), np.linalg.solve(h, b), rtol=1e-6)


def problem():
    """A linear objective and a quadratic divergence around theta."""
    h, g, theta = positive(), np.arange(1.0, 6.0), np.zeros(5)

    def objective(parts):
        return tf.reduce_sum(g * parts[0])

    def divergence(parts):
        return 0.5 * tf.reduce_sum(parts[0] * tf.linalg.matvec(tf.constant(h), parts[0]))

    return h, g, [tf.Variable(theta)], objective, divergence


def test_the_step_is_that_of_the_closed_form():
    h, g, variables, objective, divergence = problem()
    step = trust_region_step(objective, divergence, variables, bound=0.01, damping=0.0)
    # maximise g'x subject to x'Hx / 2 <= delta: x = sqrt(2 delta / g'H^-1 g) H^-1 g
    best = np.linalg.solve(h, g)
    expected = np.sqrt(2 * 0.01 / (g @ best)) * best
    # A rounding may push the longest step over the bound; the next one is 0.8 as long.
    found = step.direction[0].numpy()
    assert any(np.allclose(found, size * expected, rtol=1e-4) for size in (1.0, 0.8))
    assert bool(step.accepted) and float(step.divergence) <= 0.01
    assert float(step.gained) == pytest.approx(g @ found, rel=1e-4)


def test_where_nothing_can_be_gained_nothing_moves():
    _, _, variables, _, divergence = problem()

    def downhill_everywhere(parts):
        return tf.reduce_sum(parts[0]) - 1e6 * tf.reduce_sum(tf.abs(parts[0]))

    step = trust_region_step(downhill_everywhere, divergence, variables, bound=0.01)
    assert not bool(step.accepted) and not step.direction[0].numpy().any()
    assert float(step.divergence) == 0


def test_a_model_that_is_too_hopeful_is_cut_back():
    """Divergence that grows faster than its curvature says: the line search finds it out."""
    _, _, variables, objective, divergence = problem()

    def steep(parts):
        return divergence(parts) + 1e4 * tf.reduce_sum(parts[0] ** 4)

    step = trust_region_step(objective, steep, variables, bound=0.01)
    assert bool(step.accepted) and 0 < float(step.divergence) <= 0.01

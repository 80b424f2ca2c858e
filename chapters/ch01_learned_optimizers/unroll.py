"""Running an update rule on a batch of problems, inside one graph, so that it can be learned from.

    theta_{t+1} = theta_t + u_t,   u_t from the gradient of f at theta_t
    L(phi) = sum over the steps of f(theta_t)

The gradients that a rule is fed are constants (Andrychowicz et al., 2016): so no second derivative
of f is needed, and df(theta_t)/dphi is the gradient that is fed in times dtheta_t/dphi. ``linked``
says this, and f is differentiated once a step instead of twice.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from chapters.engine.errors import RunError

EXPLODED = 100.0  # times its first loss: a problem beyond it teaches nothing
SMALLEST = 1e-12  # added to losses before the logarithm: a loss may reach 0


class Run(NamedTuple):
    """Where a batch of problems stands."""

    t: tf.Tensor  # steps taken
    theta: tf.Tensor  # [problem, coordinate]
    gradient: tf.Tensor  # of the loss at theta, [problem, coordinate]
    state: Any  # of the rule
    limit: tf.Tensor  # largest loss that counts, [problem]


class Losses(NamedTuple):
    """What happened at some steps."""

    loss: tf.Tensor  # [time, problem]
    cut: tf.Tensor  # whether it was not finite or beyond the limit, [time, problem]


def begin(rule, problem, data) -> tuple[Losses, Run]:
    """The losses before the first step, each [problem], and the state of a run there.

    Raises:
        RunError: a problem without parameters.
    """
    theta = data["start"]
    if theta.shape[-1] == 0:
        raise RunError("The problem has no parameters, so there is nothing to optimize.")
    none = tf.fill(tf.shape(theta)[:1], theta.dtype.max)
    loss, cut, gradient = evaluate(problem, theta, data, tf.constant(0), none)
    limit = EXPLODED * tf.where(cut, 1.0, loss)  # a problem may be broken from the start
    state = rule.start(tf.shape(theta))
    return Losses(loss, cut), Run(tf.constant(0), theta, gradient, state, limit)


def advance(rule, problem, data, run: Run, steps: int) -> tuple[Losses, Run]:
    """Take ``steps`` steps.

    Args:
        rule: ``LearnedRule`` or ``HandMade``.
        problem: has the loss.
        data: a batch of its problems.
        run: what ``begin`` or ``advance`` gave.
        steps: Python integer.

    Returns:
        The losses after each step, through which gradients pass to the rule, and the run.
    """

    def one(number, run, losses, cut):
        update, state = rule.step(run.gradient, run.state)
        theta = run.theta + update  # [problem, coordinate]
        t = run.t + 1
        loss, broken, gradient = evaluate(problem, theta, data, t, run.limit)
        after = Run(t, theta, gradient, state, run.limit)
        return number + 1, after, losses.write(number, loss), cut.write(number, broken)

    problems = [data["start"].shape[0]]
    losses = tf.TensorArray(run.theta.dtype, steps, element_shape=problems)
    cut = tf.TensorArray(tf.bool, steps, element_shape=problems)
    _, run, losses, cut = tf.while_loop(
        lambda number, *_: number < steps,
        one,
        (tf.constant(0), run, losses, cut),
        maximum_iterations=steps,
    )
    return Losses(losses.stack(), cut.stack()), run


def evaluate(problem, theta, data, t, limit):
    """Loss, whether it was cut, and gradient at ``theta``.

    A problem whose loss is not finite or above ``limit`` has the limit for a loss and no influence
    on what is learned; a gradient that is not finite is fed in as 0. Other problems of the batch do
    not notice.

    Returns:
        losses [problem], through which gradients pass to theta; bool [problem]; gradients
        [problem, coordinate], constants.
    """
    point = tf.stop_gradient(theta)
    with tf.GradientTape() as tape:
        tape.watch(point)
        loss = problem.loss(point, data, t)  # [problem]
    gradient = tf.stop_gradient(tape.gradient(loss, point))  # each theta has its own loss
    gradient = tf.where(tf.math.is_finite(gradient), gradient, 0.0)
    cut = ~(loss <= limit)  # also when it is not a number
    value = tf.where(cut, limit, tf.stop_gradient(loss))
    return linked(value, tf.where(cut[:, None], 0.0, gradient), theta), cut, gradient


def linked(value, gradient, theta):
    """A number whose derivative with respect to theta is known: value [problem], gradient, theta.

    f + g . (theta - theta), the second theta a constant.
    """
    nothing = theta - tf.stop_gradient(theta)  # [problem, coordinate], zeros
    # theta may be anything where a problem is cut; its zeros must stay zeros.
    nothing = tf.where(tf.math.is_finite(nothing), nothing, 0.0)
    return value + tf.reduce_sum(gradient * nothing, axis=-1)  # [problem]


def meta_loss(loss, kind: str):
    """What a rule is trained to make small: losses [time, problem] -> a number.

    Args:
        loss: at some steps in a row.
        kind: ``sum`` over the steps, the form that is trained in the paper; ``log``, the sum of
            their logarithms, in which every problem counts alike; or the ``final`` one, the book's
            form, a much sparser signal (E1.2).
    """
    if kind == "log":
        loss = tf.math.log(loss + SMALLEST)
    # L(phi) = E_f [ sum_t w_t f(theta_t) ], w_t = 1
    total = loss[-1] if kind == "final" else tf.reduce_sum(loss, axis=0)  # [problem]
    return tf.reduce_mean(total)


def trajectory(rule, problem, data, steps: int):
    """Losses before the first step and after each one [time, problem], at most the limit."""
    first, run = begin(rule, problem, data)
    after, _ = advance(rule, problem, data, run, steps)
    first = tf.where(first.cut, run.limit, first.loss)
    return tf.concat([first[None], after.loss], axis=0)  # [time, problem]

"""Adversarial examples (section 6.6 of the book): inputs moved a little to raise the loss.

``x`` is [task, item, ...]; what is attacked is ``predict``, a function x -> [task, item, out] such
as a network with the weights of each task. Every item moves by at most epsilon in each coordinate.
The attacks are constants: no gradient of what is computed from them flows back through them.
"""

import tensorflow as tf


def fgsm(predict, objective, x, y, epsilon, low=0.0, high=1.0):
    """Fast gradient sign method (Goodfellow, Shlens and Szegedy, 2015): one step.

    Args:
        predict: x [task, item, ...] -> [task, item, out].
        objective: (y, prediction) -> loss [task].
        x: clean inputs, within [``low``, ``high``].
        y: what they are: labels [task, item] or targets [task, item, out].
        epsilon: how far each coordinate moves, in the unit of ``x``.
        low: smallest value an input can have; None when there is none.
        high: largest value, or None.

    Returns:
        Adversarial inputs, in the shape of ``x``.
    """
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        losses = objective(y, predict(x))  # [task]
    # x_adv = x + epsilon sign(grad_x J(theta, x, y)): the input plus the step (E6.18)
    x = x + epsilon * tf.sign(tape.gradient(losses, x))
    x = x if low is None else tf.maximum(x, low)
    x = x if high is None else tf.minimum(x, high)
    return tf.stop_gradient(x)


def pgd(predict, objective, x, y, epsilon, low=0.0, high=1.0, steps=10):
    """Projected gradient descent (Madry et al., 2018): ``steps`` smaller steps of ``fgsm``.

    A stronger attack than the one trained against, to see that a defence is not only one against
    FGSM. It starts at ``x`` itself. Arguments and result as for ``fgsm``.
    """
    start = x = tf.convert_to_tensor(x)
    for _ in range(steps):
        x = fgsm(predict, objective, x, y, 2.5 * epsilon / steps, low, high)
        # Back into the ball ||x_adv - x|| <= epsilon of the maximum norm.
        x = tf.clip_by_value(x, start - epsilon, start + epsilon)
    return x

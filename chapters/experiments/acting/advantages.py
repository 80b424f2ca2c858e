"""How much better an action was than usual: discounted returns minus a baseline.

The baseline is linear in features of observation and time, and fitted anew to the trajectories of
every task and phase (Duan et al., 2016): it takes no part in learning but for lowering the noise.
"""

import tensorflow as tf

from chapters.experiments.acting.trajectories import Trajectories, flat

RIDGE = 1e-5  # times the number of steps


def discounted(reward, discount: float):
    """R_t = sum_k discount^k r_(t+k): [task, trajectory, time] -> the same."""
    steps = _steps(reward)
    power = tf.range(steps)[None] - tf.range(steps)[:, None]  # k, [time, later]
    weight = tf.where(power >= 0, discount ** tf.cast(tf.maximum(power, 0), reward.dtype), 0.0)
    return tf.einsum("ikl,tl->ikt", reward, weight)


def features(trajectories: Trajectories):
    """o, o^2, t, t^2, t^3 and 1 of every step: [task, trajectory, time, feature]."""
    seen = tf.clip_by_value(trajectories.observation, -10.0, 10.0)
    shape = tf.shape(trajectories.reward)
    time = tf.cast(tf.range(_steps(trajectories.reward)), seen.dtype) / 100
    time = tf.broadcast_to(time, shape)[..., None]
    return tf.concat([seen, seen**2, time, time**2, time**3, tf.ones_like(time)], axis=-1)


def _steps(reward):
    """Length of the trajectories; a tensor in an exported file, which takes any."""
    return reward.shape[-1] or tf.shape(reward)[-1]


def baseline(trajectories: Trajectories, values):
    """What is usual at every step: the linear fit to ``values``, task by task, of steps alive."""
    phi, alive = flat(features(trajectories)), flat(trajectories.alive)[..., None]
    target = flat(values)[..., None]
    # (Phi' Phi + ridge I) w = Phi' R, over the steps of a task that are alive
    masked = phi * alive
    square = tf.einsum("tsf,tsg->tfg", masked, phi)
    count = tf.reduce_sum(alive, axis=[1, 2])[:, None, None]
    square += RIDGE * count * tf.eye(phi.shape[-1], dtype=phi.dtype)
    weights = tf.linalg.solve(square, tf.einsum("tsf,tsu->tfu", masked, target))
    return tf.reshape(tf.matmul(phi, weights), tf.shape(values))


def advantages(trajectories: Trajectories, discount: float):
    """Standardised over the steps of each task that are alive: [task, trajectory, time]."""
    values = discounted(trajectories.reward, discount)
    apart = (values - baseline(trajectories, values)) * trajectories.alive
    count = tf.reduce_sum(trajectories.alive, axis=[1, 2], keepdims=True)
    mean = tf.reduce_sum(apart, axis=[1, 2], keepdims=True) / count
    centred = (apart - mean) * trajectories.alive
    variance = tf.reduce_sum(centred**2, axis=[1, 2], keepdims=True) / count
    return tf.stop_gradient(centred / (tf.sqrt(variance) + 1e-8))

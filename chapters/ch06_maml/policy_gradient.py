"""Policy gradients, inside and outside of the inner loop (section 6.4 of the book).

The gradient of an expected return is estimated from trajectories by a surrogate, whose value means
nothing. There are two, with the same gradient at the policy that drew the trajectories:

    log-likelihood      log pi(a | x) A
    likelihood ratio    pi(a | x) / pi_old(a | x) A

Meta-learning differentiates them twice, and there they differ: the second derivative of the first
is biased, that of the second is not (Rothfuss et al., 2019). A is an advantage, a constant.

Chapters 6 and 7 have the same file.
"""

from typing import NamedTuple

import tensorflow as tf

from chapters.ch06_maml.trust_region import trust_region_step
from chapters.engine.update import apply_gradients
from chapters.experiments.acting.advantages import advantages
from chapters.experiments.acting.trajectories import Trajectories, flat, returns, rollout

INNER = ("likelihood_ratio", "log_likelihood")


class Experience(NamedTuple):
    """Trajectories of one policy and their advantages, all steps of a task in one row."""

    observation: tf.Tensor  # [task, step, observation]
    action: tf.Tensor  # [task, step, action] or [task, step]
    advantage: tf.Tensor  # [task, step]
    alive: tf.Tensor  # [task, step]
    log_old: tf.Tensor  # log pi_old(a | x), [task, step]


def experience(policy, weights, trajectories: Trajectories, discount: float) -> Experience:
    """What is learned from trajectories that the policy of ``weights`` drew."""
    observation, action = flat(trajectories.observation), flat(trajectories.action)
    log_old = policy.log_probability(policy.distribution(weights, observation), action)
    return Experience(
        observation,
        action,
        flat(advantages(trajectories, discount)),
        flat(trajectories.alive),
        tf.stop_gradient(log_old),
    )


def mean_over_steps(x, alive):
    """Mean over the steps of each task that are alive: [task, step] -> [task]."""
    return tf.reduce_sum(x * alive, axis=-1) / tf.reduce_sum(alive, axis=-1)


def surrogate(policy, weights, seen: Experience, kind: str = "likelihood_ratio"):
    """To be made larger: [task].

    Args:
        policy: of ``chapters.experiments.acting.policies``.
        weights: list of [task, ...].
        seen: of the policy that drew the trajectories.
        kind: one of ``INNER``.
    """
    log_p = policy.log_probability(policy.distribution(weights, seen.observation), seen.action)
    # pi / pi_old = exp(log pi - log pi_old)
    value = tf.exp(log_p - seen.log_old) if kind == "likelihood_ratio" else log_p
    return mean_over_steps(value * seen.advantage, seen.alive)


def act_and_adapt(learner, world, task, trajectories: int, seed):
    """Act, adapt, act anew with the policy that was adapted, and so on.

    Args:
        learner: has ``policy``, ``inner_steps``, ``inner_step``.
        world: to act in.
        task: what makes the tasks.
        trajectories: of each task and phase.
        seed: int32 [2].

    Returns:
        phases: Experience before each inner step; weights: of the adapted policies [task, ...];
        drawn: trajectories of every phase, the last with the adapted policy (E6.14).
    """
    seeds = tf.unstack(tf.random.split(seed, learner.inner_steps + 1))
    tasks = tf.nest.flatten(task)[0].shape[0]
    weights = learner.start(tasks)
    phases, drawn = [], []
    for number in range(learner.inner_steps):
        drawn.append(rollout(world, learner.policy, weights, task, trajectories, seeds[number]))
        phases.append(experience(learner.policy, weights, drawn[-1], learner.discount))
        weights = learner.inner_step(weights, phases[-1])
    # D_i^test is of f_theta'_i, not of f_theta
    drawn.append(rollout(world, learner.policy, weights, task, trajectories, seeds[-1]))
    return phases, weights, drawn


def outer_step(learner, optimizer, world, trajectories: int, outer: str = "trpo", bound=0.01):
    """The outer step: ``step(batch, seed)`` -> metrics.

    Args:
        learner: as above, with ``adapted(variables, phases)``.
        optimizer: of ``learner.parameters()``; TRPO finds the step itself, so for it this is
            SGD with rate 1.
        world: to act in.
        trajectories: of each task and phase.
        outer: ``trpo``, or ``gradient``: the plain policy gradient.
        bound: on the mean divergence of the adapted policies, of TRPO.
    """
    policy = learner.policy

    def step(batch, seed):
        task, _ = batch
        phases, weights, drawn = act_and_adapt(learner, world, task, trajectories, seed)
        after = experience(policy, weights, drawn[-1], learner.discount)
        old = policy.distribution(weights, after.observation)
        old = tf.nest.map_structure(tf.stop_gradient, old)
        theta, tasks = learner.parameters(), after.alive.shape[0]

        def objective(theta):
            # through the inner steps: theta'_i is a function of theta
            adapted = learner.adapted(theta, phases, tasks)
            return tf.reduce_mean(surrogate(policy, adapted, after))

        def divergence(theta):
            new = policy.distribution(learner.adapted(theta, phases, tasks), after.observation)
            return tf.reduce_mean(mean_over_steps(policy.divergence(old, new), after.alive))

        metrics = {
            "return_before": tf.reduce_mean(returns(drawn[0])),
            "return": tf.reduce_mean(returns(drawn[-1])),
        }
        loss = -metrics["return"]  # what is looked at for being finite
        if outer == "trpo":
            taken = trust_region_step(objective, divergence, theta, bound)
            # SGD with rate 1 takes what it is given away from the variables
            gradients = [-part for part in taken.direction]
            metrics |= {
                "divergence": taken.divergence,
                "accepted": tf.cast(taken.accepted, tf.float32),
            }
        else:
            with tf.GradientTape() as tape:
                value = -objective(theta)
            gradients = tape.gradient(value, theta)
        apply_gradients(optimizer, loss, gradients, theta)
        return {"loss": loss, **metrics}

    return step

"""A rate for each hand-made rule: all rates of all rules at once, on training problems."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from chapters.ch01_learned_optimizers.hand_made import RULES
from chapters.ch01_learned_optimizers.unroll import trajectory

LEAST = 1e-14  # a squared distance of numbers near 1 is a rounding of float32 below that


def logarithm(loss) -> np.ndarray:
    """log10 of losses; of those below ``LEAST``, which may be 0, that of ``LEAST``."""
    return np.log10(np.maximum(loss, LEAST))


class Tuned(NamedTuple):
    """The best rate of a rule."""

    rate: float
    edge: bool  # whether it is the smallest or the largest of those tried


def tune(problem, grid: list[float], steps: int) -> dict[str, Tuned]:
    """Rule -> the rate with the smallest mean logarithm of the loss after ``steps`` steps.

    Args:
        problem: of training; its batch 0 is used.
        grid: rates, in order.
        steps: of a run.
    """
    many = repeated(problem(0), len(grid))
    column = tf.repeat(tf.constant(grid, tf.float32), problem.tasks)[:, None]  # [rate * problem, 1]

    @tf.function(jit_compile=True, autograph=False)
    def last_losses(many):
        return {
            name: trajectory(rule(column), problem, many, steps)[-1]  # [rate * problem]
            for name, rule in RULES.items()
        }

    found = {}
    for name, loss in last_losses(many).items():
        score = logarithm(loss.numpy()).reshape(len(grid), -1).mean(axis=1)  # [rate]
        best = int(np.argmin(score))
        found[name] = Tuned(grid[best], best in (0, len(grid) - 1))
    return found


def repeated(data: dict, count: int) -> dict:
    """A batch of problems ``count`` times: [problem, ...] -> [count * problem, ...]."""
    return {name: tf.concat([x] * count, axis=0) for name, x in data.items()}

"""MAML's second-order gradient three ways: by hand, by differences, by a tape around a tape.

    python -m chapters.ch06_maml.gradcheck

Sine tasks of ten points, five to adapt to and five to be judged on, and MAML's network of two
hidden layers of 40, in float64. Central differences assume that the loss is smooth between the two
points they look at. ReLU has a kink: a weight whose change by h carries some point across a kink,
in any inner step, is left out of that column, and the table says how many were. The tape's column
holds every weight. Exits with 1 if an error is above 1e-6.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

from chapters.ch06_maml import numpy_maml
from chapters.engine import script
from chapters.engine.configuration import Parser, number, whole, within
from chapters.engine.errors import ConfigError
from chapters.engine.functional import add_scaled, call_with_weights
from datasets.tasks.sinusoid import SineTasks

WIDTHS, TASKS, POINTS = (1, 40, 40, 1), 3, 5
H = 1e-5  # of the central differences: rounding and curvature cost about the same here
LIMIT = 1e-6


def main(argv: list[str] | None = None) -> None:
    """Print the table; exit with 1 if two gradients differ."""
    parser = Parser(description="Check MAML's gradient written by hand.")
    parser.add_argument(
        "--seed",
        type=within(whole, 0, 2 * 10**9),
        default=0,
        help="seed of tasks and weights (default: 0)",
    )
    parser.add_argument(
        "--steps", type=within(whole, 0, 100), default=3, help="inner steps (default: 3)"
    )
    parser.add_argument(
        "--rate", type=within(number, 0.0, 1e100), default=0.01, help="inner rate (default: 0.01)"
    )
    options = parser.parse_args(argv)
    script.prepare(options.seed)
    tasks = sine_tasks(options.seed)
    weights = numpy_maml.initialise(WIDTHS, options.seed)
    with np.errstate(all="ignore"):
        by_hand = numpy_maml.meta_gradient(weights, tasks, options.rate, options.steps)
        norms = [np.linalg.norm(g) for g in by_hand]
    if not np.isfinite(norms).all():
        raise ConfigError(f"The inner steps diverge at --rate {options.rate}; use a smaller one.")
    differences, smooth = central_differences(weights, tasks, options.rate, options.steps)
    tapes = tape_gradient(weights, tasks, options.rate, options.steps)

    print(f"Meta-gradient by hand, inner steps: {options.steps}, rate: {options.rate}.")
    print("Relative errors against central differences and tapes; weights at kinks are left out.")
    print(f"{'weight':<6}{'shape':>10}{'norm':>12}{'differences':>14}{'tapes':>12}{'kinks':>8}")
    errors = []
    for position, hand in enumerate(by_hand):
        kept, estimate, tape = smooth[position], differences[position], tapes[position]
        pair = (relative_error(hand[kept], estimate[kept]), relative_error(hand, tape))
        errors += pair
        name = f"{'Wb'[position % 2]}_{position // 2 + 1}"
        shape = " x ".join(map(str, hand.shape))
        row = f"{name:<6}{shape:>10}{norms[position]:12.4g}{pair[0]:14.1e}{pair[1]:12.1e}"
        print(f"{row}{np.sum(~kept):8d}")
    largest = np.max(errors)  # nan if one is nan, which does not pass
    passed = largest <= LIMIT
    print(f"Largest error {largest:.1e}, limit {LIMIT:.0e}: {'passed' if passed else 'FAILED'}")
    if not passed:
        sys.exit(1)


def sine_tasks(seed: int) -> list[tuple]:
    """(support_x, support_y, query_x, query_y) of each task, float64."""
    inputs, query_y = SineTasks(POINTS, POINTS, TASKS, seed)(0)
    sets = (inputs["support_x"], inputs["support_y"], inputs["query_x"], query_y)
    return list(zip(*(tf.cast(values, tf.float64).numpy() for values in sets), strict=True))


def central_differences(weights, tasks, rate: float, steps: int, h: float = H):
    """(estimates, smooth): dL/dw of every weight, and whether no kink lies between its two points.

    (L(w + h) - L(w - h)) / 2h, one weight after the other.
    """
    estimates = [np.zeros_like(w) for w in weights]
    smooth = [np.zeros(w.shape, bool) for w in weights]
    for position, weight in enumerate(weights):
        for index in np.ndindex(weight.shape):
            losses, patterns = [], []
            for change in (h, -h):
                moved = [w.copy() for w in weights]
                moved[position][index] += change
                losses.append(numpy_maml.meta_loss(moved, tasks, rate, steps))
                patterns.append(active_units(moved, tasks, rate, steps))
            estimates[position][index] = (losses[0] - losses[1]) / (2 * h)
            smooth[position][index] = np.array_equal(*patterns)
    return estimates, smooth


def active_units(weights, tasks, rate: float, steps: int) -> np.ndarray:
    """Which ReLUs are on, for every point of every task at every inner step, in one vector."""
    on = [np.zeros(0, bool)]  # a network without hidden layers has none
    for x, y, query_x, _ in tasks:
        *path, adapted = numpy_maml.adapt(weights, x, y, rate, steps)
        for point, seen in [*((point, x) for point in path), (adapted, query_x)]:
            on += [(h > 0).ravel() for h in numpy_maml.forward(point, seen)[1][1:]]
    return np.concatenate(on)


def tape_gradient(weights, tasks, rate: float, steps: int) -> list[np.ndarray]:
    """The same gradient by automatic differentiation, through Keras' layers."""
    network = keras_network([weights[0].shape[0], *(bias.size for bias in weights[1::2])])
    start = [tf.constant(w) for w in weights]
    total = 0.0
    with tf.GradientTape() as outer:
        outer.watch(start)
        for x, y, query_x, query_y in tasks:
            adapted = start
            for _ in range(steps):
                with tf.GradientTape() as inner:
                    inner.watch(adapted)
                    loss = tf.reduce_mean((call_with_weights(network, adapted, x) - y) ** 2)
                adapted = add_scaled(adapted, -rate, inner.gradient(loss, adapted))
            total += tf.reduce_mean((call_with_weights(network, adapted, query_x) - query_y) ** 2)
        total /= len(tasks)
    return [g.numpy() for g in outer.gradient(total, start)]


def keras_network(widths) -> keras.Model:
    """The network of ``numpy_maml`` from Keras' layers, float64."""
    network = keras.Sequential([keras.layers.Input((widths[0],), dtype="float64")])
    for width in widths[1:-1]:
        network.add(keras.layers.Dense(width, activation="relu", dtype="float64"))
    network.add(keras.layers.Dense(widths[-1], dtype="float64"))
    return network


def relative_error(found, expected) -> float:
    """|found - expected| / |expected|, 0 if both are zero."""
    difference = np.linalg.norm(found - expected)
    return difference / np.linalg.norm(expected) if difference else 0.0


if __name__ == "__main__":
    script.run(main)

"""Pictures of the meta-LSTM at work: what it forgets and what it takes in."""

import numpy as np
import tensorflow as tf

from chapters.ch01_learned_optimizers.meta_lstm import flatten
from chapters.engine.figures import SERIES, WIDTH, legend, plt, whole_numbers

MIDDLE = (0.05, 0.5, 0.95)  # of the coordinates of a layer


def gates(learner, inputs, steps: int):
    """Forget and input gate of every layer against the step, on one task.

    Lines are medians over the weights of a layer, bands hold nine tenths of them.

    Args:
        learner: MetaLSTM.
        inputs: of one task, with a task axis.
        steps: of the cell.
    """
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.6), layout="constrained")
    found = course(learner, inputs, steps)
    for axis, gate, title in zip(axes, found, ("forget gate", "input gate"), strict=True):
        for (name, places), colour in zip(layers_of(learner.network), SERIES, strict=False):
            low, middle, high = np.quantile(gate[:, places], MIDDLE, axis=1)  # [step]
            x = np.arange(1, steps + 1)
            axis.plot(x, middle, marker=".", color=colour, label=name)
            axis.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axis.set(xlabel="step", ylabel=title)
        whole_numbers(axis)
    axes[0].set_title("1: nothing of a weight is forgotten")
    axes[1].set_title("the rate of a step along the gradient")
    legend(figure, columns=5)
    return figure


def course(learner, inputs, steps: int):
    """Both gates at every step, each [step, coordinate]."""
    weights = learner.start(tf.convert_to_tensor(inputs["support_x"]))
    state, found = learner.cell.start(tf.size(flatten(weights))), []
    for _ in range(steps):
        weights, state = learner.inner_step(
            weights, inputs["support_x"], inputs["support_y"], state
        )
        found.append([gate.numpy()[:, 0] for gate in learner.cell.gates(state)])
    forget, take = zip(*found, strict=True)
    return np.stack(forget), np.stack(take)


def layers_of(network) -> list[tuple[str, np.ndarray]]:
    """Name of a layer that multiplies -> places of its kernel among all coordinates."""
    found, first = [], 0
    for variable in network.trainable_variables:
        size = variable.shape.num_elements()
        if variable.name == "kernel":
            last = variable is network.trainable_variables[-2]
            name = "last layer" if last else f"convolution {len(found) + 1}"
            found.append((name, np.arange(first, first + size)))
        first += size
    return found

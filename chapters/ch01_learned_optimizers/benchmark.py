"""How fast a training step of the LSTM optimizer is: in one compiled graph, in others, in PyTorch.

    python -m chapters.ch01_learned_optimizers.benchmark

Two layers of 20 units on quadratics of 10 dimensions, unrolled over 20 steps: forwards, backwards,
update. All are measured in turns in one run; PyTorch, in a process of its own, when it is
installed. What counts are the ratios.
"""

import keras
import numpy as np
import tensorflow as tf

from chapters.ch01_learned_optimizers.learned import LSTMRule
from chapters.ch01_learned_optimizers.problems import Quadratics
from chapters.ch01_learned_optimizers.unroll import advance, begin, meta_loss
from chapters.engine import script, timing
from chapters.engine.apart import Apart, shown
from chapters.engine.configuration import Parser
from chapters.engine.update import apply_gradients

OURS = "ours: loop, XLA"
PEER = "chapters.ch01_learned_optimizers.peers:torch_training_step"
STEPS, RATE = 20, 1e-3
CALLS = 20  # in a row, of which the median counts


def main(argv: list[str] | None = None) -> None:
    """Print a table for each number of problems."""
    parser = Parser(description="The LSTM optimizer's training step, in several ways.")
    timing.add_repeats(parser, default=20)
    options = parser.parse_args(argv)
    print(f"Device: {script.prepare(seed=0)}.")
    for problems in (1, 16, 128):
        table(problems, options.repeats)


def table(problems: int, repeats: int) -> None:
    """Time a training step on so many problems."""
    torch = Apart("torch", PEER, problems, STEPS, RATE)
    functions = {
        OURS: training_step(problems, xla=True),
        "loop in a graph": training_step(problems, xla=False),
        "PyTorch, eager": torch,
    }
    first = {name: timing.seconds_of(function) for name, function in functions.items()}
    medians = {
        name: float(np.median(seconds))
        for name, seconds in timing.time_in_turns(functions, repeats, CALLS).items()
    }
    print(f"\n{f'{problems} problem(s), {STEPS} steps':26}", end="")
    print("".join(title.rjust(14) for title in ("ms", "x ours", "first call s")))
    for name, seconds in medians.items():
        figures = f"{1e3 * seconds:14.2f}{seconds / medians[OURS]:14.2f}{first[name]:14.1f}"
        print(f"{name:26}{shown(functions[name], figures)}")
    torch.close()


def fresh(problems: int):
    """A rule with its first weights, the same in every process, and problems for it."""
    keras.utils.set_random_seed(0)
    return LSTMRule(preprocessing="none", scale=1.0), Quadratics(problems)


def training_step(problems: int, xla: bool):
    """A function that unrolls, updates the rule and returns the meta-loss."""
    rule, problem = fresh(problems)
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(rule.trainable_variables)

    @tf.function(jit_compile=xla, autograph=False)
    def step(data):
        _, run = begin(rule, problem, data)
        with tf.GradientTape() as tape:
            found, _ = advance(rule, problem, data, run, STEPS)
            loss = meta_loss(found.loss, "sum")
        gradients = tape.gradient(loss, rule.trainable_variables)
        apply_gradients(optimizer, loss, gradients, rule.trainable_variables)
        return loss

    data = problem(0)
    return lambda: float(step(data))


if __name__ == "__main__":
    script.run(main)

"""How fast the LSTM optimizer is trained: in one compiled graph, in another, in PyTorch.

    python -m chapters.ch01_learned_optimizers.benchmark

Two layers of 20 units, and a run of 100 steps on quadratics of 10 dimensions, unrolled 20 at a
time: forwards, backwards and an update of the rule, five times. All are measured in turns in one
run; PyTorch, in a process of its own, when it is installed. What counts are the ratios.
"""

import keras
import numpy as np
import tensorflow as tf

from chapters.ch01_learned_optimizers.learned import LSTMRule
from chapters.ch01_learned_optimizers.presets import LearnedConfig
from chapters.ch01_learned_optimizers.problems import Quadratics
from chapters.ch01_learned_optimizers.train import train_step
from chapters.engine import script, timing
from chapters.engine.apart import Apart, shown
from chapters.engine.configuration import Parser

OURS = "ours: loop, XLA"
PEER = "chapters.ch01_learned_optimizers.peers:torch_training_run"
STEPS, UNROLL, RATE = 100, 20, 1e-3
CALLS = 20  # in a row, of which the median counts


def main(argv: list[str] | None = None) -> None:
    """Print a table for each number of problems."""
    parser = Parser(description="A training run of the LSTM optimizer, in several ways.")
    timing.add_repeats(parser, default=20)
    options = parser.parse_args(argv)
    print(f"Device: {script.prepare(seed=0)}.")
    for problems in (1, 16, 128):
        table(problems, options.repeats)


def table(problems: int, repeats: int) -> None:
    """Time a training run on so many problems, and print what an update of the rule takes."""
    torch = Apart("torch", PEER, problems, STEPS, UNROLL, RATE)
    functions = {
        OURS: training_run(problems, xla=True),
        "loop in a graph": training_run(problems, xla=False),
        "PyTorch, eager": torch,
    }
    first = {name: timing.seconds_of(function) for name, function in functions.items()}
    medians = {
        name: float(np.median(seconds))
        for name, seconds in timing.time_in_turns(functions, repeats, CALLS).items()
    }
    print(f"\n{f'{problems} problem(s), {STEPS} steps':26}", end="")
    print("".join(title.rjust(14) for title in ("ms an update", "x ours", "first call s")))
    for name, seconds in medians.items():
        update = 1e3 * seconds * UNROLL / STEPS
        figures = f"{update:14.2f}{seconds / medians[OURS]:14.2f}{first[name]:14.1f}"
        print(f"{name:26}{shown(functions[name], figures)}")
    torch.close()


def fresh(problems: int):
    """A rule with its first weights, the same in every process, and problems for it."""
    keras.utils.set_random_seed(0)
    return LSTMRule(preprocessing="none", scale=1.0), Quadratics(problems)


def training_run(problems: int, xla: bool):
    """A function that makes a training run, updates included, and returns the mean meta-loss."""
    rule, problem = fresh(problems)
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(rule.trainable_variables)
    config = LearnedConfig(meta_loss="sum", run_steps=STEPS, unroll=UNROLL)
    step = train_step(rule, problem, optimizer, config)
    run = tf.function(step, jit_compile=xla, autograph=False)
    data = problem(0)
    return lambda: float(run(data)["loss"])


if __name__ == "__main__":
    script.run(main)

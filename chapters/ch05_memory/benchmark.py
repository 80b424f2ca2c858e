"""How fast a training step of the paper's copy model is: our loop, other ways, and PyTorch.

    python -m chapters.ch05_memory.benchmark

Memory 128 x 20, an LSTM of 100 units, one read and one write head: forward, backward and update.
All are measured in turns in one run; PyTorch, in a process of its own, when it is installed. What
counts are the ratios.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from chapters.ch05_memory import train_ntm
from chapters.ch05_memory.presets import SCRIPTS, NTMConfig
from chapters.ch05_memory.training import build_optimizer, sequence_step
from chapters.engine import script, timing
from chapters.engine.apart import Apart, shown
from chapters.engine.configuration import Parser, build

OURS = "ours: loop, XLA"
PEER = "chapters.ch05_memory.peers:torch_copy_step"
CALLS = 20  # in a row, of which the median counts


def main(argv: list[str] | None = None) -> None:
    """Print a table for each batch size and length."""
    parser = Parser(description="The copy model's training step, in several ways.")
    timing.add_repeats(parser, default=20)
    parser.add_argument(
        "--unrolled-xla", action="store_true", help="also unrolled under XLA; compiles for minutes"
    )
    options = parser.parse_args(argv)
    print(f"Device: {script.prepare(seed=0)}.")
    config = build(SCRIPTS["train_ntm"], "paper", {"preset": "paper"})
    for batch in (1, 32):
        tables(dataclasses.replace(config, batch=batch), (10, 20), **vars(options))


def tables(config: NTMConfig, lengths: Sequence[int], repeats: int, unrolled_xla: bool) -> None:
    """Time the steps of one batch size at each length; none of ``lengths`` above the config's."""
    model, task = train_ntm.build(config), train_ntm.training_task(config)
    ours = training_step(model, config, xla=True)  # one program, for every length
    for length in lengths:
        vectors = np.random.default_rng(0).integers(0, 2, [config.batch, length, config.vector_dim])
        vectors = vectors.astype(np.float32)
        exact = train_ntm.test_task(config, length, sequences=config.batch)
        exact = exact.arrange(vectors, tf.constant(length))  # without padding
        padded = padded_batch(task, vectors)
        functions = {OURS: lambda batch=padded: ours(batch)}
        for name, (network, xla) in others(model, unrolled_xla).items():
            step = training_step(network, config, xla)
            functions[name] = lambda step=step, batch=exact: step(batch)
        torch = Apart("torch", PEER, dataclasses.asdict(config), length)
        functions["PyTorch, eager"] = torch
        first = {name: timing.seconds_of(function) for name, function in functions.items()}
        medians = {
            name: float(np.median(seconds))
            for name, seconds in timing.time_in_turns(functions, repeats, CALLS).items()
        }
        print(f"\n{f'batch {config.batch}, length {length}':26}", end="")
        print(
            "".join(title.rjust(14) for title in ("ms", "ms / sequence", "x ours", "first call s"))
        )
        for name, seconds in medians.items():
            per_sequence = f"{1e3 * seconds:14.2f}{1e3 * seconds / config.batch:14.3f}"
            ratios = f"{seconds / medians[OURS]:14.2f}{first[name]:14.1f}"
            print(f"{name:26}{shown(functions[name], per_sequence + ratios)}")
        torch.close()
    report_lengths(ours, task)


class Along(NamedTuple):
    """A cell run along sequences in another way, in the form that ``sequence_step`` takes."""

    run: Callable  # x [batch, time, channel] -> logits [batch, time, bit]
    trainable_variables: list

    def __call__(self, x, steps):
        """Logits of all steps: there is no padding."""
        return self.run(x)


def others(model, unrolled_xla: bool) -> dict[str, tuple]:
    """Name -> network and whether XLA compiles it. All but the first need a program per length."""
    along = Along(unrolled(model.cell), model.trainable_variables)
    layer = Along(keras.layers.RNN(model.cell, return_sequences=True), model.trainable_variables)
    found = {
        "loop in a graph": (model, False),
        "unrolled graph": (along, False),
        "keras.layers.RNN": (layer, False),
        "keras.layers.RNN, XLA": (layer, True),
    }
    return found | ({"unrolled, XLA": (along, True)} if unrolled_xla else {})


def unrolled(cell):
    """Function that runs a cell step by step, each step with operations of its own."""

    def run(x):
        state, outputs = cell.get_initial_state(batch_size=x.shape[0]), []
        for inputs in tf.unstack(x, axis=1):
            output, state = cell(inputs, state)
            outputs.append(output)
        return tf.stack(outputs, axis=1)  # [batch, time, bit]

    return run


def training_step(network, config: NTMConfig, xla: bool):
    """The chapter's training step as a graph: batch -> loss, a number."""
    optimizer = build_optimizer(config, network.trainable_variables)
    step = sequence_step(network, optimizer)
    graph = tf.function(step, jit_compile=xla, autograph=False)

    def call(batch):
        return float(graph(batch)["loss"])

    call.traces = graph.experimental_get_tracing_count
    return call


def padded_batch(task, vectors):
    """A batch of the copy task with room for its longest sequences."""
    length = vectors.shape[1]
    vectors = np.pad(vectors, [(0, 0), (0, task.lengths[1] - length), (0, 0)])
    return task.arrange(vectors, tf.constant(length))


def report_lengths(ours, task) -> None:
    """Run every length of training and say whether any of them had to be compiled."""
    low, high = task.lengths
    seconds = []
    for length in range(low, high + 1):
        batch = padded_batch(task, np.zeros([task.batch, length, task.bits], np.float32))
        seconds.append(timing.seconds_of(lambda batch=batch: ours(batch)))
    print(
        f"Ours at lengths {low} to {high}: {ours.traces()} trace, no call longer than "
        f"{1e3 * max(seconds):.0f} ms."
    )


if __name__ == "__main__":
    script.run(main)

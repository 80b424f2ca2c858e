"""How fast MAML's steps are beside the same steps in other libraries.

    python -m chapters.ch06_maml.benchmark

Two experiments: sine curves (40-40 network, 25 tasks of 10 + 10 points, through the training
script's own loop) and images (four strided convolutions, 5-way 1-shot). JAX and PyTorch are
measured in the same run, in processes of their own, when they are installed; neither is required.
What counts are the ratios.
"""

import dataclasses
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from chapters.ch06_maml import maml, networks, train_sine
from chapters.ch06_maml.losses import cross_entropy
from chapters.ch06_maml.presets import SCRIPTS
from chapters.engine import processor, script, timing
from chapters.engine.apart import Apart, shown
from chapters.engine.configuration import Parser, build, whole, within
from chapters.engine.loop import Loop
from chapters.engine.mapping import MODES
from chapters.engine.runs import RunFolder
from chapters.experiments import sine

PER_CALL = 100  # sine steps in one graph call
WAY, SIZE, FILTERS = 5, 28, 64
INNER_RATE = 0.4
PEERS = "chapters.ch06_maml.peers"


def main(argv: list[str] | None = None) -> None:
    """Print both tables."""
    parser = Parser(description="MAML's steps beside those of other libraries.")
    parser.add_argument("--only", choices=("sine", "images"), help="one of the two experiments")
    timing.add_repeats(parser, default=10)
    parser.add_argument(
        "--query", type=within(whole, 1, 100), default=15, help="queries per class (default: 15)"
    )
    options = parser.parse_args(argv)
    print(f"Device: {script.prepare(seed=0, side_by_side=True)}.")
    if options.only != "images":
        sine_table(options.repeats)
    if options.only != "sine":
        image_table(options.repeats, options.query)


def sine_table(repeats: int) -> None:
    """Milliseconds of a meta-step on sine curves."""
    config = build(SCRIPTS["train_sine"], "quick", {"preset": "quick"})
    tasks, points = config.tasks, config.shot
    print(f"\nSine curves: {tasks} tasks of {points} + {points} points, 1 inner step, 2nd order.")
    jax = Apart("jax", f"{PEERS}:jax_sine", tasks, points, PER_CALL)
    torch = Apart("torch", f"{PEERS}:torch_sine_loop", tasks, points)
    others = {
        "JAX jit + vmap + scan": (jax, PER_CALL),
        "PyTorch, loop over tasks": (torch, 1),
        "TensorFlow, eager loop over tasks": (eager_loop(config), 1),
    }
    for function, _ in others.values():
        function()  # compiles

    class InTurns(keras.callbacks.Callback):
        """Times the loop's own graph calls, and a call of each other library between them."""

        seconds = {name: [] for name in ("ours, the script's loop", *others)}

        def on_train_batch_begin(self, batch, logs=None):
            """Begin to time a graph call."""
            self.started = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            """Note its time, then give the others their turn."""
            spent = time.perf_counter() - self.started
            self.seconds["ours, the script's loop"].append(spent / PER_CALL)
            for name, (function, count) in others.items():
                started = time.perf_counter()
                function()
                self.seconds[name].append((time.perf_counter() - started) / count)

    turns = InTurns()
    with tempfile.TemporaryDirectory() as folder:
        config = dataclasses.replace(config, run=str(Path(folder) / "run"))
        learner = train_sine.build_learner(config)
        optimizer = sine.outer_optimizer(config, learner.trainable_variables)
        Loop(
            maml.train_step(learner, optimizer, "batched"),
            sine.sampler(config, 0, points, points, tasks),
            model=learner,
            optimizer=optimizer,
            run=RunFolder.open(config, "chapters.ch06_maml.train_sine"),
            steps=PER_CALL * (repeats + 1),
            steps_per_epoch=PER_CALL * (repeats + 1),
            steps_per_call=PER_CALL,
            callbacks=[turns],
            verbose=0,
            xla=True,
        )()
    ours = np.median(turns.seconds["ours, the script's loop"][1:])  # the first call compiles
    print(f"{'':36}{'median ms':>10}{'x ours':>10}")
    for name, seconds in turns.seconds.items():
        median = np.median(seconds[1:])
        figures = f"{1e3 * median:10.3f}{median / ours:10.2f}"
        print(f"{name:36}{shown(others.get(name, [None])[0], figures)}")
    jax.close()
    torch.close()


def eager_loop(config):
    """What much public code does: every operation on its own, one task after the other."""
    learner = train_sine.build_learner(config)
    optimizer = keras.optimizers.Adam(config.learning_rate)
    optimizer.build(learner.trainable_variables)
    step = maml.train_step(learner, optimizer, "batched")
    inputs, query_y = sine.sampler(config, 0, config.shot, config.query, config.tasks)(0)

    def call():
        for task in range(config.tasks):
            one = {name: x[task : task + 1] for name, x in inputs.items()}
            step((one, query_y[task : task + 1]))

    return call


def image_table(repeats: int, query: int) -> None:
    """Milliseconds of a meta-step on images, beside the time of its multiplications alone."""
    print(f"\nImages: {WAY}-way 1-shot, {query} queries per class, {FILTERS} filters, 2nd order.")
    head = "".join(name.rjust(14) for name in ("ms", "x bound", "x best of ours"))
    cores = processor.cores()
    for tasks in (8, 32):
        for inner_steps in (1, 5):
            functions = {
                f"ours, {mapping}": conv_step(tasks, query, inner_steps, mapping)
                for mapping in MODES
            }
            torch = Apart(
                "torch", f"{PEERS}:torch_conv", tasks, WAY, query, inner_steps, INNER_RATE
            )
            functions["torch.func vmap"] = torch
            product = {"product": timing.matrix_product(cores)}
            seconds = timing.time_in_turns({**functions, **product}, repeats)
            operations = tasks * task_operations(query, inner_steps)
            bound = operations / timing.matrix_speed(seconds.pop("product"), cores)
            medians = {name: float(np.median(times)) for name, times in seconds.items()}
            best = min(median for name, median in medians.items() if "ours" in name)
            print(f"\n{f'{tasks} tasks, {inner_steps} inner step(s)':26}{head}")
            print(f"{f'bound, {operations / 1e9:.1f} GFLOP':26}{1e3 * bound:14.1f}")
            for name, median in medians.items():
                ratios = f"{median / bound:14.2f}{median / best:14.2f}"
                figures = f"{1e3 * median:14.1f}{ratios}"
                print(f"{name:26}{shown(functions[name], figures)}")
            torch.close()


def conv_step(tasks: int, query: int, inner_steps: int, mapping: str):
    """The chapter's training step on a fixed batch of random images."""
    network = networks.conv4((SIZE, SIZE, 1), WAY, FILTERS)
    learner = maml.MAML(network, cross_entropy, INNER_RATE, inner_steps)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(learner.trainable_variables)
    inputs = {
        "support_x": tf.random.uniform([tasks, WAY, SIZE, SIZE, 1]),
        "support_y": tf.tile(tf.range(WAY)[None], [tasks, 1]),  # [task, way]
        "query_x": tf.random.uniform([tasks, WAY * query, SIZE, SIZE, 1]),
    }
    query_y = tf.tile(tf.repeat(tf.range(WAY), query)[None], [tasks, 1])  # [task, way * query]
    step = tf.function(maml.train_step(learner, optimizer, mapping))
    return lambda: step((inputs, query_y))["loss"].numpy()


def task_operations(query: int, inner_steps: int) -> int:
    """Multiplications and additions of one task's convolutions.

    A forward pass counts 1, the gradient of a layer 2 (its kernel and its input). An inner step has
    forward and gradient, 3, and the outer gradient goes through each of these three products
    twice: 9 in all. Queries have forward and gradient: 3. The first layer needs no gradient of its
    input: 4 and 2.
    """
    side, inputs, operations = SIZE, 1, 0
    for block in range(4):
        side = -(-side // 2)
        forward = 2 * side**2 * 9 * inputs * FILTERS
        inner, outer = (4, 2) if block == 0 else (9, 3)
        operations += forward * (inner_steps * WAY * inner + WAY * query * outer)
        inputs = FILTERS
    return operations


if __name__ == "__main__":
    script.run(main)

"""Train a neural Turing machine to copy, and test it on sequences longer than any it has seen.

python -m chapters.ch05_memory.train_ntm                        # lengths 1 to 5, half a minute
python -m chapters.ch05_memory.train_ntm --preset paper         # lengths 1 to 20, five seeds
python -m chapters.ch05_memory.train_ntm --preset paper_lstm    # the same without a memory
"""

import dataclasses

import keras

from chapters.ch05_memory import measures, plots, report
from chapters.ch05_memory.baselines import LSTMCells
from chapters.ch05_memory.models import SequenceModel
from chapters.ch05_memory.ntm import NTMCell
from chapters.ch05_memory.presets import SCRIPTS, NTMConfig
from chapters.ch05_memory.training import build_optimizer, sequence_step
from chapters.engine import configuration, script
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions
from chapters.engine.export import export_run
from chapters.engine.loop import Loop
from chapters.engine.runs import RunFolder
from chapters.experiments.options import counts
from datasets.tasks.sequences import AssociativeRecallTask, CopyTask, RepeatCopyTask

TEST = 2_000_000  # added to the seed: sequences that training never drew
TEST_BATCH = 100


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_ntm"], argv)
    device = script.prepare(config.seed)
    tests = test_tasks(config)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", report.describe(config), sep="\n")
    for line in warnings(config, tests):
        print(line)

    results = []
    for number in range(config.seeds):
        results.append(train_seed(config.seed + number, tests, config, run))
    first = results[0]  # stands for the run: chosen by its number, not by its score
    run.weights(first["model"])
    run.json("metrics.json", report.metrics(results, tests, config))
    print(report.table(results, tests, config))

    longest = test_task(config, config.max_length, sequences=1)
    run.figure("learning_curve", plots.learning_curve(results, config))
    run.figure("errors_by_length", plots.errors_by_length(results, tests, config))
    run.figure("example", plots.example(first["model"], longest(0)))
    if config.model == "NTM":
        run.figure("attention", plots.attention(first["model"], longest(0)))
        run.figure("memory", plots.memory(first["model"], longest(0)))
    print(f"Weights, metrics and pictures are in {run.path}.")
    export_run(run, {"serve": (first["model"].serve, {"x": longest(0).x}, 2)})


def build(config: NTMConfig) -> SequenceModel:
    """The network of ``--model`` with fresh weights."""
    task = training_task(config)
    if config.model == "LSTM":
        cell = LSTMCells(config.rnn_size, config.rnn_layers, task.outputs)
    else:
        names = (
            "rnn_size", "memory_size", "memory_vector_dim", "read_head_num", "write_head_num",
            "addressing_mode", "shift_range", "controller", "memory_init",
        )  # fmt: skip
        options = {name: getattr(config, name) for name in names}
        try:
            cell = NTMCell(**options, output_dim=task.outputs)
        except ValueError as error:
            raise ConfigError(f"{str(error)[0].upper()}{str(error)[1:]}.") from error
    return SequenceModel(cell, task.channels)


def build_learner(config: NTMConfig) -> SequenceModel:
    """The network without its training, as the zoo asks for it."""
    return build(config)


def evaluate(model, config: NTMConfig, given: Conditions) -> list[dict]:
    """Rows of wrong bits per sequence at every length of the run's test, as asked.

    Raises:
        ConfigError: what is asked does not fit sequences.
    """
    given.check("sequences have no classes", way=(), shot=(), query=(), batch_norm=())
    config = dataclasses.replace(config, seed=given.seed, test_sequences=given.episodes, seeds=1)
    tests = test_tasks(config)
    return report.rows([test_network(model, given.seed, tests, config)], tests, config)


def picture(model, config: NTMConfig, width: float):
    """Where a network with a memory writes and reads, ``width`` inches wide; None without one."""
    if config.model != "NTM":
        return None
    return plots.attention(model, test_task(config, config.max_length, sequences=1)(0), width)


def train_seed(seed: int, tests: dict, config: NTMConfig, run: RunFolder) -> dict:
    """Train one network and count its errors on every test."""
    keras.utils.set_random_seed(seed)
    task = training_task(config, seed)
    model = build(config)
    optimizer = build_optimizer(config, model.trainable_variables)
    loop = Loop(
        sequence_step(model, optimizer),
        task,
        model=model,
        optimizer=optimizer,
        run=run.sub(f"seed-{seed}") if config.seeds > 1 else run,
        steps=config.steps,
        steps_per_epoch=config.steps_per_epoch,
        steps_per_call=config.steps_per_call,
        callbacks=[report.BookLog(model, task)] if config.preset == "book" else [],
        verbose=0 if config.preset == "book" else None,
        xla=True,
    )
    history = loop()
    result = test_network(model, seed, tests, config)
    result |= {"history": history, "seconds": loop.seconds}
    print(report.seed_line(result), flush=True)
    return result


def test_network(model, seed: int, tests: dict, config: NTMConfig) -> dict:
    """Wrong bits of a network in every sequence of every test."""
    wrong = measures.count_wrong_bits(model, tests, config.test_sequences)
    return {"seed": seed, "model": model, "wrong": wrong}


def training_task(config: NTMConfig, seed: int = 0):
    """Sequences of all lengths of training."""
    shared = {
        "batch": config.batch,
        "bits": config.vector_dim,
        "min_length": config.min_length,
        "max_length": config.max_length,
        "seed": seed,
    }
    if config.task == "repeat_copy":
        return RepeatCopyTask(**shared, max_repeats=config.max_repeats)
    return {"copy": CopyTask, "recall": AssociativeRecallTask}[config.task](**shared)


def test_task(config: NTMConfig, length: int, repeats: int = 0, sequences: int = TEST_BATCH):
    """Sequences of one length that training has not drawn."""
    shared = {
        "batch": sequences,
        "bits": config.vector_dim,
        "min_length": length,
        "max_length": length,
        "seed": config.seed + TEST,
    }
    if config.task == "repeat_copy":
        repeats = repeats or config.max_repeats
        scale = (1, config.max_repeats)
        return RepeatCopyTask(**shared, min_repeats=repeats, max_repeats=repeats, scale=scale)
    return {"copy": CopyTask, "recall": AssociativeRecallTask}[config.task](**shared)


def test_tasks(config: NTMConfig) -> dict:
    """Name of a test -> sampler; the first is training's own lengths, on fresh sequences."""
    fresh = dataclasses.replace(config, batch=TEST_BATCH)
    tests = {"trained": training_task(fresh, config.seed + TEST)}
    for length in counts(config.test_lengths, "--test-lengths"):
        tests[f"length_{length}"] = test_task(config, length)
    if config.task == "repeat_copy":
        for repeats in counts(config.test_repeats, "--test-repeats"):
            tests[f"repeats_{repeats}"] = test_task(config, config.max_length, repeats)
    longest = max(test.time for test in tests.values())
    for test in tests.values():
        test.time = longest
    return tests


def warnings(config: NTMConfig, tests: dict) -> list[str]:
    """A line for every test whose sequences have more vectors than the memory has slots."""
    if config.model != "NTM":
        return []
    lines = []
    for name, test in tests.items():
        vectors = test.lengths[1] * getattr(test, "item_length", 1)
        if vectors > config.memory_size:
            lines.append(
                f"Warning: {name.replace('_', ' ')} has {vectors} vectors, but the memory has "
                f"{config.memory_size} slots; errors are to be expected."
            )
    return lines


if __name__ == "__main__":
    script.run(main)

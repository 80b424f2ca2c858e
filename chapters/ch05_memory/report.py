"""Words and tables of the training scripts, and ``metrics.json``."""

import keras
import numpy as np

from chapters.ch05_memory.presets import PUBLISHED, MANNConfig, NTMConfig
from chapters.engine.evaluation import interval95
from chapters.engine.results import Measure, Result, share
from datasets.dataset import Dataset

CONVERGED = 0.1  # wrong bits per sequence of the trained lengths, at most

TASK = {
    "copy": "copy sequences of {min_length} to {max_length} vectors of {vector_dim} bits",
    "repeat_copy": "repeat 1 to {max_repeats} times 1 to {max_length} vectors of {vector_dim} bits",
    "recall": "recall the next of {min_length} to {max_length} items of 3 x {vector_dim} bits",
}


class BookLog(keras.callbacks.Callback):
    """The lines that the book prints: a sample, what the network makes of it, and the loss.

    Args:
        model: SequenceModel.
        task: sampler of sequences, whose batch 0 is shown.
    """

    def __init__(self, model, task):
        super().__init__()
        self.network, self.sample = model, task(0)

    def on_epoch_end(self, epoch, logs=None):
        """Print what the book prints at step 0, when nothing has been learned yet (E5.6)."""
        print(f"batches {logs['step']:.0f}, loss {logs['loss']:.6f}", flush=True)

    def on_train_begin(self, logs=None):
        """Before training."""
        self._show("before training")

    def on_train_end(self, logs=None):
        """After training."""
        self._show("after training")

    def _show(self, when):
        asked = self.sample.asked.numpy() > 0
        target = self.sample.y.numpy()[0, asked].astype(int)  # [length, bit]
        logits = self.network(self.sample.x, self.sample.steps).numpy()[0, asked]
        with np.printoptions(precision=2, suppress=True):
            print(f"\nSequence:\n{target}\nOutput {when}:\n{1 / (1 + np.exp(-logits))}\n")


def describe(config: NTMConfig) -> str:
    """What is learned by what, before it starts."""
    task = TASK[config.task].format(**vars(config))
    if config.model == "LSTM":
        network = f"LSTM, {config.rnn_layers} x {config.rnn_size} units"
    else:
        network = (
            f"NTM, {config.controller} controller of {config.rnn_size} units, memory "
            f"{config.memory_size} x {config.memory_vector_dim}, {config.read_head_num} read and "
            f"{config.write_head_num} write head(s)"
        )
    return f"Task: {task}.\nNetwork: {network}; {config.steps} steps of {config.batch} sequence(s)."


def seed_line(result: dict) -> str:
    """A network's result."""
    errors = ", ".join(
        f"{name.replace('_', ' ')} {wrong.mean():.3g}" for name, wrong in result["wrong"].items()
    )
    return f"Seed {result['seed']}: {result['seconds']:.0f} s; wrong bits per sequence: {errors}."


def converged(result: dict) -> bool:
    """Whether a network gives back sequences as long as those of its training."""
    return bool(result["wrong"]["trained"].mean() < CONVERGED)


def table(results: list[dict], tests: dict, config: NTMConfig) -> str:
    """Wrong bits per sequence of the best, the median and the worst network at every test."""
    head = "".join(name.replace("_", " ").rjust(12) for name in tests)
    share = sum(map(converged, results))
    lines = [
        f"\nWrong bits per sequence, {config.test_sequences} sequences never seen:\n",
        " " * 10 + head,
    ]
    for name, choose in _summaries(results).items():
        cells = "".join(f"{choose(test).mean():12.3f}" for test in tests)
        lines.append(name.ljust(10) + cells)
    bits = [_asked_bits(test, config.test_sequences) for test in tests.values()]
    lines.append("all bits".ljust(10) + "".join(f"{n:12.0f}" for n in bits))
    lines.append(
        f"\n{share} of {len(results)} converged (fewer than {CONVERGED} wrong bits per sequence of "
        "the trained lengths).\n"
    )
    return "\n".join(lines)


def _asked_bits(test, sequences: int) -> float:
    """Bits that a sequence of a test asks for, on average."""
    batches = -(-sequences // test.batch)
    return test.outputs * float(np.mean([np.sum(test(index).asked) for index in range(batches)]))


def _summaries(results: list[dict]) -> dict:
    """Name of a row -> function of a test's name: wrong bits of one of the networks, [sequence].

    A single network is its own summary. Of several, the first stands for the run: its weights are
    kept. Of an even number the better of the two in the middle is the median, so that every figure
    is of one network.
    """

    def place(number):
        return lambda test: sorted((r["wrong"][test] for r in results), key=np.mean)[number]

    last = len(results) - 1
    if not last:
        return {"": place(0)}
    summaries = {"best": place(0), "median": place(last // 2), "worst": place(last)}
    return {f"seed {results[0]['seed']}": lambda test: results[0]["wrong"][test]} | summaries


def rows(results: list[dict], tests: dict, config: NTMConfig) -> list[dict]:
    """Rows of ``metrics.json``: a single network, or the best, the median and the worst one."""
    name, several = method_of(config), len(results) > 1
    values = {
        (_method(name, which, len(results)), wrong_bits(test)): choose(test)
        for which, choose in _summaries(results).items()
        for test in tests
    }
    if several:
        all_of_them = [float(converged(result)) for result in results]
        values[f"{name}, all {len(results)}", share("converged", "converged")] = all_of_them
    return [
        Result(
            method=method,
            measure=measure,
            mean=float(np.mean(numbers)),
            interval=interval95(numbers),
            data=f"{config.task.replace('_', ' ')} task",
            seed=config.seed,
            tested="sequences",
            episodes=config.test_sequences,
            runs=len(results) if several else None,
            headline=measure == wrong_bits("trained"),
            rival=False,  # all are runs of one network
        ).row()
        for (method, measure), numbers in values.items()
    ]


def method_of(config: NTMConfig) -> str:
    """The network as tables call it."""
    controllers = {"lstm": "LSTM controller", "feed_forward": "feed-forward controller"}
    return "LSTM" if config.model == "LSTM" else f"NTM, {controllers[config.controller]}"


def wrong_bits(test: str) -> Measure:
    """Wrong bits per sequence of a test."""
    return Measure(f"bits_at_{test}", f"wrong bits, {test.replace('_', ' ')}")


def _method(name: str, which: str, networks: int) -> str:
    if not which:
        return name
    return f"{name}, {which}" if which.startswith("seed") else f"{name}, {which} of {networks}"


def metrics(results: list[dict], tests: dict, config: NTMConfig) -> dict:
    """``metrics.json``: the rows, and every network on its own beside."""
    measured = rows(results, tests, config)
    return {
        "method": measured[0]["method"],
        "results": measured,
        "seeds": [_one_seed(result) for result in results],
        "converged": sum(map(converged, results)),
        "parameters": results[0]["model"].count_params(),
        "steps": config.steps,
        "train_seconds": round(sum(result["seconds"] for result in results), 1),
    }


def _one_seed(result: dict) -> dict:
    wrong = result["wrong"]
    return {
        "seed": result["seed"],
        "converged": converged(result),
        "wrong_bits": {test: float(counts.mean()) for test, counts in wrong.items()},
        "perfect": {test: float((counts == 0).mean()) for test, counts in wrong.items()},
        "seconds": round(result["seconds"], 1),
    }


def describe_presentations(data: Dataset, config: MANNConfig) -> str:
    """What is learned by what, before it starts."""
    kind = "generated stand-in" if data.generated else data.source
    turned = ", each in four rotations" if config.rotations else ""
    sizes = ", ".join(
        f"{split} {len(data.classes(split))}" for split in (config.train_split, "val", "test")
    )
    memory = f", memory {config.memory_size} x {config.memory_vector_dim}, {config.head_num} heads"
    labels = "one-hot labels" if config.labels == "one_hot" else "labels of five letters"
    return (
        f"Data: {data.name} ({kind}); classes{turned}: {sizes}.\n"
        f"Task: {config.length} pictures of {config.way} classes, {labels}.\n"
        f"Network: {network_name(config)} of {config.rnn_size} units"
        f"{memory if config.model == 'MANN' else ''}; {config.steps} steps of {config.batch} "
        "episodes."
    )


def network_name(config: MANNConfig) -> str:
    """The network as tables call it."""
    if config.model == "MANN" and config.controller == "feed_forward":
        return "MANN, feed-forward controller"
    return {"feed_forward": "feed-forward network"}.get(config.model, config.model)


def presentation_table(curve, limit, data: Dataset, config: MANNConfig) -> str:
    """Share of right labels at each presentation, beside the published and the best guess."""
    published = _published(data, config)
    lines = [
        f"\nRight labels in % at the first, second, ... picture of a class, {config.test_episodes} "
        "episodes of classes never seen:\n",
        " " * 26 + "".join(f"{number}".rjust(14) for number in curve),
        network_name(config).ljust(26)
        + "".join(_cell(values).rjust(14) for values in curve.values()),
    ]
    if published:
        cells = [f"{published[str(n)]:.1f}" if str(n) in published else "-" for n in curve]
        lines.append("Santoro et al. 2016".ljust(26) + "".join(cell.rjust(14) for cell in cells))
    lines.append(
        f"\nA network that remembers everything can guess {100 * limit[1].mean():.1f} % of first "
        "pictures, by leaving out the labels already told.\n"
    )
    return "\n".join(lines)


def _cell(values) -> str:
    return f"{100 * values.mean():.1f} +- {100 * interval95(values):.1f}"


def _published(data: Dataset, config: MANNConfig) -> dict[str, float]:
    if data.name != "omniglot" or network_name(config) != "MANN":
        return {}
    return PUBLISHED.get((config.labels, config.way), {})


def presentation_rows(curve, data: Dataset, config: MANNConfig) -> list[dict]:
    """Rows of ``metrics.json``: share of right labels at every presentation."""
    published = _published(data, config)
    return [
        Result(
            method=network_name(config),
            measure=share(f"presentation_{number}", f"presentation {number}"),
            mean=float(values.mean()),
            interval=interval95(values),
            data=data.name,
            generated=data.generated,
            seed=config.seed,
            episodes=len(values),
            published=published.get(str(number)),
            headline=number == max(curve),
        ).row()
        for number, values in curve.items()
    ]


def presentation_metrics(curve, limit, learner, loop, data: Dataset, config: MANNConfig) -> dict:
    """``metrics.json``: the rows, and what can be guessed of first pictures at best."""
    return {
        "method": network_name(config),
        "results": presentation_rows(curve, data, config),
        "best_guess": float(limit[1].mean()),
        "parameters": learner.count_params(),
        "steps": loop.step,
        "train_seconds": round(loop.seconds, 1),
    }

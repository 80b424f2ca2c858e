"""Pictures of memories at work."""

import numpy as np

from chapters.ch05_memory import measures
from chapters.ch05_memory.models import with_previous
from chapters.engine.figures import (
    FEW,
    RIGHT,
    SMALL,
    WIDTH,
    WRONG,
    legend,
    log_scale,
    plt,
    style,
    whole_numbers,
    write_values,
)

FLOOR = 1e-3  # wrong bits: a logarithmic scale has no 0


def trace(model, x, steps: int):
    """Logits and states of the first sequence, step by step.

    Args:
        model: SequenceModel.
        x: [sequence, time, channel].
        steps: steps in use.

    Returns:
        logits [steps, bit], states: one per step.
    """
    state = model.cell.get_initial_state(batch_size=1)
    logits, states = [], []
    for t in range(steps):
        output, state = model.cell(x[:1, t], state)  # [1, channel]
        logits.append(output[0].numpy())
        states.append(state)
    return np.array(logits), states


def example(model, batch):
    """Input, target, output and error of a sequence, time from left to right."""
    steps = int(batch.steps)
    logits, _ = trace(model, batch.x, steps)
    asked = batch.asked.numpy()[:steps, None]
    target = batch.y.numpy()[0, :steps]
    output = 1 / (1 + np.exp(-logits)) * asked
    rows = {
        "input": batch.x.numpy()[0, :steps],
        "target": target,
        "output": output,
        "error": np.abs(output - target),
    }
    figure, axes = plt.subplots(4, 1, figsize=(8, 6), layout="constrained", sharex=True)
    for axis, (name, values) in zip(axes, rows.items(), strict=True):
        largest = max(1.0, float(values.max()))
        axis.imshow(values.T, aspect="auto", cmap="gray_r", vmin=0, vmax=largest)
        axis.set(ylabel=name, yticks=[])
    wrong = float(measures.wrong_bits(batch, model(batch.x, batch.steps))[0])
    axes[0].set_title(f"{wrong:.0f} wrong bit(s); the last rows of the input are markers")
    axes[-1].set_xlabel("step")
    whole_numbers(axes[-1])
    return figure


def attention(model, batch, width: float = WIDTH):
    """Where the heads write and read at every step: a copy is two diagonals.

    Args:
        model: SequenceModel around an NTMCell.
        batch: of a task; its first sequence is shown.
        width: of the picture at most, in inches.
    """
    steps = int(batch.steps)
    _, states = trace(model, batch.x, steps)
    weight = np.array([state.weight[0].numpy() for state in states])  # [time, head, slot]
    reads = model.cell.read_head_num
    names = [f"read {n + 1}" for n in range(reads)]
    names += [f"write {n + 1}" for n in range(model.cell.write_head_num)]
    heads = [*range(reads, len(names)), *range(reads)]  # writing comes first
    size = (min(3.2 * len(heads), width), 3.2)
    figure, axes = plt.subplots(1, len(heads), figsize=size, layout="constrained", sharey=True)
    for axis, head in zip(np.atleast_1d(axes), heads, strict=True):
        image = axis.imshow(weight[:, head].T, aspect="auto", cmap="magma", vmin=0, vmax=1)
        axis.set(title=f"{names[head]} head", xlabel="step")
        whole_numbers(axis)
    np.atleast_1d(axes)[0].set_ylabel("slot")
    figure.colorbar(image, ax=axes, label="weight", shrink=0.8)
    return figure


def memory(model, batch):
    """Contents of the memory when the input has ended, and at the end."""
    steps = int(batch.steps)
    _, states = trace(model, batch.x, steps)
    begin = int(np.argmax(batch.asked.numpy())) - 1  # the step before the first answer
    moments = {"when the input has ended": begin, "at the end": steps - 1}
    figure, axes = plt.subplots(1, 2, figsize=(8, 5), layout="constrained", sharey=True)
    for axis, (name, t) in zip(axes, moments.items(), strict=True):
        image = axis.imshow(
            states[t].memory[0].numpy(), aspect="auto", cmap="PuOr", vmin=-1, vmax=1
        )
        axis.set(title=name, xlabel="column")
        whole_numbers(axis)
    axes[0].set_ylabel("slot")
    figure.colorbar(image, ax=axes, label="value", shrink=0.8)
    return figure


def learning_curve(results, config):
    """Wrong bits per sequence in training against thousands of sequences, as in the paper."""
    figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for result in results:
        history = result["history"]
        sequences = [row["step"] * config.batch / 1000 for row in history]
        bits = [max(row["bits"], FLOOR) for row in history]
        axis.plot(sequences, bits, marker=".", label=f"seed {result['seed']}")
        if len(bits) < FEW:
            write_values(axis, sequences, bits)
    log_scale(axis)
    axis.set(xlabel="thousands of sequences", ylabel="wrong bits per sequence\n(0.001 or fewer)")
    legend(figure, columns=5)
    return figure


def errors_by_length(results, tests, config):
    """Wrong bits per sequence against its length, for every network."""
    lengths = {name: int(name.split("_")[1]) for name in tests if name.startswith("length_")}
    figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for result in results:
        wrong = [max(result["wrong"][name].mean(), FLOOR) for name in lengths]
        axis.plot(list(lengths.values()), wrong, marker="o", label=f"seed {result['seed']}")
        if len(results) == 1:
            write_values(axis, lengths.values(), wrong)
    log_scale(axis)
    axis.axvline(config.max_length, color="0.6", linestyle=":", label="longest in training")
    axis.set(xlabel="length", ylabel="wrong bits per sequence\n(0.001 or fewer)")
    whole_numbers(axis)
    legend(figure, columns=3)
    return figure


def accuracy_by_presentation(curves: dict[str, dict[int, float]], chance: float):
    """Share of right labels against how often the class has been shown, beside chance."""
    figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for name, curve in curves.items():
        percent = [100 * value for value in curve.values()]
        axis.plot(list(curve), percent, marker="o", label=name, **style(name))
    axis.axhline(100 * chance, color="0.6", linestyle=":", label="chance")
    axis.set(xlabel="presentation of a class", ylabel="right labels in %", ylim=(0, 102))
    whole_numbers(axis)
    legend(figure)
    return figure


def lookup(network, episode):
    """Where a memory-augmented network reads, class by class, and what it counts as used.

    A network that remembers reads the same slots at all pictures of a class but the first, which it
    can only guess.

    Args:
        network: SequenceModel around a MANNCell.
        episode: of ``datasets.tasks.presentations``; the first of its batch is shown.
    """
    x = with_previous(episode.images, episode.shown)[:1]
    logits, states = trace(network, x, x.shape[1])
    right = measures.is_right(episode.label[:1], logits[None])[0].numpy()  # [time]
    weight = np.array([state.read_weight[0].numpy().mean(axis=0) for state in states])
    usage = np.array([state.usage[0].numpy() for state in states])  # [time, slot]
    class_of = episode.class_of[0].numpy()  # [time]
    order = np.argsort(class_of, kind="stable")

    figure, axes = plt.subplots(2, 1, figsize=(WIDTH, 7), layout="constrained")
    panels = {
        "read weights, mean of heads": (weight[order], "steps, grouped by class"),
        "usage": (usage, "step"),
    }
    for axis, (name, (values, steps)) in zip(axes, panels.items(), strict=True):
        drawn = axis.imshow(values.T, aspect="auto", cmap="magma")
        axis.set(title=name, xlabel=steps, ylabel="slot")
        figure.colorbar(drawn, ax=axis, pad=0.01)
    whole_numbers(axes[1])
    _mark_classes(axes[0], class_of[order], right[order])
    legend(figure)
    return figure


def _mark_classes(axis, class_of, right) -> None:
    """Lines between classes, their names below, and above each step whether it was answered."""
    edges = np.flatnonzero(np.diff(class_of, prepend=-1, append=-1))  # [class + 1]
    for edge in edges[1:-1]:
        axis.axvline(edge - 0.5, color="white", linewidth=1.5)
    names = [f"class {k}" if len(edges) < 8 else k for k in class_of[edges[:-1]]]
    axis.set_xticks((edges[:-1] + edges[1:] - 1) / 2, names, fontsize=SMALL)
    bottom, _ = axis.get_ylim()
    above = -0.05 * bottom
    for kind, name, colour in ((right, "answer right", RIGHT), (~right, "answer wrong", WRONG)):
        steps = np.flatnonzero(kind)
        axis.scatter(steps, np.full(len(steps), above), s=14, color=colour, label=name)
    axis.set_ylim(bottom, 2 * above)

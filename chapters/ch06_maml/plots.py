"""Pictures of chapter 6: accuracy against the strength of an attack, and attacked images."""

import numpy as np

from chapters.ch06_maml.adversarial import fgsm
from chapters.engine.figures import plt
from datasets.episodes import Episode


def robustness(epsilons: list[float], curves: dict):
    """Accuracy on attacked queries against epsilon; at 0 the queries are clean.

    Args:
        epsilons: strengths.
        curves: (method, attack) -> accuracies.
    """
    figure, axis = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
    colours = dict(zip(dict.fromkeys(name for name, _ in curves), ("C0", "C1"), strict=False))
    for (name, attack), accuracies in curves.items():
        style = {"fgsm": "-", "pgd": "--"}[attack]
        label = f"{name}, {attack.upper()}"
        values = 100 * np.asarray(accuracies)
        axis.plot(epsilons, values, style, color=colours[name], marker=".", label=label)
    axis.set(xlabel="epsilon: largest change of a pixel in [0, 1]", ylabel="accuracy, %")
    axis.set_ylim(0, 102)
    axis.legend(frameon=False)
    return figure


def attacked(learners: dict, task: Episode, epsilon: float):
    """Queries of one task, clean and attacked through each learner's adapted weights.

    Args:
        learners: name -> learner.
        task: an Episode with one task; one query per class is drawn.
        epsilon: strength of the attack.
    """
    rows = {}
    for name, learner in learners.items():
        weights = learner.adapt(task.support_x, task.support_y)

        def classify(x, learner=learner, weights=weights):
            return learner.predict_with(weights, x, task.support_x)

        x = fgsm(classify, learner.objective, task.query_x, task.query_y, epsilon)
        rows[f"{name}, clean"] = task.query_x, classify(task.query_x)
        rows[f"{name}, FGSM"] = x, classify(x)
    labels = task.query_y[0].numpy()
    figure, axes = plt.subplots(
        len(rows), len(labels), figsize=(1.2 * len(labels) + 1, 1.45 * len(rows)), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for line, (name, (x, logits)) in zip(axes, rows.items(), strict=True):
        found = logits[0].numpy().argmax(-1)
        for axis, image, guess, label in zip(line, x[0].numpy(), found, labels, strict=True):
            axis.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray_r", vmin=0)
            axis.set(xticks=[], yticks=[])
            colour = "tab:green" if guess == label else "tab:red"
            axis.set_title(f"class {guess}", fontsize=8, color=colour)
        line[0].set_ylabel(name, fontsize=8)
    figure.suptitle(f"Queries attacked at epsilon {epsilon:g}, and the class they get", fontsize=10)
    return figure

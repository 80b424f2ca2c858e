"""Pictures of chapter 6: accuracy against the strength of an attack, and attacked images."""

import numpy as np

from chapters.ch06_maml.adversarial import fgsm
from chapters.engine.figures import RIGHT, SMALL, WRONG, legend, plt, style
from chapters.experiments.images import pictures
from datasets.tasks.episodes import Episode


def robustness(epsilons: list[float], curves: dict):
    """Accuracy on attacked queries against epsilon; at 0 the queries are clean.

    Args:
        epsilons: strengths.
        curves: (method, attack) -> accuracies.
    """
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for (name, attack), accuracies in curves.items():
        look = style(name) | {"linestyle": {"fgsm": "-", "pgd": "--"}[attack]}
        values = 100 * np.asarray(accuracies)
        axis.plot(epsilons, values, marker=".", label=f"{name}, {attack.upper()}", **look)
    axis.set(xlabel="epsilon: largest change of a pixel in [0, 1]", ylabel="accuracy, %")
    axis.set_ylim(0, 102)
    legend(figure)
    return figure


def attacked(learners: dict, task: Episode, epsilon: float, ink: bool):
    """Queries of one task, clean and attacked through each learner's adapted weights.

    Args:
        learners: name -> learner.
        task: an Episode with one task; one query per class is drawn.
        epsilon: strength of the attack.
        ink: whether bright is ink, to be drawn dark.
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
            pictures.image(axis, image, ink)
            pictures.title(axis, f"class {guess}", RIGHT if guess == label else WRONG)
        line[0].set_ylabel(name, fontsize=SMALL)
    figure.suptitle(
        f"Queries attacked at epsilon {epsilon:g}, and the class they get\n"
        "(green: right, red: wrong)"
    )
    return figure

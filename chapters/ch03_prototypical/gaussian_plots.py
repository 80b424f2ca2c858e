"""Pictures of Gaussian prototypical networks: whom they trust, and what that is worth."""

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import Ellipse
from matplotlib.ticker import PercentFormatter
from sklearn.decomposition import PCA

from chapters.ch03_prototypical.gaussian import class_gaussians
from chapters.ch03_prototypical.robustness import HIT, SHARES
from chapters.engine.evaluation import interval95_over
from chapters.engine.figures import NEUTRAL, SERIES, WIDTH, label, legend, plt

LINES = dict(zip(HIT, ("-", "--"), strict=True))
COLOURS = (SERIES[0], NEUTRAL)  # of a method, and of what it is compared with
EPISODES = 20  # whose examples are counted by their radius


def confidence(learner, tasks, names: list[str]):
    """Examples of an episode with their regions, and how large those of many episodes are.

    A region is an ellipse of one standard deviation, 1 / sqrt(s), seen in the plane of the first
    two principal components.

    Args:
        learner: GaussianPrototypicalNetwork with precisions.
        tasks: ``Damaged`` tasks.
        names: of the classes of the first one [way].
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 4.6), layout="constrained", width_ratios=(1.7, 1)
    )
    task, hit = tasks.episode(0), tasks.hit(0)[0][0].numpy()
    _regions(left, learner, task, hit, names)
    _radii(right, learner, tasks)
    legend(figure, columns=4)
    return figure


def _regions(axis, learner, task, hit, names) -> None:
    labels = task.support_y[0].numpy()
    means, precisions = (
        f(task.support_x[0])[None] for f in (learner.embed, learner.confidence)
    )  # [1, support, dim]
    prototypes, _ = class_gaussians(means, precisions, task.support_y, len(names))
    pca = PCA(2).fit(np.concatenate([means[0], prototypes[0]]))
    points, stars = pca.transform(means[0]), pca.transform(prototypes[0])
    for k, name in enumerate(names):
        colour = SERIES[k % len(SERIES)]
        for i in np.flatnonzero(labels == k):
            axis.add_patch(_region(points[i], precisions[0, i].numpy(), pca, colour, hit[i]))
        axis.scatter(*points[labels == k].T, s=8, color=colour)
        axis.scatter(*stars[k], s=220, marker="*", color=colour, edgecolor="k", zorder=3,
                     label=label(name))  # fmt: skip
    share = pca.explained_variance_ratio_.sum()
    axis.set(xlabel="component 1", ylabel="component 2")
    axis.set_aspect("equal", adjustable="datalim")
    axis.autoscale_view()
    axis.set_title(
        "Examples with their regions (dashed: damaged)\nand prototypes (stars); the two components "
        f"show {share:.0%} of the variance"
    )


def _region(centre, precision, pca, colour, damaged: bool) -> Ellipse:
    """The ellipse x^T C^-1 x = 1 of C = V diag(1 / s) V^T, the covariance in the plane V."""
    plane = pca.components_  # [2, dim]
    lengths, axes = np.linalg.eigh(plane / precision @ plane.T)
    width, height = 2 * np.sqrt(lengths)
    angle = np.degrees(np.arctan2(axes[1, 0], axes[0, 0]))
    face = "none" if damaged else to_rgba(colour, 0.25)
    line = "--" if damaged else "-"
    return Ellipse(
        centre, width, height, angle=angle, facecolor=face, edgecolor=colour, linestyle=line
    )


def _radii(axis, learner, tasks) -> None:
    """Distribution of 1 / sqrt(s), the mean over dimensions, of whole and damaged examples."""
    radii, hits = [], []
    for index in range(EPISODES):
        precisions = learner.confidence(tasks.episode(index).support_x[0]).numpy()
        radii.append((precisions**-0.5).mean(axis=-1))  # [support]
        hits.append(tasks.hit(index)[0][0].numpy())
    radii, hits = np.concatenate(radii), np.concatenate(hits)
    edges = np.histogram_bin_edges(radii, 25)
    axis.hist(radii[~hits], edges, color="0.75", label="whole")
    axis.hist(radii[hits], edges, color="0.1", histtype="step", linestyle="--", label="damaged")
    axis.set(xlabel="radius of the region, 1/√s", ylabel=f"examples of {EPISODES} episodes")
    axis.set_title(
        f"Mean radius: {radii[~hits].mean():.3g} whole,\n{radii[hits].mean():.3g} damaged"
    )


def against_share(found: dict):
    """Accuracy against the share of damaged pictures, a panel for every kind of task.

    Args:
        found: name of a method -> column -> (what is hit, share) -> accuracy [..., episode]; the
            second method, if there is one, is what the first is compared with.
    """
    columns = list(next(iter(found.values())))
    figure, axes = plt.subplots(1, len(columns), figsize=(WIDTH, 3.6), squeeze=False,
                                layout="constrained")  # fmt: skip
    for axis, column in zip(axes[0], columns, strict=True):
        _lines(axis, found, column)
    axes[0, 0].set_ylabel("accuracy, %")
    legend(figure)
    return figure


def _lines(axis, found: dict, column) -> None:
    for colour, (name, by_column) in zip(COLOURS, found.items(), strict=False):
        for what, line in LINES.items():
            means = [100 * by_column[column][what, rate].mean() for rate in SHARES]
            axis.plot(SHARES, means, line, color=colour, marker=".", label=f"{name}, {HIT[what]}")
    _by_share(axis, f"{column.way}-way {column.shot}-shot")


def _by_share(axis, title: str) -> None:
    axis.set(xlabel="share of damaged images", xticks=SHARES, title=title)
    axis.xaxis.set_major_formatter(PercentFormatter(1))


def compared(pairs: dict, difference: str):
    """Accuracy of two methods against the share of damaged pictures, and below their difference.

    Args:
        pairs: name -> column -> (what is hit, share) -> accuracy [seed, episode].
        difference: the name under which their difference is.
    """
    plain, ours = (name for name in pairs if name != difference)
    columns = list(pairs[difference])
    figure, axes = plt.subplots(2, len(columns), figsize=(WIDTH, 6.4), squeeze=False,
                                layout="constrained")  # fmt: skip
    for (above, below), column in zip(axes.T, columns, strict=True):
        _lines(above, {ours: pairs[ours], plain: pairs[plain]}, column)
        _differences(below, pairs[difference][column])
    axes[0, 0].set_ylabel("accuracy, %")
    axes[1, 0].set_ylabel("Gaussian minus plain, %")
    legend(figure)
    return figure


def _differences(axis, by_condition: dict) -> None:
    """Mean over seeds with its interval; dots are single pairs of networks."""
    for shift, (what, line) in zip((-0.02, 0.02), LINES.items(), strict=True):
        places = np.array(SHARES) + shift
        values = [100 * by_condition[what, rate] for rate in SHARES]  # of [seed, episode]
        means = [v.mean() for v in values]
        widths = [interval95_over(v) for v in values]
        bars = axis.errorbar(places, means, widths, color=COLOURS[0], capsize=3, linestyle=line)
        bars[2][0].set_linestyle(line)
        if len(values[0]) > 1:
            for place, v in zip(places, values, strict=True):
                axis.scatter([place] * len(v), v.mean(axis=1), s=8, color="0.1", zorder=3)
    axis.axhline(0, color="0.7", linestyle=":")
    _by_share(axis, "")

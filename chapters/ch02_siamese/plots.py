"""Pictures of chapter 2: distances of pairs, ROC curves, and pairs to look at."""

import numpy as np
from sklearn.metrics import roc_curve

from chapters.ch02_siamese.measures import auc
from chapters.engine.figures import (
    HELD_OUT,
    NEUTRAL,
    RIGHT,
    SMALL,
    TRAINING,
    WIDTH,
    WRONG,
    course,
    label,
    legend,
    plt,
    style,
)

GENUINE, IMPOSITE = "tab:blue", "tab:orange"
SPECTRUM = {"aspect": "auto", "cmap": "magma", "vmin": -2.5, "vmax": 2.5}


def loss_curve(history, margin: float, held_out: str):
    """Loss on training pairs and on held-out ones, and what a constant distance would cost."""
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    course(axis, history, "loss", "training pairs", **TRAINING)
    course(axis, history, "val_loss", held_out, above=False, **HELD_OUT)
    # With as many pairs of each kind the best constant is margin / 2 and costs margin^2 / 4.
    axis.axhline(margin**2 / 4, color="0.5", linestyle=":", label="best constant distance")
    axis.set_ylabel("contrastive loss")
    axis.set_ylim(bottom=0)
    legend(figure)
    return figure


def histogram(parts: list[tuple], title: str):
    """Distances of genuine and imposite pairs, each kind as shares of its own.

    Every network has distances of its own scale; its threshold is where all of them are 1.

    Args:
        parts: (genuine [pair], distance [pair], threshold) of each network.
        title: of the picture.
    """
    genuine = np.concatenate([np.asarray(kind, bool) for kind, _, _ in parts])
    relative = np.concatenate([distance / threshold for _, distance, threshold in parts])
    thresholds = sorted({f"{threshold:.2f}" for *_, threshold in parts})
    figure, axis = plt.subplots(figsize=(6, 3.8), layout="constrained")
    bins = np.linspace(0, max(relative.max(), 1) * 1.02, 41)
    for kind, name, colour in (
        (genuine, "genuine", GENUINE),
        (~genuine, "imposite", IMPOSITE),
    ):
        share = np.full(kind.sum(), 100 / kind.sum())
        name = f"{name}, {kind.sum():,} pairs"
        axis.hist(relative[kind], bins, weights=share, color=colour, alpha=0.6, label=name)
    span = " to ".join([thresholds[0], thresholds[-1]][: len(thresholds)])
    axis.axvline(1, color="0.2", linestyle="--", label=f"threshold, {span}")
    axis.set(xlabel="distance / threshold of its network", ylabel="% of the pairs of a kind")
    axis.set_title(title)
    legend(figure, columns=3)
    return figure


def roc(curves: dict[str, list[tuple]], title: str, kinds=("imposite pairs", "genuine pairs")):
    """ROC curves, the mean over networks, with the mean area under them.

    Args:
        curves: name -> (genuine [pair], distance [pair]) of each network.
        title: of the picture.
        kinds: what is accepted, wrongly and rightly.
    """
    figure, axis = plt.subplots(figsize=(5, 5.4), layout="constrained")
    for number, (name, parts) in enumerate(curves.items()):
        area = np.mean([auc(genuine, distance) for genuine, distance in parts])
        points = mean_curve([roc_curve(genuine, -distance)[:2] for genuine, distance in parts])
        look = style(name) | {"linewidth": 2.2 if number == 0 else 1.2}
        axis.plot(*points, label=f"{name}, AUC {area:.3f}", **look)
    axis.plot([0, 1], [1, 0], color="0.8", linewidth=1, label="equal errors")
    axis.set(xlabel=f"share of {kinds[0]} accepted", ylabel=f"share of {kinds[1]} accepted")
    axis.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
    axis.set_title(title)
    legend(figure, columns=1)
    return figure


def mean_curve(curves: list[tuple]):
    """Mean over curves (x, y) that rise from (0, 0) to (1, 1), at every x that one of them has.

    Where curves jump, x stands twice: with the mean from the left and with that from the right.
    """
    at = np.unique(np.concatenate([x for x, _ in curves]))
    # Of several values at one x, interpolation takes the last.
    left = np.mean([np.interp(-at, -x[::-1], y[::-1]) for x, y in curves], axis=0)
    right = np.mean([np.interp(at, x, y) for x, y in curves], axis=0)
    return np.repeat(at, 2), np.stack([left, right], axis=1).ravel()


def pair_sheet(items, pairs, distance, threshold: float, title: str, names=None):
    """Rows of pairs with their distances: the nearest, middle and furthest of each kind.

    Args:
        items: pictures [item, height, width] or features [item, coefficient, frame].
        pairs: Pairs, positions in ``items``.
        distance: [pair].
        threshold: pairs below it are accepted; right decisions are green, wrong ones red.
        title: of the sheet.
        names: one per item, written below; may be None.
    """
    # A drawn list may hold a pair several times; it is shown once.
    items_of_pair = np.sort(np.stack([pairs.first, pairs.second], axis=1), axis=1)
    once = np.isin(np.arange(len(distance)), np.unique(items_of_pair, axis=0, return_index=True)[1])
    wide = _is_wide(items)
    width, height = (2.0, 2.0) if wide else (1.3, 1.15)  # inches of a pair
    columns = int((WIDTH - 0.5) / width)
    rows = []
    for kind, name in ((True, "genuine"), (False, "imposite")):
        order = np.flatnonzero((pairs.genuine == kind) & once)
        order = order[np.argsort(distance[order], kind="stable")]
        columns_here = min(columns, len(order))
        spread = np.linspace(0, len(order) - 1, columns_here).round().astype(int)
        hardest = order[::-1][:columns_here] if kind else order[:columns_here]
        rows += [(f"{name}\nnear to far", order[spread]), (f"{name}\nhardest", hardest)]
    items = _spectra(items) if wide else items
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(width * columns + 0.5, height * len(rows) + 0.6),
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for (name, chosen), row in zip(rows, axes, strict=True):
        for axis in row:
            axis.set_axis_off()
        row[0].text(-0.12, 0.5, name, transform=row[0].transAxes, rotation=90, fontsize=9,
                    ha="right", va="center")  # fmt: skip
        for axis, number in zip(row, chosen, strict=False):
            first, second = pairs.first[number], pairs.second[number]
            _pair(axis, items[first], items[second], wide)
            right = (distance[number] < threshold) == pairs.genuine[number]
            axis.set_title(f"{distance[number]:.2f}", fontsize=9, pad=3,
                           color=RIGHT if right else WRONG)  # fmt: skip
            if names is not None:
                text = f"{label(names[first])}\n{label(names[second])}"
                axis.text(0, -0.04, text, transform=axis.transAxes, fontsize=SMALL, va="top")
    figure.suptitle(
        f"{title}, with their distances\n"
        f"(at threshold {threshold:.2f} decided rightly: green, wrongly: red)"
    )
    return figure


def identification(queries, support, names, distance, probability, threshold):
    """Every query in a row beside the items it was compared with, nearest first.

    The nearest is bold. Beyond the threshold none is: perhaps the query is none of them.

    Args:
        queries, support: pictures [item, height, width] or features [item, coefficient, frame].
        names: of the support items.
        distance, probability: [query, support].
        threshold: distance from which a pair counts as imposite.
    """
    wide = _is_wide(queries)
    cell = (2.1, 1.6) if wide else (1.4, 2.1)  # inches
    shown = min(len(names), int(WIDTH / cell[0]) - 1)
    if wide:
        both = _spectra(np.concatenate([queries, support]))
        queries, support = both[: len(queries)], both[len(queries) :]
    figure, axes = plt.subplots(
        len(queries), shown + 1, figsize=(cell[0] * (shown + 1), cell[1] * len(queries)),
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for row, query, d, p in zip(axes, queries, distance, probability, strict=True):
        _item(row[0], query, wide)
        none = d.min() >= threshold
        row[0].set_title("who is it?\nperhaps none of these" if none else "who is it?", fontsize=9)
        order = np.argsort(d, kind="stable")[:shown]
        for axis, number in zip(row[1:], order, strict=True):
            _item(axis, support[number], wide)
            text = f"{label(names[number], int(12 * cell[0]))}\n{d[number]:.2f} ({p[number]:.0%})"
            axis.set_title(text, fontsize=9, color=NEUTRAL)
            if number == order[0] and not none:
                axis.title.set(color="0", weight="bold")
    return figure


def _is_wide(items) -> bool:
    """True for features, which have many more frames than coefficients."""
    return items.shape[2] > 2 * items.shape[1]


def _spectra(features):
    """Features to draw: every coefficient with mean 0 and deviation 1, padding not a number.

    What is padding in all of them is cut off.
    """
    sound = (features != 0).any(axis=1, keepdims=True)  # [item, 1, frame]
    heard = sound.any(axis=(0, 1))  # [frame]
    features = np.where(sound, features, np.nan)[..., heard]
    mean = np.nanmean(features, axis=(0, 2), keepdims=True)
    return (features - mean) / np.nanstd(features, axis=(0, 2), keepdims=True)


def _item(axis, item, wide: bool) -> None:
    axis.set_axis_off()
    if wide:
        axis.imshow(item, **SPECTRUM)
    else:
        axis.imshow(item, cmap="gray", vmin=0, vmax=255)


def _pair(axis, first, second, wide: bool) -> None:
    """Two pictures side by side, or two spectra one above the other."""
    if wide:
        gap = np.full((2, first.shape[1]), np.nan)
        axis.imshow(np.concatenate([first, gap, second]), **SPECTRUM)
    else:
        axis.imshow(np.concatenate([first, second], axis=1), cmap="gray")

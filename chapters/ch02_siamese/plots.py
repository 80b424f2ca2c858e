"""Pictures of chapter 2: distances of pairs, ROC curves, and pairs to look at."""

import numpy as np
from sklearn.metrics import roc_curve

from chapters.ch02_siamese.measures import auc
from chapters.engine.figures import plt

GENUINE, IMPOSITE = "tab:blue", "tab:orange"
SPECTRUM = {"aspect": "auto", "cmap": "magma", "vmin": -2.5, "vmax": 2.5}


def loss_curve(history, margin: float, held_out: str):
    """Loss on training pairs and on held-out ones, and what a constant distance would cost."""
    figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
    steps = [row["step"] for row in history]
    axis.plot(steps, [row["loss"] for row in history], marker=".", label="training pairs")
    axis.plot(steps, [row["val_loss"] for row in history], marker=".", label=held_out)
    # With as many pairs of each kind the best constant is margin / 2 and costs margin^2 / 4.
    axis.axhline(margin**2 / 4, color="0.5", linestyle=":", label="best constant distance")
    axis.set(xlabel="step", ylabel="contrastive loss")
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False)
    return figure


def histogram(genuine, distance, threshold: float, title: str):
    """Distances of genuine and imposite pairs, each kind as shares of its own, and a threshold."""
    genuine = np.asarray(genuine, bool)
    figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
    bins = np.linspace(0, max(distance.max(), threshold) * 1.02, 41)
    for kind, label, colour in (
        (genuine, "genuine", GENUINE),
        (~genuine, "imposite", IMPOSITE),
    ):
        share = np.full(kind.sum(), 100 / kind.sum())
        name = f"{label}, {kind.sum():,} pairs"
        axis.hist(distance[kind], bins, weights=share, color=colour, alpha=0.6, label=name)
    axis.axvline(threshold, color="0.2", linestyle="--", label=f"threshold {threshold:.2f}")
    axis.set(xlabel="distance", ylabel="% of the pairs of a kind")
    axis.set_title(title, fontsize=10)
    axis.legend(frameon=False)
    return figure


def roc(curves: dict[str, tuple], title: str, kinds=("imposite pairs", "genuine pairs")):
    """ROC curves, name -> (genuine, distance), with the area under each; ``kinds`` are the axes."""
    figure, axis = plt.subplots(figsize=(4.8, 4.6), layout="constrained")
    for number, (name, (genuine, distance)) in enumerate(curves.items()):
        false_accept, true_accept, _ = roc_curve(genuine, -distance)
        label = f"{name}, AUC {auc(genuine, distance):.3f}"
        axis.plot(false_accept, true_accept, label=label, linewidth=2.2 if number == 0 else 1.2)
    axis.plot([0, 1], [1, 0], color="0.7", linestyle=":", label="equal errors")
    axis.set(xlabel=f"share of {kinds[0]} accepted", ylabel=f"share of {kinds[1]} accepted")
    axis.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
    axis.set_title(title, fontsize=10)
    axis.legend(loc="lower right", fontsize=8, framealpha=0.9, edgecolor="none")
    return figure


def pair_sheet(items, pairs, distance, threshold: float, title: str, names=None, columns: int = 8):
    """Rows of pairs with their distances: the nearest, middle and furthest of each kind.

    Args:
        items: pictures [item, height, width] or features [item, coefficient, frame].
        pairs: Pairs, positions in ``items``.
        distance: [pair].
        threshold: pairs below it are accepted; wrong decisions are red.
        title: of the sheet.
        names: one per item, written below; may be None.
        columns: pairs per row.
    """
    # A drawn list may hold a pair several times; it is shown once.
    items_of_pair = np.sort(np.stack([pairs.first, pairs.second], axis=1), axis=1)
    once = np.isin(np.arange(len(distance)), np.unique(items_of_pair, axis=0, return_index=True)[1])
    rows = []
    for kind, label in ((True, "genuine"), (False, "imposite")):
        order = np.flatnonzero((pairs.genuine == kind) & once)
        order = order[np.argsort(distance[order], kind="stable")]
        columns_here = min(columns, len(order))
        spread = np.linspace(0, len(order) - 1, columns_here).round().astype(int)
        hardest = order[::-1][:columns_here] if kind else order[:columns_here]
        rows += [(f"{label}\nnear to far", order[spread]), (f"{label}\nhardest", hardest)]
    wide = _is_wide(items)
    items = _spectra(items) if wide else items
    width, height = (1.9, 1.75) if wide else (1.3, 1.15)  # inches of a pair
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(width * columns + 0.6, height * len(rows) + 0.5),
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for (label, chosen), row in zip(rows, axes, strict=True):
        for axis in row:
            axis.set_axis_off()
        row[0].text(-0.12, 0.5, label, transform=row[0].transAxes, rotation=90, fontsize=9,
                    ha="right", va="center")  # fmt: skip
        for axis, number in zip(row, chosen, strict=False):
            first, second = pairs.first[number], pairs.second[number]
            _pair(axis, items[first], items[second], wide)
            right = (distance[number] < threshold) == pairs.genuine[number]
            axis.set_title(f"{distance[number]:.2f}", fontsize=9, pad=3,
                           color="black" if right else "tab:red")  # fmt: skip
            if names is not None:
                text = f"{names[first]}\n{names[second]}"
                axis.text(0.5, -0.04, text, transform=axis.transAxes, fontsize=6, ha="center",
                          va="top")  # fmt: skip
    figure.suptitle(f"{title}; red: decided wrongly at threshold {threshold:.2f}", fontsize=10)
    return figure


def identification(queries, support, names, distance, probability, threshold):
    """Every query in a row beside the items it was compared with, nearest first.

    The nearest is green, or orange when it is beyond the threshold: perhaps it is none of them.

    Args:
        queries, support: pictures [item, height, width] or features [item, coefficient, frame].
        names: of the support items.
        distance, probability: [query, support].
        threshold: distance from which a pair counts as imposite.
    """
    shown = min(len(names), 7)
    wide = _is_wide(queries)
    if wide:
        both = _spectra(np.concatenate([queries, support]))
        queries, support = both[: len(queries)], both[len(queries) :]
    cell = (2.4, 1.5) if wide else (1.5, 2.2)  # inches
    figure, axes = plt.subplots(
        len(queries), shown + 1, figsize=(cell[0] * (shown + 1), cell[1] * len(queries)),
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for row, query, d, p in zip(axes, queries, distance, probability, strict=True):
        _item(row[0], query, wide)
        row[0].set_title("who is it?", fontsize=9)
        order = np.argsort(d, kind="stable")[:shown]
        for axis, number in zip(row[1:], order, strict=True):
            _item(axis, support[number], wide)
            nearest = "tab:green" if d[number] < threshold else "tab:orange"
            colour = nearest if number == order[0] else "0.4"
            text = f"{names[number]}\n{d[number]:.2f} ({p[number]:.0%})"
            axis.set_title(text, fontsize=9, color=colour)
    return figure


def _is_wide(items) -> bool:
    """True for features, which have many more frames than coefficients."""
    return items.shape[2] > 2 * items.shape[1]


def _spectra(features):
    """Features to draw: every coefficient with mean 0 and deviation 1, padding not a number."""
    sound = (features != 0).any(axis=1, keepdims=True)  # [item, 1, frame]
    features = np.where(sound, features, np.nan)
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

"""Picture of chapter 7: the rates that Meta-SGD has learned."""

import numpy as np

from chapters.engine.figures import SMALL, plt, style

BINS = 60
SHOWN = (0.1, 99.9)  # percentiles; what lies outside is counted at the ends


def rates(learned: dict[str, np.ndarray]):
    """Histograms of the rates: of all weights, and of each layer's kernel and other weights.

    Args:
        learned: rates by the path of their weight, as ``MetaSGD.learned_rates`` gives them.
    """
    every = np.concatenate([rate.ravel() for rate in learned.values()])
    panels = {"all weights": every}
    if len(learned) > 1:
        names = [name.split("/")[-2:] for name in learned]  # [layer, kernel or bias]
        layers = list(dict.fromkeys(layer for layer, _ in names))
        panels |= {
            f"layer {layers.index(layer) + 1}\n{weight}": rate.ravel()
            for (layer, weight), rate in zip(names, learned.values(), strict=True)
        }
    low, high = np.percentile(every, SHOWN)
    bins = np.linspace(min(low, 0), max(high, 0), BINS)
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(7.5, 0.7 * len(panels) + 1.2), sharex=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axis, (name, values) in zip(axes[:, 0], panels.items(), strict=True):
        colour = style("Meta-SGD")["color"] if values is every else "0.6"
        axis.hist(np.clip(values, bins[0], bins[-1]), bins, color=colour)
        axis.axvline(0, color="0.1", linewidth=1)
        axis.set(yticks=[])
        axis.spines["left"].set_visible(False)
        axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=SMALL)
        mean = values.mean().round(3) + 0.0  # no minus before a zero
        note = f"mean {mean:.3f}\n{np.mean(values < 0):.0%} below 0"
        axis.text(1.02, 0.5, note, transform=axis.transAxes, va="center", fontsize=SMALL)
    axes[-1, 0].set_xlabel("learned rate; each row counts its own weights")
    figure.suptitle(f"Rates of {every.size:,} weights")
    return figure

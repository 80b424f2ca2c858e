"""Does it help to know whom to trust? Gaussian and plain networks of equal size, in pairs.

python -m chapters.ch03_prototypical.compare_gaussian                    # generated characters
python -m chapters.ch03_prototypical.compare_gaussian --preset damaged   # Omniglot, three seeds
python -m chapters.ch03_prototypical.compare_gaussian --preset damaged --resume --run FOLDER

Both networks of a pair have the same first weights, training tasks and test tasks. Each has a run
folder of ``train_gaussian`` of its own; with ``--resume`` those that are finished are kept.
"""

import dataclasses

import numpy as np

from chapters.ch03_prototypical import gaussian_plots, robustness, train_gaussian
from chapters.ch03_prototypical.presets import SCRIPTS, GaussianConfig
from chapters.ch03_prototypical.robustness import CONDITIONS, HIT, SHARES
from chapters.ch03_prototypical.train_gaussian import NAMES
from chapters.engine import configuration, results, script
from chapters.engine.evaluation import interval95, interval95_over
from chapters.engine.runs import RunFolder
from chapters.experiments import images

DIFFERENCE = "Gaussian minus plain"


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["compare_gaussian"], argv)
    device = script.prepare(config.seed)
    dataset, config = images.load(config)
    tested = robustness.samplers(dataset, config)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.")

    found = {plain: [] for plain in NAMES}
    for number in range(config.seeds):
        for plain, networks in found.items():
            networks.append(trained(config, config.seed + number, plain, run))
    pairs = paired(found)
    print(table(pairs))
    rows = [row for name in pairs for row in rows_of(name, pairs[name], tested, dataset, config)]
    seconds = sum(seconds for networks in found.values() for _, seconds in networks)
    metrics = {"method": DIFFERENCE, "results": rows, "train_seconds": round(seconds, 1)}
    run.json("metrics.json", metrics)
    run.figure("compared", gaussian_plots.compared(pairs, DIFFERENCE))
    print(f"Metrics and picture are in {run.path}, and below it the networks.")


def trained(config, seed: int, plain: bool, run: RunFolder):
    """Tests of one network and the seconds of its training; it is trained where it is not yet."""
    folder = run.path / f"seed-{seed}-{'plain' if plain else 'gaussian'}"
    if not (folder / "metrics.json").exists():
        print(f"\n{NAMES[plain]}, seed {seed}:", flush=True)
        names = {field.name for field in dataclasses.fields(GaussianConfig)}
        options = {name: getattr(config, name) for name in names}
        resume = (folder / "config.json").exists()
        own = {"seed": seed, "plain": plain, "run": str(folder), "resume": resume}
        train_gaussian.train(GaussianConfig(**{**options, **own}))
    seconds = results.read(folder / "metrics.json")["train_seconds"]
    return robustness.read(folder), seconds


def paired(found: dict) -> dict[str, dict]:
    """Name -> column -> condition -> accuracy [seed, episode]; the last name is the difference.

    Episodes of one seed are the same for both networks, so their difference is taken in pairs.
    """

    def stacked(networks, column):
        """condition -> [seed, episode]."""
        return {c: np.stack([values[column][c] for values, _ in networks]) for c in CONDITIONS}

    columns = list(found[True][0][0])
    plain, ours = (
        {column: stacked(found[one], column) for column in columns} for one in (True, False)
    )
    differences = {
        column: {c: ours[column][c] - plain[column][c] for c in CONDITIONS} for column in columns
    }
    return {NAMES[True]: plain, NAMES[False]: ours, DIFFERENCE: differences}


def table(pairs: dict) -> str:
    """Accuracies and differences in % by the share of damaged images, as text."""
    seeds = len(next(iter(next(iter(pairs[DIFFERENCE].values())).values())))
    over = f"{seeds} seeds (Student's t)" if seeds > 1 else "episodes"
    lines = [f"\nAccuracy in % by share of damaged images, 95 % interval over {over}:"]
    short = dict(zip(pairs, ("plain", "Gaussian", DIFFERENCE), strict=True))
    for column in pairs[DIFFERENCE]:
        for what in HIT:
            title = f"{column.way}-way {column.shot}-shot, {HIT[what]}"
            lines += ["", robustness.line(title, [f"{rate:.0%}" for rate in SHARES])]
            for name, by_column in pairs.items():
                values = [by_column[column][what, rate] for rate in SHARES]
                signed = "+" if name == DIFFERENCE else ""
                cells = [
                    f"{100 * v.mean():{signed}.2f} +- {100 * interval95_over(v):.2f}"
                    for v in values
                ]
                lines.append(robustness.line(f"  {short[name]}", cells))
            lines += _by_seed(pairs[DIFFERENCE][column], what) if seeds > 1 else []
    return "\n".join(lines) + "\n"


def _by_seed(differences: dict, what: str) -> list[str]:
    """The difference of every pair, with its interval over episodes."""
    rows = zip(*(differences[what, rate] for rate in SHARES), strict=True)
    return [
        robustness.line(
            f"    pair {number}",
            [f"{100 * v.mean():+.2f} +- {100 * interval95(v):.2f}" for v in values],
        )
        for number, values in enumerate(rows, 1)
    ]


def rows_of(name: str, by_column: dict, tested: dict, data, config) -> list[dict]:
    """Rows of ``metrics.json``: means over seeds, and the mean of each of them."""
    rows = []
    for column, by_condition in by_column.items():
        for (what, rate), values in by_condition.items():
            hit = f", {rate:.0%} of {HIT[what]}" if rate else ""
            if rate == 0 and what != next(iter(HIT)):
                continue  # nothing is damaged: the same tasks once more
            result = robustness.result(f"{name}{hit}", column, tested[column], data, config)
            means = values.mean(axis=1, dtype=np.float64)  # [seed]
            figures = {"mean": float(means.mean()), "interval": interval95_over(values)}
            runs = config.seeds if config.seeds > 1 else None
            row = result._replace(**figures, runs=runs).row()
            rows.append({**row, "values": means.tolist()})
    return rows


if __name__ == "__main__":
    script.run(main)

"""Train and test on several splits of an own folder's classes: mean and interval over splits.

A folder of ten classes leaves two to test on, and which two decides the figure more than anything
else. This trains one network for each split, with seeds of their own, and pools the tests. The
first network stands for the run: its weights are kept, so that the folder can be published.

python -m chapters.over_splits chapters.ch03_prototypical.train --data FOLDER
python -m chapters.over_splits chapters.ch06_maml.train_omniglot --data FOLDER --splits 10
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

from chapters.__main__ import scripts
from chapters.engine import configuration, files, script
from chapters.engine.configuration import Parser, suggest, whole, within
from chapters.engine.errors import ConfigError

KEPT = ("config.json", "run.json", "model.weights.h5")  # of the first network
SAME = ("method", "measure", "way", "shot", "batch_norm")  # what rows of splits are pooled by


def main(argv: list[str] | None = None) -> None:
    """Train, test, pool, print."""
    options, rest = _parse(argv)
    config = configuration.parse(_script(options.script), rest)
    folder = _folder(config, options.script)
    module = importlib.import_module(options.script)
    found = []
    for number in range(options.splits):
        run, seed = folder / f"split-{number + 1}", config.seed + number
        if not (run / "metrics.json").exists():
            print(f"Split {number + 1} of {options.splits}, seed {seed}.", flush=True)
            resume = ["--resume"] if run.exists() else []
            module.main([*rest, "--seed", str(seed), "--run", str(run), *resume])
        found.append(json.loads((run / "metrics.json").read_text(encoding="utf-8")))
    for name in KEPT:
        files.copy(folder / "split-1" / name, folder / name)
    metrics = pool(found)
    files.write_json(folder / "metrics.json", metrics)
    print(table(metrics["results"], options.splits))
    print(f"Weights of split 1 and metrics are in {folder}.")


def pool(found: list[dict]) -> dict:
    """One ``metrics.json`` of several: every figure is the mean over splits.

    Args:
        found: what each split's run measured.

    Returns:
        That of the first, with pooled results and the seconds of all.
    """
    from chapters.engine.evaluation import interval95_of_runs

    values: dict[tuple, list[float]] = {}
    for metrics in found:
        for row in metrics["results"]:
            values.setdefault(_key(row), []).append(row["mean"])
    rows = []
    for row in found[0]["results"]:
        means = values[_key(row)]
        changes = {"mean": sum(means) / len(means), "interval": interval95_of_runs(means)}
        protocol = f"{row['protocol']}, {len(means)} splits of the classes"
        rows.append({**row, **changes, "runs": len(means), "protocol": protocol, "values": means})
    seconds = sum(metrics["train_seconds"] for metrics in found)
    return {**found[0], "results": rows, "train_seconds": round(seconds, 1)}


def table(rows: list[dict], splits: int) -> str:
    """The pooled results as text."""
    width = max(len(row["method"]) for row in rows) + 2
    lines = [f"\nMean and 95 % interval over {splits} splits of the classes (Student's t):\n"]
    for row in rows:
        scale, digits = (100 if row["unit"] == "%" else 1), row["digits"]
        figure = f"{scale * row['mean']:.{digits}f} +- {scale * row['interval']:.{digits}f}"
        regime = f", {row['batch_norm']}" if row["batch_norm"] else ""
        lines.append(f"{row['method'].ljust(width)}{row['label']}{regime}: {figure} {row['unit']}")
    return "\n".join(lines) + "\n"


def _key(row: dict) -> tuple:
    return tuple(row.get(name) for name in SAME)


def _parse(argv) -> tuple[argparse.Namespace, list[str]]:
    summary, *_, usage = (__doc__ or "").split("\n\n")
    parser = Parser(description=summary, epilog=usage, allow_abbrev=False)
    parser.add_argument("script", help="training script, such as chapters.ch03_prototypical.train")
    parser.add_argument(
        "--splits",
        type=within(whole, 2, 100),
        default=5,
        help="splits of the classes (default: 5); all other options are the script's",
    )
    return parser.parse_known_args(argv)


def _script(name: str) -> configuration.Script:
    """The declaration of a script that takes folders."""
    known = {module: one for module, one in scripts() if hasattr(one.config, "invert")}
    if name not in known:
        raise ConfigError(
            f"{name!r} is no script that trains on folders of pictures{suggest(name, known)}; "
            f"these are {', '.join(known)}."
        )
    return known[name]


def _folder(config, name: str) -> Path:
    """Where the runs go; the data are a folder of the user's own."""
    if not Path(config.data).is_dir():
        raise ConfigError(
            f"--data is {config.data!r}; only the classes of a folder of your own are split anew, "
            "those of published sets are split once for all."
        )
    base = config.run or f"runs/{name.removeprefix('chapters.')}/splits"
    return Path(base)


if __name__ == "__main__":
    script.run(main, sys.argv[1:])

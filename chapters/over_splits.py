"""Train and test on several splits of an own folder's classes: mean and interval over splits.

A folder of ten classes leaves two to test on, and which two decides the figure more than anything
else. This trains one network for each block of classes, tests it on that block, and pools the
tests; no class is tested on twice. The first network stands for the run: its weights are kept, so
that the folder can be published.

python -m chapters.over_splits chapters.ch03_prototypical.train --data FOLDER
python -m chapters.over_splits chapters.ch06_maml.train_omniglot --data FOLDER --splits 3
python -m chapters.over_splits chapters.ch03_prototypical.train_spoken --data FOLDER   # of sounds

All options but --splits are those of the script; see its own --help.
"""

import argparse
import dataclasses
import importlib
import json
import sys
from pathlib import Path

from chapters.__main__ import scripts
from chapters.engine import configuration, files, results, script
from chapters.engine.configuration import FREE_ON_RESUME, Parser, flag_of, suggest, whole, within
from chapters.engine.errors import ConfigError, RunError
from chapters.experiments.folders import blocks

KEPT = ("config.json", "run.json", "model.weights.h5")  # of the first network
SAME = ("method", "measure", "way", "shot", "batch_norm")  # what rows of splits are pooled by
NOTE = "over_splits.json"  # the options that all splits of a folder share


def main(argv: list[str] | None = None) -> None:
    """Train, test, pool, print."""
    options, rest = _parse(argv)
    config = configuration.parse(_script(options.script), rest)
    _check(config)
    folder = _folder(config, options.script)
    splits = _count(options.splits, config.data)
    _check_same(folder, config, options.script)
    module = importlib.import_module(options.script)
    found = []
    for number in range(splits):
        run = folder / f"split-{number + 1}"
        if not (run / "metrics.json").exists():
            print(f"Split {number + 1} of {splits}.", flush=True)
            resume = ["--resume"] if (run / "config.json").exists() else []
            module.main([*rest, "--fold", str(number), "--run", str(run), *resume])
        found.append(results.read(run / "metrics.json"))
    for name in KEPT:
        files.copy(folder / "split-1" / name, folder / name)
    metrics = pool(found)
    files.write_json(folder / "metrics.json", metrics)
    print(table(metrics["results"], splits))
    print(f"Weights of split 1 and metrics are in {folder}.")


def pool(found: list[dict]) -> dict:
    """One ``metrics.json`` of several: every figure is the mean over splits.

    Args:
        found: what each split's run measured.

    Returns:
        That of the first, with pooled results, the seconds of all, and their number as ``splits``.
    """
    values: dict[tuple, list[float]] = {}
    for metrics in found:
        for row in metrics["results"]:
            values.setdefault(_key(row), []).append(row["mean"])
    rows = []
    for row in found[0]["results"]:
        means = values[_key(row)]
        changes = {"mean": sum(means) / len(means), "interval": results.interval95_of_runs(means)}
        protocol = f"{row['protocol']}, {len(means)} splits of the classes"
        rows.append({**row, **changes, "runs": len(means), "protocol": protocol, "values": means})
    seconds = round(sum(metrics["train_seconds"] for metrics in found), 1)
    return {**found[0], "results": rows, "splits": len(found), "train_seconds": seconds}


def table(rows: list[dict], splits: int) -> str:
    """The pooled results as text."""
    width = max(len(row["method"]) for row in rows) + 2
    lines = [f"\nMean and 95 % interval over {splits} splits of the classes (Student's t):\n"]
    for row in rows:
        figures = " +- ".join(results.figure(row, key) for key in ("mean", "interval"))
        lines.append(f"{row['method'].ljust(width)}{results.heading(row)}: {figures}")
    return "\n".join(lines) + "\n"


def _key(row: dict) -> tuple:
    return tuple(row.get(name) for name in SAME)


def _parse(argv) -> tuple[argparse.Namespace, list[str]]:
    parser = Parser(
        prog="python -m chapters.over_splits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("script", help="training script, such as chapters.ch03_prototypical.train")
    words = "splits of the classes (default: 5, or as many as there are)"
    parser.add_argument("--splits", type=within(whole, 2, 100), help=words)
    return parser.parse_known_args(argv)


def _script(name: str) -> configuration.Script:
    """The declaration of a script that takes folders."""
    known = {module: one for module, one in scripts() if hasattr(one.config, "fold")}
    if name not in known:
        raise ConfigError(
            f"{name!r} is no script that trains on folders{suggest(name, known)}; "
            f"these are {', '.join(known)}."
        )
    return known[name]


def _count(asked: int | None, data: str) -> int:
    """Number of splits; ConfigError when the folder has not as many blocks of classes."""
    most = blocks(data)
    if (asked or 2) > most:
        raise ConfigError(
            f"--splits is {asked or 5}, but the classes of {data} make {most} block(s) to test on "
            "that share no class; ask for fewer splits."
        )
    return asked or min(5, most)


def _check(config) -> None:
    """Refuse data that are split once for all, and what belongs to a single run."""
    if not Path(config.data).is_dir():
        raise ConfigError(
            f"--data is {config.data!r}; only the classes of a folder of your own are split anew, "
            "those of published sets are split once for all."
        )
    single = {"--export": config.export, "--fold": config.fold, "--resume": config.resume}
    for flag in (flag for flag, given in single.items() if given):
        raise ConfigError(
            f"{flag} is for a single run; leave it out. Finished splits are kept, and python -m "
            "zoo export writes a published network."
        )


def _folder(config, name: str) -> Path:
    """Where the runs go."""
    data = Path(config.data).resolve().name
    base = f"runs/{name.removeprefix('chapters.')}/{config.preset}-{data}-splits"
    return Path(config.run or base)


def _check_same(folder: Path, config, name: str) -> None:
    """Refuse a folder of other runs, and splits that were trained with other options."""
    now = {"script": name, **dataclasses.asdict(config), "data": str(Path(config.data).resolve())}
    now = {option: value for option, value in now.items() if option not in FREE_ON_RESUME}
    note = folder / NOTE
    if not note.exists():
        if folder.exists() and any(folder.iterdir()):
            raise RunError(
                f"{folder} is not empty and holds no splits; choose another --run folder."
            )
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(note, now)
        return
    before = json.loads(note.read_text(encoding="utf-8"))
    changed = [
        f"{flag_of(option)} was {before.get(option)!r}, now {value!r}"
        for option, value in now.items()
        if before.get(option) != value
    ]
    if changed:
        raise RunError(
            f"{folder} holds splits with other options: {'; '.join(changed)}. Choose another --run "
            "folder."
        )


if __name__ == "__main__":
    script.run(main, sys.argv[1:])

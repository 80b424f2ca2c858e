"""``results.csv``: one row per published figure, taken from the ``metrics.json`` of a run.

Nothing is typed by hand: a row says under which conditions a command measured what.
"""

import csv
import dataclasses
import importlib
import io
import re
from pathlib import Path

import datasets
from chapters.engine import files, results
from chapters.engine.configuration import FREE_ON_RESUME
from zoo.errors import ZooError
from zoo.records import safety, store

FILE = Path(__file__).parent.with_name("results.csv")
COLUMNS = (
    "name", "method", "data", "generated", "split", "measure", "way", "shot", "query",
    "mean", "interval", "episodes", "runs", "seed", "batch_norm", "published", "seconds", "command",
    "label", "unit", "digits", "better", "protocol",
)  # fmt: skip


def read(file: Path | None = None) -> list[dict[str, str]]:
    """All rows, every value as text; an empty text where a column does not apply."""
    file = file or FILE
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def record(run: Path, name: str, file: Path | None = None) -> list[dict[str, str]]:
    """Replace the rows of ``name`` by those of a finished run; those of other names stay.

    Raises:
        RunError: the folder holds no finished run.
    """
    file = file or FILE
    rows = rows_of(run, name)
    with store.lock():
        others = [row for row in read(file) if row["name"] != name]
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(others + rows, key=lambda row: row["name"]))
        files.write_text(file, text.getvalue())
    return rows


def rows_of(run: Path, name: str) -> list[dict[str, str]]:
    """The rows that a finished run adds; RunError when the folder holds none."""
    metrics = results.read(run / "metrics.json")
    config = safety.read_json(run / store.CONFIG)
    shared = {
        "name": name,
        "seconds": f"{metrics['train_seconds']:.0f}",
        "command": command(config, metrics.get("splits", 0)),
    }
    return [as_text({**result, **shared}) for result in metrics["results"]]


def as_text(row: dict) -> dict[str, str]:
    """A measured row as ``results.csv`` has it: every column, as text."""
    return {column: _text(row.get(column)) for column in COLUMNS}


def portable(config: dict) -> dict:
    """Options of a run without what is of the machine: a folder of data keeps its name alone.

    It ends in a slash, ``leaves/``, so that it is never taken for a known set.
    """
    options = {option: value for option, value in config.items() if option not in FREE_ON_RESUME}
    if "data" in options and options["data"] not in datasets.LOADERS:
        options["data"] = f"{Path(options['data']).name}/"
    return options


def command(config: dict, splits: int = 0) -> str:
    """The command that a run stands for: preset and what differs from it.

    Args:
        config: of its ``config.json``.
        splits: of the classes, when the run is one over several; see ``chapters.over_splits``.

    Raises:
        ZooError: these are no options of a script.
    """
    config = portable(config)
    package, _, script_name = str(config.get("script", "")).rpartition(".")
    known = f"{package}.presets" if re.fullmatch(r"chapters\.ch\w+", package) else "chapters"
    script = getattr(importlib.import_module(known), "SCRIPTS", {}).get(script_name)
    if script is None or config.get("preset") not in script.presets:
        raise ZooError(f"{script_name or 'nothing'!r} is no script with presets; train again.")
    defaults = {field.name: field.default for field in dataclasses.fields(script.config)}
    preset = defaults | script.presets[config["preset"]]
    words = ["python -m", config["script"], "--preset", config["preset"]]
    if splits:
        words[1:1] = ["chapters.over_splits"]
    for option, value in config.items():
        if option in ("script", "preset") or preset.get(option) == value:
            continue
        flag = option.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words.append(f"--{flag} {value}")
    return " ".join([*words, *([f"--splits {splits}"] if splits else [])])


def _text(value) -> str:
    """Numbers with enough digits to recompute a table, nothing for what does not apply."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)

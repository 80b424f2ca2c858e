"""``results.csv``: one row per published figure, taken from the ``metrics.json`` of a run.

Nothing is typed by hand: a row says under which conditions a command measured what.
"""

import csv
import dataclasses
import importlib
import io
import json
from pathlib import Path

import datasets
from chapters.engine import files
from chapters.engine.configuration import FREE_ON_RESUME
from zoo.errors import ZooError
from zoo.records import safety, store

FILE = Path(__file__).parent.with_name("results.csv")
COLUMNS = (
    "name", "method", "data", "generated", "split", "measure", "way", "shot", "query",
    "mean", "interval", "episodes", "runs", "seed", "batch_norm", "published", "minutes", "command",
    "label", "unit", "digits", "better", "protocol",
)  # fmt: skip
# What every row must hold.
FIELDS = {
    **dict.fromkeys(
        ("method", "data", "split", "measure", "label", "unit", "better", "protocol"), str
    ),
    "mean": (int, float),
    "digits": int,
    "headline": bool,
}


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
        ZooError: the folder holds no finished run.
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
    """The rows that a finished run adds; ZooError when the folder holds none."""
    found = {part: _json(run / part) for part in ("config.json", "metrics.json")}
    metrics = found["metrics.json"]
    check_rows(run / "metrics.json", metrics)
    shared = {
        "name": name,
        "minutes": f"{metrics['train_seconds'] / 60:.0f}",
        "command": command(found["config.json"]),
    }
    return [as_text({**result, **shared}) for result in metrics["results"]]


def check_rows(path: Path, found: dict) -> None:
    """Refuse results that lack something, as those of an older version.

    Raises:
        ZooError: a row or a field is missing, or there is none of the method that was trained.
    """
    rows = found.get("results")
    for number, row in enumerate(rows if isinstance(rows, list) else [None]):
        safety.check_fields(path, f"results, row {number}: ", row, FIELDS)
    # An attack compares methods and trains none.
    method = found.get("method", rows[0]["method"] if rows else "")
    if not any(row["method"] == method for row in rows):
        raise ZooError(f"{path} has no result of {method!r}; train and publish the model again.")


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


def command(config: dict) -> str:
    """The command that a run's ``config.json`` stands for: preset and what differs from it."""
    config = portable(config)
    package, _, script_name = config["script"].rpartition(".")
    script = importlib.import_module(f"{package}.presets").SCRIPTS[script_name]
    defaults = {field.name: field.default for field in dataclasses.fields(script.config)}
    preset = defaults | script.presets[config["preset"]]
    words = ["python -m", config["script"], "--preset", config["preset"]]
    for option, value in config.items():
        if option in ("script", "preset") or preset.get(option) == value:
            continue
        flag = option.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words.append(f"--{flag} {value}")
    return " ".join(words)


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ZooError(
            f"{path} is missing: {path.parent} is not the folder of a finished run."
        ) from None
    except ValueError as error:
        raise ZooError(f"{path} is not valid JSON ({error}).") from None


def _text(value) -> str:
    """Numbers with enough digits to recompute a table, nothing for what does not apply."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)

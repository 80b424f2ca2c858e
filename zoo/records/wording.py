"""Figures in words: heading, value with interval, and the protocol they were measured with.

A row is one of ``results.csv``: every column as text, empty where it does not apply.
"""

import re

from chapters.engine.results import figure, heading

STATISTICS = {
    "stored": "batch norm with stored averages",
    "support": "honest: batch norm with the support set's statistics",
    "transductive": "transductive: with the queries' own",
}


NONE_OF_THESE = "none of these"  # of a query that is too far from every class


def column(row: dict[str, str]) -> str:
    """Heading of a figure: ``5-way 1-shot, honest (%)``."""
    return heading(row)


def cell(row: dict[str, str]) -> str:
    """A figure with its interval, where there is one."""
    return " ± ".join(figure(row, key) for key in ("mean", "interval") if row[key])


def duration(seconds: float) -> str:
    """A time as people say it: ``45 s``, ``52 min``, ``4.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 10_000 else f"{seconds / 3600:.1f} h"


def calibration(found: dict) -> str:
    """What a card says of a model's probabilities."""
    return (
        f"Calibration: temperature {found['temperature']:g}; probabilities are off by "
        f"{found['error']:.1%} on average, by {found['error_before']:.1%} without it."
    )


def published(row: dict[str, str]) -> str:
    """A published figure, with as many digits as papers have: one fewer than ours."""
    return f"{float(row['published']):.{int(row['digits']) - 1}f}"


def protocol(rows: list[dict[str, str]]) -> str:
    """How the figures of a name were measured, on each set that it was measured on."""
    sets = dict.fromkeys(row["data"] for row in rows)
    return "; ".join(_protocol([row for row in rows if row["data"] == data]) for data in sets)


def _protocol(rows: list[dict[str, str]]) -> str:
    """The same of one set; batch norm as in any of its rows."""
    # Baselines come first and may have fewer episodes; a test of all pictures has none.
    row = next((row for row in reversed(rows) if row.get("episodes")), rows[-1])
    regimes = dict.fromkeys(other["batch_norm"] for other in rows if other["batch_norm"])
    parts = [_with_all_queries(row, rows), *(STATISTICS[regime] for regime in regimes)]
    return f"{', '.join(parts)}; test seed {row['seed']}"


def _with_all_queries(row: dict[str, str], rows: list[dict[str, str]]) -> str:
    """The protocol of a row, with the queries of all tests: ``4 or 1 queries per class``."""
    of_method = [other for other in rows if other["method"] == row["method"] and other["query"]]
    counts = dict.fromkeys(str(other["query"]) for other in of_method)
    if len(counts) < 2:
        return row["protocol"]
    return re.sub(r"\d+ quer(y|ies) per", f"{' or '.join(counts)} queries per", row["protocol"])

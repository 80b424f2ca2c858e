"""Figures in words: heading, value with interval, and the protocol they were measured with.

A row is one of ``results.csv``: every column as text, empty where it does not apply.
"""

from chapters.engine.results import figure, heading

STATISTICS = {
    "stored": "batch norm with stored averages",
    "support": "honest: batch norm with the support set's statistics",
    "transductive": "transductive: with the queries' own",
}


def column(row: dict[str, str]) -> str:
    """Heading of a figure: ``5-way 1-shot, honest (%)``."""
    return heading(row)


def cell(row: dict[str, str]) -> str:
    """A figure with its interval, where there is one."""
    return " ± ".join(figure(row, key) for key in ("mean", "interval") if row[key])


def published(row: dict[str, str]) -> str:
    """A published figure, with as many digits as papers have: one fewer than ours."""
    return f"{float(row['published']):.{int(row['digits']) - 1}f}"


def protocol(rows: list[dict[str, str]]) -> str:
    """How the figures of a name were measured; batch norm as in any of them."""
    row = rows[-1]  # baselines come first and may have fewer episodes
    regimes = dict.fromkeys(other["batch_norm"] for other in rows if other["batch_norm"])
    parts = [row["protocol"], *(STATISTICS[regime] for regime in regimes)]
    return f"{', '.join(parts)}; seed {row['seed']}"

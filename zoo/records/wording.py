"""Figures in words: heading, value with interval, and the protocol they were measured with.

A row is one of ``results.csv``: every column as text, empty where it does not apply.
"""

REGIME = {"support": ", honest", "transductive": ", transductive"}
STATISTICS = {
    "stored": "batch norm with stored averages",
    "support": "honest: batch norm with the support set's statistics",
    "transductive": "transductive: with the queries' own",
}


def column(row: dict[str, str]) -> str:
    """Heading of a figure: ``5-way 1-shot, honest (%)``."""
    name = row["label"] + REGIME.get(row["batch_norm"], "")
    return f"{name} ({row['unit']})" if row["unit"] else name


def cell(row: dict[str, str]) -> str:
    """A figure with its interval, where there is one."""
    scale = 100 if row["unit"] == "%" else 1
    digits = int(row["digits"])
    values = [f"{scale * float(row[key]):.{digits}f}" for key in ("mean", "interval") if row[key]]
    return " ± ".join(values)


def published(row: dict[str, str]) -> str:
    """A published figure, with as many digits as papers have: one fewer than ours."""
    return f"{float(row['published']):.{int(row['digits']) - 1}f}"


def protocol(rows: list[dict[str, str]]) -> str:
    """How the figures of a name were measured; batch norm as in any of them."""
    row = rows[-1]  # baselines come first and may have fewer episodes
    regimes = dict.fromkeys(other["batch_norm"] for other in rows if other["batch_norm"])
    parts = [row["protocol"], *(STATISTICS[regime] for regime in regimes)]
    return f"{', '.join(parts)}; seed {row['seed']}"

"""Figures in words: heading, value with interval, and the protocol they were measured with.

A row is one of ``results.csv``: every column as text, empty where it does not apply.
"""

import re

# Measures shown as they are; all others in %.
PLAIN = re.compile(r"(clip_)?auc|loss(_.*)?|(mse|mae|bits)_.*")
SMALLER_IS_BETTER = re.compile(r"loss|mse_|mae_|bits_|equal_error|eer")
REGIME = {"support": ", honest", "transductive": ", transductive"}
STATISTICS = {
    "stored": "batch norm with stored averages",
    "support": "honest: batch norm with the support set's statistics",
    "transductive": "transductive: with the queries' own",
}


def column(row: dict[str, str]) -> str:
    """Heading of a figure: ``5-way 1-shot, honest (%)``."""
    measure = row["measure"].replace("_", " ").replace("auc", "AUC").replace("mse", "MSE")
    measure = measure.replace("mae", "MAE").replace("after 1 steps", "after 1 step")
    measure = measure.replace("bits at", "wrong bits,")
    name = f"{row['way']}-way {row['shot']}-shot" if row["way"] else measure
    name += REGIME.get(row["batch_norm"], "")
    return name if PLAIN.fullmatch(row["measure"]) else f"{name} (%)"


def cell(row: dict[str, str]) -> str:
    """A figure with its interval, where there is one."""
    scale, digits = (1, 3) if PLAIN.fullmatch(row["measure"]) else (100, 2)
    values = [f"{scale * float(row[key]):.{digits}f}" for key in ("mean", "interval") if row[key]]
    return " ± ".join(values)


def published(row: dict[str, str]) -> str:
    """A published figure, with as many digits as papers have."""
    return f"{float(row['published']):.{2 if PLAIN.fullmatch(row['measure']) else 1}f}"


def protocol(rows: list[dict[str, str]]) -> str:
    """How the figures of a name were measured: data, split, number of tasks, batch norm, seed."""
    row = rows[-1]  # baselines come first and may have fewer episodes
    one, many = ("task", "tasks") if "_after_" in row["measure"] else ("class", "classes")
    bits = rows[0]["measure"].startswith("bits")
    parts = [row["data"] if bits else f"{row['data']}, {row['split']} {many}"]
    if row["generated"] == "True":
        parts.append("generated stand-in")
    if row["episodes"]:
        parts.append(f"{row['episodes']} {'sequences' if bits else 'episodes'}")
    if row["query"]:
        parts.append(f"{row['query']} queries per {one}")
    if row["runs"]:
        parts.append(f"{row['runs']} runs")
    regimes = dict.fromkeys(other["batch_norm"] for other in rows if other["batch_norm"])
    parts += [STATISTICS[regime] for regime in regimes]
    return f"{', '.join(parts)}; seed {row['seed']}"

"""Tables in the READMEs, generated from ``results.csv`` between markers.

A table stands between ``<!-- results NAME ... -->`` and ``<!-- end -->``; the names select rows.
A test fails when a README differs from what this module writes.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- results ([\w .-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
# Measures shown as they are; all others in %.
PLAIN = re.compile(r"(clip_)?auc|loss(_.*)?|(mse|mae)_.*")
REGIME = {"support": ", honest", "transductive": ", transductive"}
STATISTICS = {
    "stored": "batch norm with stored averages",
    "support": "honest: batch norm with the support set's statistics",
    "transductive": "transductive: with the queries' own",
}


def readmes() -> list[Path]:
    """Every README of the project that holds a generated table."""
    found = [
        path for depth in ("", "*/", "*/*/") for path in sorted(ROOT.glob(f"{depth}README.md"))
    ]
    return [path for path in found if BLOCK.search(path.read_text())]


def generate(text: str, rows: list[dict[str, str]]) -> str:
    """``text`` with every table between markers written anew."""

    def block(match: re.Match) -> str:
        names = match[2].split()
        chosen = [row for name in names for row in rows if row["name"] == name]
        return f"{match[1]}{table(chosen)}\n{match[3]}"

    return BLOCK.sub(block, text)


def table(rows: list[dict[str, str]]) -> str:
    """Markdown: one line per name, data and method; one column per measure."""
    if not rows:
        return "Not measured yet."
    columns = list(dict.fromkeys(_column(row) for row in rows))
    lines: dict[tuple, dict[str, str]] = {}
    several = len({row["name"] for row in rows}) > 1
    for row in rows:
        cells = lines.setdefault((row["name"], row["method"]), {})
        cells[_column(row)] = _cell(row)
        if row["published"]:
            paper = f"{row['method']}, published" if several else "published"
            published = lines.setdefault((row["name"], paper), {})
            published[_column(row)] = _figure(row)
    head = ["", *columns]
    body = [
        [method, *(cells.get(column, "-") for column in columns)]
        for (_, method), cells in lines.items()
    ]
    lines_once = dict.fromkeys(map(_line, body))  # several names may share a baseline
    table = [_line(head), _line(["---"] * len(head)), *lines_once]
    return "\n".join([*table, "", *_footer(rows)])


def _footer(rows: list[dict[str, str]]) -> list[str]:
    """One sentence per name: how the figures were measured, and the command that repeats them."""
    by_name: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_name.setdefault(row["name"], []).append(row)
    return [_conditions(group) for group in by_name.values()]


def _conditions(rows: list[dict[str, str]]) -> str:
    row = rows[-1]  # baselines come first and may have fewer episodes
    one, many = ("task", "tasks") if "_after_" in row["measure"] else ("class", "classes")
    parts = [f"{row['data']}, {row['split']} {many}"]
    if row["generated"] == "True":
        parts.append("generated stand-in")
    if row["episodes"]:
        parts.append(f"{row['episodes']} episodes")
    if row["query"]:
        parts.append(f"{row['query']} queries per {one}")
    if row["runs"]:
        parts.append(f"{row['runs']} runs")
    regimes = dict.fromkeys(other["batch_norm"] for other in rows if other["batch_norm"])
    parts += [STATISTICS[regime] for regime in regimes]
    conditions = f"Mean ± 95 % interval; {', '.join(parts)}; seed {row['seed']}."
    return f"{conditions} `{row['command']}` ({row['minutes']} min of training on two cores)."


def _column(row: dict[str, str]) -> str:
    measure = row["measure"].replace("_", " ").replace("auc", "AUC").replace("mse", "MSE")
    measure = measure.replace("mae", "MAE").replace("after 1 steps", "after 1 step")
    name = f"{row['way']}-way {row['shot']}-shot" if row["way"] else measure
    name += REGIME.get(row["batch_norm"], "")
    return name if PLAIN.fullmatch(row["measure"]) else f"{name} (%)"


def _cell(row: dict[str, str]) -> str:
    scale, digits = (1, 3) if PLAIN.fullmatch(row["measure"]) else (100, 2)
    mean, interval = (scale * float(row[key]) for key in ("mean", "interval"))
    return f"{mean:.{digits}f} ± {interval:.{digits}f}"


def _figure(row: dict[str, str]) -> str:
    """A published figure, with as many digits as papers have."""
    return f"{float(row['published']):.{2 if PLAIN.fullmatch(row['measure']) else 1}f}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""Tables in the READMEs, generated from ``results.csv`` between markers.

A table stands between ``<!-- results NAME ... -->`` and ``<!-- end -->``; the names select rows.
A test fails when a README differs from what this module writes.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- results ([\w .-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
FRACTIONS = ("auc", "clip_auc", "loss")  # shown as they are; all other measures in %


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
    columns = list(dict.fromkeys(_column(row) for row in rows))
    lines: dict[tuple, dict[str, str]] = {}
    for row in rows:
        cells = lines.setdefault((row["name"], row["method"]), {})
        cells[_column(row)] = _cell(row)
        if row["published"]:
            published = lines.setdefault((row["name"], "published"), {})
            published[_column(row)] = f"{float(row['published']):.1f}"
    head = ["", *columns]
    body = [
        [method, *(cells.get(column, "-") for column in columns)]
        for (_, method), cells in lines.items()
    ]
    footer = dict.fromkeys(map(_conditions, rows))
    return "\n".join([_line(head), _line(["---"] * len(head)), *map(_line, body), "", *footer])


def _conditions(row: dict[str, str]) -> str:
    """How the figures were measured, and the command that measures them again."""
    parts = [f"{row['data']}, {row['split']} classes"]
    if row["generated"] == "True":
        parts.append("generated stand-in")
    if row["episodes"]:
        parts.append(f"{row['episodes']} episodes")
    if row["query"]:
        parts.append(f"{row['query']} queries per class")
    if row["runs"]:
        parts.append(f"{row['runs']} runs")
    if row["batch_norm"]:
        parts.append(f"batch norm with {row['batch_norm']} averages")
    conditions = f"Mean ± 95 % interval; {', '.join(parts)}; seed {row['seed']}."
    return f"{conditions} `{row['command']}` ({row['minutes']} min of training on two cores)."


def _column(row: dict[str, str]) -> str:
    measure = row["measure"].replace("_", " ").replace("auc", "AUC")
    name = f"{row['way']}-way {row['shot']}-shot" if row["way"] else measure
    return name if row["measure"] in FRACTIONS else f"{name} (%)"


def _cell(row: dict[str, str]) -> str:
    scale, digits = (1, 3) if row["measure"] in FRACTIONS else (100, 2)
    mean, interval = (scale * float(row[key]) for key in ("mean", "interval"))
    return f"{mean:.{digits}f} ± {interval:.{digits}f}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""Tables in the pages, generated between markers from ``results.csv`` and from the cards.

A table stands between ``<!-- results NAME ... -->`` and ``<!-- end -->``; the names select rows.
``<!-- models -->`` and ``<!-- pictures -->`` show every model of the zoo,
``<!-- comparison DATA -->`` metric learners beside each other, ``<!-- systems -->`` and others the
chapters (``zoo.overview``). Minutes in tables of presets are those of the recorded runs. A test
fails when a page differs from what this module writes.
"""

import re
from pathlib import Path

from zoo import catalogue, comparison, overview, times
from zoo.records import cards, results, store
from zoo.records.tables import line
from zoo.records.wording import cell, column, duration, protocol, published

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- results ([\w .-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
MODELS = re.compile(r"(<!-- (models|pictures) -->\n).*?(<!-- end -->)", re.DOTALL)


def readmes() -> list[Path]:
    """Every page of the project that holds a generated table, or minutes that are."""
    found = [path for depth in ("", "*/", "*/*/") for path in sorted(ROOT.glob(f"{depth}*.md"))]
    return [
        path for path in found for text in [path.read_text(encoding="utf-8")]
        if times.HEADING in text
        or any(block.search(text) for block in (BLOCK, MODELS, comparison.BLOCK, overview.BLOCK))
    ]  # fmt: skip


def compare() -> list[tuple[Path, str, str]]:
    """Path, text and current text of every page that holds a generated table."""
    rows = results.read()
    texts = {path: path.read_text(encoding="utf-8") for path in readmes()}
    return [
        (path, text, times.generate(generate(text, rows), path.parent.name, rows))
        for path, text in texts.items()
    ]


def without_model() -> list[str]:
    """Chapters of which the zoo has no model."""
    shown = {entry.chapter for entry in catalogue.entries().values() if entry.published}
    return [chapter for chapter in catalogue.CHAPTERS if chapter not in shown]


def generate(text: str, rows: list[dict[str, str]]) -> str:
    """``text`` with every table between markers written anew."""

    def block(match: re.Match) -> str:
        names = match[2].split()
        chosen = [row for name in names for row in rows if row["name"] == name]
        return f"{match[1]}{table(chosen)}\n{match[3]}"

    def of_models(match: re.Match) -> str:
        return f"{match[1]}{ {'models': models, 'pictures': pictures}[match[2]]() }\n{match[3]}"

    text = MODELS.sub(of_models, BLOCK.sub(block, text))
    return overview.generate(comparison.generate(text, rows))


def models() -> str:
    """Markdown: a line for each model, and the chapters that have none."""
    lines = [["name", "takes", "trained on", "figure", "", "parameters", "kB", "training"]]
    lines.append(["---"] * len(lines[0]))
    declared = catalogue.declared()
    for card in cards.sound([name for name, entry in declared.items() if entry.published]):
        lines.append(
            [
                f"`{card['name']}`",
                card["takes"],
                card["data"]["name"],
                *cards.headline(card),
                f"{card['parameters']:,}",
                f"{card['bytes'] / 1000:.0f}",
                duration(card["train_seconds"]),
            ]
        )
    missing = ", ".join(without_model())
    return "\n".join(map(line, lines)) + (f"\n\nNo model yet: {missing}." if missing else "")


def pictures() -> str:
    """Markdown: what each model does, two pictures in a row."""
    shown = [
        f"`{name}`<br>![{name}](weights/{name}/picture.png)"
        for name in catalogue.declared()
        if (store.FOLDER / name / "picture.png").exists()
    ]
    rows = [shown[start : start + 2] for start in range(0, len(shown), 2)]
    return "\n".join(map(line, [["", ""], ["---", "---"], *rows]))


def table(rows: list[dict[str, str]]) -> str:
    """Markdown: one line per name, data and method; one column per measure."""
    if not rows:
        return "Not measured yet."
    columns = list(dict.fromkeys(column(row) for row in rows))
    lines: dict[tuple, dict[str, str]] = {}
    several = len({row["name"] for row in rows}) > 1
    for row in rows:
        cells = lines.setdefault((row["name"], row["method"]), {})
        cells[column(row)] = cell(row)
        if row["published"]:
            paper = f"{row['method']}, published" if several else "published"
            theirs = lines.setdefault((row["name"], paper), {})
            theirs[column(row)] = published(row)
    head = ["", *columns]
    body = [
        [method, *(cells.get(column, "-") for column in columns)]
        for (_, method), cells in lines.items()
    ]
    lines_once = dict.fromkeys(map(line, body))  # several names may share a baseline
    table = [line(head), line(["---"] * len(head)), *lines_once]
    return "\n".join([*table, "", *_footer(rows)])


def _footer(rows: list[dict[str, str]]) -> list[str]:
    """One sentence per name: how the figures were measured, and the command that repeats them."""
    by_name: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_name.setdefault(row["name"], []).append(row)
    return [_conditions(group) for group in by_name.values()]


def _conditions(rows: list[dict[str, str]]) -> str:
    seconds = float(rows[-1]["seconds"])
    command = rows[-1]["command"]
    seed = next(iter(re.findall(r" --seed (\d+)", command)), "0")
    took = f"{duration(seconds)} of training on two cores, seed {seed}"
    return (
        f"Mean ± 95 % interval; {protocol(rows)}. `{command}` "
        f"({took if seconds else 'nothing is trained'})."
    )

"""Minutes of training in the tables of presets, taken from the recorded runs.

A table whose last column is ``Minutes on two cores`` names presets of a script: in a column
``Script`` beside them, or in the heading ``Preset of `train` ``. What is recorded of a preset
replaces what is written; what is not recorded stays, as an estimate.
"""

import re

HEADING = "Minutes on two cores"
OF_SCRIPT = re.compile(r"Preset of `(\w+)`")
NAMES = re.compile(r"`(\w+)`")


def generate(text: str, chapter: str, rows: list[dict[str, str]]) -> str:
    """A page with the minutes of its tables written anew.

    Args:
        text: of the page.
        chapter: its folder, ``ch06_maml``.
        rows: of ``results.csv``.
    """
    known = {row["command"]: float(row["seconds"]) for row in rows}
    lines, head, script = [], [], ""
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            head = []
        elif not head:
            head, script = cells, "".join(OF_SCRIPT.findall(cells[0]))
        elif head[-1] == HEADING and not cells[-1].startswith("---"):
            script = _script(head, cells) or script
            command = f"python -m chapters.{chapter}.{script} --preset"
            cells[-1] = _minutes(_presets(head, cells), cells[-1], command, known)
            line = re.sub(r"[^|]*\|$", f" {cells[-1]} |", line)
        lines.append(line)
    return "\n".join(lines)


def _script(head: list[str], cells: list[str]) -> str:
    """Script of a row; empty where it is that of the row above, or stands in the heading."""
    return "".join(NAMES.findall(cells[0])) if head[0] == "Script" else ""


def _presets(head: list[str], cells: list[str]) -> list[str]:
    return NAMES.findall(cells[1 if head[0] == "Script" else 0])


def _minutes(presets: list[str], written: str, command: str, known: dict[str, float]) -> str:
    """The last cell of a row: a number for each preset, or one where all are the same."""
    parts = written.split(", ")
    if len(parts) != len(presets):
        parts = [written or "-"] * len(presets)
    for number, preset in enumerate(presets):
        seconds = known.get(f"{command} {preset}")
        if seconds:
            parts[number] = f"{max(1, round(seconds / 60))}"
    return parts[0] if len(set(parts)) == 1 else ", ".join(parts)

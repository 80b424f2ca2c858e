"""Tables of chapters: their pages, every system with one figure, every script with its line.

``<!-- systems -->`` is made of what the chapters' ``presets.py`` declare as ``SYSTEMS`` and of the
cards of the zoo, ``<!-- scripts -->`` of what ``python -m chapters`` lists, ``<!-- chapters -->``
of the pages themselves.
"""

import importlib
import re
from pathlib import Path

from chapters.engine.results import REGIME
from zoo import catalogue
from zoo.records import cards, results, wording
from zoo.records.tables import line

BLOCK = re.compile(r"(<!-- (chapters|systems|scripts) -->\n).*?(<!-- end -->)", re.DOTALL)
HEADING = re.compile(r"# Chapter (\d+): (.*)")
NOT_YET = "not measured yet"
HOME = Path(__file__).parent.parent


def generate(text: str) -> str:
    """A page with its tables of chapters written anew."""
    tables = {"chapters": chapters, "systems": systems, "scripts": scripts}
    return BLOCK.sub(lambda match: f"{match[1]}{tables[match[2]]()}\n{match[3]}", text)


def chapters() -> str:
    """Markdown: page and lesson of every chapter, under the heading of its page."""
    lines = [["Chapter", "Page", "Lesson"], ["---"] * 3]
    for chapter in catalogue.CHAPTERS:
        folder = f"chapters/{chapter}"
        text = (HOME / folder / "README.md").read_text(encoding="utf-8")
        number, title = HEADING.match(text).groups()
        title = title[0].upper() + title[1:]
        page, lesson = f"[{title}]({folder}/README.md)", f"[notebook]({folder}/lesson.ipynb)"
        lines.append([number, page, lesson])
    return "\n".join(map(line, lines))


def systems() -> str:
    """Markdown: a line for every system of the book."""
    head = ["Chapter", "System", "What it does", "Measured", "Figure", "Published", "Script"]
    lines, known = [head, ["---"] * len(head)], catalogue.declared()
    for chapter in catalogue.CHAPTERS:
        page = f"[{int(chapter[2:4])}](chapters/{chapter}/README.md)"
        for system in importlib.import_module(f"chapters.{chapter}.presets").SYSTEMS:
            entry = known[system.model]
            script = f"`{entry.script.removeprefix('chapters.')}`"
            lines.append([page, system.name, system.what, *figure(entry), script])
    return "\n".join(map(line, lines))


def figure(entry: catalogue.Entry) -> tuple[str, str, str]:
    """What stands for a model: what was measured, the figure, and the published one."""
    if not entry.published:
        return NOT_YET, "-", "-"
    (card,) = cards.sound([entry.name])
    heading, value = cards.headline(card)
    first = cards.headline_row(card)
    return f"{first['data']}, {heading}", value, _published(card, first)


def _published(card: dict, first: dict) -> str:
    """What was published of a row; of its other regime where papers have that alone."""
    same = ("method", "data", "measure", "way", "shot")
    rows = [row for row in card["results"] if all(row.get(k) == first.get(k) for k in same)]
    found = {row.get("batch_norm"): results.as_text(row) for row in rows if row.get("published")}
    if not found:
        return "-"
    regime = first.get("batch_norm") if first.get("batch_norm") in found else next(iter(found))
    other = "" if regime == first.get("batch_norm") else REGIME.get(regime, "")
    return wording.published(found[regime]) + other


def scripts() -> str:
    """Markdown: the scripts of each chapter."""
    from chapters import __main__ as listing

    summaries = {module: script.summary for module, script in listing.scripts()}
    summaries |= dict(listing.tools())
    table = [["Chapter", "Script", "What it does"], ["---"] * 3]
    for chapter in catalogue.CHAPTERS:
        page = f"[{chapter}]({chapter}/README.md)"
        for module, summary in summaries.items():
            if module.split(".")[1] == chapter:
                table.append([page, f"`{module.split('.')[2]}`", summary])
                page = ""
    return "\n".join(map(line, table))

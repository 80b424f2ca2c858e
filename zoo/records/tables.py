"""Tables of pages that a command measures: a line for each model, or for each of other things."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from chapters.engine import files
from zoo import catalogue
from zoo.records import store


def line(cells: list[str]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


class Table(NamedTuple):
    """A table between two comments of a page."""

    page: Path
    name: str  # the first comment begins with it
    titles: list[str]  # of the columns; the first, of the names, is empty
    order: list[str] | None = None  # of the names; that of the catalogue when None

    def read(self) -> str:
        """The page as it stands."""
        return self.page.read_text(encoding="utf-8")

    def rows(self, page: str) -> dict[str, list[str]]:
        """Name -> cells of its line on the page."""
        block = self._block.search(page)
        lines = block[2].splitlines()[2:] if block else []
        split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return {cells[0].strip("`"): cells for cells in split}

    def generate(self, page: str, measured: dict[str, list[str]]) -> str:
        """The page with these lines in its table."""
        lines = [self.titles, ["---"] * len(self.titles), *measured.values()]
        text = "".join(f"{line(cells)}\n" for cells in lines)
        return self._block.sub(lambda match: match[1] + text + match[3], page)

    def measure(self, names: list[str], one: Callable[[str], list[str]]) -> None:
        """Measure models, and write the page after each.

        Args:
            names: of published models, or of ``order``.
            one: name -> cells of its line.
        """
        known = self.rows(self.read())
        for name in names:
            known[name] = one(name)
            print(*known[name], sep="  ", flush=True)
            order = self.order or catalogue.list_models()
            kept = {name: known[name] for name in order if name in known}
            with store.lock():
                files.write_text(self.page, self.generate(self.read(), kept))

    @property
    def _block(self) -> re.Pattern:
        return re.compile(rf"(<!-- {self.name} .*? -->\n)(.*?)(<!-- end -->)", re.DOTALL)

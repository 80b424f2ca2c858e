"""The table of ``EXPORT.md``: what becomes of every published model in every format.

python -m zoo.export_table [NAME ...]     # all of them: about 15 minutes on two cores
"""

import re
import tempfile
from pathlib import Path

from chapters.engine import files, script
from chapters.engine.configuration import Parser
from zoo import catalogue, loading
from zoo.errors import ZooError
from zoo.exports import exporting
from zoo.exports.formats import FORMATS
from zoo.records import store

PAGE = Path(__file__).with_name("EXPORT.md")
BLOCK = re.compile(r"(<!-- exports .*? -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def read() -> str:
    """The page as it stands."""
    return PAGE.read_text(encoding="utf-8")


def measure(name: str) -> list[str]:
    """A line of the table: size and difference in each format, or what stands against it."""
    loaded = loading.load(name)
    cells = []
    for format in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                made = exporting.write_checked(loaded, format, folder)
                left_out = f" ({made.undecided} undecided)" if made.undecided else ""
                cells.append(f"{made.size / 1e6:.2f} MB, {made.difference:.0e}{left_out}")
            except ZooError as error:
                cells.append(str(error))
    return [f"`{name}`", *cells]


def rows(page: str) -> dict[str, list[str]]:
    """Name -> cells of its line on the page."""
    block = BLOCK.search(page)
    lines = block[2].splitlines()[2:] if block else []
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {cells[0].strip("`"): cells for cells in split}


def generate(page: str, measured: dict[str, list[str]]) -> str:
    """The page with these lines in its table, in the order of the catalogue."""
    titles = ["", *(format.title for format in FORMATS.values())]
    lines = [titles, ["---"] * len(titles), *measured.values()]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return BLOCK.sub(lambda match: match[1] + table + match[3], page)


def main(argv: list[str] | None = None) -> None:
    """Measure the named models, or all, and write the page after each."""
    parser = Parser(prog="python -m zoo.export_table", description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models; all when none is named")
    names = parser.parse_args(argv).names
    for name in names:  # before any is measured
        catalogue.published(name)
    known = rows(read())
    for name in names or catalogue.list_models():
        known[name] = measure(name)
        print(*known[name], sep="  ", flush=True)
        kept = {name: known[name] for name in catalogue.list_models() if name in known}
        with store.lock():
            files.write_text(PAGE, generate(read(), kept))


if __name__ == "__main__":
    script.run(main)

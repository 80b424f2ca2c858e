"""The table of ``EXPORT.md``: what becomes of every published model in every format.

python -m zoo.export_table [NAME ...]     # all of them: about 15 minutes on two cores
"""

import tempfile
from pathlib import Path

from chapters.engine import script
from chapters.engine.configuration import Parser
from zoo import catalogue, loading
from zoo.errors import ZooError
from zoo.exports import exporting
from zoo.exports.formats import FORMATS
from zoo.records.tables import Table

PAGE = Path(__file__).with_name("EXPORT.md")
TABLE = Table(PAGE, "exports", ["", *(format.title for format in FORMATS.values())])


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


def main(argv: list[str] | None = None) -> None:
    """Measure the named models, or all, and write the page after each."""
    parser = Parser(prog="python -m zoo.export_table", description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models; all when none is named")
    names = parser.parse_args(argv).names
    for name in names:  # before any is measured
        catalogue.published(name)
    TABLE.measure(names or catalogue.list_models(), measure)


if __name__ == "__main__":
    script.run(main)

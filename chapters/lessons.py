"""Run the chapters' lessons and keep them as notebooks, with all that they print and draw.

python -m chapters.lessons                    # those that have changed since
python -m chapters.lessons --all ch03 ch06    # these, changed or not
python -m chapters.lessons --check            # run nothing: exit code 1 when one has changed

A lesson is ``lesson.py`` of a chapter, cells between lines of ``# %%``; its notebook,
``lesson.ipynb``, stands beside it.
"""

import sys
from pathlib import Path

from chapters.engine import files, script
from chapters.engine.configuration import Parser
from chapters.engine.errors import ConfigError, RunError

LESSONS = sorted(Path(__file__).parent.glob("ch*/lesson.py"))
LARGEST = 400_000  # bytes of a notebook
NEEDS = "Lessons are run by jupytext and nbclient: pip install -r requirements-lessons.txt"


def main(argv: list[str] | None = None) -> None:
    """Run the lessons that are asked for."""
    options = _parse(argv)
    asked = [lesson for lesson in LESSONS if not options.chapters or _of(lesson, options.chapters)]
    due = [lesson for lesson in asked if options.all or not is_current(lesson)]
    for lesson in due:
        print(f"{_name(lesson)}: {'changed' if options.check else 'running'}", flush=True)
        if not options.check:
            size = write(lesson)
            print(f"{_name(lesson)}: {notebook_of(lesson).name}, {size // 1000} kB")
    if not due:
        print("Every notebook agrees with its lesson.")
    elif options.check:
        sys.exit(1)


def read(lesson: Path):
    """The cells of a lesson as a notebook, not run.

    Raises:
        RunError: jupytext is not installed.
    """
    try:
        import jupytext
    except ModuleNotFoundError:
        raise RunError(f"{NEEDS}.") from None
    notebook = jupytext.read(lesson, fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", {}  # not drawn: the same lesson, the same file
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return notebook


def notebook_of(lesson: Path) -> Path:
    """Where the notebook of a lesson is kept."""
    return lesson.with_suffix(".ipynb")


def is_current(lesson: Path) -> bool:
    """Whether the notebook has the cells of the lesson, and all have been run."""
    import nbformat

    if not notebook_of(lesson).exists():
        return False
    kept, cells = nbformat.read(notebook_of(lesson), as_version=4).cells, read(lesson).cells
    run = all(cell.execution_count for cell in kept if cell.cell_type == "code")
    return run and [(c.cell_type, c.source) for c in kept] == [
        (c.cell_type, c.source) for c in cells
    ]


def write(lesson: Path) -> int:
    """Run a lesson where it stands and keep the notebook: its size in bytes.

    Raises:
        RunError: a cell fails, or the notebook is too large.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook, where = read(lesson), {"metadata": {"path": str(lesson.parent)}}
    client = NotebookClient(
        notebook, kernel_name="python3", resources=where, timeout=None, record_timing=False,
        extra_arguments=["--log-level=ERROR"], coalesce_streams=True,
    )  # fmt: skip
    try:
        client.execute()
    except CellExecutionError as error:
        raise RunError(f"{lesson}: a cell ends in {error.ename}: {error.evalue}.") from None
    text = nbformat.writes(notebook) + "\n"
    size = len(text.encode())
    if size > LARGEST:
        raise RunError(
            f"{lesson}: its notebook has {size:,} bytes, more than {LARGEST:,}; draw less."
        )
    files.write_bytes(notebook_of(lesson), text.encode())
    return size


def _name(lesson: Path) -> str:
    return lesson.parent.name


def _of(lesson: Path, chapters: list[str]) -> bool:
    return any(_name(lesson).startswith(chapter) for chapter in chapters)


def _parse(argv):
    parser = Parser(
        prog="python -m chapters.lessons", description=__doc__.partition("\n")[0],
        allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("chapters", nargs="*", help="such as ch03 (default: all)")
    parser.add_argument("--all", action="store_true", help="also those that have not changed")
    parser.add_argument("--check", action="store_true", help="only tell which have changed")
    options = parser.parse_args(argv)
    for chapter in options.chapters:
        if not any(_of(lesson, [chapter]) for lesson in LESSONS):
            known = ", ".join(map(_name, LESSONS))
            raise ConfigError(f"No lesson of {chapter!r}; there are {known}.")
    return options


if __name__ == "__main__":
    script.run(main)

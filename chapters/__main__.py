"""``python -m chapters`` lists every script with one line and its presets."""

import ast
import importlib
from pathlib import Path

from chapters.engine import script as engine
from chapters.engine.configuration import Parser

CHAPTERS = sorted(path.parent for path in Path(__file__).parent.glob("ch*/presets.py"))


def scripts():
    """Yield (module, Script) of the scripts with presets, as each ``presets.py`` declares them."""
    for folder in CHAPTERS:
        package = f"chapters.{folder.name}"
        for name, script in importlib.import_module(f"{package}.presets").SCRIPTS.items():
            yield f"{package}.{name}", script


def tools():
    """Yield (module, one line) of the scripts without presets; their text is read, not run."""
    declared = {module for module, _ in scripts()}
    for path in (path for folder in CHAPTERS for path in sorted(folder.glob("*.py"))):
        module, text = f"chapters.{path.parent.name}.{path.stem}", path.read_text(encoding="utf-8")
        if module not in declared and 'if __name__ == "__main__":' in text:
            yield module, (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def main(argv: list[str] | None = None) -> None:
    """Print the list."""
    Parser(prog="python -m chapters", description=__doc__, allow_abbrev=False).parse_args(argv)
    lines = {module: [script.summary, _presets(script)] for module, script in scripts()}
    lines |= {module: [line] for module, line in tools()}
    for module in sorted(lines, key=lambda module: module.split(".")[1]):  # by chapter
        print("\n    ".join([f"python -m {module}", *lines[module]]) + "\n")
    print("Add --preset NAME to choose, --help to see every option.")
    print(f"A lesson of each chapter: python -m chapters.{CHAPTERS[0].name}.lesson, and so on.")


def _presets(script) -> str:
    return f"presets: {', '.join(script.presets)}"


if __name__ == "__main__":
    engine.run(main)

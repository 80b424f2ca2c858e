"""``python -m chapters`` lists every script with one line and its presets."""

import importlib
from pathlib import Path


def scripts():
    """Yield (module name, Script) of every chapter, in order of chapters."""
    for path in sorted(Path(__file__).parent.glob("ch*/presets.py")):
        package = f"chapters.{path.parent.name}"
        presets = importlib.import_module(f"{package}.presets")
        for name, script in presets.SCRIPTS.items():
            yield f"{package}.{name}", script


def main() -> None:
    """Print the list."""
    for module, script in scripts():
        print(f"python -m {module}\n    {script.summary}")
        print(f"    presets: {', '.join(script.presets)}\n")
    print("Add --preset NAME to choose, --help to see every option.")


if __name__ == "__main__":
    main()

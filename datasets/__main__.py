"""``python -m datasets``: which sets there are and where they lie; get one, verify one."""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
from datasets import console, home
from datasets.errors import DataError
from datasets.sets import sources

# Sets without files of their own: the sets whose files they are, or the package they come with.
FILES_OF = {
    "braille": ("omniglot",),
    "emoji_omniglot": ("emoji", "omniglot"),
    "signs_strokes": ("painted_signs", "strokes"),
}
INSTALLED = {"digits": "scikit-learn"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0, or 2 after one sentence on stderr."""
    console.print_anything()
    options = _parser().parse_args(arguments, argparse.Namespace(root=None))
    try:
        options.run(options)
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        """One sentence instead of usage and message."""
        self.exit(2, f"{message[0].upper()}{message[1:]}; see `{self.prog} --help`.\n")


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--root",
        metavar="DIR",
        default=argparse.SUPPRESS,  # or a command would overwrite what stands before it
        help="data folder; searched first, and where `get` puts the set",
    )
    parser = _Parser("python -m datasets", description=__doc__, parents=[shared])
    parser.set_defaults(run=list_sets)
    commands = parser.add_subparsers(metavar="COMMAND")

    def command(name: str, run: Callable, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, parents=[shared])
        added.set_defaults(run=run)
        return added

    command("list", list_sets, "list all sets: present or not, where, how large (the default)")
    get = command("get", get_set, "download a set, or write a generated one")
    get.add_argument("--offline", action="store_true", help="forbid the network")
    verify = command("verify", verify_set, "compare the contents of a set with their SHA-256")
    for added in (get, verify):
        added.add_argument("name", metavar="NAME", help=", ".join(datasets.LOADERS))
    return parser


def list_sets(options: argparse.Namespace) -> None:
    """One line per set."""
    for name in datasets.LOADERS:
        state, where = _state(name, options.root)
        print(f"{name:<16}{state:<11}{where}")


def get_set(options: argparse.Namespace) -> None:
    """Fetch a published set or write a stand-in, and say where it is."""
    for name in _with_files(options.name):
        _get(name, options)


def _get(name: str, options: argparse.Namespace) -> None:
    if name in INSTALLED:
        print(f"{name} come with {INSTALLED[name]}; there is nothing to get.")
        return
    if name in sources.SOURCES and options.root:
        folder = sources.fetch(name, options.root, options.offline)
    elif name in sources.SOURCES:
        folder = sources.locate(name, offline=options.offline)
    elif options.root:
        raise DataError(
            f"{name} is generated and always lies in the cache folder; leave --root out or set "
            "METAZOO_CACHE."
        )
    else:
        folder = datasets.load(name).source
    print(f"{name} is in {folder}")


def verify_set(options: argparse.Namespace) -> None:
    """Say that the contents of a published set are as published, or fail."""
    for name in _with_files(options.name):
        _verify(name, options)


def _verify(name: str, options: argparse.Namespace) -> None:
    if name in INSTALLED:
        raise DataError(f"{name} come with {INSTALLED[name]}, so there is nothing to verify.")
    if name not in sources.SOURCES:
        raise DataError(
            f"{name} is generated, so nothing is published to compare it with; the sets with a "
            f"digest are {', '.join(sources.SOURCES)}."
        )
    print(f"{name} in {sources.verify(name, options.root)} holds exactly the expected files")


def _with_files(name: str) -> tuple[str, ...]:
    """The sets on disk that a set consists of or is a part of; itself for most."""
    return FILES_OF.get(datasets.known(name), (name,))


def _state(name: str, root: str | None) -> tuple[str, str]:
    """A word on a set, and where it is or comes from."""
    if name in INSTALLED:
        return "present", f"comes with {INSTALLED[name]}"
    if name in FILES_OF:
        found = {part: _state(part, root) for part in FILES_OF[name]}
        states = [state for state, _ in found.values()]
        state = next((state for state in states if state != "present"), "present")
        return state, "; ".join(f"files of {part}: {where}" for part, (_, where) in found.items())
    return _real(name, root) if name in sources.SOURCES else _generated(name)


def _real(name: str, root: str | None) -> tuple[str, str]:
    folder = sources.find(name, root)
    if folder:
        return "present", f"{folder}, {_megabytes(folder)}"
    size = sources.SOURCES[name].megabytes
    return "missing", f"`python -m datasets get {name}` downloads {size} MB"


def _generated(name: str) -> tuple[str, str]:
    """State of a stand-in, which may have been written with several seeds."""
    written = [
        folder
        for folder in sorted((home.cache_folder() / "generated").glob(f"{name}-v*"))
        if re.fullmatch(r".*-v\d+-seed\d+", folder.name)  # no unfinished ones
    ]
    if not written:
        return "generated", "written when first used"
    more = f" (and {len(written) - 1} more)" if written[1:] else ""
    return "present", f"{written[0]}{more}, {_megabytes(*written)}, generated"


def _megabytes(*folders: Path) -> str:
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())

"""``python -m zoo record | publish | report``: results and weights of finished runs."""

import argparse
import sys
from pathlib import Path

from zoo import report, results, store
from zoo.errors import ZooError


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m zoo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("record", "write the results of a finished run into results.csv"),
        ("publish", "record, and keep the weights in zoo/weights"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("run", type=Path, help="folder of a finished run")
        command.add_argument("name", help="name in the zoo, such as prototypical-omniglot-1shot")
    text = "write the tables of all READMEs from results.csv"
    command = commands.add_parser("report", help=text, description=text)
    command.add_argument("--check", action="store_true", help="only tell whether they are current")
    arguments = parser.parse_args(argv)
    try:
        return _run(arguments)
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(arguments) -> int:
    if arguments.command == "report":
        return _report(arguments.check)
    action = {"record": results.record, "publish": store.publish}[arguments.command]
    action(arguments.run, arguments.name)
    print(f"{arguments.name}: done; python -m zoo report writes the tables.")
    return 0


def _report(check: bool) -> int:
    rows = results.read()
    stale = 0
    for path in report.readmes():
        text = path.read_text()
        current = report.generate(text, rows)
        if current != text:
            stale += 1
            if not check:
                path.write_text(current)
            print(f"{'differs' if check else 'written'}: {path.relative_to(report.ROOT)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

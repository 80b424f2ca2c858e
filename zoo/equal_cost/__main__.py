"""Train learners at equal cost, test them on the same tasks, and write page and pictures.

python -m zoo.equal_cost omniglot-5way                          # all methods: a night for each seed
python -m zoo.equal_cost omniglot-5way --methods MAML ANIL --seeds 2
python -m zoo.equal_cost omniglot-5way --share 0.001 --to FOLDER   # that all of it runs

A training that was stopped goes on where it was, and one that is recorded is not run again.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from chapters.engine import script
from chapters.engine.configuration import Parser, number, whole, within
from zoo.equal_cost import page
from zoo.equal_cost.methods import METHODS, PROTOCOLS, chosen, words_of
from zoo.equal_cost.records import FOLDER, Known, path_of, read, write
from zoo.errors import ZooError
from zoo.records import store

RUNS = Path("runs", "zoo.equal_cost")


def main(argv: list[str] | None = None) -> None:
    """Train what is missing, seed by seed, and write what is known after each training."""
    asked = _parser().parse_args(argv)
    protocols = chosen(asked.protocols, PROTOCOLS, "protocol")
    methods = chosen(asked.methods, METHODS, "method")
    whole_length = asked.share == 1
    for protocol in protocols:
        for seed in range(asked.seeds):
            for method in methods:
                folder = FOLDER if whole_length else asked.to
                one(protocol, method, seed, asked.share, asked.to / protocol, folder)
                if whole_length:
                    with store.lock():
                        page.write([protocol])
    if whole_length:
        print(f"Tables and pictures are in {page.PAGE.parent}.")


def one(protocol: str, method: str, seed: int, share: float, runs: Path, folder: Path) -> Known:
    """Train and test one learner, unless that is recorded; all that is known of the protocol.

    Args:
        protocol, method, seed, share: as for ``words_of``.
        runs: folder of the runs.
        folder: of the records.

    Raises:
        ZooError: the training failed.
    """
    from zoo.equal_cost.asking import training_of  # TensorFlow

    words, path = words_of(protocol, method, seed, share), path_of(protocol, folder)
    known = read(path)
    recorded = known.get(method, {}).get(seed)
    if recorded and recorded.command == f"python -m {' '.join(words)}":
        print(f"{protocol}, {method}, seed {seed}: recorded")
        return known
    print(f"{protocol}, {method}, seed {seed}: python -m {' '.join(words)}", flush=True)
    run = runs / f"{method.replace(' ', '-')}-seed-{seed}"
    if not (run / "metrics.json").is_file():
        resume = ["--resume"] if (run / "config.json").is_file() else []
        command = [sys.executable, "-m", *words, "--run", str(run), *resume]
        if code := subprocess.run(command).returncode:
            raise ZooError(f"The training of {method} ended with exit code {code}; see above.")
    found = training_of(words, run)
    with store.lock():
        known = read(path)  # another process may have added to it
        known.setdefault(method, {})[seed] = found
        write(path, known)
    return known


def _parser() -> Parser:
    parser = Parser(
        prog="python -m zoo.equal_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("protocols", nargs="*", help=f"{', '.join(PROTOCOLS)} (default: all)")
    words = f"{', '.join(METHODS)} (default: all)"
    parser.add_argument("--methods", nargs="+", default=[], metavar="METHOD", help=words)
    words = "trainings of each method (default: 2)"
    parser.add_argument("--seeds", type=within(whole, 1, 100), default=2, help=words)
    words = "of the tasks and tests; figures of less than 1 are kept in --to alone (default: 1)"
    parser.add_argument("--share", type=within(number, 1e-4, 1.0), default=1.0, help=words)
    words = f"folder of the runs (default: {RUNS})"
    parser.add_argument("--to", type=Path, default=RUNS, help=words)
    return parser


if __name__ == "__main__":
    script.run(main)

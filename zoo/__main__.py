"""The zoo on the command line: published models, and what can be done with them.

python -m zoo list "*omniglot*"
python -m zoo predict prototypical-omniglot-1shot --support FOLDER --query FILE [FILE ...]
"""

import argparse
import contextlib
import itertools
import json
import sys
from pathlib import Path
from typing import NoReturn

import zoo
from chapters.engine import files, script
from chapters.engine.configuration import number, whole, within
from chapters.engine.errors import RunError
from datasets import console
from datasets.errors import DataError
from zoo import report
from zoo.errors import ZooError
from zoo.records import cards, hub, results, store, wording


class Parser(argparse.ArgumentParser):
    """argparse that reports one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise ZooError instead of printing the usage."""
        raise ZooError(f"{message[0].upper()}{message[1:].rstrip('.')}; see --help.")


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, or 2 after one sentence on what is wrong."""
    console.print_anything()
    try:
        options = _parser().parse_args(argv)
        return options.run(options) or 0
    except (DataError, RunError) as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"Cannot write {script.file_error(error)}."
    except Exception as error:
        sentence = script.sentence_of(error)  # what does not fit into memory
        if not sentence:
            raise
    print(f"error: {sentence}", file=sys.stderr)
    return 2


def _parser() -> Parser:
    parser = Parser(
        prog="python -m zoo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    version = f"metazoo {zoo.__version__}"
    parser.add_argument("--version", action="version", version=version, help="print it and end")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(run, text: str, *positional: tuple[str, str]) -> argparse.ArgumentParser:
        name = run.__name__.strip("_")
        added = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(run=run)
        for argument, meaning in positional:
            added.add_argument(argument, help=meaning)
        return added

    model = ("name", "name of a model, such as prototypical-omniglot-1shot")
    listed = command(_list, "names of the models")
    listed.add_argument("pattern", nargs="?", default="*", help='such as "*omniglot*"')
    listed.add_argument("--json", action="store_true", help="print JSON")

    shown = command(_info, "the card of a model: task, data, figures, recipe, licence", model)
    shown.add_argument("--json", action="store_true", help="print JSON")
    words = "print the page that model hubs read, with front matter"
    shown.add_argument("--markdown", action="store_true", help=words)

    measured = command(_evaluate, "measure a model again on its test data", model)
    measured.add_argument("--way", type=whole, help="classes of an episode")
    measured.add_argument(
        "--shot", type=whole, help="support items per class, or points of a curve"
    )
    measured.add_argument("--query", type=whole, help="queries per class, or points of a curve")
    measured.add_argument("--episodes", type=whole, help="tasks (default: as many as on its card)")
    measured.add_argument("--seed", type=whole, help="seed of the tasks (default: its card's)")
    measured.add_argument("--batch-norm", help="statistics: stored, support or transductive")
    measured.add_argument("--data", default="", help="folder that a model of yours was trained on")
    measured.add_argument("--json", action="store_true", help="print JSON")

    words = "try every model on a folder of yours, and say which one suits it"
    chosen = command(_choose, words, ("folder", "folder with one folder per class"))
    chosen.add_argument("--models", default="*", metavar="PATTERN", help='such as "*omniglot*"')
    words = "a network to try as it is: keras:NAME of keras.applications, or MODULE:FUNCTION"
    chosen.add_argument("--encoder", default="", help=words)
    words = "its weights: random, a file, or a name that Keras downloads, such as imagenet"
    chosen.add_argument("--encoder-weights", default="random", help=words)
    chosen.add_argument("--invert", action="store_true", help="pictures are light strokes on dark")
    chosen.add_argument("--json", action="store_true", help="print JSON")
    words = "draw which class is taken for which into this file"
    chosen.add_argument("--plot", default="", help=words)

    named = command(_predict, "say which class of a support folder each file belongs to")
    named.add_argument("name", nargs="?", default="", help=f"{model[1]}; not needed with --with")
    source = named.add_mutually_exclusive_group(required=True)
    source.add_argument("--support", help="folder with one folder per class")
    source.add_argument("--with", dest="support", metavar="FILE", help="file that learn wrote")
    named.add_argument("--query", required=True, nargs="+", metavar="FILE", help="files to name")
    words = "folder of files without labels, for a semi-supervised model"
    named.add_argument("--unlabelled", default="", metavar="FOLDER", help=words)
    named.add_argument("--invert", action="store_true", help="pictures are light strokes on dark")
    words = "refuse strangers, at the cost of this share of files that do belong; such as 0.05"
    named.add_argument("--reject", type=float, default=0.0, metavar="SHARE", help=words)
    named.add_argument("--json", action="store_true", help="print JSON")
    named.add_argument("--plot", default="", help="draw queries and answers into this file")

    learned = command(_learn, "keep what a model has to know of classes in a small file", model)
    learned.add_argument("--support", required=True, help="folder with one folder per class")
    learned.add_argument("--to", required=True, metavar="FILE", help="file to write")
    words = "file to which the folder is added"
    learned.add_argument("--with", dest="known", default="", metavar="FILE", help=words)
    learned.add_argument("--invert", action="store_true", help="pictures are light strokes on dark")

    file = ("file", "file that learn wrote")
    forgotten = command(_forget, "leave classes or files out of a file of learn", file)
    words = "a class, or a file as class/name"
    forgotten.add_argument("names", nargs="+", metavar="NAME", help=words)
    forgotten.add_argument("--to", required=True, metavar="FILE", help="file to write")

    fitted = command(_match, "say which description fits files, without any example", model)
    words = "description of a class"
    fitted.add_argument("--describe", required=True, nargs="+", metavar="TEXT", help=words)
    fitted.add_argument("--query", required=True, nargs="+", metavar="FILE", help="files to match")
    fitted.add_argument("--json", action="store_true", help="print JSON")

    exported = command(_export, "write a model that adapts and predicts without Python", model)
    exported.add_argument("--format", required=True, help="savedmodel, onnx or litert")
    exported.add_argument("--to", required=True, metavar="DIR", help="new or empty folder")
    own = "folder that a model of yours was trained on: the file is tried on its pictures too"
    exported.add_argument("--data", default="", help=own)

    shown = command(_demo, "write a web page that classifies in the browser")
    shown.add_argument("names", nargs="*", metavar="NAME", help="models (default: two)")
    shown.add_argument("--to", required=True, metavar="DIR", help="new or empty folder")
    words = "npm package onnxruntime-web, as a file (default: downloaded and kept)"
    shown.add_argument("--runtime", default="", metavar="FILE", help=words)

    run = ("folder", "folder of a finished run")
    kept = command(_publish, "keep the weights of a run in zoo/weights, with a card", run, model)
    kept.add_argument("--anyway", action="store_true", help="even if its figures are doubtful")
    command(_calibrate, "fit a model's temperature again, and its limits for strangers", model)
    command(_record, "write the results of a run into results.csv, without weights", run, model)
    words = "run the recorded commands again, and say whether the figures agree"
    again = command(_reproduce, words)
    again.add_argument("names", nargs="*", help="models or records (default: all)")
    again.add_argument("--list", action="store_true", help="only tell how long each takes here")
    words = "share of each training and test, such as 0.1, to see that all of it runs"
    again.add_argument("--share", type=within(number, 1e-4, 1.0), default=1.0, help=words)
    words = "leave out what would not end in this time"
    again.add_argument("--hours", type=within(number, 0.0, 1e4), default=0.0, help=words)
    words = "folder of runs and report (default: runs/zoo.reproduce, with the share)"
    again.add_argument("--to", default="", metavar="DIR", help=words)
    written = command(_report, "write the tables of all READMEs, and name chapters without a model")
    written.add_argument("--check", action="store_true", help="only tell whether they are current")
    return parser


def _list(options) -> None:
    found = cards.sound(zoo.list_models(options.pattern))
    if options.json:
        keys = ("name", "task", "chapter", "about", "parameters", "bytes")
        _print([{key: card[key] for key in keys} for card in found])
        return
    width = max((len(card["name"]) for card in found), default=0)
    for card in found:
        figure, value = cards.headline(card)
        print(f"{card['name'].ljust(width)}  {card['method']}: {figure} {value}")
    print(f"{len(found)} model(s); python -m zoo info NAME tells more.")


def _info(options) -> None:
    card = zoo.info(options.name)
    if options.json:
        _print(card)
        return
    print(hub.page(card) if options.markdown else cards.text(card))


def _evaluate(options) -> None:
    script.prepare(0)  # tasks are drawn from --seed alone
    names = ("way", "shot", "query", "episodes", "seed", "batch_norm", "data")
    rows = zoo.evaluate(options.name, **{name: getattr(options, name) for name in names})
    if options.json:
        _print(rows)
        return
    texts = [results.as_text(row) for row in rows]
    for protocol, group in itertools.groupby(texts, lambda row: wording.protocol([row])):
        print(f"Mean ± 95 % interval; {protocol}:")
        for row in group:
            print(f"  {wording.column(row)}: {wording.cell(row)}")


def _predict(options) -> None:
    names = ("support", "query", "plot", "invert", "unlabelled", "reject")
    if options.json and not options.name and Path(options.support).is_file():
        from zoo import supports

        options.name = supports.read(options.support).model
    answers = zoo.predict(options.name, **{name: getattr(options, name) for name in names})
    _print_answers(options, answers)


def _learn(options) -> None:
    names = ("support", "to", "known", "invert")
    found = zoo.learn(options.name, **{name: getattr(options, name) for name in names})
    print(_holds(options.to, found))


def _forget(options) -> None:
    print(_holds(options.to, zoo.forget(options.file, options.names, options.to)))


def _holds(path, support) -> str:
    return (
        f"{path} holds {len(support.files)} example(s) of {len(support.classes)} classes: "
        f"python -m zoo predict --with {path} --query FILE [FILE ...]"
    )


def _choose(options) -> None:
    def progress(line):
        print(line, file=sys.stderr, flush=True)

    encoder = {name: getattr(options, name) for name in ("encoder", "encoder_weights")}
    choice = zoo.choose(
        options.folder, options.invert, options.plot, options.models, progress=progress, **encoder
    )
    if options.json:
        found = {"best": choice.best, "command": choice.command, "chosen": choice.honest()}
        _print({**found, "results": choice.rows()})
        return
    print(choice.text())


def _match(options) -> None:
    _print_answers(options, zoo.match(options.name, options.describe, options.query))


def _print_answers(options, answers: list[dict]) -> None:
    if options.json:
        _print({"model": options.name, "answers": answers})
        return
    for answer in answers:
        chances = ", ".join(f"{name} {p:.1%}" for name, p in answer["probabilities"].items())
        refused = answer["name"] is None
        print(
            f"{answer['query']}: {f'{wording.NONE_OF_THESE} ({chances})' if refused else chances}"
        )


def _export(options) -> None:
    print(zoo.export(options.name, options.format, options.to, options.data))


def _demo(options) -> None:
    folder = zoo.demo(options.names, options.to, options.runtime)
    print(f"The page is in {folder}. To see it: python -m http.server --directory {folder}")


def _publish(options) -> None:
    folder = zoo.publish(options.folder, options.name, options.anyway)
    print(f"{folder} holds weights, options and card; python -m zoo report writes the tables.")


def _calibrate(options) -> None:
    found = zoo.calibrate(options.name)
    if not found:
        print(f"{options.name} has no classes that were kept for validation.")
        return
    print(f"{options.name}. {wording.calibration(found)}")


def _record(options) -> None:
    results.record(Path(options.folder), options.name)
    print(f"{options.name}: recorded; python -m zoo report writes the tables.")


def _reproduce(options) -> int:
    from zoo import reproducing

    def tell(line):
        print(line, flush=True)

    folder = reproducing.folder_of(options.to, options.share)
    if options.list:
        print(reproducing.plan(options.names, folder, tell).text())
        return 0
    asked = options.names, folder, options.share, options.hours, tell
    try:
        outcomes = reproducing.reproduce(*asked)
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on where this one was.", file=sys.stderr)
        return 130
    print(f"\n{reproducing.table(outcomes, options.share)}")
    print(f"The report with all figures and curves is {folder / reproducing.REPORT}.")
    return 0 if reproducing.all_agree(outcomes, options.share) else 1


def _report(options) -> int:
    stale = 0
    with contextlib.nullcontext() if options.check else store.lock():
        for path, text, current in report.compare():
            if current != text:
                stale += 1
                if not options.check:
                    files.write_text(path, current)
                done = "differs" if options.check else "written"
                print(f"{done}: {path.relative_to(report.ROOT)}")
    for chapter in report.without_model():
        print(f"no model yet: {chapter}")
    return 1 if options.check and stale else 0


def _print(value) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())

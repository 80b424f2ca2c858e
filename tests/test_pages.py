"""What the pages point at is there: links, files, tests, and commands with their options."""

import ast
import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest

import zoo.__main__
from chapters import over_splits
from chapters.engine import configuration
from datasets import __main__ as datasets_main

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {"runs", ".venv", "venv", ".git"} & set(path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\(([^)#\s]+)")
ANCHOR = re.compile(r"\]\(([^):#\s]*)#([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
SOURCE_FILE = re.compile(r"[\w./-]+\.(py|md|toml)")
TEST_NAME = re.compile(r"test_\w+")
COMMAND = re.compile(r"python -m ([^`\n#|]+?)(?=`|\n|#|\||&&|-->|$)")
MADE_UP = ("chapters.chNN_name.train",)  # what CONTRIBUTING tells to write
PARSERS = {"zoo": zoo.__main__._parser, "datasets": datasets_main._parser}


def name_of(path: Path) -> str:
    """A page's place in the project, for the names of tests."""
    return str(path.relative_to(ROOT))


def defined_tests() -> set[str]:
    """Names of all test functions and of all files of tests."""
    names = set()
    for path in (ROOT / "tests").rglob("*.py"):
        names.add(path.stem)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return names


def broken_links(page: Path, text: str) -> list[str]:
    """Targets of links to files that are not there."""
    targets = [target for target in LINK.findall(text) if "://" not in target]
    return [target for target in targets if not (page.parent / target).exists()]


def anchors(text: str) -> set[str]:
    """What can be pointed at within a page: its headings, as code hosts write them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_anchors(page: Path, text: str) -> list[str]:
    """Links to headings that are not there."""
    found = [(target or page.name, name) for target, name in ANCHOR.findall(text)]
    return [
        f"{target}#{name}"
        for target, name in found
        if name not in anchors((page.parent / target).read_text(encoding="utf-8"))
    ]


def absent_files(page: Path, text: str) -> list[str]:
    """Source files named in code that are neither beside the page nor anywhere below the root."""
    known = [
        f"/{name_of(path)}" for kind in ("*.py", "*.md", "*.toml") for path in ROOT.rglob(kind)
    ]
    named = [code for code in CODE.findall(text) if SOURCE_FILE.fullmatch(code)]
    return [
        name
        for name in named
        if not (page.parent / name).exists() and not any(k.endswith(f"/{name}") for k in known)
    ]


def absent_tests(text: str, known: set[str]) -> list[str]:
    """Tests named in code that do not exist."""
    named = [code.removesuffix(".py") for code in CODE.findall(text)]
    named = [name for name in named if TEST_NAME.fullmatch(name) and not name.endswith("_fraction")]
    return [name for name in named if name not in known]


def wrong_command(command: str) -> str:
    """Why ``python -m <command>`` of a page would not be accepted; empty when it would."""
    module, *words = shlex.split(re.sub(r"\[[^]]*\]", "", command))
    if module in (*MADE_UP, "pytest") or module.split(".")[0] in sys.stdlib_module_names:
        return ""
    path = ROOT / module.replace(".", "/")
    if not (path.with_suffix(".py").exists() or (path / "__main__.py").exists()):
        return "there is no such module"
    try:
        if module in PARSERS:
            PARSERS[module]().parse_args(words)
        elif module == "chapters.over_splits":
            options, rest = over_splits._parse(words)
            configuration.parse(over_splits._script(options.script), rest)
        elif module.startswith("chapters.") and words:
            package, _, script = module.rpartition(".")
            scripts = importlib.import_module(f"{package}.presets").SCRIPTS
            if script in scripts:
                configuration.parse(scripts[script], words)
    except Exception as error:
        return str(error)
    except SystemExit as end:
        return "its options are not accepted" if end.code else ""
    return ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files(page):
    text = page.read_text(encoding="utf-8")
    assert not broken_links(page, text)
    assert not broken_anchors(page, text)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_exist(page):
    assert not absent_files(page, page.read_text(encoding="utf-8"))


def test_tests_that_are_named_exist():
    known = defined_tests()
    found = {
        f"{name_of(page)}: {name}"
        for page in PAGES
        for name in absent_tests(page.read_text(encoding="utf-8"), known)
    }
    assert not found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_are_accepted(page):
    commands = [found.strip() for found in COMMAND.findall(page.read_text(encoding="utf-8"))]
    wrong = {command: wrong_command(command) for command in commands}
    assert not {command: reason for command, reason in wrong.items() if reason}


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (broken_links, "see [chapter 1](chapters/ch01_nothing/README.md)"),
        (broken_anchors, "see [there](README.md#of-nothing)"),
        (broken_anchors, "see [below](#of-nothing)"),
        (absent_files, "as `no_such_file.py` does"),
    ],
)
def test_a_page_that_points_nowhere_is_found(check, text):
    assert check(ROOT / "README.md", text)


def test_a_test_that_is_gone_is_found():
    assert absent_tests("`test_of_something_else`", {"test_of_this"}) == ["test_of_something_else"]


@pytest.mark.parametrize(
    "command",
    [
        "chapters.ch03_prototypical.trian",
        "chapters.ch03_prototypical.train --preset qick",
        "chapters.ch03_prototypical.train --no-such-option 1",
        "zoo lsit",
        "zoo evaluate some-model --shots 5",
        "datasets fetch omniglot",
    ],
)
def test_a_command_that_would_fail_is_found(command):
    assert wrong_command(command)


def test_a_command_that_works_is_not_found():
    assert not wrong_command("chapters.ch03_prototypical.train --preset paper_1shot --seed 1")
    assert not wrong_command("zoo predict NAME --support FOLDER --query FILE [FILE ...]")

"""The shape of the project, read from its files: imports point one way, nothing is left out.

datasets  <-  chapters/engine  <-  chapters/experiments  <-  chapters/chNN_*  <-  zoo
"""

import ast
import dataclasses
import graphlib
import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("datasets", "chapters", "zoo", "tests")
SOURCES = sorted(p for top in OURS[:3] for p in (ROOT / top).rglob("*.py"))
CHAPTERS = sorted(p for p in (ROOT / "chapters").glob("ch[0-9]*") if p.is_dir())
# What the engine may take from the data: the errors, and the type of an episode.
ENGINE_MAY_IMPORT = {"datasets.console", "datasets.errors", "datasets.tasks.episodes"}


def module_of(path: Path) -> str:
    """``chapters/engine/loop.py`` -> ``chapters.engine.loop``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.Module, module: str, package: bool = False):
    """Yield (imported module, whether at the top level of the file).

    ``from a import b`` counts as ``a.b`` when that is a module of ours, and as ``a`` otherwise.
    """
    top = set(ast.walk(ast.Module([n for n in tree.body if not _is_function(n)], [])))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".") if package else module.split(".")[:-1]
                parts = parts[: len(parts) - node.level + 1]
                base = ".".join([*parts, *([base] if base else [])])
            names = [_deepest(base, alias.name) for alias in node.names]
        else:
            continue
        for name in names:
            yield name, node in top


def _is_function(node) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _deepest(base: str, name: str) -> str:
    path = ROOT / base.replace(".", "/") / name
    return f"{base}.{name}" if path.is_dir() or path.with_suffix(".py").exists() else base


def forbidden(module: str, imported: str, top_level: bool) -> str:
    """Why ``module`` may not import ``imported``; empty when it may."""
    to, by = imported.split("."), module.split(".")
    if to[0] not in OURS:
        return ""
    if to[0] == "tests":
        return "nothing imports tests"
    if by[0] == "datasets":
        return "" if to[0] == "datasets" else "datasets stands alone"
    if by[:2] == ["chapters", "engine"]:
        if to[0] == "datasets":
            return (
                ""
                if imported in ENGINE_MAY_IMPORT
                else "the engine takes console, errors and episodes"
            )
        return "" if to[:2] == ["chapters", "engine"] else "the engine knows no chapter"
    if by[:2] == ["chapters", "experiments"]:
        below = to[0] == "datasets" or to[:2] in (by[:2], ["chapters", "engine"])
        return "" if below else "experiments know no chapter"
    if by[0] == "chapters" and len(by) > 1 and re.match(r"ch\d", by[1]):
        if to[0] == "zoo":
            return "a chapter knows no zoo"
        below = ("engine", "experiments", by[1])
        other = to[0] == "chapters" and len(to) > 1 and to[1] not in below
        return "a chapter knows no other chapter" if other else ""
    if by[0] == "chapters":
        return "only the zoo stands above chapters" if to[0] == "zoo" else ""
    chapter = to[0] == "chapters" and len(to) > 1 and re.match(r"ch\d", to[1])
    if chapter and (to[2:] != ["presets"] or top_level):
        return "the zoo reads chapters through their presets, and only when it is asked"
    return ""


def violations(source: str, module: str, package: bool = False) -> list[str]:
    """Sentences on every import of a file that the rules forbid."""
    found = []
    for imported, top_level in imports(ast.parse(source), module, package):
        reason = forbidden(module, imported, top_level)
        if reason:
            found.append(f"{module} imports {imported}: {reason}")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_point_one_way(path):
    assert not violations(path.read_text(), module_of(path), path.name == "__init__.py")


def circle(files: dict[str, str]) -> list[str]:
    """Modules that import each other in a circle, by their text; empty when there is none."""
    graph = {
        module: {name for name, top in imports(ast.parse(source), module) if top and name != module}
        for module, source in files.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_no_files_import_each_other_in_a_circle():
    files = {module_of(path): path.read_text(encoding="utf-8") for path in SOURCES}
    assert not circle({name: text for name, text in files.items() if name not in OURS})


def test_circles_are_found():
    one, other = "from zoo import report", "from zoo import catalogue"
    assert circle({"zoo.catalogue": one, "zoo.report": other})
    assert not circle({"zoo.catalogue": one, "zoo.report": f"def f():\n    {other}"})


@pytest.mark.parametrize(
    ("module", "source", "allowed"),
    [
        ("datasets.sets.faces", "from datasets.readers.pgm import read_pgm", True),
        ("datasets.sets.faces", "import chapters.engine.errors", False),
        ("datasets.sets.faces", "def f():\n    from zoo import store", False),
        ("chapters.engine.loop", "from datasets.errors import DataError", True),
        ("chapters.engine.loop", "from datasets.tasks.episodes import Episode", True),
        ("chapters.engine.loop", "import datasets", False),
        ("chapters.engine.loop", "from datasets.dataset import Dataset", False),
        ("chapters.engine.loop", "from chapters.ch03_prototypical import models", False),
        ("chapters.engine.loop", "from ..ch03_prototypical import models", False),
        ("chapters.engine.loop", "from . import files", True),
        ("chapters.ch02_siamese.train", "from chapters.engine import loop", True),
        ("chapters.ch02_siamese.train", "from chapters.ch02_siamese import models", True),
        ("chapters.ch02_siamese.train", "from chapters import ch03_prototypical", False),
        ("chapters.ch02_siamese.train", "import chapters.ch03_prototypical.models", False),
        ("chapters.ch02_siamese.train", "import zoo", False),
        ("chapters.ch02_siamese.train", "from chapters.experiments import images", True),
        ("chapters.experiments.images", "from datasets.tasks.episodes import Episode", True),
        ("chapters.experiments.images", "from chapters.engine import loop", True),
        ("chapters.experiments.images", "from chapters.ch02_siamese import models", False),
        ("chapters.engine.loop", "from chapters.experiments import images", False),
        ("chapters.ch02_siamese.train", "from tests.chapters.engine import tiny", False),
        ("zoo.registry", "def f():\n    from chapters.ch02_siamese import presets", True),
        ("zoo.registry", "from chapters.ch02_siamese import presets", False),
        ("zoo.registry", "def f():\n    from chapters.ch02_siamese import models", False),
        ("zoo.registry", "from chapters.engine.errors import RunError", True),
        ("zoo.registry", "import numpy, datasets", True),
    ],
)
def test_the_rules_know_right_from_wrong(module, source, allowed):
    assert (not violations(source, module)) == allowed


def test_presets_import_configuration_and_nothing_heavy():
    for path in CHAPTERS:
        tree = ast.parse((path / "presets.py").read_text())
        module = f"chapters.{path.name}.presets"
        foreign = {name for name, _ in imports(tree, module) if name.split(".")[0] not in OURS}
        assert foreign <= set(sys.stdlib_module_names), f"{module} imports {foreign}"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.name)
def test_every_chapter_is_complete(chapter):
    for name in ("README.md", "presets.py", "__init__.py"):
        assert (chapter / name).is_file(), f"{chapter.name} has no {name}"
    tests = list((ROOT / "tests/chapters" / chapter.name).glob("test_*.py"))
    assert tests, f"tests/chapters/{chapter.name} has no tests"


@pytest.mark.parametrize("folder", ["engine", "experiments"])
def test_every_shared_file_has_its_tests(folder):
    for path in (ROOT / "chapters" / folder).rglob("*.py"):
        if path.stem in ("__init__", "errors", "figures"):  # nothing to run; tested with runs
            continue
        room = path.parent.name  # the parts of a small room are tested together
        names = {f"test_{name}.py" for name in (path.stem, room, f"{room}_{path.stem}")}
        tests = {test.name for test in (ROOT / "tests/chapters" / folder).glob("test_*.py")}
        assert names & tests, f"{path.relative_to(ROOT)} has none of {', '.join(sorted(names))}"


def tapes_in_steps(tree: ast.Module) -> list[str]:
    """Training steps that open a tape: functions named ``train_step``, or ending in ``_step``."""
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.name.endswith("_step")
        and node.name != "inner_step"
        and any(isinstance(n, ast.Attribute) and n.attr == "GradientTape" for n in ast.walk(node))
    ]


def files_from(script: Path, jumps: int) -> set[Path]:
    """Files of its own chapter that a reader of a script reaches with so many jumps."""
    reached = {script}
    for _ in range(jumps):
        for path in list(reached):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            named = (name for name, _ in imports(tree, module_of(path)))
            files = {ROOT / f"{name.replace('.', '/')}.py" for name in named}
            reached |= {file for file in files if file.parent == script.parent and file.exists()}
    return reached


SCRIPTS = sorted(
    p for chapter in CHAPTERS for p in chapter.glob("train*.py") if "main(" in p.read_text()
)


@pytest.mark.parametrize("script", SCRIPTS, ids=module_of)
def test_the_outer_tape_is_in_the_chapter_at_most_two_files_away(script):
    near = files_from(script, jumps=2)
    assert any(tapes_in_steps(ast.parse(path.read_text(encoding="utf-8"))) for path in near)


def test_the_engine_opens_no_tape():
    for path in (ROOT / "chapters/engine").rglob("*.py"):
        assert "GradientTape" not in path.read_text(encoding="utf-8"), f"{path.name} has a tape"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def train_step():\n    def gradient():\n        with tf.GradientTape() as t: ...", True),
        ("def sequence_step():\n    with tf.GradientTape() as t: ...", True),
        ("def inner_step():\n    with tf.GradientTape() as t: ...", False),
        ("def train_step():\n    return mean_gradient(loss)", False),
        ("def attack():\n    with tf.GradientTape() as t: ...", False),
    ],
)
def test_tapes_of_steps_are_told_from_others(source, found):
    assert bool(tapes_in_steps(ast.parse(source))) == found


def public_without_docstring(tree: ast.Module):
    """Yield the name of every public module, class, function and method that says nothing."""
    if not ast.get_docstring(tree) and tree.body:
        yield "the module"
    stack = [("", node) for node in tree.body]
    while stack:
        prefix, node = stack.pop()
        if not _is_function(node) or node.name.startswith("_"):
            continue
        name = prefix + node.name
        if not ast.get_docstring(node):
            yield name
        if isinstance(node, ast.ClassDef):
            stack += [(f"{name}.", child) for child in node.body]


# Keras' own interface: what these do is documented there.
KERAS_METHODS = ("get_config", "from_config", "build", "compute_output_shape")


SPOKEN = [
    path for path in SOURCES if path.name != "lesson.py"
]  # whose cells speak between the code


@pytest.mark.parametrize("path", SPOKEN, ids=module_of)
def test_everything_public_has_a_docstring(path):
    missing = [
        name
        for name in public_without_docstring(ast.parse(path.read_text()))
        if name.rsplit(".", maxsplit=1)[-1] not in KERAS_METHODS
    ]
    assert not missing


def test_missing_docstrings_are_found():
    source = '"""A."""\nclass B:\n    def c(self): ...\n    def _d(self): ...\ndef e(): ...\n'
    assert sorted(public_without_docstring(ast.parse(source))) == ["B", "B.c", "e"]


UNREAD = ("RunFolder", "os", "tarfile")  # whose ``open`` reads no text


def text_without_encoding(source: str) -> list[int]:
    """Lines that read or write text in whatever encoding the machine is set to."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        keywords = {keyword.arg for keyword in node.keywords}
        positional = [a.value for a in node.args if isinstance(a, ast.Constant)]
        binary = any(isinstance(value, str) and "b" in value for value in positional)
        reads = node.func.attr in ("read_text", "write_text")
        opens = node.func.attr == "open" and isinstance(node.func.value, ast.Name | ast.BinOp)
        ours = isinstance(node.func.value, ast.Name) and node.func.value.id in ("files", "Image")
        named = isinstance(node.func.value, ast.Name) and node.func.value.id in UNREAD
        if (reads or (opens and not binary)) and not (ours or named or "encoding" in keywords):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_text_is_utf8_whatever_the_machine_is_set_to(path):
    assert not text_without_encoding(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("path.read_text()", True),
        ("path.write_text(text)", True),
        ("path.open()", True),
        ('path.open("rb")', False),
        ('path.read_text(encoding="utf-8")', False),
        ("files.write_text(path, text)", False),
    ],
)
def test_text_without_encoding_is_found(source, found):
    assert bool(text_without_encoding(source)) == found


# Absolute paths into somebody's home, a temporary folder or a drive.
MACHINE_PATH = re.compile(
    r"(?<![\w.])(/(home|Users|root|tmp|work|mnt|media|venv)/\w|[A-Z]:\\\\?\w)"
)
MADE_UP = "/tmp/evil"  # what archives in tests try to write
TEXTS = sorted(
    path
    for path in ROOT.rglob("*")
    if path.suffix in (".py", ".md", ".toml", ".txt", ".json", ".csv", ".yml", ".cfg")
    and not {".git", "runs", ".venv", "venv", "__pycache__"} & set(path.relative_to(ROOT).parts)
)


def test_no_file_names_a_path_of_some_machine():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in TEXTS
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if path != Path(__file__) and MACHINE_PATH.search(line.replace(MADE_UP, ""))
    ]
    assert not found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("open('/home/somebody/data')", True),
        ("see /tmp/out.txt", True),
        ("C:\\Users\\somebody", True),
        ("https://example.org/home/page", False),
        ("runs/tmp/x and chapters/work/y", False),
    ],
)
def test_machine_paths_are_told_from_others(line, found):
    assert bool(MACHINE_PATH.search(line)) == found


def redefined(config):
    """Yield options that a class and a base of it both define, with what they allow in each."""
    classes = [c for c in config.__mro__ if dataclasses.is_dataclass(c)]
    for number, one in enumerate(classes):
        for name in vars(one).get("__annotations__", ()):
            for base in classes[number + 1 :]:
                if name in vars(base).get("__annotations__", ()):
                    fields = (c.__dataclass_fields__[name].metadata for c in (one, base))
                    yield (
                        name,
                        [{k: v for k, v in f.items() if k not in ("help", "only")} for f in fields],
                    )


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.name)
def test_what_an_option_allows_is_said_once(chapter):
    scripts = importlib.import_module(f"chapters.{chapter.name}.presets").SCRIPTS
    for script in scripts.values():
        for name, (ours, theirs) in redefined(script.config):
            assert ours == theirs, f"{script.config.__name__}.{name}; use configuration.changed"

"""Every command that a page tells to type runs, in a copy of the project, as a stranger has it.

Long ones are shortened: trainings to two steps, tests to two tasks. Commands that name a script
and a preset alone are run by the tests of the scripts, preset by preset.
"""

import dataclasses
import functools
import os
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from chapters.__main__ import scripts
from chapters.engine import configuration
from chapters.engine.configuration import flag_of
from tests.chapters.ch03_prototypical.test_own_sounds import say
from tests.test_pages import COMMAND, MADE_UP, PAGES, ROOT, name_of
from zoo.reproducing.jobs import LENGTHS, SPLITS, applies

pytestmark = [pytest.mark.slow, pytest.mark.real_data]

GENERATED = re.compile(r"<!-- \w+.*?<!-- end -->", re.DOTALL)
SCRIPTS = dict(scripts())
SHORT = {
    **dict.fromkeys(LENGTHS, 2),
    **dict.fromkeys(("steps_per_epoch", "steps_per_call", "validation_episodes"), 2),
    **dict.fromkeys(("seeds", "repeats", "restarts"), 1),
}
# Begin of a command -> the test that runs it: it measures for long, or reaches the internet.
ELSEWHERE = {
    "chapters.ch06_maml.benchmark_acting": "chapters/ch06_maml/test_benchmark_acting",
    "chapters.lessons": "chapters/test_lessons",
    "datasets get omniglot": "datasets/test_main",
    "http.server": "zoo/test_browser",
    "pytest": "test_commands",
    "zoo calibrate": "zoo/test_calibrating",
    "zoo demo": "zoo/test_browser",
    "zoo reproduce": "zoo/test_reproducing",
    "zoo.comparison": "zoo/test_comparison",
    "zoo.equal_cost": "zoo/test_equal_cost",
    "zoo.expected_table": "zoo/test_expected",
    "zoo.export_table": "zoo/test_exporting",
    "zoo.optimizing": "zoo/test_optimizing",
    "zoo.unknown_table": "zoo/test_rejecting",
}
# What a page leaves to the reader -> what stands for it.
FILLED = (
    (r"FILE \[FILE \.\.\.\]|FILE$", "new.jpg"),
    (r"(zoo match) NAME", r"\1 zero-shot-prototypical-emoji"),
    (r"(zoo predict) NAME", r"\1 semi-prototypical-omniglot-masked"),
    (r"(zoo info) NAME", r"\1 maml-sine-5shot"),
    (r"(zoo publish) RUN\w* NAME", r"\1 runs/faces my-faces"),
    (r"(zoo publish) runs/.*paper_1shot .*", r"\1 runs/leaves my-leaves"),
    (r"--run RUN", "--run runs/faces"),
    (r"(datasets get) NAME", r"\1 strokes"),
    (r"(train_audio|train_spoken) --data FOLDER", r"\1 --data my_sounds"),
    ("--encoder-weights imagenet", "--encoder-weights random"),
)
PICTURES = (
    "FOLDER", "my_leaves", "more_leaves", "other_leaves", "my_photos", "photos", "path/to/folder",
    "path/to/other",
)  # fmt: skip


def commands(page) -> list[str]:
    """What stands behind ``python -m``, in the order of a page, each once."""
    text = GENERATED.sub("", page.read_text(encoding="utf-8"))
    found = dict.fromkeys(command.strip() for command in COMMAND.findall(text))
    return [command for command in found if command.split()[0] not in MADE_UP]


def elsewhere(command: str) -> str:
    """The file whose tests run a command; empty when it is to be run here."""
    if command.endswith(".lesson"):
        return "chapters/test_lessons"
    module, *words = command.split()
    if module in SCRIPTS and words[:1] in ([], ["--preset"]) and len(words) in (0, 2):
        return tested_by(module)
    return next((file for begin, file in ELSEWHERE.items() if command.startswith(begin)), "")


@functools.cache
def tested_by(module: str) -> str:
    """The file of tests that runs a script with its presets; empty where there is none."""
    script = module.rpartition(".")[2]
    files = sorted((ROOT / "tests/chapters").rglob("test_*.py"))
    runs = re.compile(rf"\b{script}\b.*--preset|--preset.*\b{script}\b", re.DOTALL)
    found = [file for file in files if runs.search(file.read_text(encoding="utf-8"))]
    return str(found[0].relative_to(ROOT / "tests").with_suffix("")) if found else ""


def words_of(command: str) -> list[str]:
    """The words of a command with everything filled in, shortened where it is long."""
    for pattern, words in FILLED:
        command = re.sub(pattern, words, command)
    words = shlex.split(command)
    if words[0] == SPLITS:
        return [*words, "--splits", "2", *shortening(words[1], words[2:])]
    if words[0] in SCRIPTS:
        return [*words, *shortening(words[0], words[1:])]
    if words[0].endswith(".benchmark"):
        return [*words, "--repeats", "1"]
    if words[:2] == ["zoo", "evaluate"]:
        return [*words, "--episodes", "2"]
    if words[:2] == ["zoo", "publish"]:
        return [*words, "--anyway"]  # a network of two steps is no better than none
    return words


def shortening(script: str, own: list[str]) -> list[str]:
    """Options that make a training as short as it can be."""
    options, words = configuration.parse(SCRIPTS[script], own), []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        counted = field.name in SHORT and value and not isinstance(value, bool)
        if counted and applies(field, script, options):
            least = max(SHORT[field.name], field.metadata["minimum"] or 0)
            words += [flag_of(field.name), str(least)]
    return words


def draw(path, rng, first: int = 1):
    """Twelve classes of six pictures in colour, each class of a hue and a shape of its own."""
    for k in range(12):
        name = ("oak", "elm")[k] if k < 2 else f"tree {k}"
        (path / name).mkdir(parents=True)
        for number in range(first, first + 6):
            pixels = rng.integers(0, 60, [40, 40, 3])
            pixels[k : k + 20, 10 : 14 + k] += np.array([60 + 10 * k, 200 - 10 * k, 90])
            Image.fromarray(pixels.astype(np.uint8)).save(path / name / f"{number}.jpg")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of what is kept of the project, with a reader's own files in it."""
    folder = tmp_path_factory.mktemp("stranger") / "metazoo"
    tracked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    rng = np.random.default_rng(0)
    for name in PICTURES:
        draw(folder / name, rng, first=7 if name == "more_leaves" else 1)  # known files are refused
    for name in ("my_sounds", "my_words"):
        say(folder / name)
    for name in ("new.jpg", "new1.jpg", "new2.jpg"):
        shutil.copyfile(folder / "my_leaves/oak/1.jpg", folder / name)
    Image.open(folder / "new.jpg").save(folder / "new.png")
    shutil.copyfile(folder / "my_words/word 0/0.wav", folder / "new.wav")
    short = ["--steps", "2", "--splits", "2", "--run", "runs/faces"]
    run(folder, ["chapters.ch02_siamese.train_faces", *short])
    return folder


def clear(folder, words: list[str]) -> None:
    """Remove what another command has left where this one writes, since nothing is written over."""
    places = []
    if words[0] in SCRIPTS or words[0] == SPLITS:
        script = words[1 if words[0] == SPLITS else 0].removeprefix("chapters.")
        places = [words[words.index("--run") + 1] if "--run" in words else f"runs/{script}"]
    elif words[:2] == ["zoo", "export"]:
        places = [words[words.index("--to") + 1]]
    for place in places:
        shutil.rmtree(folder / place, ignore_errors=True)


def run(folder, words: list[str]) -> subprocess.CompletedProcess:
    """Run ``python -m`` in the copy, without the project that is tested on its path."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name_of)
def test_commands_of_a_page_run_in_its_order(page, project):
    failed = {}
    for command in commands(page):
        if not elsewhere(command):
            words = words_of(command)
            clear(project, words)
            ended = run(project, words)
            if ended.returncode:
                failed[command] = ended.stderr[-2000:]
    assert not failed


def test_commands_that_run_elsewhere_are_there():
    for command in {command for page in PAGES for command in commands(page)}:
        if file := elsewhere(command):
            text = (ROOT / f"tests/{file}.py").read_text(encoding="utf-8")
            assert command.split()[0].rpartition(".")[2] in text, command

"""Lessons run from the first cell to the last, shortened, and their notebooks are up to date."""

import re
import subprocess
import sys

import nbformat
import pytest

from chapters import lessons
from chapters.engine.errors import ConfigError, RunError
from chapters.engine.figures import plt
from tests.test_architecture import CHAPTERS

LENGTH = re.compile(r"^([A-Z_, ]*\b(?:STEPS|EPISODES)\b[A-Z_, ]*) = .*$", re.MULTILINE)
SOLUTION = re.compile(r"<details>.*?</details>", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
FAILS = "# %% [markdown]\n# # One\n\n# %%\nprint(1)\n\n# %%\n1 / 0\n"


def each(lesson):
    return lesson.parent.name


def shortened(code: str) -> str:
    """Two steps and two episodes, whatever the lesson has; no magic of notebooks."""
    code = "\n".join(line for line in code.splitlines() if not line.startswith("%"))
    return LENGTH.sub(
        lambda found: f"{found[1]} = {', '.join('2' * (found[1].count(',') + 1))}", code
    )


def test_every_chapter_has_a_lesson():
    assert [lesson.parent for lesson in lessons.LESSONS] == CHAPTERS


@pytest.fixture
def drawn():
    """What a lesson leaves open is closed."""
    yield
    plt.close("all")


@pytest.mark.parametrize("lesson", lessons.LESSONS, ids=each)
def test_a_lesson_runs_with_its_solutions(lesson, drawn):
    cells, names = lessons.read(lesson).cells, {"__name__": "lesson"}
    assert sum(bool(LENGTH.search(cell.source)) for cell in cells) >= 1
    solutions = [text for cell in cells for text in SOLUTION.findall(cell.source)]
    blocks = [code for text in solutions for code in PYTHON.findall(text)]
    assert blocks
    for code in [*(cell.source for cell in cells if cell.cell_type == "code"), *blocks]:
        exec(compile(shortened(code), str(lesson), "exec"), names)


@pytest.mark.parametrize("lesson", lessons.LESSONS, ids=each)
def test_the_notebook_is_that_of_the_lesson(lesson):
    assert lessons.is_current(lesson), "run: python -m chapters.lessons"
    path = lessons.notebook_of(lesson)
    assert path.stat().st_size <= lessons.LARGEST
    outputs = [out for cell in nbformat.read(path, 4).cells for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"]
    assert any("image/png" in out.get("data", {}) for out in outputs)


def test_all_begin_alike_and_follow_the_book():
    texts = {lesson: lessons.read(lesson).cells for lesson in lessons.LESSONS}
    assert len({cells[1].source for cells in texts.values()}) == 1  # the project is found
    for lesson, cells in texts.items():
        number, text = int(each(lesson)[2:4]), "\n".join(cell.source for cell in cells)
        assert text.startswith(f"# Lesson {number}: ")
        assert f"\n## {number}.1 " in f"\n{text}" and "**Question.**" in text
        assert "## Exercise" in text and re.search(rf"\bE{number}\.\d", text)


@pytest.fixture
def own(tmp_path, monkeypatch):
    lesson = tmp_path / "ch03_own" / "lesson.py"
    lesson.parent.mkdir()
    lesson.write_text(FAILS)
    monkeypatch.setattr(lessons, "LESSONS", [lesson])
    return lesson


def test_a_lesson_that_fails_is_told_in_a_sentence_and_leaves_no_notebook(own):
    with pytest.raises(RunError, match="a cell ends in ZeroDivisionError: division by zero"):
        lessons.main([])
    assert not lessons.notebook_of(own).exists()


def test_what_has_changed_is_run_again(own, capsys):
    own.write_text(FAILS.replace("1 / 0", "print(2)"))
    assert not lessons.is_current(own)
    lessons.main([])
    assert "ch03_own: lesson.ipynb, " in capsys.readouterr().out and lessons.is_current(own)
    cells = nbformat.read(lessons.notebook_of(own), 4).cells
    assert [out.text for cell in cells[1:] for out in cell.outputs] == ["1\n", "2\n"]
    lessons.main(["--check"])
    assert "agrees with its lesson" in capsys.readouterr().out
    own.write_text(own.read_text().replace("print(1)", "print(3)"))
    with pytest.raises(SystemExit) as end:
        lessons.main(["--check"])
    assert end.value.code == 1 and "ch03_own: changed" in capsys.readouterr().out


def test_a_notebook_that_was_emptied_is_no_notebook(own):
    nbformat.write(lessons.read(own), lessons.notebook_of(own))
    assert not lessons.is_current(own)


def test_a_notebook_that_is_too_large_is_not_kept(own, monkeypatch):
    own.write_text(FAILS.replace("1 / 0", "print('a' * 500_000)"))
    with pytest.raises(RunError, match=r"has 50\d,\d+ bytes, more than 400,000; draw less"):
        lessons.main([])
    assert not lessons.notebook_of(own).exists()


def test_a_chapter_without_a_lesson_is_named(own):
    with pytest.raises(ConfigError, match="No lesson of 'ch12'; there are ch03_own"):
        lessons.main(["ch12"])


def test_without_jupytext_one_sentence_says_what_to_install(own, monkeypatch):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(RunError, match="pip install -r requirements-lessons.txt"):
        lessons.read(own)


def test_the_project_is_found_from_the_folder_of_a_chapter():
    cell = lessons.read(lessons.LESSONS[0]).cells[1].source
    done = subprocess.run(
        [sys.executable, "-c", f"{cell}\nimport zoo"],
        cwd=lessons.LESSONS[0].parent, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

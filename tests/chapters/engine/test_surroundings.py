"""A Python that was not tested, and another package called ``datasets``: one sentence each."""

import ast
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from chapters.engine import surroundings

HOME = surroundings.HOME


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_tested_versions_will_do(version):
    assert surroundings.wrong_python(version) == ""


@pytest.mark.parametrize("version", [(3, 10), (3, 14), (2, 7)])
def test_others_are_refused(version):
    number = ".".join(map(str, version))
    with pytest.raises(surroundings.Unsuitable, match=f"This is Python {number}; .* 3.11 to 3.13"):
        surroundings.check(version)


def test_the_package_says_the_same():
    project = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"


def test_our_own_datasets_is_no_other():
    assert surroundings.wrong_datasets() == ""


def run(code, tmp_path, *path):
    other = tmp_path / "other" / "datasets"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    places = {"other": str(other.parent), "ours": str(HOME)}
    lines = "".join(f"sys.path.insert(0, {places[name]!r})\n" for name in reversed(path))
    return subprocess.run(
        [sys.executable, "-c", f"import sys\n{lines}{code}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize("package", ["zoo", "chapters"])
def test_another_datasets_that_is_found_first(package, tmp_path):
    done = run(f"import {package}", tmp_path, "other", "ours")
    assert done.returncode == 1
    assert done.stderr == (
        "error: Metazoo's package datasets is hidden by another of that name, "
        f"{tmp_path}/other/datasets/__init__.py; use an environment of Metazoo's own, or put "
        f"{HOME} first in PYTHONPATH.\n"
    )


def test_another_datasets_that_is_found_later_does_no_harm(tmp_path):
    done = run("import zoo", tmp_path, "ours", "other")
    assert done.returncode == 0 and done.stderr == ""


def test_another_datasets_that_is_imported_already(tmp_path):
    code = f"import datasets\nsys.path.insert(0, {str(HOME)!r})\nimport zoo"
    done = run(code, tmp_path, "other")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "restart Python and import chapters or zoo before it" in done.stderr


def test_a_defect_keeps_its_traceback(tmp_path):
    code = "try:\n    import zoo\nexcept ImportError:\n    1 / 0"
    done = run(code, tmp_path, "other", "ours")
    assert "ZeroDivisionError" in done.stderr and "Traceback" in done.stderr


def test_old_pythons_can_read_the_file():
    """No syntax that is younger than Python 3.6: the sentence must come, not a syntax error."""
    for module in ("chapters", "chapters.engine", "chapters.engine.surroundings"):
        source = Path(importlib.util.find_spec(module).origin).read_text()
        ast.parse(source, feature_version=(3, 7))

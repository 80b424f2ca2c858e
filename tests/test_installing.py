"""An installed Metazoo works from any folder, and does not mix with another ``datasets``."""

import re
import shutil
import subprocess
import sys
import zipfile

import pytest

import zoo
from tests.test_pages import ROOT

SITE = "import site\nsite.addsitedir({site!r})\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what ``pip install .`` would put beside other packages."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "site")
    return folder / "site"


def run(code, site, cwd):
    return subprocess.run(
        [sys.executable, "-c", SITE.format(site=str(site)) + code],
        cwd=cwd, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_models_are_there_from_any_folder(installed, tmp_path):
    code = "import zoo\nprint(zoo.__file__, *zoo.list_models(), zoo.info('ntm-copy')['name'])"
    done = run(code, installed, tmp_path)
    assert done.returncode == 0, done.stderr
    file, *names, card = done.stdout.split()
    assert file == str(installed / "metazoo_packages" / "zoo" / "__init__.py")
    assert names == zoo.list_models() and card == "ntm-copy"


def test_another_datasets_is_neither_replaced_nor_mixed_with(installed, tmp_path):
    site = tmp_path / "site"
    shutil.copytree(installed, site)
    (site / "datasets").mkdir()
    (site / "datasets" / "__init__.py").write_text("name = 'another'")
    done = run("import zoo", site, tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"hidden by another of that name, {site}/datasets/__init__.py" in done.stderr
    assert run("import datasets\nprint(datasets.name)", site, tmp_path).stdout == "another\n"


def test_the_version_and_what_is_needed_are_written_once(installed):
    (metadata,) = installed.glob("*.dist-info/METADATA")
    text = metadata.read_text(encoding="utf-8")
    assert f"\nVersion: {zoo.__version__}\n" in text
    needed = re.findall(r"^(\w\S*==\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert sorted(needed) == sorted(re.findall(r"^Requires-Dist: (\S+==\S+)$", text, re.MULTILINE))


def test_nothing_but_the_packages_is_installed(installed):
    top = {path.name for path in installed.iterdir()}
    assert top == {"metazoo.pth", "metazoo_packages", f"metazoo-{zoo.__version__}.dist-info"}
    assert {path.name for path in (installed / "metazoo_packages").iterdir()} == {
        "chapters", "datasets", "zoo",
    }  # fmt: skip

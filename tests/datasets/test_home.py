"""Where data is looked for: homes are found, and a home that nobody has is refused."""

from pathlib import Path

import pytest

from datasets import __main__ as command
from datasets import home
from datasets.errors import DataError

NOBODY = "~nobody-of-this-name"


def test_a_tilde_is_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home.expand("~") == tmp_path
    assert home.expand(Path("~/data")) == tmp_path / "data"


@pytest.mark.parametrize("name", ["METAZOO_CACHE", "METAZOO_DATA"])
def test_a_home_that_nobody_has_is_refused_and_not_made(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, f"{NOBODY}/data")
    with pytest.raises(DataError, match=f"begins with {NOBODY}, but nobody here has that name"):
        home.search_folders()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["list"], ["get", "orl_faces"], ["verify", "orl_faces"]])
def test_a_root_in_a_home_that_nobody_has_is_one_sentence(arguments, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("METAZOO_OFFLINE", "1")
    assert command.main(["--root", NOBODY, *arguments]) == 2
    out, said = capsys.readouterr()
    assert out == "" and said.count("\n") == 1
    assert f"{NOBODY} begins with {NOBODY}" in said and f"./{NOBODY} for a folder" in said
    assert not list(tmp_path.iterdir())


def test_a_folder_may_be_called_like_a_home_where_that_is_said():
    assert home.expand(f"./{NOBODY}") == Path(NOBODY)

"""Names: listed at once, never twice, and close ones suggested."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import zoo.__main__
from zoo import catalogue
from zoo.errors import ZooError
from zoo.records import store

LISTING = """
import sys
import zoo.__main__
zoo.__main__.main(["list"])
heavy = {"tensorflow", "keras", "librosa", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""


def test_listing_imports_nothing_heavy():
    listed = subprocess.run(
        [sys.executable, "-c", LISTING], capture_output=True, text=True, check=False
    )
    assert listed.returncode == 0, listed.stderr
    assert "prototypical-omniglot-1shot" in listed.stdout


def test_patterns_choose_names():
    assert "maml-sine-5shot" in zoo.list_models("maml-sine*")
    assert "maml-omniglot-5way" not in zoo.list_models("maml-sine*")
    assert zoo.list_models("nothing*") == []


@pytest.mark.parametrize(
    "name",
    [
        "prototypical-omniglot-1shoot", "", "../weights/maml-sine-5shot", "maml-sine-5shot/",
        "./maml-sine-5shot", ".hidden", "/etc/passwd", "maml-sine-5shot\n", "MAML-sine-5shot",
    ],
)  # fmt: skip
def test_only_names_of_the_catalogue_lead_to_files(name):
    for function in (zoo.info, zoo.load):
        with pytest.raises(ZooError, match=f"Unknown model {re.escape(repr(name))}"):
            function(name)


def test_a_close_name_is_suggested():
    with pytest.raises(ZooError, match="did you mean 'siamese-orl-faces'"):
        zoo.info("siamese-orl-face")


def test_a_name_that_two_chapters_declare_is_an_error(monkeypatch):
    from chapters.ch03_prototypical import presets

    monkeypatch.setitem(presets.MODELS, "siamese-orl-faces", presets.CHARACTERS)
    with pytest.raises(ZooError, match="declared by ch02_siamese and by ch03_prototypical"):
        zoo.list_models()


def test_a_declared_name_without_weights_says_how_to_get_them(own_zoo):
    assert zoo.list_models() == []
    with pytest.raises(ZooError, match="no weights here yet.*chapters.ch03_prototypical.train"):
        zoo.load("prototypical-omniglot-1shot")


def test_a_model_under_a_name_of_its_own_is_found_by_its_script(own_zoo):
    def entry(name, script):
        (own_zoo / name).mkdir(parents=True)
        (own_zoo / name / "card.json").write_text("{}")
        (own_zoo / name / "config.json").write_text(json.dumps({"script": script}))

    entry("mine", "chapters.ch03_prototypical.train")
    entry("stranger", "os.system")
    entry(".mine.part", "chapters.ch03_prototypical.train")
    assert zoo.list_models() == ["mine"]
    assert catalogue.find("mine").chapter == "ch03_prototypical"


@pytest.mark.parametrize(
    ("name", "script", "words"),
    [
        ("My Leaves", "chapters.ch03_prototypical.train", "is no name for a model"),
        ("../up", "chapters.ch03_prototypical.train", "is no name for a model"),
        ("maml-sine-5shot", "chapters.ch03_prototypical.train", "is a model of chapters.ch06_maml"),
        ("mine", "chapters.ch06_maml.train_toy", "No chapter declares a model"),
    ],
)
def test_a_run_gets_no_name_that_does_not_fit(name, script, words):
    with pytest.raises(ZooError, match=words):
        catalogue.of_run(name, script)


def test_every_declared_function_exists():
    from zoo.loading import function

    for entry in catalogue.declared().values():
        for path in (entry.model.build, entry.model.evaluate, entry.model.read):
            assert not path or callable(function(path)), f"{entry.name}: {path}"


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", "{", "is not valid JSON"),
        ("card.json", "{}", "has name = None, which does not belong there"),
        (
            "card.json",
            None,
            "has mean = '0.5' in row 0 of its results, which does not belong there",
        ),
    ],
)
def test_a_bad_folder_is_left_out_with_a_warning_and_harms_no_other(
    own_zoo, copied, capsys, file, content, said
):
    """``copied`` is a sound entry; beside it lies one that somebody has broken."""
    bad = shutil.copytree(copied, own_zoo / "of-my-own")
    if content is None:
        card = json.loads((bad / file).read_text(encoding="utf-8"))
        card["results"][0]["mean"] = "0.5"
        content = json.dumps(card)
    (bad / file).write_text(content, encoding="utf-8")
    store.warn.cache_clear()
    assert zoo.__main__.main(["list"]) == 0
    out, err = capsys.readouterr()
    assert "maml-sine-5shot" in out and "of-my-own" not in out
    assert err.startswith("warning: of-my-own is left out") and said in err
    assert err.count("\n") == 1
    assert zoo.__main__.main(["list"]) == 0
    assert not capsys.readouterr().err  # once is enough
    assert zoo.load("maml-sine-5shot").learner.count_params() == 1761
    with pytest.raises(ZooError):
        zoo.load("of-my-own")


@pytest.mark.parametrize("words", [["list"], ["info", "maml-sine-5shot"], ["report", "--check"]])
def test_commands_work_where_the_console_knows_ascii_alone(words):
    environment = {
        **os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii:strict",
    }  # fmt: skip
    command = [sys.executable, "-m", "zoo", *words]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr

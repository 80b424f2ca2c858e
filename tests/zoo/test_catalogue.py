"""Names: listed at once, never twice, and close ones suggested."""

import json
import re
import subprocess
import sys

import pytest

import zoo
from zoo import catalogue
from zoo.errors import ZooError

LISTING = """
import sys, time
import zoo.__main__
zoo.__main__.main(["list"])
heavy = {"tensorflow", "keras", "librosa", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
assert time.process_time() < 0.5, time.process_time()
"""


def test_listing_takes_less_than_half_a_second_and_imports_nothing_heavy():
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

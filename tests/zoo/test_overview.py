"""Tables of chapters: all are there, and the figures are those of the cards."""

import zoo
from chapters import __main__ as listing
from zoo import catalogue, overview
from zoo.records import cards, store

CARD = {
    "results": [
        {"method": "m", "data": "d", "measure": "accuracy", "way": 5, "shot": 1, "digits": 2,
         "batch_norm": "support", "published": None},
        {"method": "m", "data": "d", "measure": "accuracy", "way": 5, "shot": 1, "digits": 2,
         "batch_norm": "transductive", "published": 98.7},
        {"method": "m", "data": "d", "measure": "accuracy", "way": 20, "shot": 1, "digits": 2,
         "batch_norm": "support", "published": 50.0},
    ]
}  # fmt: skip


def systems_of(chapter):
    return overview.importlib.import_module(f"chapters.{chapter}.presets").SYSTEMS


def test_every_chapter_has_a_page_a_lesson_and_systems():
    pages, table = overview.chapters(), overview.systems()
    for chapter in catalogue.CHAPTERS:
        folder = overview.HOME / "chapters" / chapter
        assert (folder / "README.md").exists() and (folder / "lesson.ipynb").exists()
        assert f"chapters/{chapter}/README.md" in pages
        assert all(f"| {system.name} | {system.what} |" in table for system in systems_of(chapter))


def test_every_script_is_listed_once():
    lines = overview.scripts().splitlines()[2:]
    named = [line.split("|")[2].strip(" `") for line in lines]
    modules = [name for name, _ in [*listing.scripts(), *listing.tools()]]
    assert sorted(named) == sorted(module.rpartition(".")[2] for module in modules)


def test_systems_stand_for_models_that_are_declared():
    known = catalogue.declared()
    for chapter in catalogue.CHAPTERS:
        for system in systems_of(chapter):
            assert known[system.model].chapter == chapter


def test_a_figure_is_that_of_the_card():
    card = zoo.info("prototypical-omniglot-1shot")
    heading, value = cards.headline(card)
    assert overview.figure(catalogue.find(card["name"])) == (f"omniglot, {heading}", value, "98.8")


def test_what_is_not_published_has_no_figure(monkeypatch, tmp_path):
    monkeypatch.setattr(store, "FOLDER", tmp_path)
    assert overview.figure(catalogue.find("prototypical-omniglot-1shot")) == (
        "not measured yet",
        "-",
        "-",
    )


def test_a_published_figure_of_the_other_regime_says_so():
    first, other, twenty = CARD["results"]
    assert overview._published(CARD, first) == "98.7, transductive"
    assert overview._published(CARD, other) == "98.7"
    assert overview._published(CARD, twenty) == "50.0"
    assert overview._published({"results": [first]}, first) == "-"

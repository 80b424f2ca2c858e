"""Results come from runs, and the READMEs from the results."""

import errno
import json
import multiprocessing
import re
import threading

import pytest

import zoo
from chapters.ch03_prototypical.presets import SCRIPTS
from chapters.engine import files
from chapters.engine.errors import RunError
from chapters.engine.results import Measure, Result, share
from zoo import catalogue, report
from zoo.records import cards, results, store, wording


def write_run(folder, **options):
    """A finished run of chapter 3 with one result."""
    config = SCRIPTS["train"].config(preset="paper_1shot")
    values = {"script": "chapters.ch03_prototypical.train", **vars(config), **options}
    row = Result(
        "prototypical network", share("accuracy", "5-way 1-shot"), 0.98765, 0.0012, "omniglot", 0,
        way=5, shot=1, query=15, episodes=600, batch_norm="stored", published=98.8,
    ).row()  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "metrics.json").write_text(
        json.dumps({"results": [row], "train_seconds": 600.0, "parameters": 1})
    )
    (folder / "run.json").write_text(json.dumps({"device": "CPU", "python": "3", "versions": {}}))
    return folder


def test_a_row_carries_figure_conditions_and_command(tmp_path):
    file = tmp_path / "results.csv"
    results.record(write_run(tmp_path / "run", seed=3, rotations=False), "name", file)
    (row,) = results.read(file)
    assert row["mean"] == "0.98765"
    assert row["seconds"] == "600"
    assert row["command"] == (
        "python -m chapters.ch03_prototypical.train --preset paper_1shot --seed 3 --no-rotations"
    )


def test_recording_again_replaces_and_keeps_other_names(tmp_path):
    file = tmp_path / "results.csv"
    for name in ("b", "a", "b"):
        results.record(write_run(tmp_path / "run"), name, file)
    assert [row["name"] for row in results.read(file)] == ["a", "b"]


def test_the_recorded_command_parses_to_the_recorded_options(tmp_path):
    from chapters.engine.configuration import parse

    run = write_run(tmp_path / "run", learning_rate=0.01, columns="5w1s", rotations=False)
    words = results.command(json.loads((run / "config.json").read_text())).split()[3:]
    config = parse(SCRIPTS["train"], words)
    assert (config.learning_rate, config.columns, config.rotations) == (0.01, "5w1s", False)


def test_an_unfinished_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="metrics.json is missing"):
        results.record(tmp_path, "name", tmp_path / "results.csv")


def test_tables_stand_between_markers_and_text_around_them_stays(tmp_path):
    file = tmp_path / "results.csv"
    results.record(write_run(tmp_path / "run"), "mine", file)
    text = "before\n<!-- results mine -->\nstale\n<!-- end -->\nafter\n"
    written = report.generate(text, results.read(file))
    assert written.startswith("before\n<!-- results mine -->\n|")
    assert written.endswith("<!-- end -->\nafter\n")
    assert "| prototypical network | 98.77 ± 0.12 |" in written
    assert "| published | 98.8 |" in written
    assert "stale" not in written
    assert report.generate(written, results.read(file)) == written


def test_a_network_of_two_sets_has_columns_and_a_protocol_for_each():
    rows = [
        Result(
            "network", share("accuracy", f"5-way 1-shot, {data}"), 0.5, 0.1, data, 0,
            query=query, episodes=600, batch_norm="stored",
        ).row()
        for data, query in (("emoji", 4), ("omniglot", 15))
    ]  # fmt: skip
    known = {"name": "both", "command": "run", "seconds": "60"}
    rows = [{**results.as_text(row), **known} for row in rows]
    table = report.table(rows)
    assert table.startswith("|  | 5-way 1-shot, emoji (%) | 5-way 1-shot, omniglot (%) |")
    assert "emoji, test classes, 600 episodes, 4 queries per class, batch norm" in table
    assert "; omniglot, test classes, 600 episodes, 15 queries per class, batch norm" in table


def test_readmes_agree_with_the_results():
    rows = results.read()
    for path in report.readmes():
        text = path.read_text()
        assert report.generate(text, rows) == text, f"{path}: run python -m zoo report"


def test_the_table_of_models_names_every_model_and_the_chapters_without(own_zoo, monkeypatch):
    assert "No model yet: ch01_learned_optimizers, ch02_siamese, " in report.models()
    monkeypatch.undo()
    table = report.models()
    found = re.findall("^\\| `([a-z0-9-]+)`", table, re.MULTILINE)
    assert sorted(found) == sorted(set(zoo.list_models()) & set(catalogue.declared()))
    for name in zoo.list_models():
        assert cards.headline(zoo.info(name))[1] in table
        picture = f"weights/{name}/picture.png"
        assert (picture in report.pictures()) == (store.FOLDER / name / "picture.png").exists()


@pytest.mark.parametrize(
    ("measure", "interval", "regime", "heading", "value"),
    [
        (("accuracy", "5-way 1-shot", "%", 2), 0.01, None, "5-way 1-shot (%)", "50.00 ± 1.00"),
        (("accuracy", "a", "%", 2), 0.01, "support", "a, honest (%)", "50.00 ± 1.00"),
        (("auc", "AUC"), None, None, "AUC", "0.500"),
        (("return", "return", "", 1), 0.01, None, "return", "0.5 ± 0.0"),
    ],
)
def test_figures_are_written_as_their_measure_says(measure, interval, regime, heading, value):
    result = Result("ours", Measure(*measure), 0.5, interval, "points", 0, batch_norm=regime)
    text = results.as_text(result.row())
    assert (wording.column(text), wording.cell(text)) == (heading, value)


def record_names(folder, names) -> None:
    """In a process: record a run under each of these names."""
    from pathlib import Path

    folder = Path(folder)
    store.FOLDER = folder / "weights"
    for name in names:
        results.record(folder / "run", name, folder / "results.csv")


def test_processes_that_record_at_once_lose_no_row(tmp_path):
    write_run(tmp_path / "run")
    spawn = multiprocessing.get_context("spawn")
    groups = [[f"{letter}{number}" for number in range(8)] for letter in "abc"]
    workers = [spawn.Process(target=record_names, args=(str(tmp_path), g)) for g in groups]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    rows = results.read(tmp_path / "results.csv")
    assert [row["name"] for row in rows] == sorted(name for group in groups for name in group)


def test_threads_that_record_at_once_lose_no_row(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "FOLDER", tmp_path / "weights")
    run, file = write_run(tmp_path / "run"), tmp_path / "results.csv"
    threads = [threading.Thread(target=results.record, args=(run, n, file)) for n in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row["name"] for row in results.read(file)] == list("abcdef")


def test_a_full_disk_keeps_the_rows_of_all_models(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "FOLDER", tmp_path / "weights")
    run, file = write_run(tmp_path / "run"), tmp_path / "results.csv"
    for name in "ab":
        results.record(run, name, file)
    before = file.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError) as caught:
        results.record(run, "c", file)
    assert caught.value.filename == str(file)
    assert file.read_bytes() == before


def test_what_a_killed_process_left_is_put_right(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "FOLDER", tmp_path / "weights")
    for name in (".gone.old", ".there.old", "there", ".new.part"):
        (store.FOLDER / name).mkdir(parents=True)
    with store.lock():
        assert sorted(path.name for path in store.FOLDER.iterdir()) == ["gone", "there"]


def test_the_protocol_of_tests_with_other_numbers_of_queries_names_all():
    """Classes of few pictures leave fewer queries to tests of more shots."""
    row = {"method": "a", "data": "emoji", "batch_norm": "stored", "seed": "0"}
    one = {**row, "query": "4", "protocol": "emoji, 1000 episodes, 4 queries per class"}
    other = {**row, "query": "1", "protocol": "emoji, 1000 episodes, 1 query per class"}
    assert "4 or 1 queries per class" in wording.protocol([one, other])
    assert "1000 episodes, 1 query per class," in wording.protocol([other])
    baseline = {**one, "method": "pixels"}
    assert "1000 episodes, 1 query per class," in wording.protocol([baseline, other])

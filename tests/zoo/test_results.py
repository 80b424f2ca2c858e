"""Results come from runs, and the READMEs from the results."""

import json

import pytest

from chapters.ch03_prototypical.presets import SCRIPTS
from zoo import report, results, store
from zoo.errors import ZooError


def write_run(folder, **options):
    """A finished run of chapter 3 with one result."""
    config = SCRIPTS["train"].config(preset="paper_1shot")
    values = {"script": "chapters.ch03_prototypical.train", **vars(config), **options}
    row = {
        "method": "prototypical network", "data": "omniglot", "generated": False, "split": "test",
        "measure": "accuracy", "way": 5, "shot": 1, "query": 15, "mean": 0.98765,
        "interval": 0.0012, "episodes": 600, "seed": 0, "batch_norm": "stored", "published": 98.8,
    }  # fmt: skip
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
    assert row["minutes"] == "10"
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
    with pytest.raises(ZooError, match="config.json is missing"):
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


def test_readmes_agree_with_the_results():
    rows = results.read()
    for path in report.readmes():
        text = path.read_text()
        assert report.generate(text, rows) == text, f"{path}: run python -m zoo report"


def test_published_weights_match_their_card():
    import hashlib

    for card_file in store.FOLDER.glob("*/card.json"):
        card = json.loads(card_file.read_text())
        weights = card_file.with_name(store.WEIGHTS).read_bytes()
        assert hashlib.sha256(weights).hexdigest() == card["sha256"]
        names = {row["name"] for row in results.read()}
        assert card["name"] in names


def test_publishing_copies_weights_with_their_hash_and_no_local_paths(tmp_path):
    run = write_run(tmp_path / "run", data_root="/somewhere")
    (run / store.WEIGHTS).write_bytes(b"weights")
    target = store.publish(run, "mine", tmp_path / "zoo", tmp_path / "results.csv")
    assert (target / store.WEIGHTS).read_bytes() == b"weights"
    assert "/somewhere" not in (target / "config.json").read_text()
    with pytest.raises(ZooError, match="holds no model.weights.h5"):
        (run / store.WEIGHTS).unlink()
        store.publish(run, "mine", tmp_path / "zoo", tmp_path / "results.csv")

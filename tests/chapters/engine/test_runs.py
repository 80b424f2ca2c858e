"""Run folders: a place of its own for each run, nothing overwritten, nothing half written."""

import dataclasses
import json
import sys
from dataclasses import dataclass

import keras
import numpy as np
import pytest

from chapters.engine import figures, processor
from chapters.engine.configuration import FREE_ON_RESUME, RunConfig, option
from chapters.engine.errors import RunError
from chapters.engine.runs import RunFolder

SCRIPT = "chapters.ch99_example.train"


@dataclass(frozen=True)
class Config(RunConfig):
    """Options of a made-up script."""

    steps: int = option(10, "training steps")
    rate: float = option(0.1, "learning rate")


def config(run="", **options):
    return Config(preset="quick", run=str(run), **options)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_each_new_run_gets_the_next_number(here):
    opened = [RunFolder.open(config(), SCRIPT).path for _ in range(3)]
    assert [str(path) for path in opened] == [
        "runs/ch99_example.train/quick",
        "runs/ch99_example.train/quick-2",
        "runs/ch99_example.train/quick-3",
    ]
    assert all((path / "config.json").is_file() for path in opened)


def test_resume_without_a_folder_means_the_last_one(here):
    RunFolder.open(config(), SCRIPT)
    second = RunFolder.open(config(), SCRIPT)
    assert RunFolder.open(config(resume=True), SCRIPT).path == second.path


def test_resume_with_nothing_to_resume_starts_a_run(here):
    assert RunFolder.open(config(resume=True), SCRIPT).path.name == "quick"


def test_a_run_is_not_overwritten(tmp_path):
    RunFolder.open(config(tmp_path / "r"), SCRIPT)
    before = contents(tmp_path / "r")
    with pytest.raises(RunError, match="holds a run already; add --resume"):
        RunFolder.open(config(tmp_path / "r"), SCRIPT)
    assert contents(tmp_path / "r") == before


def test_a_folder_with_something_else_is_not_written_into(tmp_path):
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty and holds no run"):
        RunFolder.open(config(tmp_path), SCRIPT)
    assert contents(tmp_path) == {"letters.txt": b"mine"}


def test_other_options_on_resume_are_named_and_nothing_is_written(tmp_path):
    RunFolder.open(config(tmp_path / "r"), SCRIPT)
    before = contents(tmp_path / "r")
    with pytest.raises(RunError, match="steps was 10, now 20; rate was 0.1, now 0.2"):
        RunFolder.open(config(tmp_path / "r", resume=True, steps=20, rate=0.2), SCRIPT)
    with pytest.raises(RunError, match="script was 'chapters.ch99_example.train', now 'other'"):
        RunFolder.open(config(tmp_path / "r", resume=True), "other")
    assert contents(tmp_path / "r") == before


def test_options_that_change_no_number_may_change_on_resume(tmp_path):
    RunFolder.open(config(tmp_path / "r"), SCRIPT)
    free = {
        "data_root": "elsewhere", "offline": True, "export": "model", "resume": True,
        "tensorboard": True,
    }  # fmt: skip
    assert set(free) | {"run"} == set(FREE_ON_RESUME)
    RunFolder.open(config(tmp_path / "r", **free), SCRIPT)


def test_config_json_gives_back_the_configuration(tmp_path):
    made = config(tmp_path / "r", steps=7, rate=1 / 3)
    RunFolder.open(made, SCRIPT)
    saved = json.loads((tmp_path / "r/config.json").read_text())
    assert saved.pop("script") == SCRIPT
    assert Config(**saved) == made


def test_run_json_says_how_the_run_was_made(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--steps", "3"])
    RunFolder.open(config(tmp_path / "r"), SCRIPT, device="CPU, 2 cores")
    saved = json.loads((tmp_path / "r/run.json").read_text())
    assert saved["command"] == f"python -m {SCRIPT} --steps 3"
    assert saved["device"] == "CPU, 2 cores"
    assert saved["versions"]["keras"] == keras.__version__
    assert saved["versions"]["numpy"] == np.__version__


def test_only_the_chief_writes(tmp_path):
    path = tmp_path / "r"
    worker = RunFolder.open(config(path), SCRIPT, chief=False)
    worker.json("metrics.json", {})
    worker.weights(model())
    worker.figure("curve", figures.plt.figure())
    worker.sub("split1").json("metrics.json", {})
    assert not path.exists()
    RunFolder.open(config(path), SCRIPT)
    before = contents(path)
    RunFolder.open(config(path), SCRIPT, chief=False)  # the chief was faster: no complaint
    assert contents(path) == before


def test_workers_need_a_folder_they_can_all_read(here):
    with pytest.raises(RunError, match="multiworker needs --run"):
        RunFolder.open(config(strategy="multiworker"), SCRIPT)


def model():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])


def test_weights_come_back_and_leave_no_part(tmp_path):
    run = RunFolder.open(config(tmp_path / "r"), SCRIPT)
    made, other = model(), model()
    for variable in other.variables:
        variable.assign(variable + 1.0)
    run.weights(made)
    assert sorted(contents(run.path)) == ["config.json", "model.weights.h5", "run.json"]
    other.load_weights(run.path / "model.weights.h5")
    for a, b in zip(made.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (run.path / "model.weights.h5").stat().st_size < 100_000  # the room taken first is free


def test_weights_that_cannot_be_written_keep_the_old_ones(tmp_path, monkeypatch):
    run, made = RunFolder.open(config(tmp_path / "r"), SCRIPT), model()
    run.weights(made)
    before = contents(run.path)

    def fail(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(made, "save_weights", fail)
    with pytest.raises(OSError, match="No space left"):
        run.weights(made)
    assert contents(run.path) == before


def test_parts_of_a_run_and_pictures(tmp_path):
    run = RunFolder.open(config(tmp_path / "r"), SCRIPT)
    part = run.sub("split1")
    part.json("metrics.json", {"auc": 0.5})
    assert json.loads((tmp_path / "r/split1/metrics.json").read_text()) == {"auc": 0.5}
    history = [{"step": 1, "loss": 1.0, "accuracy": 0.5}, {"step": 2, "loss": 0.5, "accuracy": 1.0}]
    run.figure("learning_curve", figures.learning_curve(history))
    assert (tmp_path / "r/learning_curve.png").read_bytes()[:4] == b"\x89PNG"
    assert not figures.plt.get_fignums()  # closed


def test_the_learning_curve_shows_the_history():
    history = [
        {"step": 5 * n, "loss": 1 / n, "accuracy": n / 9, "val_accuracy": n / 10} for n in (1, 2, 3)
    ]
    left, right = figures.learning_curve(history).axes
    assert [len(axis.lines) for axis in (left, right)] == [1, 2]
    np.testing.assert_allclose(left.lines[0].get_xydata(), [[5, 1], [10, 1 / 2], [15, 1 / 3]])
    np.testing.assert_allclose(right.lines[1].get_ydata(), [0.1, 0.2, 0.3])
    figures.plt.close("all")


def test_options_are_complete():
    """Every option of the base class is either compared or free on resume."""
    fields = {field.name for field in dataclasses.fields(RunConfig)}
    assert set(FREE_ON_RESUME) < fields


def test_a_continuation_with_other_threads_or_onednn_says_so(tmp_path, monkeypatch, capsys):
    began, now = {"threads": 2, "onednn": True}, {"threads": 1, "onednn": False}
    monkeypatch.setattr(processor, "setting", lambda: began)
    RunFolder.open(config(tmp_path / "r"), SCRIPT)
    saved = json.loads((tmp_path / "r/run.json").read_text())
    assert {name: saved[name] for name in began} == began
    RunFolder.open(config(tmp_path / "r", resume=True), SCRIPT)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(processor, "setting", lambda: now)
    RunFolder.open(config(tmp_path / "r", resume=True), SCRIPT)
    said = capsys.readouterr().out
    assert "began with 2 threads, oneDNN on; this continuation has 1 thread, oneDNN off" in said


def test_without_tensorboard_a_sentence_comes_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(RunError, match="--tensorboard needs TensorBoard: pip install tensorboard"):
        RunFolder.open(config(tmp_path / "r", tensorboard=True), SCRIPT)
    assert not (tmp_path / "r").exists()

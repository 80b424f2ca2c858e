"""The training script as its user runs it, with a tiny budget on generated characters."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from chapters.ch03_prototypical import train
from chapters.ch03_prototypical.presets import TRAIN
from chapters.engine import script
from chapters.engine.errors import ConfigError
from chapters.engine.figures import label, plt
from chapters.engine.runs import RunFolder
from chapters.experiments import images
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

TINY = [
    "--data", "strokes", "--h-dim", "4", "--z-dim", "4", "--steps", "4", "--steps-per-epoch", "2",
    "--steps-per-call", "2", "--validation-episodes", "5", "--test-episodes", "5", "--way", "5",
    "--shot", "1", "--query", "2", "--columns", "5w1s,5w5s", "--test-query", "3",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny finished run with its SavedModel."""
    folder = tmp_path_factory.mktemp("run")
    run, exported = folder / "run", folder / "exported"
    with without_graphs():
        train.main(["--preset", "quick", *TINY, "--run", str(run), "--export", str(exported)])
    return run, exported


def test_a_run_leaves_everything_in_its_folder(finished):
    run, _ = finished
    expected = {
        "config.json", "run.json", "log.csv", "metrics.json", "model.weights.h5", "checkpoints",
        "learning_curve.png", "episode.png", "embeddings.png",
    }  # fmt: skip
    assert expected <= {path.name for path in run.iterdir()}
    header, *rows = (run / "log.csv").read_text().split()
    assert header == "epoch,step,loss,accuracy,val_accuracy,seconds"
    assert len(rows) == 2


def test_metrics_say_how_they_were_measured_and_mark_generated_data(finished):
    metrics = json.loads((finished[0] / "metrics.json").read_text())
    methods = {row["method"] for row in metrics["results"]}
    assert methods == {"pixels, nearest neighbour", "untrained encoder", "prototypical network"}
    for row in metrics["results"]:
        assert row["generated"] is True
        assert row["batch_norm"] == "stored"
        assert row["episodes"] == 5
        assert 0.0 <= row["mean"] <= 1.0
        assert row["published"] is None  # the paper measured nothing on generated characters


def test_saved_model_adapts_to_other_ways_and_shots(finished):
    serve = tf.saved_model.load(str(finished[1])).signatures["serve"]
    rng = np.random.default_rng(0)
    output = serve(
        support_x=tf.constant(rng.random([9, 28, 28, 1]), tf.float32),
        support_y=tf.constant([0, 1, 2, 0, 1, 2, 2, 2, 2]),
        query_x=tf.constant(rng.random([4, 28, 28, 1]), tf.float32),
    )
    assert output["probabilities"].shape == (4, 3)
    np.testing.assert_allclose(tf.reduce_sum(output["probabilities"], axis=1), 1.0, atol=1e-6)


def test_a_second_run_with_the_same_seed_has_the_same_numbers(finished, tmp_path):
    with without_graphs():
        train.main(["--preset", "quick", *TINY, "--run", str(tmp_path)])
    first, second = (
        json.loads((run / "metrics.json").read_text())["results"] for run in (finished[0], tmp_path)
    )
    assert first == second


@pytest.mark.parametrize("preset", each(TRAIN, ("book",)))  # quick is run above
def test_every_preset_runs_with_a_tiny_budget(preset, tmp_path, capsys):
    train.main(["--preset", preset, *TINY, "--run", str(tmp_path / preset)])
    printed = capsys.readouterr().out
    assert "prototypical network" in printed
    assert ("Epoch: 1, Episode: 2, Loss:" in printed) == (preset == "book")


def test_own_folder_of_pictures_of_mixed_sizes_and_kinds(tmp_path, capsys, monkeypatch):
    drawn = {}

    def keep(run, name, figure):
        drawn[name] = [(axis.get_title(), axis.images) for axis in figure.axes]
        plt.close(figure)

    monkeypatch.setattr(RunFolder, "figure", keep)
    rng = np.random.default_rng(0)
    for name in ("ä", "日", "c", "d", "e", "f", "g", "h"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number, mode in enumerate(("L", "RGB", "RGBA", "L")):
            pixels = rng.integers(0, 256, [20 + number, 30, 4], dtype=np.uint8)
            Image.fromarray(pixels).convert(mode).save(tmp_path / "own" / name / f"{number}.png")
    options = ["--steps", "2", "--steps-per-epoch", "2", "--test-episodes", "5"]
    small = ["--h-dim", "4", "--z-dim", "4", "--validation-episodes", "5"]
    folder, run = str(tmp_path / "own"), str(tmp_path / "run")
    train.main(["--data", folder, "--run", run, *small, *options])
    printed = capsys.readouterr().out
    assert "classes never seen" in printed
    assert "accuracy 4-way 1-shot: " in printed and "val_accuracy 2-way 1-shot: " in printed
    names = {title.split("\n")[0] for title, _ in drawn["episode"]}
    assert names <= {"ä", label("日"), "c", "d", "e", "f", "g", "h"}
    assert {images[0].get_cmap().name for _, images in drawn["episode"]} == {"gray"}  # no negatives


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "quik"], "Unknown preset 'quik' (did you mean 'quick'?)"),
        (["--distanse", "cosine"], "Unknown option --distanse (did you mean '--distance'?)"),
        (["--data", "omniglott"], "did you mean 'omniglot'?"),
        (["--columns", "5way"], "--columns has '5way'"),
        (["--way", "1"], "--way is 1; it must be at least 2."),
        (["--way", "5000"], "5000-way tasks need 5000"),
        (["--shot", "18"], "shot 18 + query 5 need 23"),
    ],
)
def test_bad_options_end_in_one_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        script.run(train.main, arguments)
    assert left.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert sentence in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_missing_data_offline_names_the_ways_out(tmp_path):
    command = [sys.executable, "-m", "chapters.ch03_prototypical.train", "--preset", "book"]
    environment = {"PATH": "", "HOME": str(tmp_path), "METAZOO_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "METAZOO_DATA" in done.stderr
    assert "python -m datasets get omniglot" in done.stderr


def test_columns_are_read_and_written():
    assert [str(c) for c in images.parse_columns("5w1s, 20w5s")] == ["5w1s", "20w5s"]
    with pytest.raises(ConfigError, match="5x1"):
        images.parse_columns("5w1s,5x1")

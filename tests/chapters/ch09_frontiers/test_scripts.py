"""The scripts of chapter 9 as their users run them, with tiny budgets.

Inner loops are run without graphs: compiling costs more than these few steps.
"""

import json
import shutil

import h5py
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from chapters.ch09_frontiers import (
    compare_alterations,
    train_concepts,
    train_imitation,
    train_taml,
    train_taml_sine,
    train_unlabelled,
    train_unlabelled_maml,
)
from chapters.ch09_frontiers.presets import (
    ALTERATIONS,
    CONCEPTS,
    IMITATION,
    SCRIPTS,
    TAML,
    TAML_SINE,
    UNLABELLED,
    UNLABELLED_MAML,
)
from chapters.engine import configuration, script
from chapters.engine.errors import ConfigError
from datasets.tasks.copies import Alterations
from tests.chapters.ch09_frontiers.test_unlabelled import loose  # noqa: F401
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

SHORT = [
    "--steps", "2", "--steps-per-epoch", "1", "--steps-per-call", "1", "--validation-episodes",
    "2", "--test-episodes", "2", "--test-query", "2", "--image-size", "16",
]  # fmt: skip
METRIC = [
    *SHORT, "--h-dim", "2", "--z-dim", "2", "--way", "4", "--query", "1", "--columns", "3w1s",
]  # fmt: skip
GRADIENT = [
    *SHORT, "--filters", "2", "--way", "3", "--query", "1", "--tasks", "2", "--test-steps", "1",
    "--inner-steps", "1", "--columns", "3w1s",
]  # fmt: skip
SINE = [
    "--hidden", "4,4", "--tasks", "2", "--steps", "4", "--steps-per-epoch", "2",
    "--steps-per-call", "2", "--test-tasks", "3", "--shown-steps", "0,1", "--test-steps", "1",
    "--seeds", "1",
]  # fmt: skip
ARM = [
    "--horizon", "3", "--query", "2", "--tasks", "2", "--hidden", "4,4", "--bias", "2", "--steps",
    "2", "--steps-per-epoch", "1", "--steps-per-call", "1", "--validation-tasks", "2",
    "--validation-trajectories", "1", "--test-tasks", "4", "--test-trajectories", "2",
]  # fmt: skip
FEW = ["--clusters", "30", "--partitions", "2", "--dim", "4"]
FILES = {"config.json", "run.json", "metrics.json", "model.weights.h5"}


@pytest.fixture
def in_short():
    """Functions run without being compiled."""
    with without_graphs():
        yield


def clusters(presets, preset):
    """Options of clusters for a preset that has any."""
    values = presets[preset]
    if values.get("labels") != "clusters":
        return []
    steps = [] if values.get("embedding") == "pixels" else ["--embedding-steps", "2"]
    return [*FEW, *steps]


def read(folder):
    return json.loads((folder / "metrics.json").read_text())


def seconds_of(folder):
    """What a training took, by its log."""
    return float((folder / "log.csv").read_text().splitlines()[-1].rsplit(",", 1)[1])


def read_csv(path):
    """Rows of a log without the seconds they took."""
    return [line.rsplit(",", 1)[0] for line in path.read_text().splitlines()]


def headline(metrics):
    (row,) = (row for row in metrics["results"]
              if row["headline"] and row["method"] == metrics["method"])  # fmt: skip
    return row


@pytest.mark.parametrize("preset", each(UNLABELLED, ("quick", "paper")))
def test_every_preset_of_unlabelled_pictures_runs(preset, tmp_path):
    data = "painted_signs" if preset == "emoji" else "strokes"
    arguments = [*METRIC, *clusters(UNLABELLED, preset), "--run", str(tmp_path / "run")]
    train_unlabelled.main(["--preset", preset, "--data", data, *arguments])
    metrics = read(tmp_path / "run")
    methods = [row["method"] for row in metrics["results"]]
    assert methods[:3] == ["pixels, nearest neighbour", "untrained encoder", metrics["method"]]
    rivals = ["embedding, nearest neighbour", "embedding, linear", "cluster matching"]
    assert methods[3:] == (rivals if preset in ("book", "paper", "paper_pixels") else [])
    trained = [path.parent for path in (tmp_path / "run").rglob("log.csv")]  # an autoencoder first
    assert len(trained) == (2 if preset in ("book", "paper") else 1)
    assert metrics["train_seconds"] == pytest.approx(sum(map(seconds_of, trained)), abs=0.2)
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files >= FILES | {"task.png", "clusters.png", "learning_curve.png", "episode.png"}


def test_a_folder_of_pictures_becomes_a_model(loose, tmp_path, capsys):  # noqa: F811
    run, exported = tmp_path / "run", tmp_path / "exported"
    arguments = ["--data", str(loose), *METRIC, "--run", str(run), "--export", str(exported)]
    train_unlabelled.main(arguments)
    out = capsys.readouterr().out
    assert "has no labels to test with" in out and "every picture is a class" in out
    row = headline(read(run))
    assert row["measure"] == "accuracy_on_copies" and row["split"] == "test"
    served = tf.saved_model.load(exported).signatures["serve"]
    rng = np.random.default_rng(0)
    x = rng.random([5, 16, 16, 1]).astype(np.float32)
    answer = served(
        support_x=tf.constant(x[:3]), support_y=tf.constant([0, 1, 1]), query_x=tf.constant(x[3:])
    )
    np.testing.assert_allclose(answer["probabilities"].numpy().sum(axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize("preset", each(ALTERATIONS, ("quick",)))
def test_every_preset_of_alterations_runs(preset, tmp_path, capsys):
    data = "painted_signs" if preset == "emoji" else "strokes"
    run = ["--run", str(tmp_path / "run"), "--seeds", "1"]
    few = ["--turn", "0", "--zoom", "0", "--shift", "0"]
    arguments = ["--preset", preset, "--data", data, *METRIC, *few, *run]
    compare_alterations.main(arguments)
    metrics = read(tmp_path / "run")
    apart = {row["method"] for row in metrics["results"] if " minus " in row["method"]}
    # What is off already is no row, and quarter turns are for characters.
    left = {"shear", "thickness", "colours", "erasing"} if preset == "emoji" else {
        "shear", "thickness", "turned tasks",
    }  # fmt: skip
    assert apart == {f"without {name} minus all alterations" for name in left}
    assert all(row["split"] == "val" for row in metrics["results"])
    assert (tmp_path / "run" / "compared.png").exists()
    capsys.readouterr()
    compare_alterations.main([*arguments, "--resume"])
    assert "ms/step" not in capsys.readouterr().out
    assert read(tmp_path / "run")["results"] == metrics["results"]


def test_every_alteration_has_a_row():
    assert tuple(compare_alterations.WITHOUT) == Alterations._fields


def test_alterations_are_judged_by_validation_classes():
    config = configuration.parse(SCRIPTS["compare_alterations"], ["--data", "strokes"])
    data, config = compare_alterations.load(config)
    np.testing.assert_array_equal(data.classes("test"), data.classes("val"))


def test_alterations_of_a_folder_without_classes_cannot_be_judged(loose):  # noqa: F811
    config = configuration.parse(SCRIPTS["compare_alterations"], ["--data", str(loose)])
    with pytest.raises(ConfigError, match="has no class folders, so nobody can say"):
        compare_alterations.load(config)


@pytest.mark.parametrize("preset", each(UNLABELLED_MAML, ("book",)))
def test_every_preset_of_unlabelled_maml_runs(preset, in_short, tmp_path):
    arguments = [*GRADIENT, *clusters(UNLABELLED_MAML, preset), "--run", str(tmp_path / "run")]
    train_unlabelled_maml.main(["--preset", preset, "--data", "strokes", *arguments])
    metrics = read(tmp_path / "run")
    assert {row["batch_norm"] for row in metrics["results"]} >= {"support", "transductive"}
    assert headline(metrics)["batch_norm"] == "support"
    assert (tmp_path / "run" / "clusters.png").exists() == (preset in ("book", "paper"))


@pytest.mark.parametrize("preset", each(TAML, ("quick",)))
def test_every_preset_of_taml_runs(preset, in_short, tmp_path, capsys):
    options = ["--data", "strokes", *GRADIENT, "--seeds", "1", "--terms", "entropy"]
    run = ["--run", str(tmp_path / "run")]
    train_taml.main(["--preset", preset, *options, *run])
    metrics = read(tmp_path / "run")
    assert metrics["method"] == "TAML, entropy"
    methods = {row["method"] for row in metrics["results"]}
    assert methods == {"MAML", "TAML, entropy", "TAML, entropy minus MAML"}
    measures = {row["measure"] for row in metrics["results"]}
    assert {"entropy_before", "entropy_after", "gini_of_initial_losses"} <= measures
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files >= FILES | {"courses.png", "spread.png", "compared.png", "seed-0-maml"}
    if preset != "quick":
        return
    capsys.readouterr()
    train_taml.main(["--preset", preset, *options, *run, "--resume"])  # finished: nothing is new
    assert "Epoch" not in capsys.readouterr().out
    assert read(tmp_path / "run")["results"] == metrics["results"]


@pytest.mark.parametrize("preset", each(TAML_SINE, ("quick",)))
def test_every_preset_of_taml_on_curves_runs(preset, tmp_path):
    train_taml_sine.main(["--preset", preset, *SINE, "--run", str(tmp_path / "run")])
    metrics = read(tmp_path / "run")
    assert headline(metrics)["measure"] == "mse_after_1_steps"
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files >= FILES | {"courses.png", "error_by_steps.png", "compared.png"}


@pytest.mark.parametrize("preset", each(CONCEPTS, ("quick", "paper")))
def test_every_preset_of_concepts_runs(preset, in_short, tmp_path):
    external = {"subgroups": "emoji"}.get(preset, CONCEPTS[preset].get("external", "alphabets"))
    way = ["--way", "3"] if "head" in CONCEPTS[preset] else []
    options = [*METRIC, *way, "--seeds", "1", "--batch", "4", "--external", external]
    run = ["--run", str(tmp_path / "run")]
    train_concepts.main(["--preset", preset, "--data", "strokes", *options, *run])
    metrics = read(tmp_path / "run")
    assert metrics["method"] == "DEML" and headline(metrics)["batch_norm"] == "stored"
    arms = {row["method"] for row in metrics["results"]}
    assert ("frozen concepts minus tasks alone" in arms) == (preset in ("paper", "prototypical"))
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files >= FILES | {"courses.png", "compared.png", "episode.png"}


def test_frozen_prototypes_have_nothing_to_learn_and_are_tested(tmp_path):  # compiled
    options = ["--arms", "alone,frozen", *METRIC, "--batch", "4", "--run", str(tmp_path / "run")]
    train_concepts.main(["--data", "strokes", *options])
    assert read(tmp_path / "run")["method"] == "frozen concepts"
    assert (tmp_path / "run" / "seed-0-frozen" / "external" / "log.csv").exists()


@pytest.mark.parametrize("preset", each(IMITATION, ("quick", "watched")))
def test_every_preset_of_imitation_runs(preset, in_short, tmp_path, capsys):
    small = ["--side", "8", "--filters", "2"] if "sight" in IMITATION[preset] else []
    options = [*ARM, *small, "--longer", "1", "--seeds", "1", "--run", str(tmp_path / "run")]
    train_imitation.main(["--preset", preset, *options])
    metrics = read(tmp_path / "run")
    assert metrics["method"] == "meta-imitation" and headline(metrics)["measure"] == "success"
    methods = {row["method"] for row in metrics["results"]}
    assert {"told how it ends", "meta-imitation minus told how it ends"} <= methods
    assert {row["measure"] for row in metrics["results"]} == {"success", "other", "success_known"}
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files >= FILES | {"courses.png", "compared.png", "imitation.png", "imitation.gif"}
    with Image.open(tmp_path / "run" / "imitation.gif") as film:
        assert film.n_frames >= 3 and film.size == (4 * 104, 2 * 104)
    if preset != "quick":
        return
    capsys.readouterr()
    train_imitation.main(["--preset", preset, *options, "--resume"])
    assert "Epoch" not in capsys.readouterr().out
    assert read(tmp_path / "run")["results"] == metrics["results"]


def test_an_imitation_that_is_resumed_ends_with_the_same_bits(tmp_path):  # compiled
    options = [*ARM, "--beside", "lstm", "--steps", "4"]
    whole, part = tmp_path / "whole", tmp_path / "part"
    train_imitation.main([*options, "--run", str(whole)])
    shutil.copytree(whole, part)
    for folder in part.glob("seed-0-*/checkpoints"):
        newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        shutil.rmtree(newest)  # as if it had been killed in the last epoch
    for kept in part.glob("seed-0-*/tests.json"):
        kept.unlink()
    train_imitation.main([*options, "--run", str(part), "--resume"])
    assert read(part)["results"] == read(whole)["results"]
    for kind in ("mil", "lstm"):
        one, two = (read_csv(folder / f"seed-0-{kind}" / "log.csv") for folder in (whole, part))
        assert one == two and len(one) == 5
    with h5py.File(whole / "model.weights.h5") as one, h5py.File(part / "model.weights.h5") as two:
        names = []
        one.visititems(lambda name, x: names.append(name) if hasattr(x, "shape") else None)
        assert names and all(np.array_equal(one[name][()], two[name][()]) for name in names)


@pytest.mark.parametrize(
    ("main", "arguments", "sentence"),
    [
        (train_taml.main, ["--terms", "gini", "--tasks", "1"], "--terms gini compares the tasks"),
        (train_taml.main, ["--terms", "thiel"], "did you mean 'theil'"),
        (train_taml.main, ["--terms", "gini,gini"], "names one twice"),
        (train_taml_sine.main, ["--terms", "entropy"], "curves have none"),
        (train_taml_sine.main, ["--shown-steps", "1,5"], "lacks 0"),
        (train_concepts.main, ["--weight", "-1"], "--weight is -1.0; it must be at least 0"),
        (train_concepts.main, ["--arms", "alone,together"], "--arms has 'together'"),
        (train_concepts.main, ["--head", "maml", "--way", "5"], "test 5-way"),
        (train_imitation.main, ["--side", "32"], "--side is for --sight pictures"),
        (train_imitation.main, ["--shown-by", "other"], "--shown-by is for --sight pictures"),
        (train_imitation.main, ["--preset", "watched", "--sight", "numbers"], "numbers"),
        (train_imitation.main, ["--beside", "lstm,gru"], "--beside has 'gru'"),
        (train_imitation.main, ["--beside", "mil"], "the policies are conditioned, lstm, cloned"),
        (train_imitation.main, ["--horizon", "0"], "--horizon is 0; it must be at least 2"),
        (train_unlabelled.main, ["--clusters", "9"], "--clusters is for --labels clusters"),
        (train_unlabelled.main, ["--data", "strokes", "--way", "9000"], "4800 pictures, but"),
        (train_unlabelled.main, ["--colour", "0.2"], "there are no colours to alter"),
    ],
)
def test_bad_options_end_in_one_sentence(main, arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        script.run(main, arguments)
    assert stopped.value.code != 0
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") <= 3 and "Traceback" not in error

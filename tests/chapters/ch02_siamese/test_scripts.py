"""The scripts as their users run them, with tiny budgets on generated faces and sounds."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import datasets
from chapters.ch02_siamese import faces, identify, train_audio, train_faces
from chapters.ch02_siamese.presets import AUDIO, FACES
from chapters.engine import script
from datasets.readers.pgm import write_pgm
from tests.chapters.presets import each

TINY_BOOK = ["--data", "sketch_faces", "--splits", "2", "--steps", "4", "--steps-per-epoch", "2"]
TINY_FACES = [*TINY_BOOK, "--dim", "16", "--pairs", "16"]
TINY_AUDIO = ["--data", "synth_sounds", "--folds", "2", "--repeats", "1", "--steps", "4",
              "--steps-per-epoch", "2"]  # fmt: skip
PICTURES = {"loss_curve.png", "distances.png", "roc.png", "pairs.png"}
FILES = {"config.json", "run.json", "metrics.json", "decision.json", "model.weights.h5"}


@pytest.fixture(scope="module", autouse=True)
def few_people():
    """24 of the 40 sketched people, and fewer altered copies of them to fit the whitening on."""
    load = faces.load

    def few(config):
        data = load(config)
        kept = data.item_class < 24
        items, item_class, names = data.items[kept], data.item_class[kept], data.class_names[:24]
        return dataclasses.replace(
            data, items=items, item_class=item_class, class_names=names, splits={}
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faces, "load", few)
        patch.setattr(faces, "COPIES", 2)
        yield


@pytest.fixture(scope="module")
def faces_run(tmp_path_factory):
    """A tiny finished run on faces with its SavedModel."""
    folder = tmp_path_factory.mktemp("faces")
    run, exported = folder / "run", folder / "exported"
    options = ["--preset", "quick", *TINY_FACES, "--run", str(run), "--export", str(exported)]
    train_faces.main(options)
    return run, exported


@pytest.fixture(scope="module")
def audio_run(tmp_path_factory):
    """A tiny finished run on sounds with its SavedModel."""
    folder = tmp_path_factory.mktemp("audio")
    run, exported = folder / "run", folder / "exported"
    options = ["--preset", "quick", *TINY_AUDIO, "--run", str(run), "--export", str(exported)]
    train_audio.main(options)
    return run, exported


def test_runs_leave_everything_in_their_folders(faces_run, audio_run):
    for run, parts in ((faces_run[0], "split-*"), (audio_run[0], "repeat-*-fold-*")):
        assert {path.name for path in run.iterdir()} >= FILES | PICTURES
        subs = sorted(run.glob(parts))
        assert len(subs) == 2
        for sub in subs:
            assert (sub / "model.weights.h5").exists()
            header, *rows = (sub / "log.csv").read_text().split()
            assert "val_loss" in header
            assert len(rows) == 2


def test_metrics_say_what_was_measured_and_that_the_data_are_generated(faces_run, audio_run):
    expected = {
        faces_run[0]: {
            "siamese network",
            "before training",
            "features, not whitened",
            "raw pixels",
        },
        audio_run[0]: {"siamese network", "logistic regression, MFCC", "length of the clip"},
    }
    for run, methods in expected.items():
        rows = json.loads((run / "metrics.json").read_text())["results"]
        assert {row["method"] for row in rows} == methods
        measures = {row["measure"] for row in rows}
        assert measures >= {"auc", "equal_error_rate", "accuracy", "precision"}
        assert all(row["generated"] for row in rows)
        assert all(0 <= row["mean"] <= 1 for row in rows if row["mean"] is not None)


def test_resuming_a_finished_run_changes_no_measure(faces_run):
    run, _ = faces_run
    before = (run / "metrics.json").read_text()
    train_faces.main(["--preset", "quick", *TINY_FACES, "--run", str(run), "--resume"])
    after = json.loads((run / "metrics.json").read_text())
    assert after["results"] == json.loads(before)["results"]


def test_a_run_stopped_between_splits_ends_as_an_unbroken_one(faces_run, tmp_path, monkeypatch):
    options = ["--preset", "quick", *TINY_FACES, "--run", str(tmp_path / "run")]
    real, calls = train_faces.train, []

    def stop_in_second_split(*arguments, **named):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(train_faces, "train", stop_in_second_split)
        with pytest.raises(KeyboardInterrupt):
            train_faces.main(options)
    train_faces.main([*options, "--resume"])
    resumed = json.loads((tmp_path / "run" / "metrics.json").read_text())
    unbroken = json.loads((faces_run[0] / "metrics.json").read_text())
    assert resumed["results"] == unbroken["results"]


def test_the_exported_face_model_names_and_compares(faces_run):
    _, exported = faces_run
    model = tf.saved_model.load(str(exported))
    x = tf.random.uniform([7, 112, 92, 1], seed=0)
    labels = tf.constant([0, 1, 2], tf.int32)
    served = model.signatures["serve"](support_x=x[:3], support_y=labels, query_x=x[1:])
    assert served["distance"].shape == served["probabilities"].shape == (6, 3)
    np.testing.assert_allclose(served["distance"][0, 1], 0, atol=1e-3)  # the same picture
    pair = model.signatures["distance"](a=x[:3], b=x[4:7])
    (distance,) = pair.values()
    np.testing.assert_allclose(served["distance"][3:, 0], distance_to(model, x, 0), atol=1e-5)
    assert distance.shape == (3, 1)


def distance_to(model, x, support):
    """Distances of pictures 4, 5, 6 to one other, by the pair signature."""
    a = tf.repeat(x[support : support + 1], 3, axis=0)
    (distance,) = model.signatures["distance"](a=a, b=x[4:7]).values()
    return distance[:, 0]


def test_the_exported_sound_model_compares_clips_of_any_number(audio_run):
    _, exported = audio_run
    model = tf.saved_model.load(str(exported))
    x = tf.random.normal([3, 20, 400], seed=0)
    (distance,) = model.signatures["distance"](a=x, b=x).values()
    np.testing.assert_array_equal(distance, np.zeros([3, 1]))


@pytest.fixture
def portraits(tmp_path):
    """One picture of each of three sketched people, and another of the second."""
    people = datasets.load("sketch_faces")
    folder = tmp_path / "support"
    folder.mkdir()
    for person, name in enumerate(("ada", "ben", "cleo")):
        write_pgm(folder / f"{name}.pgm", people.items[10 * person])
    write_pgm(tmp_path / "new.pgm", people.items[11])
    return folder, tmp_path / "new.pgm"


def test_identify_names_a_new_picture(faces_run, portraits, tmp_path, capsys):
    folder, new = portraits
    same = folder / "cleo.pgm"
    options = ["--run", str(faces_run[0]), "--support", str(folder), "--query", str(new), str(same)]
    identify.main([*options, "--json", "--picture", str(tmp_path / "answer.png")])
    first, second = json.loads(capsys.readouterr().out)["answers"]
    assert first["name"] == min(first["distances"], key=first["distances"].get)
    assert set(first["distances"]) == {"ada", "ben", "cleo"}
    assert sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert (second["name"], second["distances"]["cleo"]) == ("cleo", 0)
    with Image.open(tmp_path / "answer.png") as picture:
        assert picture.width > 300
    identify.main(options)
    assert "cleo, probability" in capsys.readouterr().out


def test_identify_takes_folders_of_people_and_sounds(audio_run, tmp_path, capsys, cache_folder):
    sounds = next(cache_folder.glob("generated/synth_sounds*/audio_cats_dogs"))
    support, query = tmp_path / "support", sorted((sounds / "Cats").glob("*.wav"))[5]
    for name, folder in (("cat", "Cats"), ("dog", "Dogs")):
        (support / name).mkdir(parents=True)
        for path in sorted((sounds / folder).glob("*.wav"))[:2]:
            (support / name / path.name).write_bytes(path.read_bytes())
    identify.main(
        ["--run", str(audio_run[0]), "--support", str(support), "--query", str(query), "--json"]
    )
    (answer,) = json.loads(capsys.readouterr().out)["answers"]
    assert set(answer["distances"]) == {"cat", "dog"}


def sentence_of(main, options, capsys):
    """The sentence on standard error with which a script ends; it must exit with code 2."""
    with pytest.raises(SystemExit) as ended:
        script.run(main, options)
    assert ended.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_bad_input_of_identify_ends_in_one_sentence(faces_run, portraits, tmp_path, capsys):
    (folder, new), run = portraits, str(faces_run[0])
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "ada.pgm").write_bytes((folder / "ada.pgm").read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for options, words in (
        ((run, alone, new), "1 name(s), but naming needs at least 2"),
        ((run, folder, tmp_path / "broken.png"), "broken.png"),
        ((run, tmp_path / "nowhere", new), "nowhere is not a folder"),
        ((tmp_path, folder, new), "no finished run"),
    ):
        run_folder, support, query = map(str, options)
        arguments = ["--run", run_folder, "--support", support, "--query", query]
        assert words in sentence_of(identify.main, arguments, capsys)
    assert "--query" in sentence_of(identify.main, ["--run", run, "--support", "x"], capsys)


@pytest.mark.parametrize("main", [train_faces.main, train_audio.main])
def test_bad_options_end_in_one_sentence(main, capsys):
    assert "did you mean 'quick'" in sentence_of(main, ["--preset", "quik"], capsys)
    assert "did you mean '--margin'" in sentence_of(main, ["--margn", "1"], capsys)
    assert "must be at least 2" in sentence_of(main, ["--pairs", "1"], capsys)


def test_the_books_sound_network_is_not_trained_on_parts_of_clips(capsys):
    sentence = sentence_of(train_audio.main, ["--encoder", "book"], capsys)
    assert sentence == (
        "error: --encoder book takes 400 frames, but --augment trains on 64; add --no-augment."
    )


def test_missing_data_end_in_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("METAZOO_DATA", raising=False)
    options = ["--preset", "unseen", "--offline", "--run", str(tmp_path / "run")]
    for main, name in ((train_faces.main, "orl_faces"), (train_audio.main, "cats_dogs")):
        sentence = sentence_of(main, options, capsys)
        assert name in sentence
        assert "METAZOO_DATA" in sentence


@pytest.mark.slow
@pytest.mark.parametrize("preset", each(FACES, ("book",)))  # quick is run above
def test_every_face_preset_runs_with_a_tiny_budget(preset, tmp_path, capsys):
    options = [*TINY_BOOK, "--sample-size", "160"] if preset == "book" else TINY_FACES
    train_faces.main(["--preset", preset, *options, "--run", str(tmp_path / "run")])
    printed = capsys.readouterr().out
    if preset == "book":  # what the reader of the book expects to see
        assert "X.shape (320, 2, 56, 46, 1), Y.shape (320, 1)" in printed
        assert "Epoch 2: loss: " in printed


@pytest.mark.slow
@pytest.mark.parametrize("preset", each(AUDIO, ("book",)))
def test_every_audio_preset_runs_with_a_tiny_budget(preset, tmp_path, capsys):
    train_audio.main(["--preset", preset, *TINY_AUDIO, "--run", str(tmp_path / "run")])
    assert "length of the clip" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.real_data
def test_e2_14_the_trained_loss_on_clips_never_heard_is_below_a_quarter(tmp_path):
    options = ["--preset", "unseen", "--repeats", "1", "--steps", "100", "--offline"]
    train_audio.main([*options, "--run", str(tmp_path / "run")])
    rows = json.loads((tmp_path / "run" / "metrics.json").read_text())["results"]
    (loss,) = [row["mean"] for row in rows if row["measure"] == "loss"]
    assert loss < 0.25


def test_the_public_command_lists_its_presets():
    command = [sys.executable, "-m", "chapters.ch02_siamese.train_faces", "--help"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0
    assert all(preset in answer.stdout for preset in FACES)

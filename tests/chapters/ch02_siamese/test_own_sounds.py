"""A folder of one's own sounds: pairs of its classes, folds of its clips, a model that names."""

import json

import numpy as np
import pytest

import zoo
from chapters.ch02_siamese import measures, report, sounds, train_audio
from chapters.ch02_siamese.presets import SCRIPTS
from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from datasets.errors import DataError, DataNotice
from datasets.readers.mfcc import read_sound
from tests.chapters.ch03_prototypical.test_own_sounds import pictures, say
from tests.zoo.conftest import own_zoo  # noqa: F401

SHORT = ["--steps", "4", "--steps-per-epoch", "2", "--channels", "8", "--dim", "8"]


def parsed(*arguments):
    return configuration.parse(SCRIPTS["train_audio"], [str(one) for one in arguments])


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Eleven classes, so that their names are not in the order of their numbers."""
    return say(tmp_path_factory.mktemp("own") / "said", classes=11, items=4)


@pytest.fixture(scope="module")
def run(said, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "said"
    with pytest.warns(DataNotice, match="4 sounds in its smallest class: --folds 7 becomes 2"):
        train_audio.main(["--data", str(said), *SHORT, "--run", str(folder)])
    return folder


def test_clips_of_a_folder_have_its_classes_and_the_length_of_their_sound(said):
    clips = sounds.load(parsed("--data", said))
    assert clips.features.shape == (44, 20, 400)
    assert list(dict.fromkeys(clips.class_name)) == [f"word {k}" for k in range(11)]
    for position in (0, 11, 43):
        features, valid = read_sound(said / clips.file[position])
        np.testing.assert_array_equal(clips.features[position], features)
        assert clips.valid[position] == valid


def test_pairs_are_all_of_a_side_and_genuine_within_a_class(said):
    clips = sounds.load(parsed("--data", said))
    positions = np.arange(0, 44, 2)
    pairs = sounds.get_data(clips, positions)
    expected = {
        (a, b, clips.folder[a] == clips.folder[b]) for a in positions for b in positions if a < b
    }
    assert set(zip(*map(np.ndarray.tolist, pairs), strict=True)) == expected
    assert len(pairs.first) == len(expected) and pairs.genuine.sum() == 11


def test_folders_that_are_called_as_the_books_are_classes_of_their_own(tmp_path):
    folder = say(tmp_path / "own", classes=3)
    for old, new in zip(sorted(folder.iterdir()), ("Dogs", "Sub_dogs", "Cats"), strict=True):
        old.rename(folder / new)
    clips = sounds.load(parsed("--data", folder))
    assert set(clips.class_name) == {"Dogs", "Sub_dogs", "Cats"}
    assert len(sounds.get_data(clips, np.arange(12)).first) == 66


def test_every_class_is_judged_against_the_others():
    """By a loop: how often a clip of a class has a larger margin than another clip."""
    random = np.random.default_rng(0)
    label, score = np.repeat(np.arange(3), 5), random.normal(size=[15, 3])
    found = measures.one_against_others(label, score)
    for k, (of_class, distance) in enumerate(found):
        margin = [score[i, k] - max(score[i, j] for j in range(3) if j != k) for i in range(15)]
        wins = [margin[a] > margin[b] for a in range(15) for b in range(15)
                if label[a] == k and label[b] != k]  # fmt: skip
        assert measures.auc(of_class, distance) == pytest.approx(np.mean(wins))
    ((second, distance),) = measures.one_against_others(label[:10], score[:10, :2])
    np.testing.assert_array_equal(second, label[:10] == 1)
    np.testing.assert_allclose(distance, score[:10, 0] - score[:10, 1])


def test_listed_distances_are_those_of_the_pairs(said):
    clips = sounds.load(parsed("--data", said))
    learner = sounds.build_learner(parsed("--data", said, "--dim", 8, "--channels", 8))
    pairs = sounds.get_data(clips, np.arange(0, 44, 5))
    listed = learner.siamese.distances_of(clips.features, pairs)
    one_by_one = learner.siamese.pair_distance(
        clips.features[pairs.first], clips.features[pairs.second]
    )
    np.testing.assert_allclose(listed, one_by_one, atol=1e-5)


def test_a_run_tests_every_clip_beside_what_has_learned_nothing(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert {row["method"] for row in metrics["results"]} == {
        train_audio.NETWORK, train_audio.REGRESSION, train_audio.LENGTH
    }  # fmt: skip
    for row in metrics["results"]:
        assert row["data"] == "said" and not row["generated"] and row["mean"] >= 0
    tested, heard = metrics["clips"]["test"], metrics["clips"]["train"]
    assert len(tested) == len(heard) == 22 and not set(tested) & set(heard)
    assert {path.name for path in run.glob("*.png")} == {
        "distances.png", "loss_curve.png", "pairs.png", "roc.png"
    }  # fmt: skip


def test_it_can_be_published_and_names_sounds(run, said, own_zoo):  # noqa: F811
    zoo.publish(run, "my-sounds", anyway=True)
    answers = zoo.predict("my-sounds", said, sorted(said.glob("*/0.wav")))
    assert {answer["name"] for answer in answers} <= {path.name for path in said.iterdir()}
    rows = zoo.evaluate("my-sounds", data=str(said), episodes=5, way=3)
    assert {(row["measure"], row["data"]) for row in rows} == {
        ("naming_accuracy", "said"), ("auc", "said")
    }  # fmt: skip
    assert zoo.info("my-sounds")["takes"] == "sounds"


def test_the_table_says_what_was_told_apart(said):
    clips = sounds.load(parsed("--data", said))
    config = parsed("--data", said)
    words = report.describe_sounds(clips, config)
    assert words.startswith("Data: said (") and "44 clips, features (20, 400), 7 folds" in words


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: None, "is neither a folder nor one of cats_dogs, synth_sounds"),
        (lambda folder: folder.mkdir(), "has 0 class folders; expected at least 2"),
        (pictures, "holds no sound .ignored: 1 .png.; sounds end in .aif"),
        (
            lambda folder: say(folder, classes=2, items=3),
            "has 3 sound.s. of the class 'word 0'; every class needs 4 or more",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::datasets.errors.DataNotice")
def test_what_cannot_be_learned_from_is_one_sentence_before_a_run_begins(make, sentence, tmp_path):
    make(tmp_path / "own")
    with pytest.raises((ConfigError, DataError), match=sentence) as caught:
        train_audio.main(["--data", str(tmp_path / "own"), "--run", str(tmp_path / "run")])
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()

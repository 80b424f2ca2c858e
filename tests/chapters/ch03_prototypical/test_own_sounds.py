"""A folder of one's own sounds: what is learned from it, what is tested, and a model that names."""

import json
import shutil

import numpy as np
import pytest
import soundfile
from PIL import Image

import zoo
from chapters import over_splits
from chapters.ch03_prototypical import own_sounds, spoken, spoken_tests, train_spoken
from chapters.ch03_prototypical.presets import SCRIPTS
from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions
from chapters.experiments import starting
from datasets.errors import DataError, DataNotice
from datasets.readers import logmel
from datasets.standins import synth_words
from tests.zoo.conftest import own_zoo  # noqa: F401

TINY = ["--h-dim", "4", "--z-dim", "4"]
SHORT = ["--steps", "2", "--steps-per-epoch", "2", "--steps-per-call", "2",
         "--validation-episodes", "2"]  # fmt: skip
SCRIPT = "chapters.ch03_prototypical.train_spoken"


def say(folder, classes=8, items=4):
    """Class folders of synthesised words, each clip by a speaker of its own."""
    rng = np.random.default_rng(5)
    for k in range(classes):
        word = synth_words.draw_word(rng)
        (folder / f"word {k}").mkdir(parents=True)
        for number in range(items):
            sound = synth_words.say(word, synth_words.draw_speaker(rng), rng)
            soundfile.write(folder / f"word {k}/{number}.wav", sound, logmel.RATE)
    return folder


def parsed(*arguments):
    return configuration.parse(SCRIPTS["train_spoken"], [str(one) for one in arguments])


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    return say(tmp_path_factory.mktemp("own") / "said")


@pytest.fixture(scope="module")
def run(said, tmp_path_factory):
    """A finished run that began at random, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "said"
    with pytest.warns(DataNotice):
        train_spoken.main(["--data", str(said), *TINY, *SHORT, "--run", str(folder)])
    return folder


def test_options_shrink_to_what_a_folder_holds_and_a_beginning_is_proposed(said):
    with pytest.warns(DataNotice) as told:
        data, config = own_sounds.load(parsed("--data", said, "--way", 20))
    words = " ".join(str(notice.message) for notice in told)
    assert "4 sound(s) in its smallest class and 2 classes to test on: --way 20 becomes 4" in words
    assert "4 classes to learn from" in words and "--init prototypical-words goes on" in words
    assert "chapters.over_splits trains and tests on several splits" in words
    assert (config.shot, config.query, config.columns) == (3, 1, "2w1s,2w3s")
    assert config.test_query == 1 and config.test_episodes == 600
    assert data.image_shape == logmel.SHAPE and data.items.dtype == np.uint8


def test_what_is_tested_are_the_classes_of_the_test_with_their_sounds(said):
    with pytest.warns(DataNotice):
        data, config = own_sounds.load(parsed("--data", said, "--fold", 1))
    test = own_sounds.tested(data, config)
    assert test.data.class_names == tuple(data.class_names[k] for k in data.classes("test"))
    np.testing.assert_array_equal(test.data.item_class, np.repeat([0, 1], 4))
    for item, sound in zip(test.data.items, test.sounds, strict=True):
        np.testing.assert_array_equal(item, logmel.pictures([sound])[0])
    first = said / test.data.class_names[0] / "0.wav"
    read = spoken.read([first])[0]
    np.testing.assert_allclose(test.data.items[0] / 255, read[..., 0], atol=0.5 / 255)


def test_tasks_are_of_distinct_classes_and_clips(said):
    with pytest.warns(DataNotice):
        data, config = own_sounds.load(parsed("--data", said))
    everything = own_sounds.tested(data, config)
    everything = everything._replace(data=data)
    column = spoken_tests.Column("accuracy", "5-way 2-shot", 2, 5)
    tasks = spoken_tests.draw_classes(everything, column, 2, 30, seed=0)
    assert tasks.support.shape == tasks.query.shape == (30, 5, 2)
    for support, query in zip(tasks.support, tasks.query, strict=True):
        assert len({*support.ravel(), *query.ravel()}) == 20
        classes = data.item_class[np.concatenate([support, query], axis=1)]  # [way, item]
        assert (classes == classes[:, :1]).all() and len(set(classes[:, 0])) == 5
    assert len({tuple(np.sort(one[:, 0])) for one in data.item_class[tasks.support]}) > 5
    again = spoken_tests.draw_classes(everything, column, 2, 30, seed=0)
    np.testing.assert_array_equal(tasks.support, again.support)
    for way, shot in ((9, 1), (2, 3)):
        with pytest.raises(DataError, match=f"with 2 queries per class need {way} of {shot + 2}"):
            spoken_tests.draw_classes(everything, column._replace(way=way, shot=shot), 2, 1, 0)


def test_a_run_tests_on_other_classes_of_the_folder_beside_what_has_learned_nothing(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert [row["method"] for row in metrics["results"][::2]] == [
        spoken_tests.MFCC,
        spoken_tests.LOG_MEL,
        spoken_tests.UNTRAINED,
        spoken_tests.ONCE,
        train_spoken.NAME,
    ]
    for row in metrics["results"]:
        assert (row["data"], row["way"], row["query"], row["episodes"]) == ("said", 2, 1, 600)
        assert row["interval"] >= 0 and not row["generated"]
    assert {row["label"] for row in metrics["results"]} == {"2-way 1-shot", "2-way 3-shot"}
    assert {split: len(names) for split, names in metrics["classes"].items()} == {
        "train": 4, "val": 2, "test": 2
    }  # fmt: skip
    assert (run / "people.png").exists() and (run / "words.png").exists()


def test_training_begins_where_it_is_told_and_that_stands_in_the_table(said, tmp_path):
    """At a rate of 0 and without new averages nothing changes: both rows are one network."""
    options = ["--init", "prototypical-words", "--learning-rate", "0", "--momentum", "1"]
    with pytest.warns(DataNotice):
        train_spoken.main(["--data", str(said), *options, *SHORT, "--run", str(tmp_path / "run")])
    rows = json.loads((tmp_path / "run/metrics.json").read_text())["results"]
    means = {}
    for row in rows:
        means.setdefault(row["method"], []).append(row["mean"])
    assert means["prototypical-words, as it was"] == means[train_spoken.NAME]
    assert means[spoken_tests.UNTRAINED] != means[train_spoken.NAME]


def test_a_network_that_is_gone_on_from_is_slower_and_of_its_shape(said):
    with pytest.warns(DataNotice, match="goes on from prototypical-words: --h-dim 4 becomes 64"):
        config = own_sounds.fitted(parsed("--data", said, *TINY, "--init", "prototypical-words"))
    assert config.z_dim == 64 and config.learning_rate == pytest.approx(1e-4)
    plain = parsed("--data", said, *TINY)
    assert own_sounds.fitted(plain) == plain


def test_it_can_be_published_and_names_sounds(run, said, own_zoo):  # noqa: F811
    zoo.publish(run, "my-words", anyway=True)
    queries = sorted(said.glob("*/0.wav"))
    answers = zoo.predict("my-words", said, queries)
    assert {answer["name"] for answer in answers} <= {path.name for path in said.iterdir()}
    with pytest.warns(DataNotice):
        (row,) = zoo.evaluate("my-words", data=str(said), episodes=5, way=2, shot=2, query=2)
    assert (row["way"], row["shot"], row["query"], row["data"]) == (2, 2, 2, "said")
    card = zoo.info("my-words")
    assert card["takes"] == "spoken words" and len(card["classes"]["train"]) == 4
    assert not (own_zoo / "my-words/picture.png").exists()  # synthesised words are no such sounds


def test_other_conditions_than_stored_averages_are_refused(said):
    config = parsed("--data", said, *TINY)
    with pytest.raises(ConfigError, match="--batch-norm transductive does not apply"):
        asked = Conditions(batch_norm="transductive")
        spoken_tests.evaluate(train_spoken.build_learner(config), config, asked)


def test_splits_of_the_classes_are_pooled(said, tmp_path, capsys):
    argv = [SCRIPT, "--splits", "2", "--data", str(said), *TINY, *SHORT, "--run", str(tmp_path)]
    with pytest.warns(DataNotice):
        over_splits.main(argv)
    tested = [
        set(json.loads((tmp_path / f"split-{k}/metrics.json").read_text())["classes"]["test"])
        for k in (1, 2)
    ]
    assert not tested[0] & tested[1]
    assert "over 2 splits of the classes" in capsys.readouterr().out


def pictures(folder):
    for k in range(6):
        (folder / f"c{k}").mkdir(parents=True)
        Image.new("L", (8, 8), 40 * k).save(folder / f"c{k}/1.png")


def loose(folder):
    say(folder, classes=1)
    for path in (folder / "word 0").iterdir():
        shutil.move(path, folder)
    (folder / "word 0").rmdir()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: None, "is neither a folder nor one of spoken_words, synth_words"),
        (lambda folder: folder.mkdir(), "has 0 class folders; expected at least 2"),
        (loose, "has 0 class folders; .*; beside them lie 4 .wav"),
        (pictures, "holds no sound .ignored: 1 .png.; sounds end in .aif"),
        (lambda folder: say(folder, classes=5), "has 5 class folder.s.; 6 are needed"),
        (lambda folder: say(folder, classes=6, items=1), "has 1 items, but shot 1 . query 1 need"),
    ],
)
@pytest.mark.filterwarnings("ignore::datasets.errors.DataNotice")
def test_what_cannot_be_learned_from_is_one_sentence_before_a_run_begins(make, sentence, tmp_path):
    make(tmp_path / "own")
    with pytest.raises((ConfigError, DataError), match=sentence) as caught:
        train_spoken.main(["--data", str(tmp_path / "own"), "--run", str(tmp_path / "run")])
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", [("--fold", 1), ("--columns", "2w1s"), ("--test-query", 2)])
def test_what_is_for_a_folder_is_refused_with_a_known_set(option):
    config = parsed("--data", "synth_words", *option)
    with pytest.raises(ConfigError, match=f"{option[0]} {option[1]} is for a folder"):
        spoken.load(config)


@pytest.mark.parametrize("init", ["prototypical-emoji", "prototypical-omniglot-1shot"])
def test_a_network_of_pictures_is_none_to_begin_with(init, said):
    config = parsed("--data", said, "--init", init)
    with pytest.raises(ConfigError, match=f"--init {init} does not fit this network"):
        starting.load(train_spoken.build_learner(config), config)

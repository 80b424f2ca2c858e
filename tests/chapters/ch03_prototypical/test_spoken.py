"""Spoken words: a test in which nobody who is heard is known, and a run that leaves a model."""

import json

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical import spoken, spoken_tests, train_spoken
from chapters.ch03_prototypical.presets import SCRIPTS, SPOKEN
from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions
from datasets.readers import logmel
from datasets.standins import synth_words

CONFIG = configuration.parse(SCRIPTS["train_spoken"], ["--h-dim", "4", "--z-dim", "4"])
TINY = ["--h-dim", "4", "--z-dim", "4", "--steps", "4", "--steps-per-epoch", "2",
        "--steps-per-call", "2", "--validation-episodes", "2", "--test-episodes", "4",
        "--way", "3", "--query", "1"]  # fmt: skip


@pytest.fixture(scope="module")
def said():
    return synth_words.load_spoken()


@pytest.mark.parametrize("column", spoken_tests.COLUMNS)
def test_no_item_is_in_both_parts_and_people_are_as_the_test_says(said, column):
    tasks = spoken_tests.draw(said, column, 20, seed=0)
    assert tasks.support.shape == (20, 10, column.shot) and tasks.query.shape == (20, 10, 5)
    for support, query in zip(tasks.support, tasks.query, strict=True):
        assert len({*support.ravel(), *query.ravel()}) == support.size + query.size
        for part in (support, query):  # each row is of its word
            assert (said.data.item_class[part] == np.arange(10)[:, None]).all()
        asking, shown = set(said.speaker[query.ravel()]), said.speaker[support]
        assert len(asking) == 1
        if column.name == "accuracy_same_person":
            assert set(shown.ravel()) == asking
        else:
            assert all(set(row) == set(said.speaker) - asking for row in shown)
    again = spoken_tests.draw(said, column, 20, seed=0)
    np.testing.assert_array_equal(tasks.query, again.query)


def test_those_on_whom_settings_were_chosen_do_not_ask(said):
    named = said._replace(speaker=np.where(said.speaker == "person 1", "george", said.speaker))
    tasks = spoken_tests.draw(named, spoken_tests.COLUMNS[2], 40, seed=0)
    assert "george" not in named.speaker[tasks.query]
    assert "george" in named.speaker[tasks.support]


@pytest.mark.parametrize("scaled", [False, True])
def test_the_nearest_mean_equals_loops(scaled):
    rng = np.random.default_rng(0)
    features = rng.normal(size=[60, 4]) * [1, 10, 0.1, 1]
    order = rng.permutation(60).reshape(1, 5, 12)
    tasks = spoken_tests.Tasks(order[..., :3], order[..., 3:])
    right = 0
    deviation = features[order[0, :, :3].ravel()].std(axis=0) if scaled else np.ones(4)
    for word in range(5):
        for item in order[0, word, 3:]:
            apart = [
                (((features[item] - features[order[0, k, :3]].mean(axis=0)) / deviation) ** 2).sum()
                for k in range(5)
            ]
            right += int(np.argmin(apart) == word)
    np.testing.assert_allclose(spoken_tests.hits(features, tasks, scaled), [right / 45])


def test_the_test_is_that_of_the_learner(said):
    """Nearest means of embeddings are the prototypes that it answers with."""
    learner = train_spoken.build_learner(CONFIG)
    tasks = spoken_tests.draw(said, spoken_tests.COLUMNS[1], 2, seed=0)
    found = spoken_tests.hits(spoken_tests.embed(learner.embed, said), tasks)
    for number in range(2):
        support, query = tasks.support[number].ravel(), tasks.query[number].ravel()
        x = said.data.items[..., None].astype(np.float32) / 255
        logits = learner({
            "support_x": x[None, support],
            "support_y": np.repeat(np.arange(10), 5)[None],
            "query_x": x[None, query],
        })  # fmt: skip
        hit = np.argmax(logits[0], axis=-1) == np.repeat(np.arange(10), 5)
        assert found[number] == pytest.approx(hit.mean(), abs=0.021)  # one query may tie


def test_a_clip_is_normalised_and_silence_stays_finite():
    layer = spoken.NormaliseClip()
    x = tf.random.uniform([3, *logmel.SHAPE], seed=0)
    found = layer(x).numpy()
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=(1, 2, 3)), 1, atol=1e-3)
    assert np.isfinite(layer(tf.zeros([1, *logmel.SHAPE]))).all()


@pytest.mark.parametrize("frames", [-3, 0, 6])
def test_a_clip_that_begins_later_ends_later(frames):
    x = np.random.default_rng(0).uniform(size=[2, *logmel.SHAPE]).astype(np.float32)
    moved = np.zeros_like(x)
    for frame in range(x.shape[2]):
        if 0 <= frame + frames < x.shape[2]:
            moved[:, :, frame + frames] = x[:, :, frame]
    np.testing.assert_array_equal(spoken.later(tf.constant(x), frames), moved)


def test_an_embedding_is_the_mean_over_beginnings_and_in_training_that_of_one():
    learner = train_spoken.build_learner(CONFIG)
    x = tf.random.uniform([5, *logmel.SHAPE], seed=0)
    once = [learner.embed_once(spoken.later(x, frames)) for frames in spoken.BEGINNINGS]
    np.testing.assert_allclose(learner.embed(x), np.mean(once, axis=0), atol=1e-5)
    assert not np.allclose(once[0], once[1], atol=1e-3)
    blocks = learner.encoder.layers[-1].layer
    np.testing.assert_array_equal(learner.encoder(x, training=True), blocks(x, training=True))


def test_a_clip_that_begins_a_frame_later_moves_the_mean_less(said):
    learner = train_spoken.build_learner(CONFIG)
    x = tf.constant(said.data.items[:40, ..., None] / 255, tf.float32)

    def moved(embed):
        return np.square(embed(spoken.later(x, 1)) - embed(x)).sum(axis=-1).mean()

    assert moved(learner.embed) < 0.5 * moved(learner.embed_once)


def test_a_network_begins_with_the_sound_where_it_is_given_one(said):
    learner = train_spoken.build_learner(CONFIG)
    points = train_spoken.endpoints(learner, said)
    (serve, task), (serve_sound, sounds, free) = points["serve"], points["serve_sound"]
    assert free == 2 and sounds["support_x"].ndim == 2
    for name, x in serve(**task).items():
        np.testing.assert_allclose(serve_sound(**sounds)[name], x, rtol=1e-4)


def test_the_zoo_asks_for_episodes_and_nothing_else(said):
    learner = train_spoken.build_learner(CONFIG)
    config = configuration.parse(SCRIPTS["train_spoken"], [*TINY, "--data", "synth_words"])
    rows = spoken_tests.evaluate(learner, config, Conditions(episodes=3))
    assert [row["label"] for row in rows] == [column.label for column in spoken_tests.COLUMNS]
    assert {row["episodes"] for row in rows} == {3}
    with pytest.raises(ConfigError, match="--way 5 does not apply: the test is ten words"):
        spoken_tests.evaluate(learner, config, Conditions(way=5))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "quick"
    exported = folder.with_name("exported")
    train_spoken.main(["--preset", "quick", *TINY, "--run", str(folder), "--export", str(exported)])
    return folder


def test_a_run_leaves_everything_in_its_folder(run):
    files = {path.name for path in run.iterdir()}
    assert files >= {"metrics.json", "model.weights.h5", "learning_curve.png", "words.png",
                     "people.png"}  # fmt: skip
    metrics = json.loads((run / "metrics.json").read_text())
    methods = {row["method"] for row in metrics["results"]}
    assert methods == {
        spoken_tests.MFCC,
        spoken_tests.LOG_MEL,
        spoken_tests.UNTRAINED,
        spoken_tests.ONCE,
        train_spoken.NAME,
    }
    headline = [row for row in metrics["results"] if row["headline"]]
    assert [row["method"] for row in headline] == [train_spoken.NAME]
    loaded = tf.saved_model.load(str(run.with_name("exported")))
    assert set(loaded.signatures) >= {"serve", "serve_sound", "embed"}


def test_a_finished_run_is_resumed_without_training(run, capsys):
    before = (run / "metrics.json").read_text()
    train_spoken.main(["--preset", "quick", *TINY, "--run", str(run), "--resume"])
    assert "Epoch" not in capsys.readouterr().out
    after, before = json.loads((run / "metrics.json").read_text()), json.loads(before)
    assert after["results"] == before["results"]


@pytest.mark.parametrize("preset", SPOKEN)
def test_every_preset_can_be_parsed(preset):
    config = configuration.parse(SCRIPTS["train_spoken"], ["--preset", preset])
    assert config.shot == 3


def test_words_of_the_program_are_an_option_of_it_alone():
    with pytest.raises(ConfigError, match="--words is for --data spoken_words"):
        configuration.parse(SCRIPTS["train_spoken"], ["--preset", "quick", "--words", "100"])

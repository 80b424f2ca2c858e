"""Zero-shot experiments: unseen classes stay unseen, baselines, tests, rows, pictures."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions, Score
from chapters.engine.figures import plt
from chapters.experiments import zero_shot
from chapters.experiments.options import ZeroShotOptions
from chapters.experiments.zero_shot import baselines, testing
from chapters.experiments.zero_shot.pictures import best_descriptions
from chapters.experiments.zero_shot.tasks import Split, unseen_tasks, ways
from datasets.dataset import Dataset
from datasets.errors import DataError

DIGITS = ZeroShotOptions(unseen=3, splits=4)


@pytest.fixture(scope="module")
def digits():
    return zero_shot.load(DIGITS)


def bright(seen=6, unseen=2, items=5):
    """Classes whose picture is a row of bright pixels at the places of their words."""
    rng = np.random.default_rng(0)
    # Pairs of four words; every word is of several seen classes.
    pairs = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3), (0, 1), (2, 3)][: seen + unseen]
    described = np.zeros([seen + unseen, 4], np.float32)
    for k, (one, other) in enumerate(pairs):
        described[k, [one, other]] = 2**-0.5
    x = np.repeat(described > 0, items, axis=0)[:, None] * 200 + rng.integers(
        0, 20, [items * (seen + unseen), 4, 4]
    )
    item_class = np.repeat(np.arange(seen + unseen), items).astype(np.int32)
    names = tuple(f"class {k}" for k in range(seen + unseen))
    splits = {"train": np.arange(seen), "test": np.arange(seen, seen + unseen)}
    words = tuple((f"{one} {other}",) for one, other in pairs)
    data = Dataset("bright", x.astype(np.uint8), item_class, names, splits, words=words)
    return Split(data, described, 0)


def flat(shape=(4, 4, 1)):
    """An encoder that has learned nothing: the pixels."""
    return keras.Sequential([keras.layers.Input(shape), keras.layers.Flatten()])


def test_every_draw_has_other_unseen_classes_and_no_class_is_on_both_sides(digits):
    draws = [zero_shot.split(digits, DIGITS, k) for k in range(zero_shot.splits(DIGITS))]
    unseen = [tuple(drawn.data.classes("test")) for drawn in draws]
    assert len(set(unseen)) > 1 and {len(classes) for classes in unseen} == {3}
    for drawn in draws:
        seen = set(drawn.data.classes("train"))
        assert seen | set(drawn.data.classes("test")) == set(range(10))
        assert not seen & set(drawn.data.classes("test"))


def test_words_of_unseen_classes_alone_are_not_counted(digits):
    """The names are words of one class each; the segments are shared."""
    drawn = zero_shot.split(digits, DIGITS, 0)
    assert drawn.described.shape == (10, 7)
    assert (drawn.described > 0).sum(axis=1).tolist() == [len(words) - 1 for words in digits.words]


def test_training_draws_seen_classes_and_tests_unseen_ones(digits):
    drawn = zero_shot.split(digits, DIGITS, 1)
    config = dataclasses.replace(DIGITS, ways="2,3,20")
    training, validation = zero_shot.samplers(drawn, config)
    tests = unseen_tasks(drawn.data, drawn.described, config)
    assert validation is None and list(tests) == [2]  # three is all of them
    described = {tuple(row) for row in drawn.described[drawn.data.classes("test")]}
    for index in range(5):
        shown = training(index)[0]["attributes"].numpy().reshape(-1, 7)
        assert not {tuple(row) for row in shown} & described
        shown = tests[2](index)[0]["attributes"].numpy().reshape(-1, 7)
        assert {tuple(row) for row in shown} <= described


def test_ways_below_the_number_of_unseen_classes_are_tested():
    assert ways(bright(unseen=2).data, ZeroShotOptions(ways="2,5")) == []
    with pytest.raises(ConfigError, match="--ways is '1'"):
        ways(bright().data, ZeroShotOptions(ways="1"))


@pytest.mark.parametrize("data", ["digits", "painted_signs"])
def test_typed_words_are_embedded_as_those_of_the_data(data):
    config = ZeroShotOptions(data=data, image_size=16)
    drawn = zero_shot.split(zero_shot.load(config), config, 0)
    texts = [" ".join(words) for words in drawn.data.words[:5]]
    np.testing.assert_allclose(zero_shot.embed_words(texts, config), drawn.described[:5])


def test_a_text_without_a_known_word_is_told():
    with pytest.raises(
        DataError, match="No word of 'quite unknown' describes a class that was learned from"
    ):
        zero_shot.embed_words(["segment-a", "quite unknown"], DIGITS)


def test_emoji_words_need_no_pictures(monkeypatch):
    monkeypatch.setattr("datasets.load", None)
    known = zero_shot.known_words(ZeroShotOptions(data="emoji", image_size=32))
    assert len(known) > 700 and "heart" in known


def test_ridge_finds_a_linear_map_of_descriptions():
    """Pictures here are a linear function of words, so unseen classes are all right."""
    drawn = bright()
    predict = baselines.nearest(
        flat(), baselines.ridge(baselines.class_means(flat(), drawn), drawn)
    )
    assert (testing.among_all(predict, drawn.data, drawn.described) == 1.0).all()


def test_the_mean_of_seen_classes_is_weighted_by_shared_words():
    """By hand, with cosines of 1/2 for one shared word and 1 for two."""
    drawn = bright()
    means = baselines.class_means(flat(), drawn)
    of_class = baselines.mean_of_seen(means, drawn)(tf.constant(drawn.described[6][None]))[0]
    # Class 6 has words 0 and 1, as class 0; it shares one with classes 1, 3, 4 and 5.
    weights = np.array([1, 0.5, 0, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(of_class, weights @ means / weights.sum(), rtol=1e-4)


def test_a_description_of_unknown_words_gets_the_mean_of_all():
    drawn = bright()
    means = baselines.class_means(flat(), drawn)
    found = baselines.mean_of_seen(means, drawn)(tf.zeros([1, 4]))[0]
    np.testing.assert_allclose(found, means.mean(axis=0), rtol=1e-4)


def test_nearest_is_the_squared_distance_up_to_what_all_classes_share():
    drawn = bright()
    rng = np.random.default_rng(1)
    x = rng.random([2, 3, 4, 4, 1]).astype(np.float32)
    c = rng.random([2, 5, 16]).astype(np.float32)
    found = baselines.nearest(flat(), lambda _: tf.constant(c))({"query_x": x, "attributes": 0})
    z = x.reshape(2, 3, 16)
    distance = ((z[:, :, None] - c[:, None]) ** 2).sum(axis=-1)
    expected = -distance + (z**2).sum(axis=-1)[..., None]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert drawn.number == 0


def always_the_first(inputs, training=False):
    """Every picture of one class is right and of the other wrong."""
    return tf.one_hot(tf.zeros([1, inputs["query_x"].shape[1]], tf.int32), 2)


def test_the_interval_of_all_classes_is_over_classes():
    """0.5 +- 1.96 s / sqrt(2)."""
    drawn = bright()
    assert testing.among_all(always_the_first, drawn.data, drawn.described).tolist() == [1.0, 0.0]
    score = zero_shot.test("first", always_the_first, flat(), drawn, DIGITS)["first"][2]
    assert score.mean == 0.5
    np.testing.assert_allclose(score.interval, 1.96 * np.sqrt(0.5) / np.sqrt(2))


def test_differences_are_taken_class_by_class():
    """Regression is right on both classes here: 0 and -1, so -0.5 +- 1.96 s / sqrt(2)."""
    scores = zero_shot.test("first", always_the_first, flat(), bright(), DIGITS)
    apart = scores[f"first minus {baselines.RIDGE}"][2]
    assert scores[baselines.RIDGE][2].mean == 1.0 and apart.mean == -0.5
    np.testing.assert_allclose(apart.interval, 1.96 * np.sqrt(0.5) / np.sqrt(2))
    rows = zero_shot.rows("first", [scores], bright().data, DIGITS)
    rivals = (baselines.MEAN, baselines.RIDGE)
    assert {row["method"] for row in rows if not row["rival"]} == {
        f"first minus {x}" for x in rivals
    }


def test_rows_of_several_draws_are_means_with_an_interval_over_the_draws():
    def scores(share):
        return {
            "chance": {3: Score(1 / 3, 0.0, 0, 0, "stored")},
            "network": {3: Score(share, 0.1, 1, 0, "stored")},
        }

    rows = zero_shot.rows("network", [scores(0.5), scores(0.7)], bright().data, DIGITS)
    (row,) = (row for row in rows if row["method"] == "network")
    np.testing.assert_allclose(row["mean"], 0.6)
    np.testing.assert_allclose(row["interval"], 12.706 * 0.1, rtol=1e-3)  # t of one degree
    assert (row["runs"], row["label"], row["headline"]) == (2, "all 3 unseen", True)
    text = zero_shot.table("network", [scores(0.5), scores(0.7)], bright().data, DIGITS)
    assert "mean of 2 draws of unseen classes" in text and "60.00 +- 127.06" in text


def test_a_question_that_does_not_fit_is_refused(digits):
    with pytest.raises(ConfigError, match="--shot 1 does not apply: classes are described"):
        zero_shot.evaluate(None, DIGITS, Conditions(shot=1))


def test_the_picture_names_the_best_descriptions_and_marks_the_right_one():
    drawn = bright()

    def right(inputs, training=False):
        return 9 * tf.one_hot([[0, 0]], 2)  # both pictures are given to the first class

    figure = best_descriptions(right, drawn)
    words = {text.get_text(): text.get_color() for axis in figure.axes for text in axis.texts}
    plt.close(figure)
    assert "1. class 6" in words and "2. class 7" in words
    assert words["2. class 7"] == "tab:green"  # second for the second picture, and right

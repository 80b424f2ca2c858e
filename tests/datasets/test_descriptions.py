"""Descriptions: which words count and how much, and tasks of described classes."""

import numpy as np
import pytest
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.descriptions import DescribedSampler, Descriptions

SEEN = (("red heart", "love"), ("red ball", "game"), ("blue ball", "game"), ("green t-shirt",))


def hues(words=SEEN, items=3):
    """Four classes whose pictures are as bright as their number."""
    item_class = np.repeat(np.arange(len(SEEN)), items).astype(np.int32)
    x = (item_class[:, None, None] * 10 * np.ones([1, 4, 4])).astype(np.uint8)
    names = tuple(text[0] for text in SEEN)
    return Dataset("hues", x, item_class, names, {"train": np.arange(4)}, words=words)


def test_words_of_two_classes_count_and_words_of_one_do_not():
    known = Descriptions(SEEN)
    assert len(known) == 3  # red, ball, game
    assert "ball" in known and "heart" not in known and "t-shirt" not in known


def test_a_vector_is_made_by_hand():
    """idf = ln((1 + n) / (1 + count)) + 1, length one; here all three words describe two of four.

    A rarer word weighs more.
    """
    known = Descriptions(SEEN)
    ball, game, red = np.eye(3)  # in alphabetical order
    expected = [(ball + game + red) / np.sqrt(3), red, np.zeros(3)]
    found = known([("Red BALL", "game, game"), ("red",), ("something else",)])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    more = Descriptions([*SEEN, ("a red coat", "cloth")])([("red game",)])[0]
    game, red = more[1], more[2]
    np.testing.assert_allclose(game / red, (np.log(6 / 3) + 1) / (np.log(6 / 4) + 1), rtol=1e-5)


def test_the_order_of_words_plays_no_role():
    known = Descriptions(SEEN)
    np.testing.assert_array_equal(known([("red", "ball")]), known([("ball red",)]))


def test_classes_without_common_words_teach_nothing():
    with pytest.raises(DataError, match="no words in common"):
        Descriptions([("one",), ("two",)])


def test_topics_are_the_directions_in_which_words_differ_most():
    """Against the singular vectors of the word vectors; the sign of a direction is free."""
    words, topics = Descriptions(SEEN)(SEEN), Descriptions(SEEN, topics=2)(SEEN)
    assert topics.shape == (4, 2)
    left, strength, _ = np.linalg.svd(words)
    expected = (left * np.pad(strength, (0, 1)))[:, :2]
    expected = expected[:3] / np.linalg.norm(expected[:3], axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(topics[:3]), np.abs(expected), atol=1e-5)
    assert not topics[3].any()  # a green t-shirt shares no word


def test_the_sign_of_a_topic_is_the_same_on_every_machine():
    """The largest word of a direction is positive: a description of that word alone is."""
    known = Descriptions(SEEN, topics=2)
    found = known([("red",), ("ball",), ("game",)])
    assert (found.max(axis=0) > 0).all()
    assert (np.abs(found).max(axis=0) == found.max(axis=0)).all()


def test_more_topics_than_words_are_refused():
    with pytest.raises(DataError, match="3 topics need more classes and shared words than 4 and 3"):
        Descriptions(SEEN, topics=3)


def test_a_task_has_the_descriptions_of_its_classes_and_pictures_of_each():
    data = hues()
    described = np.eye(4, dtype=np.float32)
    sampler = DescribedSampler(data, "train", described, way=3, query=2, tasks=2, seed=1)
    for index in range(5):
        inputs, query_y = sampler(index)
        assert inputs["attributes"].shape == (2, 3, 4)
        assert inputs["query_x"].shape == (2, 6, 4, 4, 1)
        for task in range(2):
            classes = inputs["attributes"][task].numpy().argmax(axis=1)
            assert len(set(classes)) == 3
            seen = np.rint(inputs["query_x"][task].numpy()[:, 0, 0, 0] * 255 / 10)
            np.testing.assert_array_equal(seen, classes[query_y[task].numpy()])
            np.testing.assert_array_equal(np.bincount(query_y[task]), [2, 2, 2])


def test_the_same_index_gives_the_same_task_in_a_graph_as_well():
    sampler = DescribedSampler(hues(), "train", np.eye(4, dtype=np.float32), 2, 2)
    eager, graph = sampler(3), tf.function(sampler)(tf.constant(3))
    for one, other in zip(tf.nest.flatten(eager), tf.nest.flatten(graph), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("words", [(), (*SEEN[:3], ())])
def test_a_class_without_words_is_named(words):
    name = "red heart" if not words else "green t-shirt"
    with pytest.raises(DataError, match=f"Class {name} of hues/train has no description; every"):
        DescribedSampler(hues(words), "train", np.eye(4), way=2, query=2)

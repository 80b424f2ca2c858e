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


def test_every_word_of_a_class_to_learn_from_counts():
    known = Descriptions(SEEN)
    assert "ball" in known and "heart" in known and "t-shirt" in known
    assert "table" not in known
    shared = Descriptions(SEEN, least=2)
    assert len(shared) == 3 and "ball" in shared and "heart" not in shared


def test_a_vector_is_made_by_hand():
    """idf = ln((1 + n) / (1 + count)) + 1, length one: a rarer word weighs more."""
    known = Descriptions(SEEN)
    assert not known([("something else",)]).any()
    np.testing.assert_allclose(known([("red",), ("Red BALL", "game, game")]).max(axis=1)[0], 1.0)
    # of the four classes two are red, one is a heart
    both = known([("red heart",)])[0]
    heart, red = np.sort(both[both > 0])[::-1]
    np.testing.assert_allclose(heart / red, (np.log(5 / 2) + 1) / (np.log(5 / 3) + 1), rtol=1e-5)
    np.testing.assert_allclose(heart**2 + red**2, 1, rtol=1e-5)


def test_the_order_of_words_plays_no_role():
    known = Descriptions(SEEN)
    np.testing.assert_array_equal(known([("red", "ball")]), known([("ball red",)]))


def test_classes_without_common_words_teach_nothing():
    with pytest.raises(DataError, match="no words in common"):
        Descriptions([("one",), ("two",)])


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

"""Episodes: right classes, right labels, disjoint items, and a pure function of (seed, index)."""

import numpy as np
import pytest
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.episodes import EpisodeSampler, episodes

COUNTS = (9, 7, 12, 8, 10, 7)  # items per class: uneven on purpose


def marked_dataset(counts=COUNTS, size=4) -> Dataset:
    """Images that tell who they are: pixel (0, 0) is the class, (0, 1) the item within it."""
    item_class = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    items = np.zeros([len(item_class), size, size], np.uint8)
    items[:, 0, 0] = item_class
    items[:, 0, 1] = np.concatenate([np.arange(count) for count in counts])
    splits = {"train": np.array([0, 2, 3, 5]), "test": np.array([1, 4])}
    names = tuple(f"class{k}" for k in range(len(counts)))
    return Dataset("marked", items, item_class, names, splits)


def decode(x):
    """Class and item written into images [..., height, width, channel]."""
    x = np.rint(np.asarray(x) * 255).astype(int)
    return x[..., 0, 0, 0], x[..., 0, 1, 0]


def test_shapes_and_types_are_as_documented():
    episode = EpisodeSampler(marked_dataset(), "train", 3, 2, 4, tasks=5).episode(0)
    assert episode.support_x.shape == (5, 6, 4, 4, 1)
    assert episode.query_x.shape == (5, 12, 4, 4, 1)
    assert episode.support_y.shape == (5, 6)
    assert episode.query_y.shape == (5, 12)
    assert episode.class_ids.shape == (5, 3)
    assert episode.support_x.dtype == tf.float32
    assert float(tf.reduce_max(episode.query_x)) <= 1.0


@pytest.mark.parametrize("index", [0, 1, 17])
def test_labels_name_the_class_the_image_comes_from(index):
    episode = EpisodeSampler(marked_dataset(), "train", 3, 2, 4, tasks=6, seed=3).episode(index)
    for x, y in ((episode.support_x, episode.support_y), (episode.query_x, episode.query_y)):
        classes, _ = decode(x)
        expected = np.take_along_axis(episode.class_ids.numpy(), y.numpy(), axis=1)
        np.testing.assert_array_equal(classes, expected)


def test_support_and_query_never_share_an_item_and_classes_are_distinct():
    sampler = EpisodeSampler(marked_dataset(), "train", 4, 3, 4, tasks=20)
    for index in range(10):
        episode = sampler.episode(index)
        for task in range(20):
            assert len(set(episode.class_ids[task].numpy())) == 4
            used = [
                pair
                for x in (episode.support_x[task], episode.query_x[task])
                for pair in zip(*decode(x), strict=True)
            ]
            assert len(used) == len(set(used)) == 4 * 7


def test_every_class_and_item_of_the_split_is_drawn_and_no_other():
    dataset = marked_dataset()
    sampler = EpisodeSampler(dataset, "train", 2, 1, 2, tasks=50)
    seen = set()
    for index in range(20):
        episode = sampler.episode(index)
        classes, items = decode(episode.query_x)
        seen |= set(zip(classes.ravel(), items.ravel(), strict=True))
    expected = {(k, i) for k in dataset.classes("train") for i in range(COUNTS[k])}
    assert seen == expected


def test_classes_and_items_are_drawn_uniformly():
    sampler = EpisodeSampler(marked_dataset((8,) * 6), "train", 2, 1, 1, tasks=2000)
    classes, items = decode(sampler.episode(0).support_x)
    # 4000 draws of 4 classes and of 8 items: chi-squared at the 0.1 % point of 3 and 7 degrees
    by_class = np.bincount(classes.ravel(), minlength=6)[[0, 2, 3, 5]]
    by_item = np.bincount(items.ravel(), minlength=8)
    assert np.sum((by_class - 1000) ** 2 / 1000) < 16.3
    assert np.sum((by_item - 500) ** 2 / 500) < 24.3


def test_same_seed_and_index_give_the_same_episode_others_do_not():
    def draw(seed, index):
        return EpisodeSampler(marked_dataset(), "train", 3, 2, 2, seed=seed).episode(index)

    def same(a, b):
        return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))

    assert same(draw(1, 5), draw(1, 5))
    assert not same(draw(1, 5), draw(1, 6))
    assert not same(draw(1, 5), draw(2, 5))


def test_graph_and_eager_draw_the_same_episode():
    sampler = EpisodeSampler(marked_dataset(), "train", 3, 2, 2, rotations=True)
    eager, graph = sampler.episode(4), tf.function(sampler.episode)(tf.constant(4))
    for a, b in zip(eager, graph, strict=True):
        np.testing.assert_array_equal(a, b)


def test_starting_at_n_is_the_same_as_skipping_n():
    arguments = (marked_dataset(), "train", 3, 1, 2)
    whole = list(episodes(*arguments, seed=2).take(5))
    late = list(episodes(*arguments, seed=2, start=3).take(2))
    for (inputs, query_y), (late_inputs, late_query_y) in zip(whole[3:], late, strict=True):
        np.testing.assert_array_equal(inputs["support_x"], late_inputs["support_x"])
        np.testing.assert_array_equal(query_y, late_query_y)


def test_rotations_are_numpy_quarter_turns_and_classes_of_their_own():
    rng = np.random.default_rng(0)
    items = rng.integers(0, 256, [3 * 6, 5, 5], dtype=np.uint8)
    item_class = np.repeat(np.arange(3, dtype=np.int32), 6)
    dataset = Dataset("random", items, item_class, ("a", "b", "c"), {"train": np.arange(3)})
    sampler = EpisodeSampler(dataset, "train", way=12, shot=2, query=4, rotations=True)
    episode = sampler.episode(0)
    assert sorted(episode.class_ids[0].numpy()) == list(range(12))
    for x, y in zip(episode.query_x[0].numpy(), episode.query_y[0].numpy(), strict=True):
        class_id = int(episode.class_ids[0, y])
        turned = [np.rot90(image, class_id // 3) for image in items[dataset.items_of(class_id % 3)]]
        assert any(np.allclose(x[..., 0], image / 255) for image in turned)


def test_float_features_pass_through_unchanged():
    features = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    dataset = Dataset("f", features, np.array([0, 0, 1, 1], np.int32), ("a", "b"), {"all": [0, 1]})
    episode = EpisodeSampler(dataset, "all", 2, 1, 1).episode(0)
    found = np.concatenate([episode.support_x[0], episode.query_x[0]])
    assert {tuple(x.ravel()) for x in found} == {tuple(x.ravel()) for x in features}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"way": 5}, ["4 classes", "5-way", "need 5"]),
        ({"shot": 5}, ["class5", "has 7", "need 8"]),
        ({"way": 0}, ["way 0", "at least 1"]),
        ({"split": "validation"}, ["no split 'validation'", "test, train"]),
    ],
)
def test_impossible_episodes_are_refused_when_the_sampler_is_built(options, words):
    arguments = {"split": "train", "way": 3, "shot": 2, "query": 3, **options}
    with pytest.raises(DataError) as caught:
        EpisodeSampler(marked_dataset(), **arguments)
    for word in words:
        assert word in str(caught.value)


def test_rotating_oblong_images_is_refused():
    dataset = Dataset(
        "oblong", np.zeros([4, 3, 5], np.uint8), np.array([0, 0, 1, 1]), ("a", "b"), {"all": [0, 1]}
    )
    with pytest.raises(DataError, match="square"):
        EpisodeSampler(dataset, "all", 2, 1, 1, rotations=True)

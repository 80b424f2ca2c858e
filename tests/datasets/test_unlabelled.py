"""Episodes with unlabelled items: parts that share nothing, distractors that are of no class."""

import numpy as np
import pytest
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.episodes import EpisodeSampler
from datasets.tasks.unlabelled import UnlabelledSampler, labelled_count, labelled_part
from tests.datasets.test_episodes import COUNTS, decode, marked_dataset


def sampler(dataset=None, **options):
    """2-way 1-shot with a query, two unlabelled items and two distractors; 3 or 4 of a class."""
    usual = {"way": 2, "shot": 1, "query": 1, "unlabelled": 2, "distractors": 2, "labelled": 0.4}
    return UnlabelledSampler(dataset or marked_dataset(), "train", **{**usual, **options})


def pairs(x):
    """(class, item) of the images of one task."""
    return list(zip(*decode(x), strict=True))


def test_shapes_and_labels_are_as_documented():
    episode = sampler(tasks=3).episode(0)
    assert episode.support_x.shape == (3, 2, 4, 4, 1)
    assert episode.query_x.shape == (3, 2, 4, 4, 1)
    assert episode.unlabelled_x.shape == (3, 8, 4, 4, 1)
    np.testing.assert_array_equal(episode.unlabelled_y[0], [0, 0, 1, 1, 2, 2, 3, 3])
    assert set(episode.inputs) == {"support_x", "support_y", "query_x", "unlabelled_x"}
    for x, y in (
        (episode.support_x, episode.support_y),
        (episode.query_x, episode.query_y),
        (episode.unlabelled_x, episode.unlabelled_y),
    ):
        expected = np.take_along_axis(episode.class_ids.numpy(), y.numpy(), axis=1)
        np.testing.assert_array_equal(decode(x)[0], expected)


@pytest.mark.parametrize("labelled", [0.4, None])
def test_support_query_and_unlabelled_never_share_an_item(labelled):
    tasks = sampler(labelled=labelled, tasks=20)
    for index in range(10):
        episode = tasks.episode(index)
        for task in range(20):
            parts = [episode.support_x[task], episode.query_x[task], episode.unlabelled_x[task]]
            used = [pair for part in parts for pair in pairs(part)]
            assert len(used) == len(set(used)) == 2 + 2 + 8


def test_distractors_are_no_classes_of_the_task_but_of_the_split():
    episode = sampler(tasks=50).episode(3)
    for ids in episode.class_ids.numpy():
        assert len(set(ids)) == 4
        assert set(ids) <= {0, 2, 3, 5}


def test_items_with_a_label_are_the_same_in_all_episodes_and_no_others():
    """Every seed and index draws supports and queries of one part and the rest of the other."""
    dataset, part = marked_dataset(), labelled_part(marked_dataset(), 0.4, seed=7)
    expected = {(k, i) for k in (0, 2, 3, 5) for i in range(COUNTS[k]) if part[k, i]}
    rest = {(k, i) for k in (0, 2, 3, 5) for i in range(COUNTS[k]) if not part[k, i]}
    labelled, unlabelled = set(), set()
    for seed in (0, 1):
        tasks = sampler(dataset, label_split=7, seed=seed, tasks=50)
        for index in range(10):
            episode = tasks.episode(index)
            labelled |= set(zip(*(x.ravel() for x in decode(episode.support_x)), strict=True))
            labelled |= set(zip(*(x.ravel() for x in decode(episode.query_x)), strict=True))
            unlabelled |= set(zip(*(x.ravel() for x in decode(episode.unlabelled_x)), strict=True))
    assert labelled == expected
    assert unlabelled == rest


def test_another_label_split_labels_other_items_and_as_many():
    first, again, other = (labelled_part(marked_dataset(), 0.4, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    counts = [labelled_count(count, 0.4) for count in COUNTS]
    np.testing.assert_array_equal(first.sum(axis=1), counts)
    np.testing.assert_array_equal(other.sum(axis=1), counts)


def test_a_tenth_of_omniglot_is_two_drawings_and_roundings_do_not_take_one():
    assert labelled_count(20, 0.1) == 2
    assert labelled_count(100, 0.29) == 29  # 0.29 * 100 is 28.999999999999996
    assert labelled_count(9, 0.4) == 3


def test_a_character_has_the_same_labels_in_every_rotation():
    """Each of 12 turned classes shows the same two items of three as support."""
    rng = np.random.default_rng(0)
    items = rng.integers(0, 256, [3 * 6, 5, 5], dtype=np.uint8)
    item_class = np.repeat(np.arange(3, dtype=np.int32), 6)
    dataset = Dataset("random", items, item_class, ("a", "b", "c"), {"train": np.arange(3)})
    part = labelled_part(dataset, 0.34, 0)
    episode = sampler(dataset, way=12, distractors=0, labelled=0.34, rotations=True).episode(0)
    assert sorted(episode.class_ids[0].numpy()) == list(range(12))
    for x, y in zip(episode.support_x[0].numpy(), episode.support_y[0].numpy(), strict=True):
        rotation, k = divmod(int(episode.class_ids[0, y]), 3)
        with_label = items[dataset.items_of(k)][part[k]]
        turned = [np.rot90(image, rotation) / 255 for image in with_label]
        assert any(np.allclose(x[..., 0], image) for image in turned)


def test_distractors_and_unlabelled_items_leave_what_is_asked_as_it_is():
    with_both, with_none = sampler(tasks=5), sampler(tasks=5, unlabelled=0, distractors=0)
    first, second = with_both.episode(4), with_none.episode(4)
    for name in ("support_x", "support_y", "query_x", "query_y"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    without = sampler(tasks=5, distractors=0).episode(4)
    np.testing.assert_array_equal(first.unlabelled_x[:, :4], without.unlabelled_x)
    assert "unlabelled_x" not in second.inputs


def test_where_any_item_may_have_a_label_the_tasks_are_those_of_ordinary_episodes():
    episode = sampler(labelled=None, tasks=3).episode(5)
    plain = EpisodeSampler(marked_dataset(), "train", 2, 1, 1, tasks=3).episode(5)
    for name in ("support_x", "query_x", "query_y"):
        np.testing.assert_array_equal(getattr(episode, name), getattr(plain, name))


def test_same_seed_and_index_give_the_same_episode_in_a_graph_too():
    eager, again = sampler(seed=1).episode(5), sampler(seed=1).episode(5)
    graph = tf.function(sampler(seed=1).episode)(tf.constant(5))
    for a, b, c in zip(eager, again, graph, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    other = sampler(seed=2).episode(5)
    assert any(not np.array_equal(a, b) for a, b in zip(eager, other, strict=True))


@pytest.mark.parametrize(
    "options", [{"labelled": 0.4, "unlabelled": 3}, {"labelled": None, "unlabelled": 3}]
)
def test_classes_of_exactly_the_size_that_is_needed_are_enough(options):
    dataset = marked_dataset((5,) * 6)
    episode = sampler(dataset, tasks=10, **options).episode(0)
    for task in range(10):
        own = pairs(episode.support_x[task]) + pairs(episode.query_x[task])
        own += pairs(episode.unlabelled_x[task][:6])
        assert sorted(own) == [(k, i) for k in sorted({c for c, _ in own}) for i in range(5)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"distractors": 3}, "has 4 classes, but way 2 [+] distractors 3 need 5"),
        (
            {"query": 2},
            "class5 of marked/train has 2 labelled items .40% of 7.* 1 [+] query 2 need",
        ),
        ({"labelled": 0.9}, "has 1 unlabelled items .10% of .., but 2 are asked for"),
        ({"labelled": None, "unlabelled": 6}, "has 7 items, but shot 1 .* unlabelled 6 need 8"),
        ({"unlabelled": -1}, "unlabelled -1 .* at least 0"),
        ({"labelled": 0.0}, "has 0 labelled items"),
    ],
)
def test_impossible_episodes_are_refused_when_the_sampler_is_built(options, sentence):
    with pytest.raises(DataError, match=sentence):
        sampler(**options)

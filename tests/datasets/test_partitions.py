"""Tasks of clusters: every label is a cluster, no item twice, no label looked at."""

import numpy as np
import pytest
import tensorflow as tf

from datasets import DataError, Dataset
from datasets.tasks.partitions import ClusterTasks, partitions


def blobs(groups=6, each=12, seed=0):
    """Embeddings around some centres, far from each other."""
    rng = np.random.default_rng(seed)
    centres = 20 * rng.normal(size=[groups, 3])
    return (centres[:, None] + rng.normal(size=[groups, each, 3])).reshape(-1, 3)


def pictures(count, classes=1):
    items = np.arange(count, dtype=np.uint8)[:, None, None] * np.ones([1, 4, 4], np.uint8)
    label = (np.arange(count) * classes // count).astype(np.int32)
    names = tuple(map(str, range(classes)))
    return Dataset("numbered", items, label, names, {"train": np.arange(classes)})


def shown(inputs, query_y):
    """Numbers of the pictures of a batch by label: [task][label] -> list."""
    numbers = []
    for task in range(len(query_y)):
        by_label = {}
        for part, labels in (("support_x", inputs["support_y"]), ("query_x", query_y)):
            values = np.rint(inputs[part][task, :, 0, 0, 0] * 255).astype(int)
            for value, label in zip(values, labels[task].numpy(), strict=True):
                by_label.setdefault(int(label), []).append(int(value))
        numbers.append(by_label)
    return numbers


def test_blobs_are_found():
    (found,) = partitions(blobs(), 6, 1, seed=3)
    groups = found.reshape(6, 12)
    assert sum((row == row[0]).all() for row in groups) >= 4  # some starts merge two of them


def test_partitions_are_others_in_other_scales_and_the_same_again():
    z = blobs(seed=1)
    found = partitions(z, 8, 4, seed=2)
    assert found.shape == (4, 72) and found.dtype == np.int32
    np.testing.assert_array_equal(found, partitions(z, 8, 4, seed=2))
    pairs = [found[p][:, None] == found[p] for p in range(4)]
    assert all((pairs[0] != other).any() for other in pairs[1:])


def test_a_task_takes_whole_classes_from_one_partition_and_no_item_twice():
    partition = partitions(blobs(), 5, 3, seed=0)
    sampler = ClusterTasks(pictures(72), np.arange(72), partition, 3, 2, 4, tasks=10)
    for batch in range(5):
        for by_label in shown(*sampler(batch)):
            numbers = sum(by_label.values(), [])
            assert len(set(numbers)) == len(numbers) == 18
            assert any(
                all(len(set(one[members])) == 1 for members in by_label.values())
                and len({one[members[0]] for members in by_label.values()}) == 3
                for one in partition
            )


def test_small_clusters_are_left_out():
    partition = np.array([[0] * 5 + [1] * 5 + [2] * 2])
    sampler = ClusterTasks(pictures(12), np.arange(12), partition, 2, 1, 4, tasks=20)
    assert sampler.kept == pytest.approx(2 / 3)
    used = {n for by_label in shown(*sampler(0)) for members in by_label.values() for n in members}
    assert used == set(range(10))


def test_positions_name_the_pictures():
    partition = np.array([[0, 0, 0, 1, 1, 1]])
    positions = np.array([30, 31, 32, 50, 51, 52])
    sampler = ClusterTasks(pictures(60), positions, partition, 2, 1, 2, tasks=6)
    for by_label in shown(*sampler(0)):
        assert {tuple(sorted(members)) for members in by_label.values()} == {
            (30, 31, 32), (50, 51, 52),
        }  # fmt: skip


def test_labels_are_a_permutation_of_the_clusters_anew_in_every_task():
    partition = np.array([[0] * 3 + [1] * 3])
    sampler = ClusterTasks(pictures(6), np.arange(6), partition, 2, 1, 2, tasks=60)
    first = [min(by_label[0]) == 0 or min(by_label[0]) < 3 for by_label in shown(*sampler(0))]
    assert 0.25 < np.mean(first) < 0.75


def test_true_labels_are_not_looked_at():
    partition = partitions(blobs(), 5, 2)
    expected = ClusterTasks(pictures(72), np.arange(72), partition, 3, 1, 2, seed=4)(9)[0]
    found = ClusterTasks(pictures(72, 9), np.arange(72), partition, 3, 1, 2, seed=4)(9)[0]
    for name, x in expected.items():
        np.testing.assert_array_equal(found[name], x)


def test_tasks_are_a_function_of_seed_and_index():
    partition = partitions(blobs(), 5, 2)
    sampler = ClusterTasks(pictures(72), np.arange(72), partition, 3, 1, 2, tasks=3, seed=1)
    for found, expected in zip(
        tf.function(sampler.items)(tf.constant(2)), sampler.items(2), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    assert (sampler.items(2)[1] != sampler.items(3)[1]).numpy().any()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"way": 4}, "has 3 clusters of 3 or more pictures .* takes 4"),
        ({"query": 9}, "has 0 clusters of 10 or more"),
        ({"shot": 0}, "must all be at least 1"),
    ],
)
def test_clusters_all_too_small_are_one_sentence(options, sentence):
    partition = np.array([[0] * 4 + [1] * 4 + [2] * 4])
    sizes = {"way": 2, "shot": 1, "query": 2, **options}
    with pytest.raises(DataError, match=sentence):
        ClusterTasks(pictures(12), np.arange(12), partition, **sizes)


def test_fewer_pictures_than_clusters_are_one_sentence():
    with pytest.raises(DataError, match="5 pictures cannot make 6 clusters"):
        partitions(np.zeros([5, 2]), 6, 1)


def test_a_quarter_turn_is_of_the_whole_task():
    items = np.random.default_rng(0).integers(0, 256, [6, 4, 4]).astype(np.uint8)
    data = Dataset("turned", items, np.zeros(6, np.int32), ("all",), {"train": np.array([0])})
    partition = np.array([[0, 0, 0, 1, 1, 1]])
    options = {"way": 2, "shot": 1, "query": 2, "tasks": 12, "seed": 1}
    straight = ClusterTasks(data, np.arange(6), partition, **options).episode(0)
    turned = ClusterTasks(data, np.arange(6), partition, **options, rotations=True).episode(0)
    seen = set()
    for task in range(12):
        before, after = straight.query_x[task].numpy(), turned.query_x[task].numpy()
        (turn,) = (k for k in range(4) if np.array_equal(np.rot90(before, k, (1, 2)), after))
        seen.add(turn)
    assert len(seen) > 1

"""Pictures one after the other with their labels: which are shown, how turned, what is told."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch05_memory.models import with_previous
from datasets.dataset import Dataset
from datasets.errors import DataError
from datasets.tasks.presentations import LETTERS, Presentations, presentation_number

COUNTS = (6, 4, 9, 5, 7, 4)  # pictures per class: uneven on purpose
SPLITS = {"train": np.array([0, 2, 3, 5]), "test": np.array([1, 4])}
# 0.1 % points of chi-squared, by degrees of freedom
CHI_SQUARED = {1: 10.8, 3: 16.3, 5: 20.5, 8: 26.1, 11: 31.3, 24: 51.2}


def random_dataset(counts=COUNTS, height=5, width=5, splits=SPLITS) -> Dataset:
    """Pictures of random pixels, none of them 0: no two are alike, however turned or moved."""
    pictures = np.random.default_rng(0).integers(1, 256, [sum(counts), height, width], np.uint8)
    item_class = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    names = tuple(f"class{k}" for k in range(len(counts)))
    return Dataset("random", pictures, item_class, names, splits)


def sampler(split="train", dataset=None, **options) -> Presentations:
    """Three classes and ten pictures unless told otherwise."""
    options = {"way": 3, "length": 10, "batch": 4, **options}
    return Presentations(dataset or random_dataset(), split, **options)


def stored(images):
    """Images as they are in the data set: [batch, time, height, width] of whole numbers."""
    return np.rint(np.asarray(images)[..., 0] * 255).astype(np.uint8)


def recognise(images, known):
    """What each image is, by ``known`` (bytes -> anything): lists [batch][time]."""
    return [[known[image.tobytes()] for image in episode] for episode in stored(images)]


def turned(dataset):
    """bytes -> (class, item, quarter turns) of every picture of a data set."""
    return {
        np.rot90(image, turn).tobytes(): (int(dataset.item_class[item]), item, turn)
        for item, image in enumerate(dataset.items)
        for turn in range(4)
    }


def upright(dataset):
    """bytes -> (class, item)."""
    return {
        image.tobytes(): (int(dataset.item_class[item]), item)
        for item, image in enumerate(dataset.items)
    }


def moved(image, down, right):
    """A picture moved by some pixels, pixel by pixel; what comes in is 0."""
    height, width = image.shape
    result = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[row, column] = image[row - down, column - right]
    return result


def chi_squared(counts):
    """Distance of counts from all being alike."""
    counts = np.asarray(counts)
    expected = counts.sum() / counts.size
    return np.sum((counts - expected) ** 2) / expected


def test_shapes_and_types_are_as_documented():
    one_hot, string = (sampler(labels=labels)(0) for labels in ("one_hot", "string"))
    assert one_hot.images.shape == (4, 10, 5, 5, 1) and one_hot.images.dtype == tf.float32
    assert one_hot.label.shape == one_hot.class_of.shape == string.class_of.shape == (4, 10)
    assert one_hot.shown.shape == (4, 10, 3)
    assert string.label.shape == (4, 10, 5) and string.shown.shape == (4, 10, 25)
    assert [sampler(labels=labels).outputs for labels in ("one_hot", "string")] == [3, 25]


def test_class_of_names_the_class_and_classes_of_an_episode_are_distinct():
    known = upright(random_dataset())
    draw = sampler(way=4, length=19, batch=20)
    for index in range(5):
        episode = draw(index)
        for row, pictures in zip(
            episode.class_of.numpy(), recognise(episode.images, known), strict=True
        ):
            pairs = {(number, class_) for number, (class_, _) in zip(row, pictures, strict=True)}
            numbers, classes = zip(*pairs, strict=True)
            assert len(pairs) == len(set(numbers)) == len(set(classes))
            assert set(numbers) <= set(range(4))


@pytest.mark.parametrize("rotations", [False, True])
def test_no_picture_is_shown_twice_in_an_episode(rotations):
    """Episodes of all pictures that the smallest classes have; a turned class is another class."""
    known = turned(random_dataset())
    draw = sampler(way=2, length=8 if rotations else 9, batch=50, rotations=rotations)
    for index in range(4):
        for pictures in recognise(draw(index).images, known):
            assert len(set(pictures)) == len(pictures)


@pytest.mark.parametrize("split", SPLITS)
def test_every_picture_of_the_split_is_shown_and_no_other(split):
    dataset = random_dataset()
    draw = sampler(split, way=2, length=8, batch=50)
    seen = set()
    for index in range(10):
        for pictures in recognise(draw(index).images, upright(dataset)):
            seen |= set(pictures)
    expected = {(int(k), int(item)) for k in SPLITS[split] for item in dataset.items_of(k)}
    assert seen == expected


def test_classes_and_pictures_are_drawn_uniformly():
    """Of four classes with three pictures each: the class and the picture of each step."""
    dataset = random_dataset((3,) * 6)
    draw = sampler(dataset=dataset, way=2, length=2, batch=3000)
    items = np.array(recognise(draw(0).images, upright(dataset)))[..., 1]  # [batch, time]
    members = np.concatenate([dataset.items_of(k) for k in SPLITS["train"]])
    for step in range(2):
        counts = np.bincount(items[:, step], minlength=18)[members]
        assert chi_squared(counts) < CHI_SQUARED[11]
        assert counts.sum() == 3000


def test_pictures_are_drawn_without_replacement_from_all_classes_together():
    """Two classes of three: of the 5 pictures left after the first, 2 are of the same class."""
    draw = sampler(dataset=random_dataset((3,) * 6), way=2, length=2, batch=4000)
    class_of = draw(0).class_of.numpy()
    same = np.mean(class_of[:, 0] == class_of[:, 1])
    assert same == pytest.approx(2 / 5, abs=0.03)  # 4 standard errors
    assert chi_squared(np.bincount(class_of.ravel(), minlength=2)) < CHI_SQUARED[1]


def test_classes_of_uneven_size_are_shown_by_their_size():
    draw = sampler("test", way=2, length=1, batch=4000)  # classes of 4 and 7 pictures
    classes = np.array(recognise(draw(0).images, upright(random_dataset())))[:, 0, 0]
    assert np.mean(classes == 4) == pytest.approx(7 / 11, abs=0.03)


def test_every_class_has_one_label_and_labels_are_a_permutation():
    draw = sampler(dataset=random_dataset((4,) * 6), way=3, length=12, batch=600)
    episode = draw(0)
    permutations = []
    for class_of, label in zip(episode.class_of.numpy(), episode.label.numpy(), strict=True):
        binding = [set(label[class_of == k]) for k in range(3)]
        assert all(len(labels) == 1 for labels in binding)
        permutations.append(tuple(int(labels.pop()) for labels in binding))
    every = list(itertools.permutations(range(3)))
    counts = [permutations.count(permutation) for permutation in every]
    assert sum(counts) == 600 and chi_squared(counts) < CHI_SQUARED[5]
    np.testing.assert_array_equal(episode.shown, np.eye(3)[episode.label])


def test_the_label_of_a_class_in_one_episode_says_nothing_about_another():
    """The first picture of an episode, whose label nobody has told: any label for any class."""
    draw = sampler(batch=1, way=4, length=1)
    specs = [tf.TensorSpec([1, 1, 5, 5, 1]), tf.TensorSpec([1, 1], tf.int32)]

    @tf.function
    def firsts():
        # One episode per index: a draw that repeats that of the classes would show in each.
        return tf.map_fn(lambda i: list(draw(i)[:2]), tf.range(1200), fn_output_signature=specs)

    images, label = (np.array(value)[:, 0] for value in firsts())
    first = np.array(recognise(images, upright(random_dataset())))[:, 0, 0]
    for class_ in SPLITS["train"]:
        counts = np.bincount(label[first == class_, 0], minlength=4)
        assert counts.sum() > 100 and chi_squared(counts) < CHI_SQUARED[3]


def test_strings_are_five_letters_of_five_and_distinct_within_an_episode():
    draw = sampler(way=4, length=19, batch=1500, labels="string")  # 3 clashes if drawn singly
    episode = draw(0)
    label, class_of = episode.label.numpy(), episode.class_of.numpy()
    firsts = []  # one string for each class shown
    for letters, classes in zip(label, class_of, strict=True):
        strings = {k: {tuple(x) for x in letters[classes == k]} for k in set(classes)}
        assert all(len(found) == 1 for found in strings.values())
        different = set.union(*strings.values())
        assert len(different) == len(strings)
        firsts += sorted(different)
    firsts = np.array(firsts)
    assert firsts.min() == 0 and firsts.max() == LETTERS - 1
    for a, b in itertools.combinations(range(5), 2):
        pairs = np.bincount(firsts[:, a] * LETTERS + firsts[:, b], minlength=25)
        assert chi_squared(pairs) < CHI_SQUARED[24]
    ones = np.eye(LETTERS)[label].reshape(*label.shape[:2], 25)
    np.testing.assert_array_equal(episode.shown, ones)


@pytest.mark.parametrize("labels", ["one_hot", "string"])
def test_nothing_up_to_a_picture_contains_its_label(labels):
    """Other labels from step t on change what is seen after step t, and nothing before."""
    episode = sampler(labels=labels)(0)
    x = with_previous(episode.images, episode.shown).numpy()
    pixels = np.asarray(episode.images).reshape(4, 10, 25)
    np.testing.assert_array_equal(x[..., :25], pixels)
    np.testing.assert_array_equal(x[:, 0, 25:], 0)
    for t in range(10):
        others = np.array(episode.shown)
        others[:, t:] = 1 - others[:, t:]
        changed = with_previous(episode.images, tf.constant(others)).numpy()
        np.testing.assert_array_equal(changed[:, : t + 1], x[:, : t + 1])
        assert np.all(changed[:, t + 1 :, 25:] != x[:, t + 1 :, 25:])


def test_pictures_are_the_same_whatever_they_are_called():
    """The draw of the binding has no part in that of classes, order, turns or moves."""
    options = {"rotations": True, "jitter": 1, "batch": 8}
    one_hot, string = (sampler(labels=labels, **options)(3) for labels in ("one_hot", "string"))
    np.testing.assert_array_equal(one_hot.images, string.images)
    np.testing.assert_array_equal(one_hot.class_of, string.class_of)


def test_a_class_is_turned_as_a_whole_and_each_turn_is_a_class_of_its_own():
    dataset = random_dataset((5,) * 6)
    draw = sampler("test", dataset, way=4, length=20, batch=100, rotations=True)
    episode = draw(0)
    known = turned(dataset)
    together = set()
    for class_of, pictures in zip(
        episode.class_of.numpy(), recognise(episode.images, known), strict=True
    ):
        kinds = [
            {
                (class_, turn)
                for k, (class_, _, turn) in zip(class_of, pictures, strict=True)
                if k == n
            }
            for n in range(4)
        ]
        assert all(len(kind) == 1 for kind in kinds)
        assert len(set.union(*kinds)) == 4
        together |= {*set.union(*kinds)}
    assert together == {(class_, turn) for class_ in SPLITS["test"] for turn in range(4)}


def test_all_turned_classes_of_a_small_split_may_be_in_one_episode():
    dataset = random_dataset()
    draw = sampler("test", dataset, way=8, length=44, batch=2, rotations=True)
    for pictures in recognise(draw(0).images, turned(dataset)):
        assert len(set(pictures)) == 44 == 4 * (COUNTS[1] + COUNTS[4])


def test_jitter_moves_each_picture_on_its_own_by_at_most_so_many_pixels():
    dataset = random_dataset((4,) * 6, height=5, width=7)
    moves = list(itertools.product(range(-1, 2), repeat=2))
    known = {
        moved(image, *move).tobytes(): (item, move)
        for item, image in enumerate(dataset.items)
        for move in moves
    }
    draw = sampler(dataset=dataset, length=12, batch=150, jitter=1)
    found = recognise(draw(0).images, known)  # a move by more would not be known
    counts = [sum(move == m for row in found for _, move in row) for m in moves]
    assert sum(counts) == 1800 and chi_squared(counts) < CHI_SQUARED[8]
    still = sampler(dataset=dataset, length=12, batch=150)(0)
    items = [[item for item, _ in row] for row in found]
    same = [[item for _, item in row] for row in recognise(still.images, upright(dataset))]
    assert items == same


@pytest.mark.parametrize("labels", ["one_hot", "string"])
@pytest.mark.parametrize("options", [{}, {"rotations": True, "jitter": 2}], ids=["plain", "moved"])
def test_eager_graph_and_xla_draw_the_same_episodes(labels, options):
    draw = sampler(labels=labels, seed=4, batch=8, **options)
    graph, xla = tf.function(draw), tf.function(draw, jit_compile=True)
    for index in (0, 7, 1000):
        eager = draw(index)
        for compiled in (graph, xla):
            for a, b in zip(eager, compiled(tf.constant(index)), strict=True):
                np.testing.assert_array_equal(a, b)


def test_same_seed_and_index_give_the_same_episodes_others_do_not():
    def images(seed, index):
        return sampler(seed=seed)(index).images.numpy()

    first = images(1, 5)
    np.testing.assert_array_equal(first, images(1, 5))
    for seed, index in ((1, 6), (2, 5), (5, 1)):
        assert not np.array_equal(first, images(seed, index))


def test_index_may_be_a_64_bit_tensor():
    episodes = list(tf.data.Dataset.range(3).map(sampler()))
    np.testing.assert_array_equal(episodes[2].images, sampler()(2).images)


def test_presentations_are_counted_as_by_hand():
    class_of = np.random.default_rng(0).integers(0, 3, [5, 12])
    for row, numbers in zip(class_of, presentation_number(class_of), strict=True):
        seen = {}
        for class_, number in zip(row, numbers, strict=True):
            seen[class_] = seen.get(class_, 0) + 1
            assert number == seen[class_]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"labels": "words"},
            "labels is 'words'; it must be one of one_hot, string.",
        ),
        ({"way": 0}, "way 0, length 10 and batch 4 must all be at least 1."),
        ({"length": 0}, "way 3, length 0 and batch 4 must all be at least 1."),
        ({"batch": -1}, "way 3, length 10 and batch -1 must all be at least 1."),
        ({"jitter": -1}, "jitter is -1; it must be at least 0."),
        (
            {"split": "validation"},
            "random has no split 'validation'; it has test, train.",
        ),
        ({"way": 5}, "random/train has 4 classes, but an episode needs 5; use fewer."),
        (
            {"way": 9, "split": "test", "rotations": True},
            "random/test has 8 classes, but an episode needs 9; use fewer.",
        ),
        (
            {"way": 2, "length": 11},
            "2 classes of random/train may have only 9 pictures, but an episode shows 11; use "
            "shorter episodes or more classes.",
        ),
        # The smallest class turned two ways is an episode too: 4 + 4 pictures.
        (
            {"way": 2, "length": 9, "rotations": True},
            "2 classes of random/train may have only 8 pictures, but an episode shows 9; use "
            "shorter episodes or more classes.",
        ),
        (
            {"way": 8, "length": 45, "split": "test", "rotations": True},
            "8 classes of random/test may have only 44 pictures, but an episode shows 45; use "
            "shorter episodes or more classes.",
        ),
    ],
)
def test_impossible_episodes_are_refused_when_the_sampler_is_built(options, sentence):
    with pytest.raises(DataError) as caught:
        sampler(**options)
    assert str(caught.value) == sentence


def test_rotating_oblong_pictures_is_refused():
    with pytest.raises(DataError, match="square pictures; random/train has 5 x 7"):
        sampler(dataset=random_dataset(width=7), rotations=True)

"""Painted signs: the emoji's form, reproducible, and neither too easy nor hopeless."""

import sys
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

import datasets
from datasets.errors import DataError
from datasets.sets import emoji, sources
from datasets.standins import painted_signs


@pytest.fixture(scope="module")
def signs():
    return datasets.load("painted_signs", offline=True)


@pytest.fixture
def few(tmp_path, monkeypatch):
    """A cache folder of its own, and three subgroups of two signs, so that painting is quick."""
    monkeypatch.setenv("METAZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(painted_signs, "SUBGROUPS", {"train": 1, "val": 1, "test": 1})
    monkeypatch.setattr(painted_signs, "SIGNS", 2)
    return tmp_path


def test_the_set_read_is_labelled_generated_and_complete(signs):
    assert signs.generated and signs.name == "painted_signs"
    assert signs.items.shape[1:] == (32, 32, 3) and signs.items.dtype == np.uint8
    counts = np.bincount(signs.item_class)
    assert len(counts) == len(signs.class_names) == len(set(signs.class_names)) == 120
    assert counts.min() == 5 and counts.max() == 9
    assert {name: len(found) for name, found in signs.splits.items()} == {
        "train": 72,
        "val": 24,
        "test": 24,
        "all": 120,
    }


def test_splits_go_by_subgroup(signs):
    subgroups = {
        split: {name.split(" on ")[1] for name in np.array(signs.class_names)[signs.splits[split]]}
        for split in emoji.SPLITS
    }
    assert [len(found) for found in subgroups.values()] == [12, 4, 4]
    assert not any(a & b for a, b in combinations(subgroups.values(), 2))


def test_words_say_what_is_seen_and_most_of_them_are_known_from_training(signs):
    assert all(words[0] == name for words, name in zip(signs.words, signs.class_names, strict=True))
    vocabulary = {*painted_signs.COLOURS, *painted_signs.PLATES, *painted_signs.MARKS}
    assert all(set(words[1:]) <= vocabulary and len(words) >= 4 for words in signs.words)
    seen = {word for k in signs.classes("train") for word in signs.words[k][1:]}
    tested = {word for k in signs.classes("test") for word in signs.words[k][1:]}
    assert len(tested & seen) > 0.7 * len(tested)


def test_options_are_those_of_the_emoji(few):
    full, coloured = (datasets.load("painted_signs", black=black) for black in (True, False))
    assert len(coloured.items) < len(full.items)
    assert coloured.class_names == full.class_names
    grey = np.ptp(full.items.astype(int), axis=-1).reshape(len(full.items), -1).max(axis=1) == 0
    assert grey.sum() == len(full.items) - len(coloured.items)
    assert datasets.load("painted_signs", size=20).items.shape[1:] == (20, 20, 3)
    with pytest.raises(DataError, match="No class of painted_signs has 10 items"):
        datasets.load("painted_signs", least=10)


def test_nothing_but_pillow_paints_it(few, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    assert len(datasets.load("painted_signs", offline=True).class_names) == 6


def test_same_seed_same_bytes_and_another_seed_other_signs(few):
    for name, seed in (("first", 7), ("second", 7), ("other", 8)):
        painted_signs.write(few / name, seed)
    first, second, other = (all_bytes(few / name) for name in ("first", "second", "other"))
    assert first == second
    assert first["emoji/classes.csv"] != other["emoji/classes.csv"]
    assert not any(first[name] == other.get(name) for name in first)


def all_bytes(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_every_picture_is_on_white_and_inside(few):
    data = datasets.load("painted_signs")
    files = sorted((few / "generated").rglob("*.png"))
    assert len(files) == len(data.items)
    for file in files:
        with Image.open(file) as image:
            assert (image.size, image.mode) == ((64, 64), "RGB")
            pixels = np.asarray(image)
        assert pixels[[0, 0, -1, -1], [0, -1, 0, -1]].min() > 250, file
        assert pixels.std() > emoji.BLANK, file


def test_no_two_pictures_are_equal(signs):
    different = {item.tobytes() for item in signs.items}
    assert len(different) == len(signs.items)


def test_black_copies_have_the_outlines_of_others():
    hands = painted_signs.invent_hands(np.random.default_rng(0))
    assert [hand.black for hand in hands].count(True) == 2
    for copy, original in painted_signs.COPIES.items():
        assert hands[copy].black and not hands[original].black
        np.testing.assert_array_equal(hands[copy].plate, hands[original].plate)
        np.testing.assert_array_equal(hands[copy].mark, hands[original].mark)


@pytest.mark.parametrize("seed", range(4))
def test_no_two_signs_are_alike_in_black(seed):
    signs = painted_signs.invent_signs(np.random.default_rng(seed))
    assert len({(plate, mark) for plate, _, mark, _, _ in signs}) == len(signs) == 120
    assert all(colour != other for _, colour, _, other, _ in signs)


def test_shapes_lie_in_the_square():
    for polygons in (*painted_signs.PLATES.values(), *painted_signs.MARKS.values()):
        points = np.concatenate(polygons)
        assert len(polygons) and np.abs(points).max() <= 1.25
        assert (np.ptp(points, axis=0) > 0.5).all()


@pytest.mark.parametrize("damage", ["missing", "broken", "huge", "table"])
def test_a_damaged_set_is_one_sentence_that_says_what_to_remove(few, damage):
    folder = few / "generated" / f"painted_signs-v{painted_signs.VERSION}-seed0"
    datasets.load("painted_signs")
    path = sorted((folder / "emoji" / "1").iterdir())[0]
    if damage == "missing":
        path.unlink()
    elif damage == "broken":
        path.write_bytes(path.read_bytes()[:60])
    elif damage == "huge":
        path.write_bytes(bytes(painted_signs.MAX_PICTURE + 1))
    else:
        emoji.read_table.cache_clear()
        (folder / "emoji" / "classes.csv").write_text("x", "utf-8")
    with pytest.raises(DataError) as caught:
        datasets.load("painted_signs")
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_pixels_do_better_than_chance_and_are_far_from_solving_it(signs):
    assert 0.4 < pixel_accuracy(signs, "all") < 0.7  # chance is 0.2


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not sources.find("emoji"), reason="needs emoji: set METAZOO_DATA")
def test_ground_and_pixel_accuracy_are_about_those_of_the_emoji(signs):
    real = emoji.load(offline=True)
    assert abs(signs.items.mean() - real.items.mean()) < 10
    assert abs(pixel_accuracy(signs, "test") - pixel_accuracy(real, "test")) < 0.1


def pixel_accuracy(data, split, way=5, queries=3, episodes=400):
    """5-way 1-shot accuracy of the nearest support image."""
    items = data.items.reshape(len(data.items), -1).astype(np.float32) / 255
    rng = np.random.default_rng(0)
    correct = []
    for _ in range(episodes):
        classes = rng.choice(data.classes(split), way, replace=False)
        chosen = [rng.choice(data.items_of(k), 1 + queries, replace=False) for k in classes]
        support, query = np.split(items[np.array(chosen)], [1], axis=1)  # [way, item, pixel]
        distance = ((query - support[:, 0][:, None, None]) ** 2).sum(axis=-1)  # [way, way, query]
        correct.append(distance.argmin(axis=0) == np.arange(way)[:, np.newaxis])
    return np.mean(correct)

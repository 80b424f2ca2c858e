"""Stroke characters: Omniglot's layout, reproducible, and neither too easy nor hopeless."""

import io
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import datasets
from datasets.sets import omniglot, sources
from datasets.standins import strokes


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The evaluation alphabets and two small background ones, so that drawing is quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METAZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(strokes, "ALPHABETS", [("images_background", 3)] * 4 + strokes.ALPHABETS[-5:])
        return datasets.load("strokes", offline=True)


def test_whole_alphabets_are_validated_and_tested(small):
    alphabets = {
        split: {small.class_names[index].split("/")[0] for index in classes}
        for split, classes in small.splits.items()
    }
    assert alphabets["train"] == {"Strokes_01", "Strokes_02"}
    assert alphabets["val"] == {"Strokes_03", "Strokes_04"}
    assert alphabets["test"] == {f"Strokes_{n:02d}" for n in range(5, 10)}
    assert alphabets["trainval"] == alphabets["background"]
    assert alphabets["trainval"] == alphabets["train"] | alphabets["val"]
    assert alphabets["evaluation"] == alphabets["test"]


def test_the_set_read_is_labelled_generated_and_complete(small):
    assert small.generated
    assert small.items.shape == (112 * 20, 28, 28)
    assert small.items.dtype == np.uint8
    assert len(small.class_names) == 112
    assert small.class_names[0] == "Strokes_01/character01"


def test_every_split_has_characters_enough_for_20_way_episodes():
    background, evaluation = (
        [n_characters for part, n_characters in strokes.ALPHABETS if part == name]
        for name in omniglot.PARTS
    )
    assert sum(background[: -strokes.VALIDATION_ALPHABETS]) >= 60  # for 60-way training
    assert sum(background[-strokes.VALIDATION_ALPHABETS :]) >= 20
    assert sum(evaluation) >= 60
    assert len(evaluation) >= 4


def test_files_are_named_and_coded_as_published(small):
    files = sorted(Path(small.source).glob("*/*/*/*"))
    assert len(files) == len(small.items)
    assert all(omniglot.MEMBER.search(file.as_posix()) for file in files)
    assert files[0].relative_to(small.source).as_posix() == (
        "images_background/Strokes_01/character01/0001_01.png"
    )
    assert len({file.name for file in files}) == len(files)  # characters are numbered throughout
    assert {coding(file.read_bytes()) for file in files} == {("PNG", "1", (105, 105))}


@pytest.mark.real_data
@pytest.mark.skipif(not sources.find("omniglot"), reason="needs omniglot: set METAZOO_DATA")
def test_the_published_files_are_named_and_coded_so():
    members = omniglot._members(sources.find("omniglot"))
    name, content = next((name, content) for name, content in members if name.endswith(".png"))
    assert omniglot.MEMBER.search(name)
    assert coding(content) == ("PNG", "1", (105, 105))


def coding(content):
    with Image.open(io.BytesIO(content)) as image:
        return image.format, image.mode, image.size


def test_ink_is_black_on_white_and_inside_the_margin(small):
    for file in sorted(Path(small.source).glob("*/*/*/*"))[::20]:
        paper = np.array(Image.open(file))  # [height, width], true is white
        edge = np.concatenate([paper[[0, -1]].ravel(), paper[:, [0, -1]].ravel()])
        assert edge.all(), file
        assert 0.005 < 1 - paper.mean() < 0.4, file


def test_same_seed_same_bytes_and_another_seed_other_drawings(tmp_path, monkeypatch):
    monkeypatch.setattr(strokes, "ALPHABETS", [("images_background", 2), ("images_evaluation", 1)])
    for name, seed in (("first", 7), ("second", 7), ("other", 8)):
        strokes.write(tmp_path / name, seed)
    first, second, other = (all_bytes(tmp_path / name) for name in ("first", "second", "other"))
    assert first == second
    assert first.keys() == other.keys()
    assert not any(first[name] == other[name] for name in first)


def all_bytes(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_no_two_drawings_are_equal(small):
    assert len(np.unique(small.items.reshape(len(small.items), -1), axis=0)) == len(small.items)


def test_a_drawer_has_a_hand():
    """Size, which no single drawing shows, differs between drawers more than within one."""
    rng = np.random.default_rng(0)
    character = strokes.invent_alphabet(rng, 1)[0]
    heights = []
    for hand in [strokes.invent_hand(rng) for _ in range(20)]:
        drawn = [np.concatenate(strokes.trace(character, hand, rng)) for _ in range(10)]
        heights.append([np.ptp(points[:, 1]) for points in drawn])
    heights = np.array(heights)  # [drawer, drawing]
    assert heights.mean(axis=1).std() > heights.std(axis=1).mean()


@pytest.mark.parametrize("seed", range(5))
def test_characters_of_an_alphabet_look_different(seed):
    rng = np.random.default_rng(seed)
    characters = strokes.invent_alphabet(rng, 24)
    ideal = [np.array(strokes.draw(c, strokes.PERFECT_HAND, rng)) for c in characters]
    differences = [np.sum(a != b) for a, b in combinations(ideal, 2)]
    assert min(differences) >= strokes.DISTINCT


def test_a_walk_never_stands_still():
    rng = np.random.default_rng(0)
    for _ in range(500):
        points = strokes.invent_stroke(rng, np.array([2, 3]), 0.5).points
        assert 2 <= len(points) <= 5
        assert np.abs(np.diff(points, axis=0)).sum(axis=1).min() > 0
        assert points.min() >= 0
        assert points.max() <= 1


def test_pixels_do_better_than_chance_and_are_far_from_solving_it(small):
    accuracy = pixel_accuracy(small, "test")
    assert 0.35 < accuracy < 0.6  # chance is 0.2


@pytest.mark.real_data
@pytest.mark.skipif(not sources.find("omniglot"), reason="needs omniglot: set METAZOO_DATA")
def test_ink_and_pixel_accuracy_are_about_those_of_omniglot(small):
    real = omniglot.load(offline=True)
    assert abs(small.items.mean() - real.items.mean()) / 255 < 0.015
    difference = pixel_accuracy(small, "evaluation") - pixel_accuracy(real, "evaluation")
    assert abs(difference) < 0.1


def pixel_accuracy(data, split, way=5, queries=5, episodes=400):
    """5-way 1-shot accuracy of the nearest support image by cosine."""
    items = data.items.reshape(len(data.items), -1).astype(np.float32)
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    correct = []
    for _ in range(episodes):
        classes = rng.choice(data.classes(split), way, replace=False)
        chosen = [rng.choice(data.items_of(k), 1 + queries, replace=False) for k in classes]
        support, query = np.split(items[np.array(chosen)], [1], axis=1)  # [way, item, pixel]
        cosine = query @ support[:, 0].T  # [way, query, way]
        correct.append(cosine.argmax(axis=-1) == np.arange(way)[:, np.newaxis])
    return np.mean(correct)

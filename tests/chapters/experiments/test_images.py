"""Few-shot images: columns, data of the user's own, samplers, tables."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions, Score
from chapters.experiments import images
from chapters.experiments.images import Column
from chapters.experiments.images.baselines import PixelNeighbour
from chapters.experiments.options import ImageOptions
from datasets.dataset import Dataset
from datasets.errors import DataError, DataNotice


def blots(**splits):
    """A data set of black pictures; ``splits`` name how many classes of 6 items each split has."""
    classes = sum(splits.values())
    item_class = np.repeat(np.arange(classes), 6).astype(np.int32)
    items = np.zeros([len(item_class), 8, 8], np.uint8)
    ends = np.cumsum(list(splits.values()))
    parts = zip(splits, ends, strict=True)
    named = {name: np.arange(end - splits[name], end) for name, end in parts}
    return Dataset("blots", items, item_class, tuple(map(str, range(classes))), named)


def write_folder(folder, classes, items=4):
    rng = np.random.default_rng(0)
    for k in range(classes):
        (folder / f"c{k}").mkdir(parents=True)
        for number in range(items):
            pixels = rng.integers(0, 256, [20, 24], dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"c{k}/{number}.png")
    return str(folder)


@pytest.mark.parametrize(("options", "flag"), [({"channels": 3}, "--channels 3"),
                                               ({"invert": True}, "--invert")])  # fmt: skip
def test_what_is_for_a_folder_is_refused_with_a_known_set(options, flag):
    words = f"{flag} is for a folder and has no effect with --data strokes; leave one"
    with pytest.raises(ConfigError, match=words):
        images.load(ImageOptions(data="strokes", **options))


def test_columns_are_read_and_written():
    assert images.parse_columns("5w1s, 20w5s") == [Column(5, 1), Column(20, 5)]
    assert str(Column(20, 5)) == "20w5s"


@pytest.mark.parametrize("part", ["5x1s", "5w1", "w1s", "5ws", "-5w1s", "", "5w1ss"])
def test_a_column_that_does_not_fit_is_named(part):
    with pytest.raises(ConfigError, match=f"--columns has {part!r}; expected <way>w<shot>s"):
        images.parse_columns(f"5w1s,{part}")


def test_known_sets_are_loaded_as_the_options_say_and_the_options_stay(monkeypatch):
    calls = []
    monkeypatch.setattr(
        images.tasks.datasets, "load", lambda *name, **options: calls.append(options)
    )
    asked = ImageOptions(data="strokes", image_size=20, data_root="here", offline=True)
    assert images.load(asked) == (None, asked)
    assert calls == [{"size": 20, "root": "here", "offline": True}]


def test_data_that_is_neither_known_nor_a_folder_is_refused():
    with pytest.raises(ConfigError, match="'omniglott' is neither a folder.*mean 'omniglot'"):
        images.load(ImageOptions(data="omniglott"))


def test_options_shrink_to_what_a_folder_holds(tmp_path):
    """Ten classes of four pictures: six, two and two; shot and queries share the four."""
    folder = write_folder(tmp_path, classes=10)
    config = ImageOptions(data=folder, way=20, shot=5, query=5, columns="5w1s,2w2s,2w4s")
    with pytest.warns(DataNotice) as told:
        data, fitted = images.load(config)
    said = " ".join(str(notice.message) for notice in told)
    for change in ("--way 20 becomes 6", "--shot 5 becomes 3", "--query 5 becomes 1",
                   "--columns 5w1s,2w2s,2w4s becomes 2w1s,2w2s,2w3s"):  # fmt: skip
        assert change in said
    assert "The test is on 2 classes of one split" in said
    assert {split: len(data.classes(split)) for split in ("train", "val", "test")} == {
        "train": 6, "val": 2, "test": 2
    }  # fmt: skip
    assert (fitted.way, fitted.shot, fitted.query) == (6, 3, 1)
    assert (fitted.columns, fitted.test_query) == ("2w1s,2w2s,2w3s", 1)  # none is dropped
    assert not fitted.rotations
    training, validation, tests = images.samplers(data, fitted, validation_way=5)
    assert training(0)[0]["support_x"].shape == (1, 6 * 3, 28, 28, 1)
    assert validation(0)[0]["support_x"].shape == (1, 2 * 1, 28, 28, 1)
    assert tests[Column(2, 2)](0)[0]["query_x"].shape == (1, 2 * 1, 28, 28, 1)


def test_a_column_shrinks_to_the_largest_way_there_is(tmp_path):
    _, fitted = images.load(ImageOptions(data=write_folder(tmp_path, 6), columns="5w1s"))
    assert fitted.columns == "2w1s"


@pytest.mark.parametrize(("asked", "tested"), [(5, 600), (1000, 1000)])
def test_a_folder_is_tested_on_600_episodes_at_least(asked, tested, tmp_path):
    folder = write_folder(tmp_path, classes=6)
    _, config = images.load(ImageOptions(data=folder, test_episodes=asked))
    assert config.test_episodes == tested


def test_a_folder_with_too_few_classes_is_refused(tmp_path):
    with pytest.raises(DataError, match="has 5 class folder.*6 are needed"):
        images.load(ImageOptions(data=write_folder(tmp_path, 5)))


def test_turned_classes_count_four_times():
    data = blots(train=5, val=3, test=2)
    assert images.available(data, "val", rotations=False) == 3
    assert images.available(data, "val", rotations=True) == 12


def test_samplers_draw_each_from_its_split():
    """No class of training, validation and test is the same."""
    data = blots(train=5, val=3, test=4)
    config = ImageOptions(
        data="blots", rotations=False, way=4, query=2, tasks=3, columns="3w1s,2w2s", test_query=3
    )
    training, validation, tests = images.samplers(data, config, validation_way=5, tasks=2)
    sizes = {name: (s.name, s.way, s.shot, s.query, s.tasks) for name, s in (
        ("training", training), ("validation", validation), *tests.items())}  # fmt: skip
    assert sizes == {
        "training": ("blots/train", 4, 1, 2, 3),
        "validation": ("blots/val", 3, 1, 2, 2),  # there are no more than three
        Column(3, 1): ("blots/test", 3, 1, 3, 2),
        Column(2, 2): ("blots/test", 2, 2, 3, 2),
    }
    assert images.example(data, config, query=2).query_x.shape[:2] == (1, 3 * 2)
    assert images.example(data, config, query=9).query_x.shape[:2] == (1, 3 * 3)


def test_what_is_asked_changes_the_tasks_and_not_the_split_of_a_folder(monkeypatch):
    """It was split with the seed of the training, and its test classes are to stay unseen."""
    loaded = []

    def load(config):
        loaded.append(config.seed)
        return blots(train=5, val=3, test=4), config

    monkeypatch.setattr(images.tasks, "load", load)
    config = ImageOptions(data="leaves", seed=3, columns="3w2s", test_query=4)
    _, fitted, column = images.under_conditions(config, Conditions(seed=8, shot=1))
    assert loaded == [3]
    assert (fitted.seed, fitted.test_query, column) == (8, 4, Column(3, 1))


def test_background_alphabets_are_tested_on_the_evaluation_alphabets():
    data = blots(background=5, val=3, evaluation=4, test=2)
    options = {"way": 4, "query": 2, "columns": "3w1s", "test_query": 3}
    config = ImageOptions(train_split="background", rotations=False, **options)
    training, _, tests = images.samplers(data, config, validation_way=3)
    assert training.name == "blots/background"
    assert tests[Column(3, 1)].name == "blots/evaluation"
    scores = {"ours": {Column(3, 1): Score(0.5, 0.01, 99, 7, "stored")}}
    assert images.rows(scores, {}, data, config)[0]["split"] == "evaluation"


@pytest.fixture(scope="module")
def of_both():
    """Signs and characters together, and the options of a run on them."""
    options = {"image_size": 16, "query": 4, "columns": "3w1s,2w5s", "test_query": 15}
    return images.load(ImageOptions(data="signs_strokes", **options))


def test_parts_of_the_data_are_tested_apart_on_the_tasks_of_each_alone(of_both):
    """Emoji beside Omniglot: the figures stand beside those of networks of one set."""
    data, config = of_both
    _, _, tests = images.samplers(data, config, validation_way=5)
    assert list(tests) == [
        Column(way, shot, part)
        for part in ("painted_signs", "strokes")
        for way, shot in ((3, 1), (2, 5))
    ]
    for part in ("painted_signs", "strokes"):
        alone, options = images.load(dataclasses.replace(config, data=part, rotations=True))
        _, _, theirs = images.samplers(alone, options, validation_way=5)
        for column, sampler in theirs.items():
            ours, task = tests[column._replace(part=part)].episode(7), sampler.episode(7)
            x = task.query_x if part == "painted_signs" else 1 - task.query_x
            np.testing.assert_allclose(
                ours.query_x, np.broadcast_to(x, ours.query_x.shape), atol=1e-6
            )


def test_training_and_validation_are_on_classes_of_both(of_both):
    data, config = of_both
    training, validation, _ = images.samplers(data, config, validation_way=20)
    signs = len(data.classes("painted_signs/train")) + 24 + 24
    for sampler in (training, validation):
        ids = np.concatenate([sampler.episode(k).class_ids[0].numpy() for k in range(9)])
        assert (ids < signs).any() and (ids >= signs).any()


def test_each_part_has_a_table_and_rows_of_its_own(of_both):
    data, config = of_both
    columns = images.test_columns(config)
    scores = {"ours": {column: Score(0.5, 0.01, 99, 7, "stored") for column in columns}}
    text = images.table(scores, {}, data, config)
    assert "on 24 classes never seen (painted_signs, generated stand-in)" in text
    assert "on 400 classes never seen (strokes, generated stand-in)" in text  # in four rotations
    assert text.count("3-way 1-shot") == 2
    rows = images.rows(scores, {}, data, config)
    assert [(row["data"], row["label"], row["headline"]) for row in rows] == [
        ("painted_signs", "3-way 1-shot, painted_signs", True),
        ("painted_signs", "2-way 5-shot, painted_signs", False),
        ("strokes", "3-way 1-shot, strokes", False),
        ("strokes", "2-way 5-shot, strokes", False),
    ]


def test_a_trained_network_is_evaluated_on_each_part(of_both):
    _, config = of_both
    learner = PixelNeighbour((16, 16, 3))
    found = images.evaluate(learner, config, Conditions(way=2, shot=1, episodes=5))
    assert [row["data"] for row in found] == ["painted_signs", "strokes"]
    assert [row["query"] for row in found] == [5, 15]  # signs have six drawings or more here


SCORES = {
    "ours": {Column(5, 1): Score(0.5, 0.01, 99, 7, "support")},
    "untrained": {Column(5, 1): Score(0.2, 0.02, 50, 7, "support")},
}
CONFIG = ImageOptions(data="blots", rotations=False, test_episodes=99, test_query=3)


def test_the_table_names_its_conditions():
    text = images.table(SCORES, {"paper": {"5w1s": 98.7}}, blots(test=4), CONFIG)
    for part in ("4 classes never seen", "99 episodes", "3 queries per class", "5-way 1-shot"):
        assert part in text
    assert "statistics: honest" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["ours", "50.00", "+-", "1.00"] in lines
    assert ["paper", "98.7"] in lines
    other = images.table(SCORES, {"paper": {}}, blots(test=4), CONFIG)
    assert ["paper", "-"] in [line.split() for line in other.splitlines()]


def test_rows_say_how_each_score_was_measured_and_what_the_paper_has_for_it():
    published = {"ours": {"5w1s": 98.7}, "theirs": {"5w1s": 11.0}}
    rows = images.rows(SCORES, published, blots(test=4), CONFIG)
    assert rows[0].items() >= {
        "method": "ours", "data": "blots", "generated": False, "split": "test",
        "measure": "accuracy", "way": 5, "shot": 1, "query": 3, "mean": 0.5, "interval": 0.01,
        "episodes": 99, "seed": 7, "batch_norm": "support", "published": 98.7,
        "label": "5-way 1-shot", "unit": "%", "headline": True,
    }.items()  # fmt: skip
    assert (rows[1]["method"], rows[1]["episodes"], rows[1]["published"]) == (
        "untrained", 50, None
    )  # fmt: skip


def test_what_is_trained_on_what_is_said_before():
    said = images.describe(blots(train=5, val=3, test=2), ImageOptions(tasks=4, steps=9))
    assert "classes (each in four rotations): train 20, val 12, test 8" in said
    assert "9 steps of 4 episode(s), 5-way 1-shot" in said

"""Models tried on a folder: what is left out, how it is named, and what is said of it."""

import json
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import soundfile
from PIL import Image

import datasets
import zoo
from chapters.ch02_siamese.baselines import statistics
from chapters.engine.metric import MetricLearner
from datasets.errors import DataError
from datasets.readers.folder import class_files
from zoo import __main__ as command_line
from zoo import baselines, choosing, classifying, loading, pictures
from zoo.errors import ZooError

NAME = "prototypical-omniglot-1shot"
COUNTS = {"a": 4, "b": 2, "c": 1, "d": 4}  # files of a class


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Generated characters, dark on white, in classes of several sizes."""
    data, folder = datasets.load("strokes"), tmp_path_factory.mktemp("characters")
    for k, (name, count) in enumerate(COUNTS.items()):
        (folder / name).mkdir()
        for number, item in enumerate(data.items_of(k)[:count]):
            Image.fromarray(255 - data.items[item]).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def choice(folder):
    return zoo.choose(folder, pattern=NAME)


def item_class():
    return np.repeat(np.arange(len(COUNTS)), list(COUNTS.values()))


def test_a_loop_that_leaves_files_out_finds_the_same(folder, choice):
    loaded = loading.load(NAME)
    names = {k: loaded.read(files) for k, files in enumerate(class_files(folder).values())}
    embedded = {k: np.asarray(loaded.learner.embed(x)) for k, x in names.items()}
    expected = {}
    for k, group in embedded.items():
        for i in range(len(group) if len(group) > 1 else 0):
            means = []
            for other, items in embedded.items():
                # In a round one file of each class is left out: here the one with this number.
                left = choosing_order(other)
                rest = (
                    np.delete(items, left[rank(k, i)], axis=0) if rank(k, i) < len(left) else items
                )
                means.append(rest.mean(axis=0))
            distance = [((group[i] - mean) ** 2).sum() for mean in means]
            expected[k, i] = int(np.argmin(distance))
    most = choice.shots[-1]
    found = next(one for one in choice.tried if one.name == NAME).answers[most]
    files = np.concatenate([r.queries for r in choosing.plan(item_class(), choice.shots)])
    first = np.cumsum([0, *COUNTS.values()])
    for file, answer in zip(files, found, strict=True):
        k = item_class()[file]
        assert answer == expected[k, file - first[k]]


def choosing_order(k) -> list[int]:
    """Files of a class in the order in which they are left out."""
    rounds = choosing.plan(item_class(), [1, 3])
    first = int(np.flatnonzero(item_class() == k)[0])
    return [int(q) - first for r in rounds for q in r.queries if item_class()[q] == k]


def rank(k, i) -> int:
    """Number of the round in which a file is left out."""
    return choosing_order(k).index(i)


def test_every_file_is_left_out_once_and_never_an_example_of_its_round():
    rounds = choosing.plan(item_class(), [1, 3])
    assert sorted(np.concatenate([one.queries for one in rounds])) == [
        0,
        1,
        2,
        3,
        4,
        5,
        7,
        8,
        9,
        10,
    ]
    for one in rounds:
        assert len(set(item_class()[one.queries])) == len(one.queries)
        for shot, support in one.support.items():
            assert not set(support) & set(one.queries)
            counts = np.bincount(item_class()[support])
            assert len(counts) == len(COUNTS) and counts.min() >= 1 and counts.max() <= shot


def test_large_classes_leave_out_twenty_files_and_the_plan_is_always_the_same():
    of = np.repeat([0, 1], [500, 1])
    one, other = choosing.plan(of, [1, 5, 20]), choosing.plan(of, [1, 5, 20])
    assert len(one) == choosing.ROUNDS and all(len(r.queries) == 1 for r in one)
    assert all((a.queries == b.queries).all() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("files", "shots"),
    [(1, []), (2, [1]), (3, [1, 2]), (6, [1, 5]), (20, [1, 5, 19]), (21, [1, 5, 20]),
     (50, [1, 5, 20])],
)  # fmt: skip
def test_examples_are_as_many_as_the_largest_class_can_spare(files, shots):
    assert choosing.shots_of(np.repeat([0, 1], [files, 1])) == shots


def test_thousands_of_classes_are_asked_for_in_part():
    (one,) = choosing.plan(np.repeat(np.arange(2000), 2), [1])[:1]
    assert len(one.queries) == choosing.QUERIES and len(one.support[1]) == 2000


def test_rounds_in_one_call_or_in_many_give_the_same_answers(folder, choice, monkeypatch):
    monkeypatch.setattr(classifying, "PAIRS", 1)
    monkeypatch.setattr(classifying, "AT_ONCE", 1)
    again = zoo.choose(folder, pattern=NAME)
    for one, other in zip(choice.tried, again.tried, strict=True):
        assert one.name == other.name
        assert all((one.answers[s] == other.answers[s]).all() for s in choice.shots)


def test_every_file_is_embedded_once(folder, monkeypatch):
    seen, encode = [], MetricLearner.encode

    def counted(self, x):
        seen.append(len(x))
        return encode(self, x)

    monkeypatch.setattr(MetricLearner, "encode", counted)
    zoo.choose(folder, pattern=NAME)
    assert seen == [sum(COUNTS.values())] * 2  # of the baseline and of the model


def test_networks_with_too_few_outputs_are_named_and_left_out(tmp_path, monkeypatch):
    data, small = datasets.load("strokes"), "reptile-omniglot-5way"
    for k in range(6):
        (tmp_path / f"{k}").mkdir()
        for number, item in enumerate(data.items_of(k)[:2]):
            Image.fromarray(255 - data.items[item]).save(tmp_path / f"{k}" / f"{number}.png")
    with pytest.raises(ZooError, match=f"No model named {small} tells the 6 classes of"):
        zoo.choose(tmp_path, pattern=small)
    monkeypatch.setattr(choosing.catalogue, "list_models", lambda pattern: [NAME, small])
    assert f"These tell fewer classes apart: {small}." in zoo.choose(tmp_path).text()


def of(*hits):
    """A choice among models of which it is known what they named rightly."""
    truth = np.zeros(len(hits[0]), int)
    tried = [
        choosing.Tried(f"model-{n}", {1: 1 - np.array(h)}, {1: np.array(h, float)})
        for n, h in enumerate(hits)
    ]
    return choosing.Choice(
        "folder", ["x", "y"], "pictures", [1], truth, tried, "none", "", [], False
    )


def test_of_many_that_guess_the_best_is_lucky_and_what_is_said_is_not():
    """Each of four models is right on one file of four: no other file speaks for it."""
    assert of(*np.eye(4)).rows()[0]["accuracy"] == 0.25
    assert of(*np.eye(4)).honest()["accuracy"] == 0
    assert of([1, 1, 1, 0], [0, 0, 0, 1]).honest()["accuracy"] == 0.75


def test_the_difference_from_the_best_is_taken_file_by_file():
    rows = of([1, 1, 1, 0], [1, 1, 0, 0]).rows()
    assert rows[0]["behind"] == 0 and rows[1]["behind"] == 0.25
    np.testing.assert_allclose(rows[1]["behind_interval"], 1.96 * 0.5 / 2)


def test_all_right_is_not_certainty():
    """Wilson's lower end of n right ones of n is n / (n + 1.96^2)."""
    found = choosing.share(np.ones(20))
    np.testing.assert_allclose(found["low"], 20 / (20 + 1.96**2), rtol=1e-4)
    assert found["accuracy"] == found["high"] == 1


def test_the_command_names_the_best_and_a_picture_shows_what_is_taken_for_what(
    folder, tmp_path, capsys
):
    arguments = ["choose", str(folder), "--models", NAME]
    assert command_line.main([*arguments, "--plot", str(tmp_path / "taken.png")]) == 0
    out, err = capsys.readouterr()
    assert f"python -m zoo predict {NAME} --support {folder} --query FILE" in out
    assert "1 of 1" in err and (tmp_path / "taken.png").exists()
    assert command_line.main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["best"] == NAME and len(found["results"]) == 2 * 2  # methods, shots


def test_a_picture_of_many_classes_has_those_that_are_mistaken():
    names = [f"class {k}" for k in range(100)]
    truth = np.arange(100)
    answers = np.where(truth == 70, 80, truth)
    figure = pictures.confusions(names, truth, answers, "model")
    shown = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    pictures.plt.close(figure)
    assert len(shown) == pictures.CLASSES and {"class 70", "class 80"} <= set(shown)


def test_pictures_light_on_dark_are_noticed(folder, tmp_path):
    for name, files in class_files(folder).items():
        (tmp_path / name).mkdir()
        for file in files:
            negative = 255 - np.asarray(Image.open(file))
            Image.fromarray(negative).save(tmp_path / name / file.name)
    with pytest.warns(datasets.errors.DataNotice, match="try --invert"):
        zoo.choose(tmp_path, pattern=NAME)
    found = zoo.choose(tmp_path, invert=True, pattern=NAME)
    assert found.command.endswith("--query FILE --invert")


def sound(path, hertz):
    path.parent.mkdir(exist_ok=True)
    time = np.arange(8000) / 16000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * time), 16000)


def test_sounds_are_told_apart_too(tmp_path):
    for number in range(2):
        sound(tmp_path / "low" / f"{number}.wav", 200 + number)
        sound(tmp_path / "high" / f"{number}.wav", 2000 + number)
    found = zoo.choose(tmp_path)
    assert found.takes == "sounds" and found.baseline == "MFCC, nearest mean"
    assert found.tried[0].hits[1].all()
    with pytest.raises(ZooError, match="--invert is for pictures"):
        zoo.choose(tmp_path, invert=True)


def test_equal_pictures_end_in_chance(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("L", (30, 30), 200).save(tmp_path / name / f"{number}.png")
    found = zoo.choose(tmp_path, pattern=NAME)
    assert found.rows()[0]["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("files", "error", "sentence"),
    [
        ({"a": 2}, DataError, "has 1 class folders; expected at least 2"),
        ({"a": 1, "b": 1}, ZooError, "has one image of every class; two of a class are needed"),
        ({}, DataError, "has 0 class folders"),
    ],
)
def test_what_cannot_be_tried_is_said_in_a_sentence(tmp_path, files, error, sentence):
    for name, count in files.items():
        (tmp_path / name).mkdir()
        for number in range(count):
            Image.new("L", (30, 30), 40 * number).save(tmp_path / name / f"{number}.png")
    with pytest.raises(error, match=sentence):
        zoo.choose(tmp_path)


def test_pictures_and_sounds_in_one_folder_are_refused(tmp_path):
    sound(tmp_path / "a" / "0.wav", 200)
    Image.new("L", (30, 30)).save(tmp_path / "a" / "0.png")
    with pytest.raises(ZooError, match="holds 1 pictures and 1 sounds"):
        zoo.choose(tmp_path)


def test_a_pattern_that_names_nothing_is_refused(folder):
    with pytest.raises(ZooError, match="No published model named maml-sine-.* takes such files"):
        zoo.choose(folder, pattern="maml-sine-*")


def test_the_statistics_of_mfcc_are_those_of_the_frames_that_are_sound():
    rng = np.random.default_rng(0)
    x = rng.normal(size=[3, 20, 400]).astype(np.float32)
    valid = [400, 10, 1]
    for clip, count in zip(x, valid, strict=True):
        clip[:, count:] = 0
    clips = SimpleNamespace(features=x, valid=valid)
    found = baselines.of("sound").learner.encode(x)
    np.testing.assert_allclose(found, statistics(clips), atol=1e-5)


@pytest.mark.parametrize("scaled", [False, True])
def test_the_nearest_mean_is_that_of_a_loop(scaled):
    rng = np.random.default_rng(0)
    support, query = rng.normal(size=[6, 3]) * [9, 1, 0], rng.normal(size=[4, 3]) * [9, 1, 1]
    support, query = support.astype(np.float32), query.astype(np.float32)
    support_y = np.array([0, 1, 0, 1, 1, 0], np.int32)
    learner = baselines.NearestMean(keras.Sequential([keras.Input([3])]), scaled)
    found = learner.classify(support[None], support_y[None], query[None])[0]
    # a number without deviation is taken as it is
    scale = np.array([*support[:, :2].std(axis=0), 1]) if scaled else 1.0
    for q in range(4):
        apart = [
            (((query[q] - support[support_y == k].mean(axis=0)) / scale) ** 2).sum() for k in (0, 1)
        ]
        np.testing.assert_allclose(found[q, 0] - found[q, 1], apart[1] - apart[0], rtol=1e-3)


def test_a_network_of_ones_own_is_tried_as_it_is(folder, monkeypatch):
    """Means of the colours, built by a function: nearest class means, without training."""

    def build(shape):
        layers = [keras.layers.Input(shape), keras.layers.GlobalAveragePooling2D()]
        return keras.Sequential(layers)

    monkeypatch.setitem(sys.modules, "my_networks", SimpleNamespace(build=build))
    found = zoo.choose(folder, pattern=NAME, encoder="my_networks:build")
    assert {one.name for one in found.tried} == {found.baseline, "my_networks:build", NAME}
    (own,) = (one for one in found.tried if one.name == "my_networks:build")
    first = found._replace(tried=[own, *(one for one in found.tried if one is not own)])
    assert first.best == own.name and first.command.endswith("--encoder my_networks:build --frozen")


def test_an_encoder_is_for_pictures(tmp_path):
    for name in "ab":
        (tmp_path / "barks" / name).mkdir(parents=True)
        for number in range(2):
            path = tmp_path / "barks" / name / f"{number}.wav"
            soundfile.write(path, np.random.default_rng(number).normal(size=8000), 8000)
    with pytest.raises(ZooError, match="--encoder is for pictures; .*barks holds sounds"):
        zoo.choose(tmp_path / "barks", encoder="keras:VGG16")

"""Prediction on files of the user's own."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

import zoo
from chapters.engine.errors import RunError
from datasets.errors import DataError
from zoo import classifying, kinds, prediction
from zoo.classifying import classify
from zoo.errors import ZooError

SHAPES = {  # points of a stroke, in a square of side 1
    "ring": [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), (0.2, 0.2)],
    "猫": [(0.1, 0.9), (0.5, 0.1), (0.9, 0.9)],
    "ünder scöre": [(0.1, 0.9), (0.9, 0.9)],
}


def stroke(name, mode="L", size=(105, 105), shift=0.0):
    """A drawing: dark on white, or dark on nothing."""
    picture = Image.new("RGBA", size, (255, 255, 255, 0 if mode == "RGBA" else 255))
    points = [((x + shift) * size[0], y * size[1]) for x, y in SHAPES[name]]
    ImageDraw.Draw(picture).line(points, fill="black", width=max(size) // 20)
    return picture.convert(mode)


@pytest.fixture
def shapes(tmp_path):
    """A support folder of three classes with all that folders of users hold, and a query each."""
    support = tmp_path / "support"
    for name in SHAPES:
        (support / name).mkdir(parents=True)
        (support / name / ".DS_Store").write_bytes(b"\0")
        (support / name / "notes.txt").write_text("mine")
        stroke(name).save(support / name / "grey.png")
        stroke(name, shift=0.05).save(tmp_path / f"{name}.png")
    stroke("ring", "RGB", (80, 60)).save(support / "ring" / "colour.jpg")
    stroke("ring", "RGBA", (311, 290)).save(support / "ring" / "transparent.png")
    (support / ".hidden").mkdir()
    (support / "readme.txt").write_text("not a class")
    return support


@pytest.fixture(scope="module")
def prototypical():
    return zoo.load("prototypical-omniglot-1shot")


def queries(support):
    return [support.parent / f"{name}.png" for name in SHAPES]


@pytest.mark.parametrize("name", ["prototypical-omniglot-1shot", "maml-omniglot-5way"])
def test_shapes_are_named_whatever_their_size_and_colour(shapes, name):
    """Three classes: also for a network that has five outputs."""
    answers = zoo.predict(name, shapes, queries(shapes))
    assert [answer["name"] for answer in answers] == list(SHAPES)
    for answer in answers:
        assert set(answer["probabilities"]) == set(SHAPES)
        assert sum(answer["probabilities"].values()) == pytest.approx(1.0, abs=2e-4)
        values = list(answer["probabilities"].values())
        assert values == sorted(values, reverse=True)
        assert next(iter(answer["probabilities"])) == answer["name"]


def test_two_classes_with_one_item_each_are_enough(shapes, prototypical):
    shutil.rmtree(shapes / "ring")
    answers = zoo.predict(prototypical, shapes, queries(shapes)[1:])
    assert [answer["name"] for answer in answers] == ["猫", "ünder scöre"]


def test_a_query_does_not_depend_on_its_company(shapes, prototypical, monkeypatch):
    together = zoo.predict(prototypical, shapes, queries(shapes))
    monkeypatch.setattr(classifying, "AT_ONCE", 1)
    for alone, among in zip(
        zoo.predict(prototypical, shapes, queries(shapes)), together, strict=True
    ):
        assert alone | {"distance": 0} == among | {"distance": 0}
        assert alone["distance"] == pytest.approx(among["distance"], rel=1e-3)


def test_a_file_from_the_data_set_is_read_as_the_data_set_reads_it(prototypical, cache_folder):
    import datasets

    strokes = datasets.load("strokes")
    path = sorted(cache_folder.rglob("images_background/*/*/*.png"))[0]
    read = prototypical.read([path])
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read[0, ..., 0], strokes.items[0] * np.float32(1 / 255))


def test_absent_classes_of_a_network_with_outputs_get_nothing():
    model = zoo.load("maml-omniglot-5way")
    rng = np.random.default_rng(0)
    x = rng.uniform(size=[4, 28, 28, 1]).astype(np.float32)
    found = classify(model.learner, x[:2], np.array([0, 1], np.int32), x[2:])
    assert found.shape == (2, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_sounds_are_named(tmp_path):
    import soundfile

    def tone(path, hertz, seed):
        path.parent.mkdir(parents=True, exist_ok=True)
        t = np.arange(16_000) / 16_000
        noise = np.random.default_rng(seed).normal(0, 0.01, len(t))
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * hertz * t) * (t % 0.4 < 0.2) + noise, 16_000)

    for number in range(2):
        tone(tmp_path / "support/low" / f"{number}.wav", 200, number)
    tone(tmp_path / "support/high/1.wav", 3000, 5)
    tone(tmp_path / "asked/low.wav", 210, 7)
    tone(tmp_path / "asked/high.wav", 2900, 8)
    asked = [tmp_path / "asked/low.wav", tmp_path / "asked/high.wav"]
    plot = tmp_path / "plot.png"
    answers = zoo.predict("siamese-cats-dogs", tmp_path / "support", asked, plot)
    assert [answer["name"] for answer in answers] == ["low", "high"]
    assert Image.open(plot).size[0] > 100


def test_faces_are_named(cache_folder, tmp_path):
    import datasets

    datasets.load("sketch_faces")
    people = sorted(next(cache_folder.rglob("sketch_faces*/orl_faces")).glob("s*"))[:4]
    for person in people:
        (tmp_path / "support" / person.name).mkdir(parents=True)
        shutil.copy(person / "1.pgm", tmp_path / "support" / person.name)
    asked = [person / "2.pgm" for person in people]
    answers = zoo.predict("siamese-orl-faces", tmp_path / "support", asked)
    assert [answer["name"] for answer in answers] == [person.name for person in people]


@pytest.mark.parametrize("suffix", prediction.PLOTS)
def test_answers_are_drawn(shapes, prototypical, tmp_path, suffix, recwarn):
    plot = tmp_path / f"plot{suffix}"
    zoo.predict(prototypical, shapes, queries(shapes), plot)
    start = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml", ".jpg": b"\xff\xd8"}[suffix]
    assert plot.read_bytes().startswith(start)
    assert not [w for w in recwarn if "Glyph" in str(w.message)]


def break_class(support):
    (support / "ring" / "grey.png").write_bytes(b"\x89PNG\r\n\x1a\n then nothing")


def empty_class(support):
    (support / "nothing").mkdir()


def one_class(support):
    for name in list(SHAPES)[1:]:
        shutil.rmtree(support / name)


def no_folder(support):
    shutil.rmtree(support)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (break_class, "ring/grey.png (is not|cannot be read as) a picture"),
        (empty_class, "class folder .*nothing holds no image"),
        (one_class, "has 1 class folders; expected at least 2"),
        (no_folder, "is missing; expected a folder"),
    ],
)
def test_a_support_folder_that_does_not_do_is_told(shapes, prototypical, tmp_path, spoil, words):
    spoil(shapes)
    with pytest.raises(DataError, match=words):
        zoo.predict(prototypical, shapes, queries(shapes), tmp_path / "plot.png")
    assert not (tmp_path / "plot.png").exists()


@pytest.mark.parametrize(
    ("query", "plot", "words"),
    [
        (["missing.png"], "", "missing.png is missing"),
        ([], "", "No file to be named"),
        (["support"], "", "support is a folder"),
        (["song.wav"], "", "song.wav is not a picture"),
        (["ring.png"], "plot.gif", "ends in '.gif'; expected one of"),
        (["ring.png"], "none/plot.png", "there is no folder"),
    ],
)
def test_queries_and_plots_that_do_not_do_are_told(shapes, prototypical, query, plot, words):
    import soundfile

    folder = shapes.parent
    soundfile.write(folder / "song.wav", np.zeros(8000), 16_000)
    with pytest.raises((RunError, DataError), match=words):
        zoo.predict(prototypical, shapes, [folder / name for name in query], plot and folder / plot)


def test_more_classes_than_a_network_has_outputs_are_refused(tmp_path):
    for k in range(6):
        (tmp_path / f"{k}").mkdir()
        stroke("ring").save(tmp_path / f"{k}" / "1.png")
    with pytest.raises(RunError, match="has 6 classes, but maml-omniglot-5way tells at most 5"):
        zoo.predict("maml-omniglot-5way", tmp_path, [tmp_path / "0/1.png"])


def test_models_of_other_kinds_refuse_pictures(shapes):
    with pytest.raises(DataError, match="holds no sound"):
        zoo.predict("siamese-cats-dogs", shapes, queries(shapes))
    with pytest.raises(RunError, match="takes points of a curve, not files"):
        zoo.predict("maml-sine-5shot", shapes, queries(shapes))


def reader(kind="image"):
    """A model of dark strokes that reads every file as white paper with ink in one corner."""
    x = np.ones([1, 4, 4, 1], np.float32)
    x[:, 0, 0] = 0
    config = SimpleNamespace(data="omniglot", invert=False)
    kind = kinds.find(kind)
    return SimpleNamespace(
        name="m", kind=kind, config=config, read=lambda paths: x, way=None, describe=None
    )


def test_pictures_of_the_other_polarity_are_told_and_turned(recwarn):
    assert prediction.read_files(reader(), ["a.png"], invert=False)[0, 0, 0, 0] == 0
    (told,) = recwarn.list
    assert "look like the reverse (a.png, ...); try --invert" in str(told.message)
    assert prediction.read_files(reader(), ["a.png"], invert=True)[0, 0, 0, 0] == 1
    assert len(recwarn.list) == 1


@pytest.fixture
def semi_supervised():
    """A model that takes unlabelled pictures, not trained."""
    from chapters.ch03_prototypical import train_semi_supervised
    from chapters.ch03_prototypical.presets import SCRIPTS
    from chapters.engine import configuration
    from chapters.experiments import images
    from zoo.loaded import Loaded

    config = configuration.parse(SCRIPTS["train_semi_supervised"], ["--data", "strokes"])
    learner = train_semi_supervised.build_learner(config)
    kind, shape = kinds.find("image"), learner.item_shape
    return Loaded("semi", learner, kind, config, {}, None, shape, lambda p: images.read(p, config))


def test_unlabelled_files_have_a_say_in_the_answers(shapes, semi_supervised, tmp_path):
    loose = tmp_path / "loose"
    loose.mkdir()
    for number, name in enumerate(SHAPES):
        stroke(name, shift=0.1).save(loose / f"{number}.png")
    plain = zoo.predict(semi_supervised, shapes, queries(shapes))
    refined = zoo.predict(semi_supervised, shapes, queries(shapes), unlabelled=loose)
    assert plain != refined
    read = semi_supervised.read
    task = {
        "support_x": read([p for name in SHAPES for p in sorted((shapes / name).glob("*.*"))
                           if p.suffix in (".png", ".jpg")]),
        "unlabelled_x": read(sorted(loose.iterdir())),
        "query_x": read(queries(shapes)),
    }  # fmt: skip
    labels = np.array([[0, 0, 0, 1, 2]], np.int32)
    inputs = {name: x[None] for name, x in task.items()} | {"support_y": labels}
    expected = np.exp(semi_supervised.learner(inputs)[0].numpy())
    expected = expected / expected.sum(axis=1, keepdims=True)
    for answer, row in zip(refined, expected, strict=True):
        found = [answer["probabilities"][name] for name in SHAPES]
        np.testing.assert_allclose(found, row, atol=1e-3)


def test_an_empty_folder_of_unlabelled_files_is_one_sentence(shapes, semi_supervised, tmp_path):
    (tmp_path / "loose").mkdir()
    with pytest.raises(DataError, match="loose holds no image .ignored: nothing.; images end in"):
        zoo.predict(semi_supervised, shapes, queries(shapes), unlabelled=tmp_path / "loose")
    with pytest.raises(DataError, match="nowhere is missing; expected a folder of images"):
        zoo.predict(semi_supervised, shapes, queries(shapes), unlabelled=tmp_path / "nowhere")


def test_models_that_take_no_unlabelled_files_say_so(shapes, prototypical):
    with pytest.raises(ZooError, match="learns nothing from unlabelled files; leave --unlabelled"):
        zoo.predict(prototypical, shapes, queries(shapes), unlabelled=shapes / "ring")


def test_a_folder_of_queries_says_how_to_ask_for_its_files(tmp_path):
    with pytest.raises(ZooError, match=r"is a folder; ask for all its files: --query .*\*"):
        prediction.predict(reader(), tmp_path, [tmp_path])


def test_sounds_are_not_inverted(tmp_path):
    with pytest.raises(ZooError, match="--invert is for pictures"):
        prediction.predict(reader("sound"), tmp_path, ["a.wav"], invert=True)

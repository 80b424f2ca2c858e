"""Models of described classes: matching files with typed descriptions, exports, bad questions."""

import functools

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from chapters.ch03_prototypical.presets import SCRIPTS
from chapters.ch03_prototypical.train_zero_shot import build_learner
from chapters.engine import configuration
from chapters.experiments import zero_shot
from datasets.errors import DataError
from zoo import kinds
from zoo.__main__ import main
from zoo.errors import ZooError
from zoo.exports import exporting
from zoo.kinds.base import first
from zoo.loaded import Loaded


@pytest.fixture(scope="module")
def loaded():
    """A network of digits that has learned nothing."""
    keras.utils.set_random_seed(0)
    config = configuration.build(SCRIPTS["train_zero_shot"], "quick", {"h_dim": 4, "z_dim": 4})
    learner = build_learner(config)
    kind = kinds.find("described")
    way, shape = kind.sizes(learner)
    return Loaded(
        "described", learner, kind, config, {}, way, shape,
        read=functools.partial(_of, zero_shot.read, config),
        describe=functools.partial(_of, zero_shot.embed_words, config),
    )  # fmt: skip


def _of(function, config, given):
    return function(given, config)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, [20, 20], dtype=np.uint8)).save(path)
    return paths


def test_every_file_gets_the_probability_of_every_description(loaded, files):
    texts = ["segment-a segment-b", "segment-c", "segment-g and segment-d"]
    answers = zoo.match(loaded, texts, files)
    assert [answer["query"] for answer in answers] == list(map(str, files))
    for answer in answers:
        assert set(answer["probabilities"]) == set(texts)
        assert answer["name"] == max(answer["probabilities"], key=answer["probabilities"].get)
        np.testing.assert_allclose(sum(answer["probabilities"].values()), 1.0, atol=1e-3)


def test_answers_are_those_of_the_learner(loaded, files):
    texts = ["segment-a", "segment-b"]
    described = zero_shot.embed_words(texts, loaded.config)
    x = zero_shot.read(files, loaded.config)
    logits = loaded.learner({"attributes": described[None], "query_x": x[None]})[0].numpy()
    expected = np.exp(logits[:, 0]) / np.exp(logits).sum(axis=1)
    found = [answer["probabilities"]["segment-a"] for answer in zoo.match(loaded, texts, files)]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["segment-a"], "1 description.s., 1 of them different; give two or more"),
        (["segment-a", "segment-a"], "2 description.s., 1 of them different"),
        ([], "0 description.s."),
    ],
)
def test_fewer_than_two_descriptions_are_refused(loaded, files, texts, sentence):
    with pytest.raises(ZooError, match=sentence):
        zoo.match(loaded, texts, files)


def test_a_description_of_unknown_words_is_refused(loaded, files):
    with pytest.raises(DataError, match="No word of 'a purple cow' describes a class"):
        zoo.match(loaded, ["segment-a", "a purple cow"], files)


def test_without_files_or_with_a_folder_the_error_says_so(loaded, tmp_path):
    with pytest.raises(ZooError, match="No file to be named"):
        zoo.match(loaded, ["segment-a", "segment-b"], [])
    with pytest.raises(ZooError, match="is a folder"):
        zoo.match(loaded, ["segment-a", "segment-b"], [tmp_path])


def test_the_command_of_the_other_kind_is_named(loaded, files):
    with pytest.raises(ZooError, match="by descriptions, not by examples: python -m zoo match"):
        zoo.predict(loaded, "anywhere", files)
    examples = loaded._replace(describe=None)
    with pytest.raises(ZooError, match="by examples, not by descriptions: python -m zoo predict"):
        zoo.match(examples, ["segment-a", "segment-b"], files)


def test_the_command_line_asks_the_same(files, capsys, monkeypatch):
    asked = []

    def match(*given):
        asked.append(given)
        return [{"query": "1.png", "name": "b", "probabilities": {"b": 0.75, "a": 0.25}}]

    monkeypatch.setattr(zoo, "match", match)
    assert main(["match", "some-model", "--describe", "a", "b", "--query", "1.png"]) == 0
    assert asked == [("some-model", ["a", "b"], ["1.png"])]
    assert capsys.readouterr().out == "1.png: b 75.0%, a 25.0%\n"


def test_tasks_of_the_kind_fit_the_learner(loaded):
    real = loaded.kind.real_tasks(loaded)
    assert list(real) == ["digits"]
    for task in [*loaded.kind.random_tasks(loaded), *real["digits"]]:
        way, queries = len(task["attributes"]), len(task["query_x"])
        logits = loaded.learner({name: x[None] for name, x in task.items()})
        assert logits.shape == (1, queries, way)
        lengths = np.linalg.norm(task["attributes"], axis=1)
        np.testing.assert_allclose(lengths, 1.0, rtol=1e-5)
    fixed = loaded.kind.fixed_input(loaded)
    assert loaded.learner(fixed).shape == (1, 2, 2) and first(fixed)["query_x"].ndim == 4


def test_cards_say_how_pictures_and_words_are_prepared(loaded):
    words = loaded.kind.preprocessing(loaded)
    assert "grey, 16 x 16 pixels" in words and "descriptions as 7 words" in words


@pytest.mark.parametrize("format", ["savedmodel", "onnx", "litert"])
def test_every_format_says_what_python_says(loaded, format, tmp_path):
    found = exporting.write_checked(loaded, format, tmp_path / "made")
    assert found.difference < 1e-4 and "digits" in found.tasks

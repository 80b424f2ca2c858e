"""The Python that the pages print runs as it is printed."""

import dataclasses
import re
import wave
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import datasets
import zoo
from datasets.readers.folder import load_folder
from tests.test_pages import PAGES, ROOT, name_of
from zoo.kinds import labelled

BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def draw(folder, *names):
    """Pictures of noise, 40 x 40, at those places below the folder."""
    rng = np.random.default_rng(0)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(rng.integers(0, 256, [40, 40], dtype=np.uint8))
        picture.save(path, "JPEG" if path.suffix == ".jpg" else "PNG")


def record(folder, *names):
    """Half a second of noise in 16 bits, 8 kHz, at those places below the folder."""
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(folder / name), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(rng.integers(-9999, 9999, 4000).astype("<i2").tobytes())


def episode():
    """A task of 5 classes: support images [5, 28, 28, 1], labels [5], queries [4, 28, 28, 1]."""
    rng = np.random.default_rng(0)
    support, query = (rng.random([n, 28, 28, 1], dtype=np.float32) for n in (5, 4))
    return support, np.arange(5), query


def a_model_and_a_task():
    """What the two calls of a learner are given: the published MAML and one task."""
    support_x, support_y, query_x = (part[None] for part in episode())
    learner = zoo.load("maml-omniglot-5way").learner
    return {
        "learner": learner, "support_x": support_x, "support_y": support_y, "query_x": query_x,
    }  # fmt: skip


def adapts(folder, monkeypatch):
    names = yield a_model_and_a_task()
    assert names["prediction"].shape == (1, 4, 5)


def adapts_and_serves(folder, monkeypatch):
    monkeypatch.setattr(labelled, "WAYS", (2,))  # test_exporting.py tries more
    zoo.export("prototypical-omniglot-1shot", "savedmodel", folder / "DIR")
    support_x, support_y, query_x = episode()
    names = yield a_model_and_a_task() | {
        "support_images": tf.constant(support_x),
        "support_labels": tf.constant(support_y, tf.int32),
        "query_images": tf.constant(query_x),
    }
    assert names["prediction"].shape == (1, 4, 5)
    probabilities = names["output"]["probabilities"]
    np.testing.assert_allclose(tf.reduce_sum(probabilities, axis=-1), np.ones(4), rtol=1e-5)


def asks_the_zoo(folder, monkeypatch):
    draw(folder, "oak.png", "elm.png", "new.png", "new.jpg", "people/ann/1.png", "people/bob/1.png")
    measure = mock.create_autospec(zoo.evaluate)  # test_evaluation.py measures; here: it fits
    monkeypatch.setattr(zoo, "evaluate", measure)
    names = yield {}
    measure.assert_called_once()
    assert names["logits"].shape == (1, 1, 2) and np.isfinite(names["logits"]).all()


def copies_bits(folder, monkeypatch):
    names = yield {"bits": np.zeros([2, 7, 9], np.float32)}
    assert names["probabilities"].shape == (2, 7, 8)


def trains_by_a_learned_rule(folder, monkeypatch):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    layers = [keras.layers.Input((4,)), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    before = [w.copy() for w in model.get_weights()]
    x, y = rng.random([70, 4], dtype=np.float32), rng.integers(0, 3, 70)
    names = yield {"model": model, "x": x, "y": y}
    assert int(names["optimizer"].iterations) == 10
    assert all(np.abs(a - b).max() > 0 for a, b in zip(before, model.get_weights(), strict=True))


def reads_data(folder, monkeypatch):
    draw(folder / "my_data", *(f"{name}/{k}.png" for name in "ABCDEF" for k in "12"))
    for sounds in ("my_sounds", "my_words"):
        record(folder / sounds, *(f"{name}/{k}.wav" for name in "AB" for k in "12"))
    small = load_folder("my_data", "image", size=(28, 28), channels=1)
    small = dataclasses.replace(small, words=tuple((name,) for name in small.class_names))
    # The published set is not on every machine.
    load = mock.create_autospec(datasets.load, return_value=small)
    monkeypatch.setattr(datasets, "load", load)
    names = yield {}
    assert [call.args for call in load.call_args_list] == [("omniglot",), ("strokes",), ("emoji",)]
    assert names["trees"].items.shape == (12, 28, 28)
    assert names["birds"].items.shape == (4, 20, 400)


SETTINGS = {
    "README.md": adapts_and_serves,
    "zoo/README.md": asks_the_zoo,
    "datasets/README.md": reads_data,
    "chapters/ch01_learned_optimizers/LEARNED_OPTIMIZERS.md": trains_by_a_learned_rule,
    "chapters/ch05_memory/README.md": copies_bits,
    "chapters/ch06_maml/README.md": adapts,
}  # page -> what stands around its Python: gives the names it uses, looks at those it sets


def test_every_page_with_python_has_a_setting():
    with_python = {name_of(page) for page in PAGES if BLOCK.search(page.read_text("utf-8"))}
    assert with_python == set(SETTINGS)


@pytest.mark.filterwarnings("ignore::datasets.errors.DataNotice")
@pytest.mark.parametrize("page", SETTINGS)
def test_the_python_of_a_page_runs_as_printed(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    around = SETTINGS[page](tmp_path, monkeypatch)
    names = next(around)
    for block in BLOCK.findall((ROOT / page).read_text("utf-8")):
        exec(compile(block, page, "exec"), names)
    with pytest.raises(StopIteration):
        around.send(names)

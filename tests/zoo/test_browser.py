"""The page that classifies in the browser: what is written, and in a real one the same answers."""

import functools
import http.server
import io
import json
import math
import shutil
import tarfile
import threading

import numpy as np
import pytest
import tensorflow as tf

import zoo
from chapters.engine.export import adapt_and_predict
from zoo import browser
from zoo.__main__ import main
from zoo.errors import ZooError
from zoo.exports import exporting

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
CROSS = [[(0.2, 0.2), (0.8, 0.8)], [(0.8, 0.2), (0.2, 0.8)]]
CIRCLE = [[(0.5 + 0.3 * math.cos(a / 3), 0.5 + 0.3 * math.sin(a / 3)) for a in range(20)]]
PLUS = [[(0.5, 0.1), (0.5, 0.9)], [(0.2, 0.5), (0.8, 0.5)]]


def package(path, *names):
    """An npm package with these files, each holding its name."""
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            info = tarfile.TarInfo(f"package/dist/{name}")
            info.size = len(name)
            archive.addfile(info, io.BytesIO(name.encode()))
    return path


@pytest.fixture
def unwritten(monkeypatch):
    """Exports are noted, not made."""
    made = []

    def export(loaded, format, folder):
        made.append((loaded.name, format, folder))
        return f"{loaded.name} is exported"

    monkeypatch.setattr(exporting, "export", export)
    return made


def test_the_folder_has_page_models_and_runtime(unwritten, tmp_path, capsys):
    runtime = package(tmp_path / "ort.tgz", *browser.RUNTIME_FILES, "ort.all.mjs")
    folder = tmp_path / "page"
    assert main(["demo", "--to", str(folder), "--runtime", str(runtime)]) == 0
    assert f"python -m http.server --directory {folder}" in capsys.readouterr().out
    assert {path.name for path in (folder / "runtime").iterdir()} == set(browser.RUNTIME_FILES)
    assert {path.name for path in folder.iterdir()} == {*browser.PAGE, "models.json", "runtime"}
    models = json.loads((folder / "models.json").read_text())
    assert [model["name"] for model in models] == list(browser.MODELS)
    assert [name for name, _, _ in unwritten] == list(browser.MODELS)
    for model, (_, format, where) in zip(models, unwritten, strict=True):
        assert format == "onnx" and folder / model["file"] == where / "model.onnx"
        assert model["height"] == zoo.load(model["name"]).item_shape[0]
    assert [(model["channels"], model["ink"]) for model in models] == [(1, True), (3, False)]


def test_a_network_with_an_output_for_each_class_says_how_many(unwritten, tmp_path):
    runtime = package(tmp_path / "ort.tgz", *browser.RUNTIME_FILES)
    browser.write(["maml-omniglot-5way"], tmp_path / "page", runtime, tell=str)
    (model,) = json.loads((tmp_path / "page" / "models.json").read_text())
    assert model["way"] == 5


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("maml-sine-5shot", "takes points of a curve; the page is for models that tell classes"),
        ("zero-shot-relation-emoji", "takes pictures, and descriptions of classes; the page is"),
        ("no-such-model", "Unknown model 'no-such-model'"),
    ],
)
def test_models_that_do_not_fit_are_refused_before_anything_is_written(name, reason, tmp_path):
    with pytest.raises(ZooError, match=reason):
        zoo.demo([name], tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ZooError, match="is not empty; name a new folder"):
        zoo.demo(["prototypical-omniglot-1shot"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("broken", ["none", "no archive", "another package"])
def test_what_is_not_the_runtime_is_one_sentence(broken, tmp_path):
    path = tmp_path / "ort.tgz"
    if broken == "no archive":
        path.write_bytes(b"nothing")
    elif broken == "another package":
        package(path, "index.js")
    with pytest.raises(ZooError, match="is not the npm package onnxruntime-web") as error:
        zoo.demo(["prototypical-omniglot-1shot"], tmp_path / "page", path)
    assert "\n" not in str(error.value) and not (tmp_path / "page").exists()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Address of the page with the runtime that is downloaded."""
    folder = zoo.demo(to=tmp_path_factory.mktemp("served") / "page", tell=str)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *arguments: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def draw(page, canvas, strokes):
    """Strokes by the mouse, in parts of the canvas."""
    box = canvas.bounding_box()
    for stroke in strokes:
        points = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=4)
        page.mouse.up()


@pytest.mark.network
@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")
@pytest.mark.parametrize("name", browser.MODELS)
def test_drawings_are_named_as_in_python(served, name):
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        page, errors = chromium.new_page(viewport={"width": 1100, "height": 900}), []
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(served)
        page.wait_for_function("window.demo && window.demo.state.session")
        page.select_option("#model", name)
        page.wait_for_function(f"demo.state.session && demo.state.model.name === '{name}'")
        for canvas, strokes in zip(
            page.query_selector_all("#classes canvas"), (CROSS, CIRCLE, PLUS), strict=True
        ):
            draw(page, canvas, strokes)
        other = [[(0.9 * x + 0.08, 0.8 * y + 0.1) for x, y in stroke] for stroke in CROSS]
        draw(page, page.query_selector("#query canvas"), other)
        page.wait_for_function("demo.state.answer")
        task, answer = page.evaluate("[demo.state.task, demo.state.answer]")
        first = page.inner_text("#answers li:first-child")
        chromium.close()
    assert not errors and first.startswith("class 1")
    loaded = zoo.load(name)
    shape = (-1, *loaded.item_shape)
    tensors = {
        "support_x": tf.constant(np.reshape(np.float32(task["support_x"]), shape)),
        "support_y": tf.constant(task["support_y"], tf.int32),
        "query_x": tf.constant(np.reshape(np.float32(task["query_x"]), shape)),
    }
    assert 0.02 < np.mean(tensors["support_x"]) < 0.98  # something is drawn
    expected = adapt_and_predict(loaded.learner)(*tensors.values())["probabilities"]
    np.testing.assert_allclose(answer, expected[0], atol=1e-4)

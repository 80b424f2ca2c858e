"""Exported files adapt and predict by themselves; a wrong one is not kept."""

import importlib.util
import re
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.ch03_prototypical.models import PrototypicalNetwork
from chapters.ch03_prototypical.semi_supervised import SemiSupervisedPrototypicalNetwork
from chapters.ch04_relation_matching.classifier import CosineClassifier
from chapters.ch04_relation_matching.context import FullContext
from chapters.ch04_relation_matching.matching import MatchingNetwork
from chapters.ch06_maml import anil, caml, maml, networks
from chapters.ch06_maml.losses import cross_entropy
from chapters.ch07_meta_sgd_reptile import meta_sgd, reptile
from zoo import catalogue, export_table, kinds
from zoo.__main__ import main
from zoo.errors import ZooError
from zoo.exports import exporting, formats, rewriting, verifying
from zoo.kinds import labelled
from zoo.loaded import Loaded

SHAPE, WAY = (14, 14, 1), 3


def network():
    """Two blocks of conv4: the same operators, half the time."""
    blocks = [layer for _ in range(2) for layer in networks.strided_block(8)]
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(WAY)]
    return keras.Sequential([keras.layers.Input(SHAPE), *blocks, *head])


def encoder():
    """Conv-4, small."""
    return get_embeddings((16, 16, 1), 8, 8)


COMPARING = {  # any number of classes
    "prototypical": lambda: PrototypicalNetwork(encoder()),
    "semi-supervised": lambda: SemiSupervisedPrototypicalNetwork(encoder()),
    "matching": lambda: MatchingNetwork(encoder(), "learned"),
    "matching in context": lambda: MatchingNetwork(encoder(), "learned", FullContext(8, 3)),
    "classifier": lambda: CosineClassifier(encoder()),
}
LEARNERS = {
    **COMPARING,
    "maml": lambda: maml.MAML(network(), cross_entropy, 0.1, inner_steps=2),
    "maml of one step": lambda: maml.MAML(network(), cross_entropy, 0.1),
    "anil": lambda: anil.ANIL(network(), cross_entropy, 0.1, inner_steps=2),
    "meta-sgd": lambda: meta_sgd.MetaSGD(network(), cross_entropy, 0.05),
    "caml": lambda: caml.CAML(caml.image_network(SHAPE, WAY, 4, 8), cross_entropy, 0.1),
    "reptile": lambda: reptile.Reptile(network(), cross_entropy, 0.05, 4, 2, "sgd"),
}


def small(name: str, data: str = "") -> Loaded:
    """A small learner with random weights, as if it came from the zoo."""
    keras.utils.set_random_seed(1)
    learner = LEARNERS[name]()
    rng = np.random.default_rng(2)
    for variable in learner.non_trainable_variables:  # averages of a trained network
        if "variance" in variable.path:
            variable.assign(rng.uniform(0.05, 0.2, size=variable.shape))
    shape, way = ((16, 16, 1), None) if name in COMPARING else (SHAPE, WAY)
    config = SimpleNamespace(data=data, image_size=shape[0])
    return Loaded(name, learner, kinds.find("image"), config, {}, way, shape, None)


@pytest.fixture(autouse=True)
def few_ways(monkeypatch):
    """Three ways instead of nineteen: the same, sooner."""
    monkeypatch.setattr(labelled, "WAYS", (2, 3, 7))


def task(shape, way, shot, query, seed=0):
    """One task without a task axis, labels shuffled."""
    rng = np.random.default_rng(seed)
    support_y = rng.permutation(np.repeat(np.arange(way, dtype=np.int32), shot))
    return {
        "support_x": rng.uniform(size=[way * shot, *shape]).astype(np.float32),
        "support_y": support_y,
        "query_x": rng.uniform(size=[query, *shape]).astype(np.float32),
    }


def softmax(learner, given):
    """What the learner itself says, without any of the export's code."""
    logits = learner({name: tf.constant(x)[None] for name, x in given.items()})[0]
    way = given["support_y"].max() + 1
    return tf.nn.softmax(logits[:, :way]).numpy()


EXPORTS = [  # each learner, and each format with a learner that compares and one that adapts
    ("prototypical", "savedmodel"), ("prototypical", "onnx"), ("prototypical", "litert"),
    ("semi-supervised", "onnx"), ("maml", "savedmodel"), ("matching", "litert"),
    ("matching in context", "litert"), ("classifier", "onnx"), ("meta-sgd", "onnx"),
    ("caml", "litert"), ("anil", "onnx"), ("reptile", "litert"),
]  # fmt: skip
MORE_EXPORTS = [  # the same learners in other formats
    ("semi-supervised", "litert"), ("maml", "onnx"), ("maml", "litert"), ("matching", "onnx"),
    ("matching in context", "savedmodel"), ("matching in context", "onnx"),
    ("classifier", "litert"), ("anil", "savedmodel"), ("anil", "litert"), ("reptile", "onnx"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "format"),
    EXPORTS + [pytest.param(*one, marks=pytest.mark.slow) for one in MORE_EXPORTS],
)
def test_a_file_adapts_by_itself_to_any_numbers(name, format, tmp_path):
    loaded = small(name)
    made = exporting.write_checked(loaded, format, tmp_path / "new/folder")
    tolerance = formats.FORMATS[format].tolerance
    assert made.difference <= tolerance
    assert [path.name for path in (tmp_path / "new/folder").iterdir()] == [made.path.name]
    ways = (2, 3) if loaded.way else (4, 20)  # fewer classes than outputs are allowed
    tasks = [task(loaded.item_shape, way, 3, 5, way) for way in ways]
    tasks.append(task(loaded.item_shape, 2, 1, 1))
    asked = {f"serve/{i}": given for i, given in enumerate(tasks)}
    answers = verifying.run_alone(format, made.path, asked)
    for i, given in enumerate(tasks):
        found, expected = answers[f"serve/{i}/probabilities"], softmax(loaded.learner, given)
        way = expected.shape[1]
        np.testing.assert_allclose(found[:, :way], expected, atol=2 * tolerance)
        assert found.shape == (len(given["query_x"]), loaded.way or way)
        assert not found[:, way:].any()  # classes that the support set does not have
        assert np.ptp(expected[0]) > 1e-3  # it has an opinion


def test_a_saved_model_has_an_entrance_for_what_a_task_may_lack(tmp_path):
    loaded = small("semi-supervised")
    made = exporting.write_checked(loaded, "savedmodel", tmp_path / "model")
    given = task(loaded.item_shape, 3, 2, 4)
    more = {**given, "unlabelled_x": task(loaded.item_shape, 3, 3, 1, seed=1)["support_x"]}
    asked = {"serve/0": given, "serve_full/0": more}
    answers = verifying.run_alone("savedmodel", made.path, asked)
    for call, inputs in asked.items():
        expected = softmax(loaded.learner, inputs)
        np.testing.assert_allclose(answers[f"{call}/probabilities"], expected, atol=2e-5)
    plain, refined = (answers[f"{call}/probabilities"] for call in asked)
    assert np.abs(plain - refined).max() > 1e-3


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_division_rounds_down_in_every_runtime(format, tmp_path):
    function = exporting.Endpoint(
        lambda x: {"y": -(-8 // x)}, [tf.TensorSpec([None], tf.int32, name="x")]
    )
    exporting.WRITERS[format](tmp_path / "file", {"serve": function})
    asked = {"serve/0": {"x": np.array([3, 4, 6, -3], np.int32)}}
    answers = verifying.run_alone(format, tmp_path / "file", asked)
    assert answers["serve/0/y"].tolist() == [3, 2, 2, -2]


def test_curves_and_distances_are_answers_too(tmp_path):
    for name, output in (("maml-sine-5shot", "query_y"), ("siamese-orl-faces", "distance")):
        loaded = zoo.load(name)
        made = exporting.write_checked(loaded, "onnx", tmp_path / name)
        given = loaded.kind.random_tasks(loaded)[1]
        answers = verifying.run_alone("onnx", made.path, {"serve/0": given})
        batch = {key: tf.constant(x)[None] for key, x in given.items()}
        expected = loaded.learner(batch)[0].numpy()
        if output == "distance":
            expected = expected / -loaded.learner.sharpness
        np.testing.assert_allclose(answers[f"serve/0/{output}"], expected, atol=1e-4)


def test_real_tasks_are_of_the_models_own_data_or_its_stand_in(monkeypatch):
    monkeypatch.setenv("METAZOO_DATA", "")
    loaded = small("prototypical", data="omniglot")
    found = loaded.kind.real_tasks(loaded)
    assert list(found) in (["omniglot"], ["strokes"])
    (tasks,) = found.values()
    assert [task["support_y"].max() + 1 for task in tasks] == [2, 3, 7]
    assert tasks[0]["support_x"].shape[1:] == (16, 16, 1)
    other = small("prototypical", data="somewhere/")
    assert other.kind.real_tasks(other) == {}
    five = small("maml", data="strokes")
    ways = five.kind.real_tasks(five)["strokes"]
    assert [task["support_y"].max() + 1 for task in ways] == [2, 3]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A SavedModel with both signatures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelled, "WAYS", (2,))
        folder = tmp_path_factory.mktemp("export") / "model"
        exporting.export(small("prototypical"), "savedmodel", folder)
    return folder


def test_tensorflows_own_tool_reads_the_folder(saved, tmp_path):
    tool = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"]
    assert [path.name for path in saved.iterdir()] == ["1"]  # a version, as servers expect

    def run(*arguments):
        command = [*tool, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        return done.stdout

    shown = run("show", "--dir", saved / "1", "--tag_set", "serve", "--signature_def", "serve")
    assert re.search(r"\['support_x'\].*\n.*DT_FLOAT\n.*\(-1, 16, 16, 1\)", shown)
    assert re.search(r"\['support_y'\].*\n.*DT_INT32\n.*\(-1\)", shown)
    assert "['probabilities']" in shown and "['distance']" in shown
    given = task((16, 16, 1), 3, 2, 4)
    np.savez(tmp_path / "task.npz", **given)
    inputs = ";".join(f"{name}=task.npz[{name}]" for name in given)
    run(
        *("run", "--dir", saved / "1", "--tag_set", "serve", "--signature_def", "serve"),
        *("--inputs", inputs, "--outdir", tmp_path / "out"),
    )
    found = np.load(tmp_path / "out/probabilities.npy")
    np.testing.assert_allclose(found, softmax(small("prototypical").learner, given), atol=1e-5)


def test_embeddings_have_a_signature_of_their_own(saved):
    x = task((16, 16, 1), 2, 2, 3)["query_x"]
    answers = verifying.run_alone("savedmodel", saved / "1", {"embed/0": {"x": x}})
    expected = small("prototypical").learner.embed(x)
    np.testing.assert_allclose(answers["embed/0/output_0"], expected, atol=1e-5)


def test_the_onnx_file_states_its_opset_and_names(tmp_path):
    import onnx

    exporting.export(small("prototypical"), "onnx", tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import][0] == ("", formats.ONNX_OPSET)
    assert {i.name for i in model.graph.input} == {"support_x", "support_y", "query_x"}
    assert {o.name for o in model.graph.output} == {"probabilities", "distance"}


def test_the_litert_file_has_built_in_operators_only(tmp_path, capsys):
    exporting.export(small("maml of one step"), "litert", tmp_path)
    tf.lite.experimental.Analyzer.analyze(model_path=str(tmp_path / "model.tflite"))
    listing = capsys.readouterr().out
    assert "BATCH_MATMUL" in listing and "SUM" in listing
    assert "Flex" not in listing and "CUSTOM" not in listing


def test_the_file_is_run_where_this_project_cannot_be_imported(tmp_path):
    code = verifying.ALONE.read_text().replace("    call = {", "    import zoo\n    call = {")
    changed = tmp_path / "alone.py"
    changed.write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verifying, "ALONE", changed)
        patch.setenv("PYTHONPATH", str(exporting.Path(zoo.__file__).parent.parent))
        with pytest.raises(ZooError, match="does not run by itself .*zoo.*not kept"):
            verifying.run_alone("onnx", tmp_path / "none.onnx", {})


class Wrong(PrototypicalNetwork):
    """Another answer in a graph than in Python."""

    off = 0.01

    def call(self, inputs, training=False):
        logits = super().call(inputs, training)
        return logits * (1.0 if tf.executing_eagerly() else self.off)


@pytest.mark.parametrize("format", formats.FORMATS)
@pytest.mark.parametrize(("off", "said"), [(0.01, r"by 0\.\d+"), (np.nan, "by nan")])
def test_a_wrong_file_is_not_kept(tmp_path, format, off, said):
    loaded = small("prototypical")
    learner = Wrong(loaded.learner.encoder)
    learner.off = off
    with pytest.raises(ZooError, match=f"differs from Python {said}.*not kept"):
        exporting.export(loaded._replace(learner=learner), format, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_wrong_rule_is_found(tmp_path, monkeypatch):
    monkeypatch.setitem(rewriting.RULES, "RsqrtGrad", lambda op, y, g: -0.6 * g * y * y * y)
    with pytest.raises(ZooError, match="maml of one step as LiteRT differs from Python"):
        exporting.export(small("maml of one step"), "litert", tmp_path / "model")


def test_only_tasks_in_which_python_itself_moves_are_left_out():
    """A step at 1: roundings of 0.5 cross nothing, roundings of 1 do."""

    def step(support_x):
        return {"probabilities": np.float32(np.asarray(support_x) >= 1)}

    for x, left_out in ((1.0, True), (0.5, False)):
        inputs = {"support_x": np.full([4], x, np.float32)}
        moves = verifying._moves(step, inputs, verifying._answers(step, inputs), 0.5)
        assert moves == left_out


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_an_operator_that_does_not_convert_is_named(tmp_path, monkeypatch, format):
    monkeypatch.delitem(rewriting.RULES, "ReluGrad")
    with pytest.raises(ZooError, match="no operators for ReluGrad; export a SavedModel"):
        exporting.export(small("maml of one step"), format, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_folders_that_cannot_be_used_are_refused_and_untouched(tmp_path):
    loaded = small("prototypical")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/a.txt").write_text("mine")
    with pytest.raises(ZooError, match="letters is not empty; choose a new or empty folder"):
        exporting.export(loaded, "savedmodel", tmp_path / "letters")
    for place in ("letters/a.txt", "letters/a.txt/model"):
        with pytest.raises(ZooError, match="a.txt is a file; choose another folder"):
            exporting.export(loaded, "savedmodel", tmp_path / place)
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["a.txt"]
    assert (tmp_path / "letters/a.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "said"),
    [("onxx", "did you mean 'onnx'"), ("SavedModel", "did you mean 'savedmodel'"), ("", "are sav")],
)
def test_unknown_formats_suggest_a_known_one(name, said):
    with pytest.raises(ZooError, match=said):
        formats.find(name)


def test_a_missing_package_says_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else object()
    )
    with pytest.raises(ZooError, match="ONNX needs tf2onnx; pip install -r requirements-export"):
        formats.find("onnx")
    assert formats.find("litert").title == "LiteRT"


def test_the_command_prints_one_sentence(tmp_path, capsys):
    to = tmp_path / "model"
    words = ["export", "maml-sine-5shot", "--format", "litert", "--to", str(to)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"LiteRT in {to / 'model.tflite'} (0.")
    assert "6 tasks (random, curves of maml)" in said
    assert main(words) == 2
    assert capsys.readouterr().err.endswith("is not empty; choose a new or empty folder.\n")
    assert main([*words[:3], "litret", *words[4:-1], str(tmp_path / "other")]) == 2
    assert "did you mean 'litert'" in capsys.readouterr().err


PAGE = export_table.PAGE.read_text()


def test_the_page_has_a_line_for_every_model_and_says_what_does_not_convert():
    rows = export_table.TABLE.rows(PAGE)
    assert set(rows) == set(zoo.list_models()), "run python -m zoo.export_table"
    for name, cells in rows.items():
        for cell, format in zip(cells[1:], formats.FORMATS.values(), strict=True):
            if "has no operators" in cell:
                assert catalogue.find(name).model.items in ("sequence", "trajectories")
                assert format.title != "SavedModel"
                continue
            if "cannot be compared" in cell:  # Adam's first step follows the sign of a gradient
                assert (name, format.title) == ("reptile-omniglot-5way", "LiteRT")
                continue
            if "it was not kept" in cell:  # roundings that twelve learned steps make larger
                assert (name, format.title) == ("meta-lstm-omniglot-5way", "ONNX")
                continue
            size, difference = re.match(r"(\d+\.\d+) MB, (\S+)", cell).groups()
            # The largest: ONNX holds the meta-LSTM's first states, 42 numbers for each weight.
            assert 0 < float(size) < 16 and float(difference) <= format.tolerance


def test_the_page_is_written_from_its_own_lines():
    assert export_table.TABLE.generate(PAGE, export_table.TABLE.rows(PAGE)) == PAGE


def test_the_page_names_every_operator_that_is_rewritten():
    named = re.findall(r"`(\w+)`", PAGE[PAGE.index("| Operator |") :])
    assert set(named) >= set(rewriting.RULES)
    assert f"opset {formats.ONNX_OPSET}" in PAGE
    assert f"{rewriting.TABLE:,}" in PAGE
    assert all(f"`{format}`" in PAGE for format in formats.FORMATS)


@pytest.mark.parametrize(
    "name",
    [
        "ntm-copy",  # files, and the sentence for a format without its operators
        *(pytest.param(n, marks=pytest.mark.slow) for n in zoo.list_models() if n != "ntm-copy"),
    ],
)
def test_a_line_of_the_page_measured_again(name, monkeypatch):
    monkeypatch.setattr(labelled, "WAYS", range(2, 21))
    written, found = export_table.TABLE.rows(PAGE)[name], export_table.measure(name)
    for before, now in zip(written[1:], found[1:], strict=True):
        if "MB" not in now:
            assert before == now
        else:
            sizes = [float(cell.split()[0]) for cell in (before, now)]
            np.testing.assert_allclose(*sizes, rtol=0.1, atol=0.02)

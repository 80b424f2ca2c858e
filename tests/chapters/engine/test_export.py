"""Exported models adapt and predict with TensorFlow alone; a wrong one is not kept."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical import models
from chapters.ch03_prototypical.encoder import get_embeddings
from chapters.ch06_maml.losses import binary_cross_entropy
from chapters.ch06_maml.maml import MAML
from chapters.engine.errors import RunError
from chapters.engine.export import TOLERANCE, adapt_and_predict, export
from chapters.engine.functional import add_scaled, as_tensors, call_with_weights
from chapters.engine.learner import FewShotLearner
from chapters.engine.script import FILE_ERRORS

ALONE = """
import json, sys

for name in ("keras", "chapters", "datasets", "zoo"):
    sys.modules[name] = None  # importing it is an error from here on
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
answers = []
for task in json.load(sys.stdin):
    given = {
        "support_x": tf.constant(task["support_x"], tf.float32),
        "support_y": tf.constant(task["support_y"], tf.int32),
        "query_x": tf.constant(task["query_x"], tf.float32),
    }
    answers.append(model.signatures["serve"](**given)["probabilities"].numpy().tolist())
print(json.dumps(answers))
"""


def task(way, shot, query, seed=0, shape=(16, 16, 1)):
    """One task without a task axis, labels shuffled."""
    rng = np.random.default_rng(seed)
    support_y = rng.permutation(np.repeat(np.arange(way), shot)).astype(np.int32)
    return {
        "support_x": rng.uniform(size=[way * shot, *shape]).astype(np.float32),
        "support_y": support_y,
        "query_x": rng.uniform(size=[query, *shape]).astype(np.float32),
    }


def probabilities(learner, given):
    """What Python says."""
    batch = {name: tf.constant(x)[None] for name, x in given.items()}
    return tf.nn.softmax(learner(batch, training=False)[0], axis=-1).numpy()


@pytest.fixture
def learner():
    keras.utils.set_random_seed(1)
    made = models.PrototypicalNetwork(get_embeddings((16, 16, 1), 8, 8))
    rng = np.random.default_rng(2)
    for variable in made.non_trainable_variables:  # averages of a trained network
        variable.assign(rng.uniform(0.2, 2.0, size=variable.shape))
    return made


def test_the_saved_model_adapts_and_predicts_with_tensorflow_alone(tmp_path, learner):
    """Other ways, shots and numbers of queries than in the example it was traced with."""
    folder = tmp_path / "model"
    difference = export(folder, {"serve": (adapt_and_predict(learner), task(5, 1, 3))})
    assert difference <= TOLERANCE
    tasks = [task(5, 1, 3, 3), task(3, 4, 7, 4), task(20, 2, 1, 5), task(2, 1, 2, 6)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(folder)],
        input=json.dumps([{k: v.tolist() for k, v in t.items()} for t in tasks]),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for given, answer in zip(tasks, json.loads(done.stdout), strict=True):
        way = given["support_y"].max() + 1
        assert np.shape(answer) == (len(given["query_x"]), way)
        np.testing.assert_allclose(np.sum(answer, axis=-1), 1.0, rtol=1e-5)
        np.testing.assert_allclose(answer, probabilities(learner, given), atol=TOLERANCE)


def test_several_endpoints_each_compared(tmp_path, learner):
    example = task(5, 1, 3)
    endpoints = {
        "serve": (adapt_and_predict(learner), example),
        "embed": (learner.embed, {"x": example["query_x"]}),
    }
    export(tmp_path / "model", endpoints)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    assert set(loaded.signatures) >= {"serve", "embed"}
    x = tf.constant(task(2, 1, 9, 7)["query_x"])
    (found,) = loaded.signatures["embed"](x=x).values()
    np.testing.assert_allclose(found, learner.embed(x), atol=TOLERANCE)


class OneStep(FewShotLearner):
    """Adapts a linear classifier by one gradient step inside ``call``, as MAML does."""

    def __init__(self):
        super().__init__()
        self.net = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(3)])

    def call(self, inputs, training=False):
        """Logits [task, query, way] of the first task."""
        weights = as_tensors(self.net.trainable_variables)
        with tf.GradientTape() as tape:
            tape.watch(weights)
            logits = call_with_weights(self.net, weights, inputs["support_x"][0])
            labels = inputs["support_y"][0]
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        adapted = add_scaled(weights, -0.5, tape.gradient(loss, weights))
        return call_with_weights(self.net, adapted, inputs["query_x"][0])[None]


def test_inner_gradients_are_part_of_the_saved_model(tmp_path):
    maml = OneStep()
    export(tmp_path / "m", {"serve": (adapt_and_predict(maml), task(3, 1, 2, shape=(6,)))})
    serve = tf.saved_model.load(str(tmp_path / "m")).signatures["serve"]
    answers = []
    for seed in (8, 9):  # the same queries after different support sets
        given = {**task(3, 2, 4, seed, (6,)), "query_x": task(3, 1, 4, 10, (6,))["query_x"]}
        found = serve(**{name: tf.constant(x) for name, x in given.items()})["probabilities"]
        np.testing.assert_allclose(found, probabilities(maml, given), atol=TOLERANCE)
        answers.append(found.numpy())
    assert np.max(np.abs(answers[0] - answers[1])) > 1e-2


def test_a_class_without_support_items_has_no_probability(learner):
    given = task(4, 2, 3)
    given["support_y"][given["support_y"] == 1] = 3
    serve = tf.function(adapt_and_predict(learner))  # Python itself refuses a gap in the labels
    found = serve(**{name: tf.constant(x) for name, x in given.items()})["probabilities"]
    assert found.shape == (3, 4)
    np.testing.assert_array_equal(found[:, 1], 0.0)
    np.testing.assert_allclose(np.sum(found, axis=-1), 1.0, rtol=1e-5)


class Slope(FewShotLearner):
    """Least squares through the origin."""

    output, outputs = "values", 1

    def call(self, inputs, training=False):
        """Values [task, query, 1]."""
        x, y = inputs["support_x"], inputs["support_y"]
        slope = tf.reduce_sum(x * y, axis=1) / tf.reduce_sum(x * x, axis=1)  # [task, 1]
        return inputs["query_x"] * slope[:, None]


def test_a_single_logit_is_that_of_the_second_of_two_classes():
    """A softmax over one column would be 1 for every query."""
    network = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    learner = MAML(network, binary_cross_entropy, 0.5)
    x = tf.constant([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0]])
    found = adapt_and_predict(learner)(x[:2], tf.constant([0, 1]), x)["probabilities"].numpy()
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-6)
    task = {"support_x": x[None, :2], "support_y": [[0, 1]], "query_x": x[None]}
    expected = tf.sigmoid(learner(task))[0, :, 0]
    np.testing.assert_allclose(found[:, 1], expected, rtol=1e-6)
    assert len(set(expected.numpy())) == 3


@pytest.mark.parametrize("shape", [[3], [3, 2], [3, 2, 2]])
def test_an_answer_may_have_any_number_of_axes(shape):
    class Any(Slope):
        """Answers of a shape."""

        def answer(self, prediction, support_y):
            """Zeros."""
            return {"zeros": tf.zeros(shape)}

    x = tf.constant([[1.0], [np.nan], [2.0]])
    serve = tf.function(adapt_and_predict(Any()))  # outside of a graph NaN is refused
    found = serve(x[:1], x[:1], x)["zeros"].numpy()
    assert list(found.shape) == shape
    np.testing.assert_array_equal(np.isnan(found).reshape(3, -1).all(axis=1), [False, True, False])


def test_targets_that_are_floats_are_answered_with_values():
    x = tf.constant([[1.0], [2.0]])
    found = adapt_and_predict(Slope())(x, 3 * x, tf.constant([[5.0]]))
    np.testing.assert_allclose(found["query_y"], [[15.0]])
    assert set(found) == {"query_y"}


def wrong(x):
    """Another answer in a graph than in Python."""
    return x + (0.0 if tf.executing_eagerly() else 0.001)


def not_a_number(x):
    """Equal in both, and useless."""
    return x * np.nan


def right(x):
    """The same everywhere."""
    return 2.0 * x


def endpoint(function):
    return {"serve": (function, {"x": np.ones([2, 3], np.float32)})}


@pytest.mark.parametrize(("function", "said"), [(wrong, r"by 0\.001"), (not_a_number, "by nan")])
def test_a_wrong_model_is_refused_and_not_kept(tmp_path, function, said):
    with pytest.raises(RunError, match=f"differs from Python {said}.*was not kept"):
        export(tmp_path / "model", endpoint(function))
    assert not list(tmp_path.iterdir())


def test_a_wrong_model_does_not_replace_an_older_one(tmp_path):
    export(tmp_path / "model", endpoint(right))
    with pytest.raises(RunError, match="was not kept"):
        export(tmp_path / "model", endpoint(wrong))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    (answer,) = (
        tf.saved_model.load(str(tmp_path / "model")).signatures["serve"](tf.ones([1, 3])).values()
    )
    np.testing.assert_array_equal(answer, [[2.0, 2.0, 2.0]])


def test_a_right_model_replaces_an_older_one_and_makes_its_folders(tmp_path):
    folder = tmp_path / "new/model"
    assert export(folder, endpoint(lambda x: 3.0 * x)) == 0.0
    assert export(folder, endpoint(right)) == 0.0
    (answer,) = tf.saved_model.load(str(folder)).signatures["serve"](tf.ones([1, 3])).values()
    np.testing.assert_array_equal(answer, [[2.0, 2.0, 2.0]])


def test_a_folder_with_something_else_is_refused_and_untouched(tmp_path):
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "a.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty and holds no SavedModel"):
        export(folder, endpoint(right))
    assert [path.name for path in folder.iterdir()] == ["a.txt"]
    assert (folder / "a.txt").read_text() == "mine"


def test_a_full_disk_is_one_sentence(learner, disk):
    folder, remount = disk
    assert remount("size=32k")
    with pytest.raises(RunError, match="Cannot write the SavedModel .*: No space left on device.$"):
        export(folder / "model", {"serve": (adapt_and_predict(learner), task(5, 1, 3))})
    assert not list(folder.iterdir())


def test_a_file_where_a_folder_is_expected_is_an_ordinary_error(tmp_path):
    """The script turns it into a sentence, as it does for run folders."""
    (tmp_path / "file").write_text("mine")
    for place in ("file", "file/model"):
        with pytest.raises(OSError) as caught:
            export(tmp_path / place, endpoint(right))
        assert caught.value.errno in FILE_ERRORS
    assert (tmp_path / "file").read_text() == "mine"

"""The ordinary classifier and its features as a few-shot learner."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch04_relation_matching import classifier, train_classifier
from chapters.ch04_relation_matching.classifier import Classifier, CosineClassifier
from chapters.ch04_relation_matching.encoder import get_embeddings
from chapters.ch04_relation_matching.presets import CLASSIFIER
from chapters.engine import script
from tests.chapters.ch04_relation_matching.test_matching import Identity, random_task
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

TINY = [
    "--h-dim", "4", "--z-dim", "4", "--steps", "4", "--steps-per-epoch", "2", "--steps-per-call",
    "2", "--validation-episodes", "5", "--test-episodes", "5", "--batch", "8", "--query", "2",
    "--columns", "5w1s,5w5s", "--test-query", "3",
]  # fmt: skip


def run_tiny(preset, folder, *options):
    """A tiny run of a preset, on generated data."""
    data = "painted_signs" if CLASSIFIER[preset].get("data") == "emoji" else "strokes"
    argv = ["--preset", preset, "--data", data, *TINY, "--run", str(folder), *options]
    train_classifier.main(argv)
    return json.loads((folder / "metrics.json").read_text())


def test_logits_are_cosines_with_the_means_of_classes_by_loops():
    inputs, _ = random_task()
    logits = CosineClassifier(Identity())(inputs).numpy()
    x, y, q = (inputs[name].numpy() for name in ("support_x", "support_y", "query_x"))
    for t in range(2):
        for k in range(4):
            mean = np.mean([item for item, label in zip(x[t], y[t], strict=True) if label == k], 0)
            for j, query in enumerate(q[t]):
                cosine = query @ mean / np.linalg.norm(query) / np.linalg.norm(mean)
                expected = classifier.SCALE * cosine
                np.testing.assert_allclose(logits[t, j, k], expected, rtol=1e-4, atol=1e-4)


def test_classes_of_different_size_and_an_empty_one_have_their_means():
    z = tf.constant([[[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]]])
    means = classifier.class_means(z, tf.constant([[0, 0, 2]]), 3)
    np.testing.assert_allclose(means, [[[2.0, 3.0], [0.0, 0.0], [10.0, 20.0]]])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_identical_features_are_finite_and_decide_nothing(value):
    x, y = tf.fill([1, 4, 3], value), tf.constant([[0, 0, 1, 1]])
    logits = CosineClassifier(Identity())({"support_x": x, "support_y": y, "query_x": x})
    np.testing.assert_allclose(tf.nn.softmax(logits), 0.5, atol=1e-6)


def test_the_order_of_the_support_set_plays_no_role():
    inputs, _ = random_task()
    learner = CosineClassifier(Identity())
    reverse = {name: x[:, ::-1] if "support" in name else x for name, x in inputs.items()}
    np.testing.assert_allclose(learner(inputs), learner(reverse), atol=1e-4)


def test_several_tasks_at_once_equal_one_by_one():
    inputs, _ = random_task(tasks=3)
    learner = CosineClassifier(Identity())
    for t in range(3):
        alone = learner({name: x[t : t + 1] for name, x in inputs.items()})
        np.testing.assert_allclose(learner(inputs)[t], alone[0], atol=1e-4)


def test_the_classifier_is_an_encoder_and_a_linear_layer():
    network = Classifier(get_embeddings((16, 16, 1), 4, 6), classes=9)
    x = tf.random.uniform([5, 16, 16, 1], seed=1)
    kernel, bias = network.head.get_weights()
    by_hand = network.encoder(x).numpy() @ kernel + bias
    np.testing.assert_allclose(network(x), by_hand, atol=1e-5)
    assert network(x).shape == (5, 9)


def test_cross_entropy_by_hand():
    logits = tf.constant([[0.0, np.log(3.0)], [0.0, 0.0]])
    loss = classifier.cross_entropy(tf.constant([1, 0]), logits)
    np.testing.assert_allclose(loss, -(np.log(3 / 4) + np.log(1 / 2)) / 2, rtol=1e-6)


def test_learner_and_classifier_survive_saving(tmp_path):
    encoder = get_embeddings((16, 16, 1), 4, 4)
    x = tf.random.uniform([1, 6, 16, 16, 1], seed=2)
    task = {"support_x": x[:, :2], "support_y": tf.constant([[0, 1]]), "query_x": x[:, 2:]}
    for name, model, given in (
        ("learner", CosineClassifier(encoder), task),
        ("network", Classifier(encoder, 3), x[0]),
    ):
        model.save(tmp_path / f"{name}.keras")
        loaded = keras.saving.load_model(tmp_path / f"{name}.keras")
        np.testing.assert_allclose(loaded(given), model(given), atol=1e-6)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny finished run and its metrics."""
    folder = tmp_path_factory.mktemp("run")
    with without_graphs():
        metrics = run_tiny("quick", folder / "run", "--export", str(folder / "exported"))
    return folder / "run", metrics, folder / "exported"


def test_what_is_kept_is_the_few_shot_learner_without_the_head(finished):
    run, metrics, exported = finished
    expected = {"log.csv", "metrics.json", "model.weights.h5", "learning_curve.png", "episode.png"}
    assert expected <= {path.name for path in run.iterdir()}
    encoder = get_embeddings((28, 28, 1), 4, 4)
    assert metrics["parameters"] == encoder.count_params()
    CosineClassifier(encoder).load_weights(run / "model.weights.h5")
    serve = tf.saved_model.load(str(exported)).signatures["serve"]
    x = tf.random.uniform([7, 28, 28, 1], seed=0)
    answer = serve(support_x=x[:3], support_y=tf.constant([0, 1, 2]), query_x=x[3:])
    assert answer["probabilities"].shape == (4, 3)


def test_metrics_name_the_method_and_what_it_is_compared_with(finished):
    rows = finished[1]["results"]
    assert {row["method"] for row in rows} == {
        "pixels, nearest neighbour", "untrained encoder", "classifier, cosine of features"
    }  # fmt: skip
    assert {row["query"] for row in rows} == {3}
    assert {row["published"] for row in rows} == {None}  # of generated characters


def test_training_changes_the_encoder_that_is_tested(finished):
    log = (finished[0] / "log.csv").read_text().split()
    assert log[0] == "epoch,step,loss,accuracy,val_accuracy,seconds" and len(log) == 3
    by_method = {row["method"]: row["mean"] for row in finished[1]["results"]}
    assert by_method["untrained encoder"] != by_method["classifier, cosine of features"]


def test_a_killed_run_goes_on_with_its_head(finished, tmp_path):
    whole = finished[1]["results"]
    with without_graphs():
        run_tiny("quick", tmp_path / "run")
        again = run_tiny("quick", tmp_path / "run", "--resume")
    assert again["results"] == whole


@pytest.mark.parametrize("preset", each(CLASSIFIER, ("emoji",)))  # quick is run above
def test_every_preset_runs_with_a_tiny_budget(preset, tmp_path, capsys):
    run_tiny(preset, tmp_path / "run")
    assert "all training classes at once" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--way", "5"], "--way does not apply to this script, which trains on minibatches"),
        (["--batch", "1"], "--batch is 1; it must be at least 2."),
        (["--data", "stroke"], "did you mean 'strokes'?"),
    ],
)
def test_bad_options_end_in_one_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        script.run(train_classifier.main, arguments)
    assert left.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and sentence in printed and printed.count("\n") == 1

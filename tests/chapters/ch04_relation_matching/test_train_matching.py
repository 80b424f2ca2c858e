"""The training script of matching networks as its user runs it, with a tiny budget."""

import json

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch04_relation_matching import attention_map, orders, train_matching
from chapters.ch04_relation_matching.context import FullContext
from chapters.ch04_relation_matching.matching import FIRST_SCALE, MatchingNetwork
from chapters.ch04_relation_matching.presets import MATCHING, SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.figures import RIGHT, SMALL, WRONG, plt
from datasets.tasks.episodes import Episode
from tests.chapters.ch04_relation_matching.test_matching import Identity, random_task, with_context
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

TINY = [
    "--h-dim", "4", "--z-dim", "4", "--steps", "4", "--steps-per-epoch", "2", "--steps-per-call",
    "2", "--validation-episodes", "5", "--test-episodes", "5", "--way", "5", "--shot", "1",
    "--query", "2", "--columns", "5w1s,5w5s", "--test-query", "3",
]  # fmt: skip
STAND_IN = {"emoji": "painted_signs", "emoji_omniglot": "signs_strokes"}


def run_tiny(preset, folder, *options):
    """A tiny run of a preset, on generated data."""
    data = STAND_IN.get(MATCHING[preset].get("data"), "strokes")
    argv = ["--preset", preset, "--data", data, *TINY, "--run", str(folder), *options]
    train_matching.main(argv)
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny finished run with full context embeddings, its metrics and its SavedModel."""
    folder = tmp_path_factory.mktemp("run")
    with without_graphs():
        metrics = run_tiny("context", folder / "run", "--export", str(folder / "exported"))
    return folder / "run", metrics, folder / "exported"


def test_a_run_leaves_everything_in_its_folder(finished):
    expected = {
        "config.json", "run.json", "log.csv", "metrics.json", "model.weights.h5", "checkpoints",
        "learning_curve.png", "episode.png", "attention.png",
    }  # fmt: skip
    assert expected <= {path.name for path in finished[0].iterdir()}


def test_metrics_say_how_they_were_measured_and_keep_scale_and_order(finished):
    metrics = finished[1]
    methods = {row["method"] for row in metrics["results"]}
    assert methods == {"pixels, nearest neighbour", "untrained encoder", "matching network"}
    assert {row["batch_norm"] for row in metrics["results"]} == {"stored"}
    assert metrics["scale"] == pytest.approx(FIRST_SCALE, rel=0.1)
    spread = metrics["order_spread"]
    assert spread["orders"] == 20 and spread["episodes"] == 5
    assert 0 <= spread["mean"] <= 1 and 0 <= spread["changed"] <= 1 and spread["deviation"] >= 0


def test_saved_model_adapts_to_other_ways_and_shots(finished):
    serve = tf.saved_model.load(str(finished[2])).signatures["serve"]
    rng = np.random.default_rng(0)
    output = serve(
        support_x=tf.constant(rng.random([9, 28, 28, 1]), tf.float32),
        support_y=tf.constant([0, 1, 2, 0, 1, 2, 2, 2, 2]),
        query_x=tf.constant(rng.random([4, 28, 28, 1]), tf.float32),
    )
    assert output["probabilities"].shape == (4, 3)
    np.testing.assert_allclose(tf.reduce_sum(output["probabilities"], axis=1), 1.0, atol=1e-5)


def test_a_second_run_with_the_same_seed_has_the_same_numbers(finished, tmp_path):
    with without_graphs():
        again = run_tiny("context", tmp_path / "run")
    assert again["results"] == finished[1]["results"]
    assert again["order_spread"] == finished[1]["order_spread"]


@pytest.mark.parametrize("preset", each(MATCHING, ("paper", "emoji")))  # context is run above
def test_every_preset_runs_with_a_tiny_budget(preset, tmp_path, capsys):
    metrics = run_tiny(preset, tmp_path / "run", "--tasks", "2")
    printed = capsys.readouterr().out
    assert "matching network" in printed
    context = MATCHING[preset].get("context", False)
    assert ("order_spread" in metrics) == ("Order of the support set" in printed) == context
    scaled = MATCHING[preset].get("scale") != "none"
    assert ("scale" in metrics) == ("The learned scale" in printed) == scaled


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "contxt"], "Unknown preset 'contxt' (did you mean 'context'?)"),
        (["--scale", "fixed"], "--scale is 'fixed'; it must be one of learned, none."),
        (["--processing-steps", "3"], "--processing-steps is for --context and has no effect"),
        (["--context", "--processing-steps", "-1"], "--processing-steps is -1; it must be at"),
        (["--way", "5000"], "5000-way tasks need 5000"),
    ],
)
def test_bad_options_end_in_one_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        script.run(train_matching.main, arguments)
    assert left.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and sentence in printed and printed.count("\n") == 1


@pytest.mark.parametrize("context", [False, True])
def test_every_option_reaches_the_network(context):
    given = {"h_dim": 3, "z_dim": 5, "scale": "none", "context": context, "processing_steps": 2}
    config = configuration.build(SCRIPTS["train_matching"], "scaled", given)
    learner = train_matching.build_learner(config)
    assert learner.scale == "none" and learner.image_encoder.output_shape == (None, 5)
    assert (learner.context is not None) == context
    if context:
        assert (learner.context.dim, learner.context.processing_steps) == (5, 2)


class Tasks:
    """A sampler of two random tasks."""

    tasks, seed = 2, 0

    def __call__(self, index):
        inputs, query_y = random_task()
        return inputs, query_y


def test_without_context_no_order_changes_an_answer():
    learner = MatchingNetwork(Identity(), "learned")
    spread = orders.order_spread(learner, Tasks(), episodes=4, orders=3)
    assert spread.changed == 0 and spread.deviation < 1e-9
    assert (spread.orders, spread.episodes) == (3, 4)
    inputs, query_y = random_task()
    right = tf.argmax(learner(inputs), axis=-1, output_type=tf.int32) == query_y
    assert spread.mean == pytest.approx(right.numpy().mean())


def test_with_context_orders_change_answers_and_items_keep_their_labels():
    spread = orders.order_spread(with_context(), Tasks(), episodes=2, orders=5)
    assert spread.changed > 0.05 and spread.deviation > 0

    class Easy(Tasks):
        def __call__(self, index):
            inputs, _ = random_task(shot=1)
            return {**inputs, "query_x": inputs["support_x"]}, inputs["support_y"]

    context = FullContext(6, 0)
    for variable in context.trainable_variables:
        variable.assign(variable * 0.01)
    network = MatchingNetwork(Identity(), "learned", context)
    assert orders.order_spread(network, Easy(), 2, 5).mean == 1.0


@pytest.mark.parametrize(("way", "shot"), [(2, 1), (5, 2)])
def test_the_picture_shows_attention_and_its_sums_in_percent(way, shot):
    rng = np.random.default_rng(0)

    def items(count):
        return tf.constant(rng.random([1, way * count, 4, 4, 1]), tf.float32)

    def labels(count):
        return tf.constant(np.repeat(np.arange(way, dtype=np.int32), count)[None])

    class Flat(Identity):
        def call(self, x, training=False):
            return tf.reshape(x, [-1, 16])

    task = Episode(items(shot), labels(shot), items(2), labels(2), tf.range(way)[None])
    learner = MatchingNetwork(Flat(), "learned")
    figure = attention_map.draw(learner, task, [f"日 {k}" for k in range(way)], ink=True)
    weights, sums = (axis.images[0].get_array() for axis in (figure.axes[4], figure.axes[5]))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-5)
    probability = tf.exp(learner(task.inputs))[0]
    np.testing.assert_allclose(sums, probability, rtol=1e-4, atol=1e-6)
    answers = [text for text in figure.axes[5].texts if text.get_color() in (RIGHT, WRONG)]
    right = tf.argmax(probability, axis=-1).numpy() == np.repeat(np.arange(way), 2)
    assert [text.get_color() == RIGHT for text in answers] == right.tolist()
    assert min(text.get_fontsize() for axis in figure.axes for text in axis.texts) >= SMALL
    plt.close("all")


@pytest.mark.parametrize(
    ("columns", "expected"), [("20w1s,5w5s", (5, 2)), ("20w1s", (5, 1)), ("2w3s", (2, 2))]
)
def test_the_example_fits_the_tests(columns, expected, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        attention_map.images, "example",
        lambda data, config, query: asked.update(columns=config.columns),
    )  # fmt: skip
    config = configuration.build(SCRIPTS["train_matching"], "scaled", {"columns": columns})
    attention_map.example(None, config)
    assert asked["columns"] == "{}w{}s".format(*expected)

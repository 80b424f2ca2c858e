"""Attacks on adapted networks, from the runs of the training script to the picture."""

import json

import pytest
import tensorflow as tf

from chapters.ch06_maml import attack, benchmark, train_omniglot
from chapters.ch06_maml.losses import cross_entropy
from chapters.ch06_maml.presets import AttackConfig, OmniglotConfig
from chapters.engine import script
from chapters.engine.errors import ConfigError
from chapters.experiments import images
from chapters.experiments.images import adaptation

KINDS = ("FGSM", "PGD")
TINY = [
    "--data", "strokes", "--network", "dense4", "--image-size", "16", "--tasks", "2",
    "--steps", "2", "--steps-per-epoch", "2", "--validation-episodes", "2", "--test-episodes", "2",
    "--test-query", "2", "--columns", "5w1s",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def without_graphs():
    """Functions run without being compiled: it costs more than these few episodes."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A tiny run of each method."""
    folder = tmp_path_factory.mktemp("runs")
    curves = {"steps": [0, 1], "support": [0.2, 0.3], "transductive": [0.2, 0.4]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adaptation, "accuracy_by_steps", lambda *_: curves)  # the scripts' own test
        for method in ("maml", "adml"):
            options = ["--method", method, "--run", str(folder / method)]
            train_omniglot.main([*TINY, *options])
    return folder


def test_a_stronger_attack_leaves_fewer_right_and_epsilon_zero_is_clean(runs, tmp_path):
    where = ["--maml", str(runs / "maml"), "--adml", str(runs / "adml")]
    run = tmp_path / "run"
    attack.main([*where, "--epsilons", "0,0.5", "--episodes", "6", "--run", str(run)])
    rows = json.loads((run / "metrics.json").read_text())["results"]
    found = {(row["method"], row["measure"]): row["mean"] for row in rows}
    assert len(found) == 8
    for name in ("MAML", "ADML"):
        for kind in KINDS:
            clean = found[f"{name}, {kind} queries", "accuracy_at_epsilon_0"]
            assert found[f"{name}, {kind} queries", "accuracy_at_epsilon_0.5"] < clean
        fgsm, pgd = (
            found[f"{name}, {kind} queries", "accuracy_at_epsilon_0"] for kind in ("FGSM", "PGD")
        )
        assert fgsm == pgd
    assert {"robustness.png", "attacked.png"} <= {path.name for path in run.iterdir()}


class OneTask:
    """Two classes: pixel k is brighter in an item of class k, by a fifth in queries."""

    tasks, seed = 1, 0
    support_x, support_y = tf.constant([[[1.0, 0.0], [0.0, 1.0]]]), tf.constant([[0, 1]])
    query_x, query_y = tf.constant([[[0.6, 0.4], [0.4, 0.6]]]), tf.constant([[0, 1]])

    def __call__(self, index):
        inputs = {name: getattr(self, name) for name in ("support_x", "support_y", "query_x")}
        return inputs, self.query_y


class Recorder:
    """A learner whose logits are the pixels; it notes what its predictions are made with."""

    objective = staticmethod(cross_entropy)

    def __init__(self):
        self.used = []

    def adapt(self, support_x, support_y, steps="those of a test"):
        return support_x, support_y, steps

    def predict_with(self, weights, x, support_x=None):
        self.used.append((*weights, support_x))
        return 100 * x


@pytest.mark.parametrize("kind", ["fgsm", "pgd"])
@pytest.mark.parametrize(("epsilon", "right"), [(0.0, 1.0), (0.05, 1.0), (0.3, 0.0)])
def test_attacked_queries_are_answered_as_they_were_attacked(kind, epsilon, right, monkeypatch):
    """Through the weights adapted to the support set, and with its batch-norm statistics."""
    task, learner = OneTask(), Recorder()
    monkeypatch.setattr(images, "samplers", lambda *_: (None, None, {"2w1s": task}))
    options, config = OmniglotConfig(way=2), AttackConfig(episodes=2)
    score = attack.robustness(learner, options, None, kind, epsilon, config)
    assert (score.mean, score.episodes, score.batch_norm) == (right, 2, "support")
    assert len(learner.used) > (epsilon > 0)  # the attack looks as well
    expected = task.support_x, task.support_y, "those of a test", task.support_x
    for used in learner.used:
        assert all(one is other for one, other in zip(used, expected, strict=True))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--epsilons", "0,x"], "--epsilons is '0,x'; expected numbers in [0, 1]"),
        (["--epsilons", "2"], "--epsilons is '2'"),
        (["--maml", "nowhere"], "nowhere holds no finished run of train_omniglot"),
    ],
)
def test_bad_options_end_in_one_sentence(arguments, sentence, capsys, tmp_path):
    with pytest.raises(SystemExit) as left:
        script.run(attack.main, [*arguments, "--run", str(tmp_path / "run")])
    assert left.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_run_of_another_method_is_refused(runs, capsys, tmp_path):
    where = ["--maml", str(runs / "adml"), "--adml", str(runs / "adml")]
    with pytest.raises(SystemExit):
        script.run(attack.main, [*where, "--run", str(tmp_path / "run")])
    assert "is a run of adml, expected one of maml" in capsys.readouterr().err


def test_operations_of_a_step_are_counted_layer_by_layer():
    """Two by hand: the first layer has 14 x 14 positions, 9 products, 64 channels."""
    first = 2 * 14**2 * 9 * 64
    others = sum(2 * side**2 * 9 * 64 * 64 for side in (7, 4, 2))
    joint = benchmark.task_operations(query=1, inner_steps=0)
    assert joint == 5 * (2 * first + 3 * others)
    one = benchmark.task_operations(query=1, inner_steps=1)
    assert one - joint == 5 * (4 * first + 9 * others)


def test_a_benchmark_without_repeats_is_refused():
    with pytest.raises(ConfigError, match="at least 1"):
        benchmark.main(["--repeats", "0"])

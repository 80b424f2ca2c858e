"""A learned rule on one's own model: by name, from a run, refused where it is none."""

import keras
import numpy as np
import pytest

from chapters.ch01_learned_optimizers import train
from tests.chapters.graphs import without_graphs
from zoo import optimizing
from zoo.errors import ZooError

TINY = [
    "--units", "3", "--depth", "1", "--run-steps", "4", "--unroll", "2", "--problems", "2",
    "--steps", "2", "--steps-per-epoch", "2", "--steps-per-call", "2", "--search-problems", "2",
    "--validation-problems", "2", "--test-problems", "3", "--test-steps", "3",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rule") / "run"
    with without_graphs():
        train.main([*TINY, "--run", str(folder)])
    return folder


def test_a_run_is_an_optimizer(run):
    optimizer = optimizing.optimizer(run)
    assert isinstance(optimizer, keras.optimizers.Optimizer)
    weights = keras.Variable(np.ones(3, np.float32))
    optimizer.apply([np.ones(3, np.float32)], [weights])
    assert np.abs(weights.numpy() - 1).max() > 0


def test_what_learns_no_rule_is_refused(tmp_path):
    with pytest.raises(ZooError, match="takes pictures and is no update rule; rnnprop-digits"):
        optimizing.optimizer("prototypical-omniglot-1shot")
    with pytest.raises(ZooError, match="holds no config.json|missing|no config"):
        optimizing.optimizer(tmp_path)


def test_weights_of_another_architecture_are_one_sentence(run, tmp_path):
    other = tmp_path / "run"
    other.mkdir()
    config = (run / "config.json").read_text().replace('"units": 3', '"units": 4')
    (other / "config.json").write_text(config)
    (other / "model.weights.h5").write_bytes((run / "model.weights.h5").read_bytes())
    with pytest.raises(ZooError, match="does not fit the model of config.json"):
        optimizing.optimizer(other)


def test_the_example_prints_all_three_with_their_intervals(run, monkeypatch, capsys):
    monkeypatch.setattr(optimizing, "EPOCHS", 1)
    monkeypatch.setattr(optimizing, "RATES", (0.01, 0.1))
    optimizing.main(["--rule", str(run), "--seeds", "2"])
    said = capsys.readouterr().out
    assert "Keras' rate" in said and "the best of 2" in said and "no rate to tune" in said
    assert "+-" in said

"""The benchmark on tiny sizes, and that what it compares computes the same."""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch05_memory import benchmark, peers, train_ntm
from chapters.ch05_memory.presets import SCRIPTS
from chapters.ch05_memory.training import build_optimizer, sequence_step
from chapters.engine import apart
from chapters.engine.configuration import build
from chapters.engine.errors import ConfigError
from tests.chapters.graphs import without_graphs

TINY = {
    "rnn_size": 5,
    "memory_size": 6,
    "memory_vector_dim": 4,
    "read_head_num": 2,
    "vector_dim": 3,
    "max_length": 3,
    "batch": 2,
}


@pytest.fixture
def config():
    return build(SCRIPTS["train_ntm"], "paper", {"preset": "paper", **TINY})


def batch_of(config, length):
    """Sequences of one length without padding."""
    return train_ntm.test_task(config, length, sequences=config.batch)(0)


def with_large_weights(config):
    """A network far from where it starts, so that no part of a step can hide."""
    model = train_ntm.build(config)
    for variable in model.trainable_variables:
        variable.assign(np.random.default_rng(1).normal(0, 1, variable.shape))
    return model


def test_the_tables_name_every_way_and_ours_is_traced_once(config, capsys):
    config = dataclasses.replace(config, max_length=2)
    benchmark.tables(config, lengths=(2,), repeats=1, unrolled_xla=False)
    printed = capsys.readouterr().out
    assert "batch 2, length 2" in printed
    for name in (benchmark.OURS, *benchmark.others(train_ntm.build(config), unrolled_xla=False)):
        rows = re.findall(rf"^{name} +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)$", printed, re.M)
        assert len(rows) == 1, name
        milliseconds, per_sequence, ratio, _ = map(float, rows[0])
        assert milliseconds > 0 and ratio > 0
        assert per_sequence == pytest.approx(milliseconds / 2, abs=0.01)
    assert len(re.findall(rf"^{benchmark.OURS} .* 1\.00 ", printed, re.M)) == 1
    assert re.search(r"^Ours at lengths 1 to 2: 1 trace, ", printed, re.M)


def test_every_way_gives_the_same_logits(config):
    model = with_large_weights(config)
    batch = batch_of(config, 3)
    expected = model(batch.x)
    for name, (network, _) in benchmark.others(model, unrolled_xla=True).items():
        np.testing.assert_allclose(network(batch.x, batch.steps), expected, atol=1e-5, err_msg=name)


def test_a_padded_batch_is_the_exact_one_with_room(config):
    exact, task = batch_of(config, 2), train_ntm.training_task(config)
    padded = benchmark.padded_batch(task, exact.x[:, :2, :3].numpy())
    steps = int(exact.steps)
    assert int(padded.steps) == steps < padded.x.shape[1] == task.time
    np.testing.assert_array_equal(padded.x[:, :steps], exact.x)
    np.testing.assert_array_equal(padded.y[:, :steps], exact.y)
    np.testing.assert_array_equal(padded.asked[:steps], exact.asked)


def test_pytorch_with_our_weights_gives_our_logits(config):
    torch = pytest.importorskip("torch")
    model = with_large_weights(config)
    x = np.random.default_rng(2).normal(0, 1, [2, 9, 4]).astype(np.float32)
    logits = peers.torch_ntm(model.cell)(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(logits, model(tf.constant(x)), rtol=1e-4, atol=1e-4)


def test_pytorch_s_training_steps_lower_the_loss_as_ours_do(config):
    pytest.importorskip("torch")
    model, batch = with_large_weights(config), batch_of(config, 2)
    theirs = peers.torch_step(model.cell, batch, config.learning_rate, config.clip)
    step = sequence_step(model, build_optimizer(config, model.trainable_variables))
    expected = [float(step(batch)["loss"]) for _ in range(4)]
    assert [theirs() for _ in range(4)] == pytest.approx(expected, rel=1e-4)
    assert expected[3] < expected[0] * 0.999


def test_without_pytorch_its_row_says_so(config, monkeypatch, capsys):
    monkeypatch.setattr(apart.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(benchmark, "others", lambda model, unrolled_xla: {})
    with without_graphs():
        benchmark.tables(config, [1], repeats=1, unrolled_xla=False)
    assert "PyTorch, eager              not installed\n" in capsys.readouterr().out


def test_the_peer_s_batch_is_made_from_the_options(config, monkeypatch):
    given = {}
    monkeypatch.setattr(peers, "torch_step", lambda cell, batch, *rates: given.update(batch=batch))
    peers.torch_copy_step(dataclasses.asdict(config), 2)
    assert given["batch"].x.shape == batch_of(config, 2).x.shape


def test_a_benchmark_without_repeats_is_refused():
    with pytest.raises(ConfigError, match="--repeats: 0 is given; it must be at least 1"):
        benchmark.main(["--repeats", "0"])

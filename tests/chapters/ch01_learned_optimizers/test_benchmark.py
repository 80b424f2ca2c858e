"""The benchmark on tiny sizes, and that what it compares computes the same."""

import re

import numpy as np
import pytest

from chapters.ch01_learned_optimizers import benchmark, peers
from chapters.engine import apart
from chapters.engine.errors import ConfigError


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(benchmark, "STEPS", 6)
    monkeypatch.setattr(benchmark, "UNROLL", 3)
    monkeypatch.setattr(benchmark, "CALLS", 1)


def test_the_table_names_every_way(short, capsys):
    benchmark.table(2, repeats=1)
    printed = capsys.readouterr().out
    assert "2 problem(s), 6 steps" in printed
    for name in (benchmark.OURS, "loop in a graph"):
        (row,) = re.findall(rf"^{name} +([\d.]+) +([\d.]+) +([\d.]+)$", printed, re.M)
        assert min(map(float, row)) > 0
    assert re.search(rf"^{benchmark.OURS} .* 1\.00 ", printed, re.M)


def test_both_graphs_learn_alike(short):
    compiled, plain = (benchmark.training_run(3, xla) for xla in (True, False))
    ours = [compiled() for _ in range(4)]
    assert ours == pytest.approx([plain() for _ in range(4)], rel=1e-4)
    assert ours[3] < ours[0]


def test_pytorch_s_training_runs_have_our_losses(short):
    pytest.importorskip("torch")
    rule, problem = benchmark.fresh(3)
    data = {name: np.asarray(x) for name, x in problem(0).items()}
    theirs = peers.torch_unroll(rule, data, 6, 3, benchmark.RATE)
    run = benchmark.training_run(3, xla=False)
    assert [theirs() for _ in range(4)] == pytest.approx([run() for _ in range(4)], rel=1e-4)


def test_without_pytorch_its_row_says_so(short, monkeypatch, capsys):
    monkeypatch.setattr(apart.importlib.util, "find_spec", lambda name: None)
    benchmark.table(1, repeats=1)
    assert "PyTorch, eager              not installed\n" in capsys.readouterr().out


def test_a_benchmark_without_repeats_is_refused():
    with pytest.raises(ConfigError, match="--repeats: 0 is given; it must be at least 1"):
        benchmark.main(["--repeats", "0"])

"""Rates, tests and their rows."""

import keras
import numpy as np
import pytest

from chapters.ch01_learned_optimizers import search, testing
from chapters.ch01_learned_optimizers.hand_made import RULES, sgd
from chapters.ch01_learned_optimizers.learned import LSTMRule
from chapters.ch01_learned_optimizers.presets import LearnedConfig
from chapters.ch01_learned_optimizers.problems import Quadratics
from chapters.ch01_learned_optimizers.unroll import trajectory
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions, interval95
from chapters.engine.results import interval95_of_runs
from chapters.experiments.options import rates
from tests.chapters.graphs import without_graphs

GRID = [0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 3.0]
CONFIG = LearnedConfig(
    search_problems=6, test_problems=8, validation_problems=4, test_steps="5,10",
    rates=",".join(map(str, GRID)),
)  # fmt: skip


def test_the_best_rate_is_that_of_a_search_one_by_one():
    problem = Quadratics(6, seed=1)
    tuned = search.tune(problem, GRID, 10)
    assert set(tuned) == set(RULES)
    for name, rule in RULES.items():
        scores = []
        for rate in GRID:
            last = trajectory(rule(rate), problem, problem(0), 10)[-1].numpy()
            scores.append(np.log10(last).mean())
        best = int(np.argmin(scores))
        assert tuned[name].rate == GRID[best], name
        assert tuned[name].edge == (best in (0, len(GRID) - 1))


def test_a_rate_at_the_end_of_the_grid_is_told():
    tuned = search.tune(Quadratics(4), [n * 1e-4 for n in range(1, 8)], 3)
    assert all(one.edge for one in tuned.values())
    assert "an end of --rates" in testing._rate(tuned["SGD"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "--rates is '', 0 different rates; give at least 7"),
        ("0.1,0.2", "2 different rates"),
        ("0.1,0.1,0.1,0.1,0.1,0.1,0.1", "1 different rates"),
        ("0,1,2,3,4,5,6", "7 different rates; give at least 7 positive ones"),
        ("0.1,a,1,2,3,4,5", "expected positive numbers"),
        ("0.1,inf,1,2,3,4,5", "positive ones"),
        ("0.1,nan,1,2,3,4,5", "positive ones"),
    ],
)
def test_rates_that_do_not_fit_are_one_sentence(text, sentence):
    with pytest.raises(ConfigError, match=sentence):
        rates(text, "--rates")


@pytest.fixture(scope="module")
def found():
    keras.utils.set_random_seed(0)
    rule = LSTMRule(units=3, depth=1)
    with without_graphs():
        return [testing.run_tests(rule, CONFIG, seed) for seed in (0, 1)]


def test_all_methods_have_the_same_fresh_problems(found):
    one = found[0][0]
    starts = {name: loss[0] for name, loss in one.loss.items()}
    assert set(starts) == {"LSTM optimizer", *RULES}
    for start in starts.values():
        np.testing.assert_allclose(start, starts["Adam"], rtol=1e-6)
    training = Quadratics(8, seed=0)
    assert not np.isin(training.loss(training(0)["start"], training(0), 0), starts["SGD"]).any()


def test_a_tuned_rule_is_run_with_its_rate(found):
    one = found[0][0]
    problem = testing.problems(CONFIG, "test", 8, 0)
    expected = trajectory(sgd(one.tuned["SGD"].rate), problem, problem(0), 5)
    np.testing.assert_allclose(one.loss["SGD"], expected, rtol=1e-4)


def test_rows_are_means_of_the_logarithm_with_paired_differences(found):
    tests = testing.tests_of(CONFIG)
    rows = testing.rows(tests, found[:1], CONFIG)
    assert [test.steps for test in tests] == [5, 10]
    assert len(rows) == 2 * (len(RULES) + 2)
    by_name = {row["method"]: row for row in rows if row["headline"]}
    learned, adam = (np.log10(found[0][0].loss[name][-1]) for name in ("LSTM optimizer", "Adam"))
    assert by_name["LSTM optimizer"]["mean"] == pytest.approx(learned.mean(), rel=1e-6)
    difference = by_name["LSTM optimizer minus Adam"]
    assert difference["mean"] == pytest.approx((learned - adam).mean(), rel=1e-6)
    assert difference["interval"] == pytest.approx(interval95(learned - adam), rel=1e-6)
    assert not difference["rival"] and by_name["Adam"]["rival"]
    assert by_name["Adam"]["protocol"] == "random quadratics, 8 problems"
    assert by_name["Adam"]["label"] == "log10 loss, 10 dimensions, 5 steps"


def test_intervals_are_over_seeds_where_there_are_several(found):
    row = testing.rows(testing.tests_of(CONFIG), found, CONFIG)[0]
    means = [np.log10(of_seed[0].loss["LSTM optimizer"][-1]).mean() for of_seed in found]
    assert row["values"] == pytest.approx(means)
    assert row["interval"] == pytest.approx(interval95_of_runs(means))
    assert row["runs"] == 2
    assert "over 2 seeds" in testing.table(testing.tests_of(CONFIG), found)


def test_the_zoo_measures_as_the_script_did(found):
    keras.utils.set_random_seed(0)
    rule = LSTMRule(units=3, depth=1)
    rows = testing.evaluate(rule, CONFIG, Conditions(episodes=8, seed=0))
    again = testing.rows(testing.tests_of(CONFIG), found[:1], CONFIG)
    expected = [row["mean"] for row in again if row["method"] == "LSTM optimizer"]
    assert [row["mean"] for row in rows] == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ConfigError, match="--way 5 does not apply: problems have no classes"):
        testing.evaluate(rule, CONFIG, Conditions(way=5))


def test_other_networks_are_tests_of_the_digits():
    tests = testing.tests_of(LearnedConfig(problem="digits", test_steps="100,500"))
    assert [test.label for test in tests] == [
        "sigmoid 20, 100 steps", "sigmoid 20, 500 steps", "ReLU 20, 100 steps",
        "sigmoid 40, 100 steps", "sigmoid 20-20, 100 steps",
    ]  # fmt: skip
    assert len({test.measure.name for test in tests}) == 5


def test_a_loss_of_zero_has_a_logarithm():
    found = search.logarithm(np.array([0.0, 1e-30, 0.01], np.float32))
    np.testing.assert_allclose(found, [-14, -14, -2], rtol=1e-5)

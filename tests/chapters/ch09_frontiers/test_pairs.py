"""Differences in pairs, and how many seeds would decide what they are."""

import numpy as np
import pytest
from scipy import stats

from chapters.ch09_frontiers import pairs
from chapters.ch09_frontiers.pairs import Question, Statistic
from chapters.engine.evaluation import interval95, interval95_over
from chapters.engine.results import Measure, interval95_of_runs, share

QUESTIONS = [
    Question(share("accuracy", "5-way 1-shot"), {"batch_norm": "stored", "headline": True}),
    Question(Measure("loss", "loss"), {}),
]


def found(seeds=4, tasks=30):
    rng = np.random.default_rng(0)
    plain = rng.random([seeds, tasks])
    ours = plain + 0.05 + 0.01 * rng.normal(size=[seeds, 1])
    return {"plain": [plain, 1 - plain], "ours": [ours, 1 - ours]}


def test_differences_are_taken_task_by_task():
    values = found()
    apart = pairs.differences(values)
    assert list(apart) == ["ours minus plain"]
    for number, difference in enumerate(apart["ours minus plain"]):
        one, two = values["ours"][number], values["plain"][number]
        np.testing.assert_array_equal(difference, one - two)
    # Tasks differ by far more than the methods do, and pairs do not see that.
    assert interval95_over(apart["ours minus plain"][0]) < 0.02 < interval95(values["ours"][0][0])


def test_an_interval_is_over_seeds_and_over_tasks_of_a_single_one():
    values = found()["ours"][0]
    assert interval95_over(values) == pytest.approx(interval95_of_runs(values.mean(axis=1)))
    assert interval95_over(values[:1]) == pytest.approx(interval95(values[0]))


def test_seeds_needed_by_the_formula():
    means = np.array([0.9, -0.4, 0.6, -0.1, 0.5])
    needed = pairs.seeds_needed(means[:, None])
    spread = means.std(ddof=1)

    def width(n):
        return stats.t.ppf(0.975, n - 1) * spread / np.sqrt(n)

    assert width(needed) < means.mean() <= width(needed - 1)
    assert pairs.seeds_needed(np.array([[0.9], [1.0], [1.1]])) is None  # it is decided
    assert pairs.seeds_needed(np.array([[1.0], [-1.0]])) == 10_000  # the means are equal


def test_the_table_says_what_is_undecided():
    values = found()
    assert "minus plain" in pairs.table(values, QUESTIONS)
    assert "undecided" not in pairs.table(values, QUESTIONS)
    values["ours"][0] = values["plain"][0] + np.array([[0.1], [-0.05], [0.02], [0.0]])
    text = pairs.table(values, QUESTIONS)
    assert "undecided: about" in text and "5-way 1-shot (%)" in text
    one = {name: [a[:1] for a in answers] for name, answers in values.items()}
    assert "over the tasks of one seed" in pairs.table(one, QUESTIONS)


def test_rows_are_means_over_seeds_and_numbers_of_all_tasks():
    values = found()
    largest = Statistic(Measure("largest", "largest"), 1, lambda losses: float(losses.max()))
    rows = pairs.rows(values, QUESTIONS, [largest], ["plain"], data="toy", seed=3)
    by = {(row["method"], row["measure"]): row for row in rows}
    assert set(by) == {
        ("plain", "accuracy"), ("plain", "loss"), ("plain", "largest"),
        ("ours", "accuracy"), ("ours", "loss"), ("ours", "largest"),
        ("ours minus plain", "accuracy"), ("ours minus plain", "loss"),
    }  # fmt: skip
    row = by["ours", "accuracy"]
    assert row["mean"] == pytest.approx(values["ours"][0].mean()) and row["runs"] == 4
    assert row["values"] == pytest.approx(values["ours"][0].mean(axis=1))
    assert row["headline"] and not row["rival"] and by["plain", "accuracy"]["rival"]
    assert not by["ours minus plain", "accuracy"]["rival"]
    assert by["ours", "largest"]["mean"] == pytest.approx(values["ours"][1].max(axis=1).mean())

"""A result knows how it is written and under which conditions it was measured."""

import json

import pytest

from chapters.engine.results import Measure, Result, after_steps, share

MSE = Measure("mse", "MSE")


def result(**conditions) -> Result:
    shared = {"mean": 0.5, "interval": 0.1, "data": "leaves", "seed": 3}
    return Result("ours", **{"measure": MSE, **shared, **conditions})


@pytest.mark.parametrize(
    ("conditions", "protocol"),
    [
        ({}, "leaves, test classes"),
        (
            {"episodes": 600, "query": 15},
            "leaves, test classes, 600 episodes, 15 queries per class",
        ),
        ({"generated": True, "runs": 5}, "leaves, test classes, generated stand-in, 5 runs"),
        (
            {"tested": "tasks", "split": "val", "episodes": 9, "query": 4},
            "leaves, val tasks, 9 episodes, 4 queries per task",
        ),
        ({"tested": "sequences", "episodes": 1000}, "leaves, 1000 sequences"),
    ],
)
def test_the_protocol_says_on_what_and_on_how_much(conditions, protocol):
    assert result(**conditions).protocol == protocol


def test_a_row_holds_every_field_and_how_it_is_written():
    row = result(way=5, headline=True).row()
    assert row["measure"] == "mse"
    assert [row[key] for key in ("label", "unit", "digits", "better")] == ["MSE", "", 3, "smaller"]
    assert row["headline"] is True and row["way"] == 5 and row["shot"] is None
    assert row["protocol"] == "leaves, test classes"
    assert json.loads(json.dumps(row)) == row
    assert set(row) == set(result(tested="tasks").row())  # all rows have the same columns


def test_a_share_is_in_percent_and_more_of_it_is_better():
    assert share("accuracy", "5-way 1-shot")[2:] == ("%", 2, "larger")


def test_steps_are_counted_in_name_and_heading():
    assert after_steps(MSE, 1) == MSE._replace(name="mse_after_1_steps", label="MSE after 1 step")
    assert after_steps(MSE, 10).label == "MSE after 10 steps"

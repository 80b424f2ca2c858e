"""The page that compares metric learners: figures, costs and times."""

import pytest

from zoo import comparison
from zoo.comparison import Row
from zoo.records import results

NAME = "prototypical-omniglot-1shot"


@pytest.fixture
def one_row(monkeypatch):
    """A table of one published learner and a baseline."""
    rows = (Row("pixels", NAME, method="pixels, nearest neighbour"), Row("prototypical", NAME))
    monkeypatch.setattr(comparison, "ROWS", {"omniglot": rows})
    return "<!-- comparison omniglot -->\n<!-- end -->\n"


def cells(page: str, label: str) -> list[str]:
    (line,) = (line for line in page.splitlines() if line.startswith(f"| {label} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_figures_are_those_of_the_results(one_row):
    page = comparison.generate(one_row, results.read(), {NAME: (61.24, 4.567)})
    (mean,) = (
        row["mean"]
        for row in results.read()
        if row["name"] == NAME
        and row["method"] == "prototypical network"
        and row["label"] == "20-way 5-shot"
    )
    assert cells(page, "prototypical")[4].startswith(f"{100 * float(mean):.2f} ± ")
    assert cells(page, "prototypical")[5:] == ["112,192", "49", "61", "4.6"]
    assert cells(page, "pixels")[1].startswith("51.04") and cells(page, "pixels")[5:] == ["-"] * 4


@pytest.mark.parametrize(
    ("options", "pictures"),
    [
        ({}, 60 * 6),
        ({"tasks": 4}, 4 * 60 * 6),
        ({"batch": 128, "way": 2}, 128),
        ({"method": "masked", "unlabelled": 5, "distractors": 5, "way": 5, "query": 1}, 60),
        ({"method": "supervised", "unlabelled": 5, "distractors": 5, "way": 5, "query": 1}, 10),
    ],
)
def test_pictures_of_a_step(options, pictures):
    config = {"way": 60, "shot": 1, "query": 5, "tasks": 1, **options}
    assert comparison.pictures_of_step(config) == pictures


def test_times_stay_when_figures_are_written_anew(one_row):
    page = comparison.generate(one_row, results.read(), {NAME: (61.0, 4.6)})
    assert comparison.known_times(page) == {NAME: (61.0, 4.6)}
    assert comparison.generate(page, results.read()) == page


def test_a_model_is_its_own_method_and_not_a_variant_that_was_measured_beside_it(one_row):
    rows = results.read()
    last = [row for row in rows if row["name"] == NAME][-1]
    variant = {**last, "method": "prototypical network, damaged", "mean": "0.1"}
    page = comparison.generate(one_row, [*rows, variant], {})
    assert cells(page, "prototypical")[1].startswith("98.47")


def test_what_was_not_measured_has_dashes(one_row):
    page = comparison.generate(one_row, [], {})
    assert cells(page, "prototypical")[1:5] == ["-"] * 4


def test_transductive_figures_and_tests_of_other_things_are_left_out(one_row):
    row = next(row for row in results.read() if row["name"] == NAME and row["way"] == "5")
    row = {**row, "method": "prototypical network", "shot": "1", "label": "5-way 1-shot"}
    for change in ({"batch_norm": "transductive"}, {"label": "5-way 1-shot, distractors"}):
        page = comparison.generate(one_row, [{**row, **change}], {})
        assert cells(page, "prototypical")[1] == "-"


def test_five_shot_columns_can_be_of_a_model_of_their_own(monkeypatch):
    rows = (Row("both", NAME, "prototypical-omniglot-5shot"),)
    monkeypatch.setattr(comparison, "ROWS", {"omniglot": rows})
    page = comparison.generate("<!-- comparison omniglot -->\n<!-- end -->\n", results.read(), {})
    assert cells(page, "both")[1].startswith("98.47") and cells(page, "both")[3].startswith("99.59")


@pytest.mark.parametrize(("data", "figure"), [("emoji", "80.00"), ("omniglot", "90.00")])
def test_a_network_of_two_sets_stands_in_each_table_with_its_figure_there(data, figure):
    rows = [
        {
            "name": "both", "method": "network", "measure": "accuracy", "batch_norm": "stored",
            "way": "5", "shot": "1", "label": f"5-way 1-shot, {where}", "mean": mean,
            "interval": "0.01", "unit": "%", "digits": "2",
        }
        for where, mean in (("emoji", "0.8"), ("omniglot", "0.9"))
    ]  # fmt: skip
    assert comparison._figure(Row("of both", "both"), data, 5, 1, rows) == f"{figure} ± 1.00"


def test_a_published_learner_is_timed(one_row):
    ((step, test),) = comparison.measure("omniglot", repeats=1).values()
    assert step > 0 and test > 0


def test_every_model_of_the_tables_is_declared():
    from zoo import catalogue

    named = {row.one for rows in comparison.ROWS.values() for row in rows}
    named |= {row.five for rows in comparison.ROWS.values() for row in rows if row.five}
    assert named <= set(catalogue.declared())

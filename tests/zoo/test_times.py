"""Minutes in tables of presets are those of the recorded runs."""

import pytest

from chapters.__main__ import scripts
from zoo import report, times
from zoo.records import results

ROW = {"command": "python -m chapters.ch06_maml.train_sine --preset maml_5shot", "seconds": "150"}
OTHER = {
    "command": "python -m chapters.ch06_maml.train_omniglot --preset maml_5way",
    "seconds": "9",
}
PAGE = """Words.

| Script | Preset | What | Minutes on two cores |
| --- | --- | --- | --- |
| `train_sine` | `quick` | short | 1 |
| | `maml_5shot`, `maml_10shot` | `train_omniglot` is another | 7 |
| `train_omniglot` | `maml_5way`, `maml_20way` | long | |

| Preset of `train_sine` | Minutes on two cores |
| --- | --- |
| `maml_5shot` | 20 |

| Preset of `train_sine` | Seconds |
| --- | --- |
| `maml_5shot` | 20 |
"""


def test_what_is_recorded_replaces_what_is_written():
    found = times.generate(PAGE, "ch06_maml", [ROW, OTHER]).split("\n")
    assert [line for line in found if line not in PAGE.split("\n")] == [
        "| | `maml_5shot`, `maml_10shot` | `train_omniglot` is another | 2, 7 |",
        "| `train_omniglot` | `maml_5way`, `maml_20way` | long | 1, - |",
        "| `maml_5shot` | 2 |",
    ]
    again = times.generate("\n".join(found), "ch06_maml", [ROW, OTHER])
    assert again.split("\n") == found


def test_another_chapter_or_options_of_ones_own_are_other_runs():
    assert times.generate(PAGE, "ch07_meta_sgd_reptile", [ROW]) == PAGE.replace(
        "long | |", "long | - |"
    )
    own = {**ROW, "command": f"{ROW['command']} --steps 10"}
    assert "| `maml_5shot` | 20 |" in times.generate(PAGE, "ch06_maml", [own])


@pytest.mark.parametrize(
    "path", report.readmes(), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_tables_name_scripts_and_presets_that_there_are(path):
    known, script, head = dict(scripts()), "", []
    for line in path.read_text(encoding="utf-8").split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            head = []
        elif not head:
            head, script = cells, "".join(times.OF_SCRIPT.findall(cells[0]))
        elif head[-1] == times.HEADING and "---" not in cells[-1]:
            script = times._script(head, cells) or script
            presets = known[f"chapters.{path.parent.name}.{script}"].presets
            assert set(times._presets(head, cells)) <= set(presets)


def test_some_minutes_are_recorded():
    text = (report.ROOT / "chapters" / "ch06_maml" / "README.md").read_text(encoding="utf-8")
    assert times.generate(text, "ch06_maml", []) == text
    none = times.generate(text.replace("| 56, ", "| 1, "), "ch06_maml", results.read())
    assert none == text

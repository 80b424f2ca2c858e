"""The look of all pictures: colours, sizes, letters, curves of few points."""

import csv
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colors

from chapters.ch09_frontiers import compare_alterations
from chapters.engine import figures
from chapters.engine.figures import plt

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def history(steps):
    return [{"step": s, "loss": 1 / s, "accuracy": 0.5, "val_accuracy": 0.25} for s in steps]


def is_green_or_red(colour) -> bool:
    hue, saturation, _ = colors.rgb_to_hsv(colors.to_rgb(colour))
    return bool(saturation > 0.3 and (hue < 0.02 or hue > 0.97 or 0.22 < hue < 0.45))


def test_only_right_and_wrong_are_green_and_red():
    assert is_green_or_red(figures.RIGHT) and is_green_or_red(figures.WRONG)
    others = [*figures.SERIES, *figures.METHODS.values(), figures.NEUTRAL]
    others += [colour for colour, _ in figures.BASELINES.values()]
    assert not any(map(is_green_or_red, others))
    cycle = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    assert tuple(cycle) == figures.SERIES


def test_every_method_has_one_look_of_its_own_whatever_follows_its_name():
    looks = list(figures.METHODS.values())
    assert len({colors.to_hex(look) for look in looks}) == len(looks)
    assert figures.style("GA-MAML, 10% outliers") == figures.style("GA-MAML")
    assert figures.style("GA-MAML") != figures.style("MAML")
    assert figures.style("joint training")["linestyle"] == "--"
    assert figures.style("somebody's own method")["color"] == figures.HELD_OUT["color"]


def test_every_method_that_is_drawn_as_a_line_has_a_colour():
    # Chapters 3 and 4 draw no methods beside each other but pairs, in two colours of their own.
    with (ROOT / "zoo/results.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if " chapters.ch0" in row["command"]]
    drawn = [
        row for row in rows if not row["command"].split("chapters.")[1].startswith(("ch03", "ch04"))
    ]
    measured = {row["method"].partition(",")[0] for row in drawn}
    assert {"MAML", "siamese network"} <= measured
    never_lines = {"NTM", "pixels", "untrained encoder", "untrained network", "embedding"}
    never_lines |= {"cluster matching"}
    never_lines |= {compare_alterations.ALL, *compare_alterations.WITHOUT.values()}
    never_lines |= {name for name in measured if " minus " in name}
    assert measured - never_lines <= {*figures.METHODS, *figures.BASELINES}


def test_letters_that_no_font_has_become_code_points_and_nothing_is_warned_of():
    lone = next(chr(c) for c in range(0x65E5, 0xFFFF) if c not in figures._letters())
    assert figures.label(f"a{lone}") == f"a\\u{ord(lone):04x}"
    assert figures.label("Größe äé") == "Größe äé"
    assert figures.label("a\nb\udcff") == "a\\nb\\udcff"
    figure, axis = plt.subplots()
    axis.set_title(figures.label("日本語 \U0001f600 हिन्दी"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()


def test_fonts_that_are_installed_are_used_for_other_scripts(monkeypatch):
    monkeypatch.setattr(
        figures.font_manager, "get_font_names", lambda: ["DejaVu Sans", "Noto Sans CJK JP", "Other"]
    )
    assert figures._installed() == ["DejaVu Sans", "Noto Sans CJK JP"]


def test_a_long_name_keeps_its_ends():
    short = figures.label("holiday_in_the_mountains_0173.jpg", 15)
    assert (len(short), short) == (15, "holiday…173.jpg")
    assert figures.label("x" * 15, 15) == "x" * 15


def test_a_dollar_in_a_name_is_no_formula():
    figure, axis = plt.subplots()
    axis.set_title(figures.label(r"$\frac{$"))
    figure.canvas.draw()  # as a formula it could not be parsed
    assert axis.get_title() == r"$\frac{$"


def test_nothing_that_is_drawn_by_default_is_too_small_to_read():
    figure = figures.learning_curve(history(range(1, 9)))
    figure.canvas.draw()
    assert figure.get_figwidth() <= figures.WIDTH
    texts = figure.findobj(lambda artist: hasattr(artist, "get_fontsize"))
    sizes = [text.get_fontsize() for text in texts if text.get_text()]
    assert min(sizes) >= figures.SMALL


@pytest.mark.parametrize(("steps", "written"), [([50], 1), ([50, 100], 2), (range(1, 9), 0)])
def test_a_curve_of_few_points_is_points_with_their_values(steps, written):
    figure, axis = plt.subplots()
    figures.course(axis, history(steps), "loss", "training", **figures.TRAINING)
    (line,) = axis.lines
    assert list(line.get_xdata()) == list(steps)
    assert [text.get_text() for text in axis.texts] == [f"{1 / s:.3g}" for s in steps][:written]
    assert (line.get_linestyle() == "None") == bool(written)
    assert line.get_color() == figures.TRAINING["color"]


def test_the_learning_curve_says_on_what_its_lines_were_measured():
    names = {"training": "training, 5-way 1-shot", "held_out": "validation, 20-way 1-shot"}
    figure = figures.learning_curve(history([1, 2, 3, 4]), **names)
    (legend,) = figure.legends  # of the figure, not over the data
    assert [text.get_text() for text in legend.get_texts()] == list(names.values())
    assert [axis.get_xlabel() for axis in figure.axes] == ["step", "step"]
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss", "accuracy"]


@pytest.mark.parametrize("letters", [1, 24, 120])
def test_the_legend_is_no_wider_than_the_picture(letters):
    figure, axis = plt.subplots(figsize=(6, 5), layout="constrained")
    for k in range(5):
        axis.plot([0, 1], label=f"{k}" * letters)
    figures.legend(figure, columns=5)
    (legend,) = figure.legends
    width, columns = legend.get_window_extent().width, legend._ncols
    assert width <= figure.bbox.width or columns == 1
    assert len(legend.get_texts()) == 5 and (columns == 5) == (letters == 1)


def test_a_measure_that_training_does_not_take_leaves_its_line_out():
    rows = [{"step": s, "loss": 1 / s, "val_accuracy": 0.5} for s in (1, 2, 3, 4)]
    loss, accuracy = figures.learning_curve(rows).axes
    assert (len(loss.lines), len(accuracy.lines)) == (1, 1)
    assert accuracy.lines[0].get_color() == figures.HELD_OUT["color"]


def test_steps_have_whole_ticks():
    _, axis = plt.subplots()
    axis.plot([0, 1], [0, 1])
    figures.whole_numbers(axis)
    ticks = axis.get_xticks()
    np.testing.assert_array_equal(ticks, np.round(ticks))


SOURCES = [path for part in ("chapters", "zoo") for path in sorted((ROOT / part).rglob("*.py"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_look_is_decided_in_one_place(path):
    """Other files take colours of answers and small letters from here, by name."""
    text = path.read_text(encoding="utf-8")
    if path.name != "figures.py":
        assert not re.findall(r"tab:(?:green|red)\b|[\"']C\d[\"']", text)
    sizes = re.findall(r"fontsize=(\d+(?:\.\d+)?)", text)
    assert all(float(size) >= figures.SMALL for size in sizes), sizes

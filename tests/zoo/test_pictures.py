"""Pictures of the zoo: green is right, red is wrong, and what nobody knows is bold."""

import numpy as np
import pytest

from chapters.engine.figures import NEUTRAL, RIGHT, SMALL, WIDTH, WRONG, label
from chapters.experiments.options import ImageOptions
from zoo import kinds, loading, pictures
from zoo.loaded import Loaded
from zoo.pictures import plt
from zoo.records import cards


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def drawn(truth=None, data="strokes", names=("oak", "日本"), width=WIDTH):
    loaded = Loaded(
        "a", None, kinds.find("image"), ImageOptions(data=data), {}, None, (4, 4, 1), None
    )
    items = np.zeros([2, 4, 4, 1], np.float32)
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]])  # class 0 in both rows
    figure = pictures.answers(
        loaded, items, items, names, probabilities, ["first.png", "second.png"], truth, width
    )
    return figure, np.reshape(figure.axes, [2, 3])


def test_the_first_answer_is_green_when_right_and_red_when_wrong():
    _, axes = drawn(truth=[0, 1])
    assert [row[1].title.get_color() for row in axes] == [RIGHT, WRONG]
    assert [row[2].title.get_color() for row in axes] == [NEUTRAL, NEUTRAL]


def test_where_nobody_knows_the_truth_the_answer_is_bold_and_neither_green_nor_red():
    _, axes = drawn()
    assert [row[1].title.get_weight() for row in axes] == ["bold", "bold"]
    assert not {row[1].title.get_color() for row in axes} & {RIGHT, WRONG}


def test_names_are_shown_as_far_as_there_are_letters_and_room():
    figure, axes = drawn(names=["x" * 50, "日本"])
    longest = axes[0, 1].get_title().split("\n")[0]
    assert len(longest) == int(kinds.find("image").cell[0] * 14) and "…" in longest
    assert axes[0, 2].get_title().split("\n")[0] == label("日本", len(longest))
    assert min(axis.title.get_fontsize() for axis in figure.axes) >= SMALL


@pytest.mark.parametrize(("data", "colours"), [("strokes", "gray_r"), ("my/folder", "gray")])
def test_photographs_are_no_negatives(data, colours):
    figure, _ = drawn(data=data)
    assert {axis.images[0].get_cmap().name for axis in figure.axes} == {colours}


@pytest.mark.parametrize("name", ["prototypical-omniglot-1shot", "siamese-cats-dogs"])
def test_the_picture_of_a_model_fits_a_page_and_knows_the_truth(name):
    figure = loading.load(name).draw(cards.PAGE)
    assert figure.get_figwidth() <= cards.PAGE
    rows = [axis for axis in figure.axes if axis.get_title().startswith("query")]
    for query in rows:
        asked = query.get_title().split("\n")[1]
        first = figure.axes[figure.axes.index(query) + 1].title
        right = first.get_text().split("\n")[0] == asked
        assert first.get_color() == (RIGHT if right else WRONG)

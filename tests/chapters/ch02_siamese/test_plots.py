"""Pictures of pairs: every network by its own threshold, right green, wrong red."""

import numpy as np
import pytest

from chapters.ch02_siamese import plots
from chapters.ch02_siamese.measures import auc
from chapters.engine.figures import NEUTRAL, RIGHT, SMALL, WIDTH, WRONG, plt, style
from datasets.tasks.pairs import Pairs


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def sizes(figure):
    texts = figure.findobj(lambda artist: hasattr(artist, "get_fontsize"))
    return [text.get_fontsize() for text in texts if text.get_text()]


def network(scale, seed=0):
    """Distances of a network: genuine pairs within its threshold, imposite ones beyond."""
    rng = np.random.default_rng(seed)
    genuine = np.arange(40) < 20
    distance = scale * np.where(genuine, rng.uniform(0.2, 0.9, 40), rng.uniform(1.1, 2.0, 40))
    return genuine, distance, scale


def test_distances_of_several_networks_are_each_judged_by_their_own_threshold():
    figure = plots.histogram([network(1.0), network(5.0)], "two networks")
    (axis,) = figure.axes
    (line,) = axis.lines
    assert set(line.get_xdata()) == {1}
    edges = [(bar.get_x(), bar.get_x() + bar.get_width(), bar.get_height()) for bar in axis.patches]
    genuine, imposite = edges[:40], edges[40:]
    assert all(right <= 1 + 0.06 for _, right, height in genuine if height > 0)
    assert all(left >= 1 - 0.06 for left, _, height in imposite if height > 0)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["genuine, 40 pairs", "imposite, 40 pairs", "threshold, 1.00 to 5.00"]


def test_a_single_threshold_is_named_once():
    names = plots.histogram([network(0.5)], "one").legends[0].get_texts()
    assert names[-1].get_text() == "threshold, 0.50"


def test_roc_curves_are_means_over_networks_not_of_their_pooled_distances():
    parts = [network(1.0)[:2], network(5.0)[:2]]
    pooled = auc(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    assert pooled < 0.95  # small distances of one are large ones of the other
    figure = plots.roc({"siamese network": parts, "raw pixels": parts[:1]}, "two")
    (axis,) = figure.axes
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[0] == "siamese network, AUC 1.000"
    ours, pixels, _ = axis.lines
    assert (ours.get_color(), pixels.get_color()) == (
        style("siamese network")["color"],
        style("raw pixels")["color"],
    )
    assert max(ours.get_ydata()) == 1


def test_the_mean_of_a_curve_with_itself_is_the_curve():
    x, y = np.array([0, 0, 0.5, 0.5, 1]), np.array([0, 0.4, 0.4, 0.8, 1])
    points = plots.mean_curve([(x, y), (x, y)])
    np.testing.assert_allclose(points, [[0, 0, 0.5, 0.5, 1, 1], [0, 0.4, 0.4, 0.8, 1, 1]])


def test_the_mean_of_two_curves_has_the_steps_of_both():
    early = np.array([0, 0, 1]), np.array([0, 1, 1])
    late = np.array([0, 0.5, 0.5, 1]), np.array([0, 0, 1, 1])
    points = plots.mean_curve([early, late])
    np.testing.assert_allclose(points, [[0, 0, 0.5, 0.5, 1, 1], [0, 0.5, 0.5, 1, 1, 1]])


@pytest.mark.parametrize("shape", [(30, 12, 10), (30, 5, 40)])
def test_pairs_decided_rightly_are_green_and_their_names_can_be_read(shape):
    rng = np.random.default_rng(1)
    items = rng.uniform(1, 255, shape)
    first, second = np.arange(15), np.arange(15, 30)
    genuine = first < 8
    distance = np.where(genuine, 0.5, 1.5)
    distance[0], distance[14] = 1.2, 0.9  # wrong
    names = [f"clip {k}" for k in range(30)]
    figure = plots.pair_sheet(items, Pairs(first, second, genuine), distance, 1.0, "Pairs", names)
    titles = {axis.get_title(): axis.title.get_color() for axis in figure.axes if axis.get_title()}
    assert titles == {"0.50": RIGHT, "1.50": RIGHT, "1.20": WRONG, "0.90": WRONG}
    assert min(sizes(figure)) >= SMALL
    assert figure.get_figwidth() <= WIDTH


def test_a_name_given_to_a_query_is_bold_not_green_and_none_is_when_all_are_far():
    items = np.full([2, 12, 10], 100.0)
    distance, probability = np.array([[0.2, 0.8], [1.5, 1.4]]), np.full([2, 2], 0.5)
    figure = plots.identification(items, items, ["ada", "日"], distance, probability, 1.0)
    known, unknown = np.reshape(figure.axes, [2, 3])
    assert [axis.title.get_weight() for axis in known[1:]] == ["bold", "normal"]
    assert [axis.title.get_weight() for axis in unknown[1:]] == ["normal", "normal"]
    assert {axis.title.get_color() for axis in figure.axes} <= {"0", NEUTRAL, "black"}
    assert "perhaps none" in unknown[0].get_title()
    assert "perhaps none" not in known[0].get_title()


def test_a_loss_of_two_validations_is_drawn_as_values():
    history = [{"step": s, "loss": 0.5, "val_loss": 0.4} for s in (50, 100)]
    (axis,) = plots.loss_curve(history, 1.0, "held out").axes
    assert [text.get_text() for text in axis.texts] == ["0.5", "0.5", "0.4", "0.4"]

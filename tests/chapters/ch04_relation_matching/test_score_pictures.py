"""Pictures of scores: every pair has its number, the highest is right green or wrong red."""

import matplotlib
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch04_relation_matching import score_pictures, toy
from chapters.engine.figures import RIGHT, SMALL, WIDTH, WRONG, label, plt
from datasets.tasks.episodes import Episode


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def task_of(way, shot=1, query=2):
    rng = np.random.default_rng(0)

    def items(count):
        return tf.constant(rng.random([1, way * count, 28, 28, 1]), tf.float32)

    def labels(count):
        return tf.constant(np.repeat(np.arange(way, dtype=np.int32), count)[None])

    return Episode(items(shot), labels(shot), items(query), labels(query), tf.range(way)[None])


class FavoursClass0:
    """0.9 for class 0 and 0.25 for all others."""

    def relation_scores(self, inputs):
        """[1, query, way]"""
        queries, way = inputs["query_x"].shape[1], int(tf.reduce_max(inputs["support_y"])) + 1
        return tf.tile(tf.constant([[[0.9] + [0.25] * (way - 1)]]), [1, queries, 1])


@pytest.mark.parametrize(("ink", "colours"), [(True, "gray_r"), (False, "gray")])
def test_the_highest_score_of_a_query_is_framed_by_whether_it_is_right(ink, colours):
    names = ["日", "b", "c"]
    figure = score_pictures.matrix(FavoursClass0(), task_of(3), names, ink)
    (axis,) = figure.axes
    frames = [p.get_edgecolor() for p in axis.patches if not p.get_fill()]
    expected = [RIGHT] * 2 + [WRONG] * 4  # two queries of each class
    assert frames == [matplotlib.colors.to_rgba(colour) for colour in expected]
    words = [text.get_text() for text in axis.texts]
    assert words[:3] == [label(name) for name in names]
    assert words[3:] == ["0.90", "0.25", "0.25"] * 6
    images = [inner.images[0] for inner in axis.child_axes]
    assert len(images) == 3 + 6
    assert {image.get_cmap().name for image in images} == {colours}


@pytest.mark.parametrize(("way", "shot"), [(2, 1), (20, 1), (5, 9)])
def test_many_classes_and_shots_still_fit_the_page(way, shot):
    names = [f"a rather long name {k}" for k in range(way)]
    figure = score_pictures.matrix(FavoursClass0(), task_of(way, shot), names, ink=True)
    assert figure.get_size_inches()[0] <= WIDTH + 1e-6
    (axis,) = figure.axes
    assert min(text.get_fontsize() for text in axis.texts) >= SMALL
    assert len(axis.child_axes) == way * min(shot, 3) + min(2 * way, 10 if way == 20 else 12)


@pytest.mark.parametrize("as_printed", [True, False])
def test_the_toy_shows_its_floor_and_both_kinds_of_pairs(as_printed):
    learner = toy.ToyRelation(toy.embedding_function(), toy.relation_function())
    history = [{"step": 10 * n, "loss": 0.3 / n, "val_loss": 0.2} for n in range(1, 6)]
    figure = score_pictures.toy(learner, history, toy.RecordPairs(20, 0.05, 0, as_printed)(0))
    left, right, _ = figure.axes
    assert any(np.all(np.equal(line.get_ydata(), toy.FLOOR)) for line in left.lines)
    assert left.get_ylim()[1] > 0.3
    assert sum(len(dots.get_offsets()) for dots in right.collections[1:]) == 40
    assert right.get_xlim() == right.get_ylim()


def test_a_dead_embedding_can_be_drawn():
    learner = toy.ToyRelation(toy.embedding_function("relu"), toy.relation_function())
    learner.embedding.set_weights([np.full([9, 1], -1.0), np.zeros([1])])
    history = [{"step": 1, "loss": 0.25, "val_loss": 0.25}]
    score_pictures.toy(learner, history, toy.RecordPairs(20, 0.05, 0)(0)).canvas.draw()

"""Pictures of attacks: a method's colour, right green and wrong red, photographs as they are."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import plots
from chapters.ch06_maml.losses import cross_entropy
from chapters.engine.figures import METHODS, RIGHT, SMALL, WRONG, plt
from datasets.tasks.episodes import Episode


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_method_keeps_its_colour_under_every_attack():
    curves = {(name, attack): [0.9, 0.5] for name in ("ADML", "MAML") for attack in ("fgsm", "pgd")}
    (axis,) = plots.robustness([0.0, 0.1], curves).axes
    assert [(line.get_color(), line.get_linestyle()) for line in axis.lines] == [
        (METHODS[name], line) for name in ("ADML", "MAML") for line in ("-", "--")
    ]


class SureOfClass0:
    """Whatever it adapts to and sees."""

    objective = staticmethod(cross_entropy)

    def adapt(self, support_x, support_y):
        """Nothing to learn."""
        return []

    def predict_with(self, weights, query_x, support_x):
        """Logits [task, query, way] that depend on the pixels a little."""
        bright = tf.reduce_mean(query_x, [2, 3])  # [task, query, 1]
        return tf.concat([bright + 9, bright], -1)


@pytest.mark.parametrize(("ink", "colours"), [(True, "gray_r"), (False, "gray")])
def test_attacked_images_say_whether_the_answer_is_right(ink, colours):
    x = tf.constant(np.random.default_rng(0).uniform(size=[1, 2, 6, 6, 1]), tf.float32)
    y = tf.constant([[0, 1]])
    figure = plots.attacked({"MAML": SureOfClass0()}, Episode(x, y, x, y, y), 0.1, ink)
    titles = [(axis.get_title(), axis.title.get_color()) for axis in figure.axes]
    assert titles == [("class 0", RIGHT), ("class 0", WRONG)] * 2
    assert {axis.images[0].get_cmap().name for axis in figure.axes} == {colours}
    assert min(axis.title.get_fontsize() for axis in figure.axes) >= SMALL

"""The map of refined prototypes shows every class, every distractor and every move."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical import unlabelled_plots
from chapters.ch03_prototypical.semi_supervised import SemiSupervisedPrototypicalNetwork
from chapters.engine.figures import SMALL, plt
from datasets.tasks.unlabelled import UnlabelledSampler
from tests.chapters.ch03_prototypical.test_models import Identity
from tests.datasets.test_episodes import marked_dataset


class Flat(Identity):
    """The pixels themselves."""

    def call(self, x, training=False):
        """[item, height, width, channel] -> [item, dim]"""
        return 20.0 * tf.reshape(x, [-1, 16])


@pytest.mark.parametrize(("distractors", "kinds"), [(2, 2), (0, 1)])
@pytest.mark.parametrize("method", ["soft", "cluster", "masked"])
def test_every_item_has_a_dot_or_a_cross_and_every_prototype_an_arrow(method, distractors, kinds):
    sampler = UnlabelledSampler(marked_dataset(), "train", 2, 1, 2, 4, distractors)
    learner = SemiSupervisedPrototypicalNetwork(Flat(), method)
    figure = unlabelled_plots.refinement_map(learner, sampler.episode(0))
    (axis,), (legend,) = figure.axes, figure.legends
    drawn = [marks for marks in axis.collections if len(marks.get_offsets())]
    sizes = [len(marks.get_offsets()) for marks in drawn]
    assert sizes == [8, 8, 2, 2][: 1 if kinds == 1 else 2] + [2, 2]
    assert len(axis.texts) == 2  # arrows
    assert len(legend.get_texts()) == kinds + 2
    assert min(text.get_fontsize() for text in legend.get_texts()) >= SMALL
    colours = np.concatenate([marks.get_facecolor() for marks in drawn])
    assert np.isfinite(colours).all() and colours.min() >= 0 and colours.max() <= 1
    plt.close("all")

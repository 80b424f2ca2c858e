"""The map of embeddings names the classes and has a mark for each."""

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch03_prototypical import plots
from chapters.engine.figures import SMALL, label, plt
from datasets.tasks.episodes import Episode


@pytest.mark.parametrize("way", [3, 20])
def test_every_class_has_its_name_and_a_mark_of_its_own(way):
    rng = np.random.default_rng(0)

    def items(count):
        return tf.constant(rng.normal(size=[1, way * count, 4, 4, 1]), tf.float32)

    def labels(count):
        return tf.constant(np.repeat(np.arange(way, dtype=np.int32), count)[None])

    task = Episode(items(1), labels(1), items(2), labels(2), tf.range(way)[None])

    class Flat:
        """The pixels themselves."""

        def embed(self, x):
            """[item, 16]."""
            return tf.reshape(x, [-1, 16])

    names = [f"日 {k}" for k in range(way)]
    figure = plots.embedding_map(Flat(), task, names)
    (axis,), (found,) = figure.axes, figure.legends
    assert [text.get_text() for text in found.texts] == [label(name) for name in names]
    assert min(text.get_fontsize() for text in found.texts) >= SMALL
    dots = axis.collections[::2]
    marks = {(tuple(d.get_facecolor()[0]), d.get_paths()[0].vertices.tobytes()) for d in dots}
    assert len(marks) == way
    plt.close("all")

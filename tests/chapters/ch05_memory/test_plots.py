"""The picture of a memory shows which class was read where."""

import keras
import numpy as np
from matplotlib import colors

from chapters.ch05_memory import plots, train_ntm
from chapters.ch05_memory.mann import MANNCell
from chapters.ch05_memory.models import SequenceModel
from chapters.ch05_memory.ntm import NTMCell
from chapters.ch05_memory.presets import NTMConfig
from chapters.engine.figures import RIGHT, SMALL, WRONG, plt
from datasets.dataset import Dataset
from datasets.tasks.presentations import Presentations
from datasets.tasks.sequences import CopyTask


def test_the_memory_has_class_marks_and_right_answers_are_green():
    keras.utils.set_random_seed(0)
    items = np.random.default_rng(0).integers(0, 256, [20, 8, 8], dtype=np.uint8)
    item_class = np.repeat(np.arange(4), 5).astype(np.int32)
    data = Dataset("noise", items, item_class, tuple("abcd"), {"train": np.arange(4)})
    episode = Presentations(data, "train", way=3, length=12, batch=2, seed=0)(0)
    network = SequenceModel(MANNCell(4, 8, 3, 1, output_dim=3), 8 * 8 + 3)
    figure = plots.lookup(network, episode)
    reads = figure.axes[0]
    class_of = episode.class_of[0].numpy()
    sizes = np.bincount(class_of)
    assert [tick.get_text() for tick in reads.get_xticklabels()] == [
        f"class {k}" for k in range(len(sizes))
    ]
    ends = np.cumsum(sizes)
    np.testing.assert_allclose(reads.get_xticks(), ends - (sizes + 1) / 2)
    assert [line.get_xdata()[0] for line in reads.lines] == list(ends[:-1] - 0.5)
    right, wrong = reads.collections
    assert len(right.get_offsets()) + len(wrong.get_offsets()) == 12
    assert colors.same_color(right.get_facecolor()[0], RIGHT) or not len(right.get_offsets())
    assert colors.same_color(wrong.get_facecolor()[0], WRONG) or not len(wrong.get_offsets())
    assert reads.get_xlabel() == "steps, grouped by class"
    assert min(tick.get_fontsize() for tick in reads.get_xticklabels()) >= SMALL
    plt.close("all")


def test_a_network_without_a_memory_has_no_picture_of_one():
    assert train_ntm.picture(None, NTMConfig(model="LSTM"), 4.0) is None


def test_of_a_batch_the_first_sequence_is_shown():
    network = SequenceModel(NTMCell(6, 8, 4, output_dim=4), 5)
    batch = CopyTask(batch=3, bits=4, max_length=3)(0)
    steps = int(batch.steps)
    logits, states = plots.trace(network, batch.x, steps)
    np.testing.assert_allclose(logits, network(batch.x, batch.steps)[0, :steps], atol=1e-5)
    assert len(states) == steps
    plt.close(plots.attention(network, batch))

"""Models of sequences in the zoo: exported for any length, refused where files are expected."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch05_memory.models import SequenceModel
from chapters.ch05_memory.ntm import NTMCell
from chapters.engine.figures import plt
from tests.chapters.graphs import without_graphs
from zoo import kinds, prediction
from zoo.errors import ZooError
from zoo.exports import exporting
from zoo.loaded import Loaded
from zoo.records import cards


@pytest.fixture(scope="module")
def loaded():
    """A small network with random weights, as if it came from the zoo."""
    keras.utils.set_random_seed(3)
    model = SequenceModel(NTMCell(6, 8, 4, output_dim=3), 4)
    return Loaded("small-copy", model, kinds.find("sequence"), None, {}, None, (4,), None)


def test_a_saved_model_takes_any_number_of_sequences_of_any_length(loaded, tmp_path):
    said = exporting.export(loaded, "savedmodel", tmp_path / "model")
    assert "3 tasks (random)" in said
    serve = tf.saved_model.load(str(tmp_path / "model/1")).signatures["serve"]
    for shape in ((1, 1, 4), (3, 17, 4)):
        x = np.random.default_rng(0).integers(0, 2, shape).astype("f")
        found = serve(x=tf.constant(x))["probabilities"]
        np.testing.assert_allclose(found, tf.sigmoid(loaded.learner(x)), atol=1e-6)


def test_litert_has_no_loops_over_steps_and_says_so(loaded, tmp_path):
    with pytest.raises(ZooError, match="LiteRT has no operators for .*loop over steps"):
        exporting.export(loaded, "litert", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_sequences_are_not_files(loaded, tmp_path):
    with pytest.raises(ZooError, match="takes sequences, not files"):
        prediction.predict(loaded, tmp_path, ["a.png"])


def test_the_fixed_output_of_a_card_is_the_same_every_time(loaded):
    once, again = cards.fixed_output(loaded), cards.fixed_output(loaded)
    assert once == again and len(once) == 5 * 3


def test_the_picture_of_a_memory_is_where_it_writes_and_reads(tmp_path, monkeypatch):
    from chapters.ch05_memory import train_ntm
    from zoo import loading, publishing
    from zoo.records import results, store

    monkeypatch.setattr(store, "FOLDER", tmp_path / "weights")
    monkeypatch.setattr(results, "FILE", tmp_path / "results.csv")
    run = tmp_path / "run"
    sizes = ["--rnn-size", "4", "--memory-size", "8", "--memory-vector-dim", "3", "--batch", "2"]
    short = ["--steps", "2", "--steps-per-epoch", "2", "--max-length", "2", "--test-lengths", "2"]
    with without_graphs():
        train_ntm.main([*sizes, *short, "--test-sequences", "2", "--run", str(run)])
    folder = publishing.publish(run, "ntm-copy", anyway=True)
    assert (folder / "picture.png").exists()
    figure = loading.load("ntm-copy").draw(cards.PAGE)
    assert [axis.get_title() for axis in figure.axes[:2]] == ["write 1 head", "read 1 head"]
    assert figure.get_figwidth() <= cards.PAGE
    plt.close(figure)
    assert [row["measure"] for row in results.read(tmp_path / "results.csv")][
        0
    ] == "bits_at_trained"

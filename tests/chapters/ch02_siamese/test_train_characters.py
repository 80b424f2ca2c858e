"""Siamese networks on characters: the pairs of an episode, and the script as its user runs it."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch02_siamese import train_characters
from chapters.ch02_siamese.models import NearestNeighbour, SiameseNetwork
from chapters.ch02_siamese.presets import CHARACTERS
from chapters.ch02_siamese.train_characters import pair_energies
from chapters.engine.errors import ConfigError
from tests.chapters.presets import each

TINY = [
    "--data", "strokes", "--h-dim", "4", "--z-dim", "4", "--steps", "4", "--steps-per-epoch", "2",
    "--steps-per-call", "2", "--validation-episodes", "5", "--test-episodes", "5", "--way", "5",
    "--query", "2", "--columns", "5w1s,5w5s", "--test-query", "3",
]  # fmt: skip
SEED = tf.constant([1, 2])


def identity():
    """A siamese network whose embedding is the item."""
    encoder = keras.Sequential([keras.layers.Input((2,)), keras.layers.Flatten()])
    return NearestNeighbour(SiameseNetwork(encoder))


def episode(tasks=2, way=4, query=3):
    rng = np.random.default_rng(0)
    y = np.tile(np.repeat(np.arange(way, dtype=np.int32), query), [tasks, 1])
    inputs = {
        "support_x": rng.random([tasks, way, 2]).astype(np.float32),
        "query_x": rng.random([tasks, way * query, 2]).astype(np.float32),
    }
    return inputs, y


def test_genuine_pairs_are_a_query_and_the_item_of_its_class():
    inputs, y = episode()
    label, distance = pair_energies(identity(), inputs, tf.constant(y), SEED)
    pairs = y.size
    np.testing.assert_array_equal(label[:, 0], [1] * pairs + [0] * pairs)
    expected = [
        np.linalg.norm(inputs["query_x"][t, q] - inputs["support_x"][t, y[t, q]])
        for t in range(2)
        for q in range(12)
    ]
    np.testing.assert_allclose(distance[:pairs, 0], expected, rtol=1e-5)


def test_imposite_pairs_are_a_query_and_an_item_of_any_other_class():
    inputs, y = episode()
    met = set()
    for number in range(30):
        _, distance = pair_energies(identity(), inputs, tf.constant(y), tf.constant([number, 0]))
        for place, found in enumerate(distance.numpy()[y.size :, 0]):
            task, query = divmod(place, 12)
            all_of_it = np.linalg.norm(
                inputs["query_x"][task, query] - inputs["support_x"][task], axis=-1
            )
            other = int(np.abs(all_of_it - found).argmin())
            assert other != y[task, query]
            met.add((int(y[task, query]), other))
    assert len(met) == 4 * 3  # every pair of classes


@pytest.mark.parametrize("preset", each(CHARACTERS, ["quick", "omniglot"]))
def test_every_preset_runs_with_a_tiny_budget(preset, tmp_path, capsys):
    run = tmp_path / "run"
    exported = ["--export", str(tmp_path / "exported")] if preset == "quick" else []
    train_characters.main(["--preset", preset, *TINY, "--run", str(run), *exported])
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["method"] == "siamese network"
    assert {row["method"] for row in metrics["results"]} == {
        "pixels, nearest neighbour", "untrained encoder", "siamese network"
    }  # fmt: skip
    decision = json.loads((run / "decision.json").read_text())
    assert decision["threshold"] == 1.0 and decision["sharpness"] >= 1.0
    assert (run / "episode.png").exists() and (run / "model.weights.h5").exists()
    assert bool(exported) == ("SavedModel in" in capsys.readouterr().out)


def test_a_shot_is_refused_with_the_reason():
    with pytest.raises(ConfigError, match="--shot does not apply.*one support item per class"):
        train_characters.main(["--shot", "5"])

"""Published weights load into the models that their configuration builds."""

import json

import numpy as np
import pytest
import tensorflow as tf

from zoo import store

PROTOTYPICAL = sorted(path.parent for path in store.FOLDER.glob("prototypical-*/card.json"))
SIAMESE = sorted(path.parent for path in store.FOLDER.glob("siamese-*/card.json"))


def named(paths):
    """Parameters of a test, with the models' names."""
    return [pytest.param(path, id=path.name) for path in paths]


@pytest.mark.parametrize("folder", named(PROTOTYPICAL))
def test_a_prototypical_network_loads_and_separates_what_is_plainly_different(folder):
    from chapters.ch03_prototypical import models

    config, card = (
        json.loads((folder / f"{part}.json").read_text()) for part in ("config", "card")
    )
    encoder = models.get_embeddings(
        (config["image_size"], config["image_size"], 1), config["h_dim"], config["z_dim"]
    )
    learner = models.PrototypicalNetwork(encoder, config["distance"])
    learner.load_weights(folder / store.WEIGHTS)
    assert learner.count_params() == card["parameters"]

    bars = np.zeros([2, 28, 28, 1], np.float32)  # one upright, one lying
    bars[0, 4:24, 13:15], bars[1, 13:15, 4:24] = 1.0, 1.0
    shifted = np.roll(bars, 2, axis=(1, 2))
    inputs = {
        "support_x": tf.constant(bars[None]),
        "support_y": tf.constant([[0, 1]]),
        "query_x": tf.constant(shifted[None]),
    }
    probability = models.predicted_probability(learner(inputs, training=False))[0]
    assert float(tf.reduce_min(tf.linalg.diag_part(probability))) > 0.9


@pytest.mark.parametrize("folder", named(SIAMESE))
def test_a_siamese_network_loads_as_identify_loads_it(folder):
    from chapters.ch02_siamese import identify

    card = json.loads((folder / "card.json").read_text())
    learner, threshold, _ = identify.load_run(folder)
    assert learner.siamese.count_params() == card["parameters"]
    assert threshold > 0

"""Published weights load into the models that their configuration builds."""

import importlib
import json

import numpy as np
import pytest
import tensorflow as tf

from zoo import store

PROTOTYPICAL = sorted(path.parent for path in store.FOLDER.glob("prototypical-*/card.json"))
SIAMESE = sorted(path.parent for path in store.FOLDER.glob("siamese-*/card.json"))


def made_by(script):
    """Folders of models that a script of this name has made, whatever the chapter."""
    cards = store.FOLDER.glob("*/card.json")
    found = {path.parent: json.loads((path.parent / "config.json").read_text()) for path in cards}
    return sorted(path for path, config in found.items() if config["script"].endswith(script))


def learner_of(folder, *arguments):
    """The learner of a script's ``build``, with the published weights, and its options."""
    config = json.loads((folder / "config.json").read_text())
    script = config.pop("script")
    package, _, name = script.rpartition(".")
    options = importlib.import_module(f"{package}.presets").SCRIPTS[name].config(**config)
    learner = importlib.import_module(script).build(options, *arguments).learner
    learner.load_weights(folder / store.WEIGHTS)
    card = json.loads((folder / "card.json").read_text())
    assert learner.count_params() == card["parameters"]
    return learner, options


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


@pytest.mark.parametrize("folder", named(made_by("train_sine")))
def test_a_learner_of_sine_curves_fits_a_curve_after_a_few_steps(folder):
    from chapters.experiments import sine

    learner, options = learner_of(folder)
    inputs, query_y = sine.sampler(options, sine.TEST, options.test_shot, 40, 50)(0)

    def error(steps):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
        return np.mean(learner.objective(query_y, learner.predict_with(weights, inputs["query_x"])))

    assert error(options.test_steps) < 0.35 * error(0)


@pytest.mark.parametrize("folder", named(made_by("train_omniglot")))
def test_a_learner_of_images_adapts_to_what_is_plainly_different(folder):
    learner, options = learner_of(folder, (28, 28, 1))
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.random([options.way, 4, 4]) < 0.4, np.ones([5, 5]))  # [way, 20, 20]
    images = np.pad(blocks, [[0, 0], [4, 4], [4, 4]])[..., None].astype(np.float32)
    shifted = np.roll(images, 1, axis=2)
    inputs = {
        "support_x": tf.constant(images[None]),
        "support_y": tf.range(options.way)[None],
        "query_x": tf.constant(shifted[None]),
    }
    found = tf.argmax(learner(inputs), axis=-1)[0]
    assert np.mean(found == np.arange(options.way)) >= 0.8

"""Published learners learn: from a few examples, what is plainly different is told apart."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo import catalogue
from zoo.classifying import classify

KIND = {name: catalogue.find(name).model.items for name in zoo.list_models()}


def models(*items):
    """Names of the published models that take these items."""
    return [name for name, kind in KIND.items() if kind in items]


# The memory-augmented network knows characters alone; test_presentations shows it some.
@pytest.mark.parametrize("name", [n for n in models("image") if n != "mann-omniglot"])
def test_a_learner_of_images_tells_blocks_apart(name):
    loaded = zoo.load(name)
    rng, way = np.random.default_rng(0), loaded.way or 5
    blocks = np.kron(rng.random([way, 4, 4]) < 0.4, np.ones([5, 5]))  # [way, 20, 20]
    height, _, channels = loaded.item_shape
    edge = [(height - 20) // 2] * 2
    images = np.pad(blocks, [[0, 0], edge, edge])[..., None].astype(np.float32)
    images = np.repeat(images, channels, axis=-1)  # [way, height, width, channel]
    shifted = np.roll(images, 1, axis=2)
    found = classify(loaded.learner, images, np.arange(way, dtype=np.int32), shifted)
    assert np.mean(found.argmax(axis=1) == np.arange(way)) >= 0.8


@pytest.mark.parametrize("name", models("number"))
def test_a_learner_of_curves_fits_a_curve_after_a_few_steps(name):
    from chapters.experiments import sine

    loaded = zoo.load(name)
    learner, options = loaded.learner, loaded.config
    inputs, query_y = sine.sampler(options, sine.TEST, options.test_shot, 40, 50)(0)

    def error(steps):
        weights = learner.adapt(inputs["support_x"], inputs["support_y"], steps)
        return np.mean(learner.objective(query_y, learner.predict_with(weights, inputs["query_x"])))

    assert error(options.test_steps) < 0.35 * error(0)


@pytest.mark.parametrize("name", models("face", "sound"))
def test_a_siamese_network_is_the_one_that_identify_loads(name):
    from chapters.ch02_siamese import identify

    loaded = zoo.load(name)
    learner, threshold, _ = identify.load_run(catalogue.find(name).folder)
    x = np.random.default_rng(0).normal(size=[2, *loaded.item_shape]).astype(np.float32)
    assert threshold > 0
    assert learner.sharpness == loaded.learner.sharpness
    np.testing.assert_allclose(learner.embed(x), loaded.learner.embed(x), atol=1e-5)
    assert tf.reduce_max(tf.abs(loaded.learner.embed(x))) <= 1.0


@pytest.mark.parametrize("name", ["prototypical-omniglot-1shot", "maml-omniglot-5way"])
def test_exports_are_tried_on_answers_that_are_far_from_0_and_1(name):
    loaded = zoo.load(name)
    for task in loaded.kind.random_tasks(loaded)[:3]:
        found = classify(loaded.learner, *(task[x] for x in ("support_x", "support_y", "query_x")))
        assert np.any(found.max(axis=1) < 0.99)

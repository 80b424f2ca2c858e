"""Policies in the zoo: adapted by trajectories, in Python and as a file of their own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import train_acting as maml
from chapters.ch06_maml.presets import SCRIPTS
from chapters.ch07_meta_sgd_reptile import train_acting as meta_sgd
from chapters.ch07_meta_sgd_reptile.presets import SCRIPTS as META_SGD
from chapters.engine import configuration
from chapters.engine.figures import plt
from chapters.experiments.acting import pictures
from chapters.experiments.acting.trajectories import Trajectories
from zoo import kinds, prediction
from zoo.errors import ZooError
from zoo.exports import exporting
from zoo.loaded import Loaded
from zoo.records import cards

TINY = ["--horizon", "4", "--trajectories", "3", "--hidden", "5"]


@pytest.fixture(
    scope="module",
    params=[
        (maml, SCRIPTS, "navigation"),
        (maml, SCRIPTS, "bandits"),
        (meta_sgd, META_SGD, "navigation"),
    ],
    ids=["maml", "bandits", "meta-sgd"],
)  # fmt: skip
def loaded(request):
    """A small policy with random weights, as if it came from the zoo."""
    keras.utils.set_random_seed(3)
    module, scripts, world = request.param
    config = configuration.parse(scripts["train_acting"], ["--world", world, *TINY])
    learner = module.build_learner(config)
    kind = kinds.find("trajectories")
    return Loaded("small-policy", learner, kind, config, {}, None, learner.item_shape, None)


def test_a_policy_is_exported_with_its_inner_step(loaded, tmp_path):
    said = exporting.export(loaded, "savedmodel", tmp_path / "model")
    assert "5 tasks (random, acting in" in said


def test_what_is_exported_is_the_adapted_policy(loaded):
    learner = loaded.learner
    task = loaded.kind.random_tasks(loaded)[1]
    answer = learner.serving()(**{name: tf.constant(x) for name, x in task.items()})
    drawn = Trajectories(*(tf.constant(task[name])[None] for name in Trajectories._fields))
    query = tf.constant(task["query_x"])[None]
    before = learner.policy.told(learner.policy.distribution(learner.start(1), query))
    weights = learner.step_on(learner.start(1), drawn)
    after = learner.policy.told(learner.policy.distribution(weights, query))
    for name, x in answer.items():
        np.testing.assert_allclose(x, after[name][0], rtol=1e-4, atol=1e-6)
        assert np.abs(x - before[name][0]).max() > 1e-4


def test_numbers_that_are_not_finite_get_no_answer(loaded):
    task = loaded.kind.random_tasks(loaded)[0]
    task["reward"][0, 0] = np.inf
    inputs = {name: tf.constant(x) for name, x in task.items()}
    assert all(np.isnan(x).all() for x in loaded.learner.serving()(**inputs).values())
    with pytest.raises(tf.errors.InvalidArgumentError, match="numbers that are not finite"):
        loaded.learner.serving(strict=True)(**inputs)


def test_formats_without_linear_equations_say_so(loaded, tmp_path):
    with pytest.raises(ZooError, match="has no operators for .*MatrixSolve.*; export a SavedModel"):
        exporting.export(loaded, "onnx", tmp_path / "model")


def test_trajectories_are_not_files(loaded, tmp_path):
    with pytest.raises(ZooError, match="takes trajectories, not files"):
        prediction.predict(loaded, tmp_path, ["a.png"])


def test_the_fixed_output_of_a_card_is_the_same_every_time(loaded):
    once, again = cards.fixed_output(loaded), cards.fixed_output(loaded)
    assert once == again and np.isfinite(once).all()


def test_the_picture_of_a_policy_fits_the_page(loaded):
    figure = pictures.picture(loaded.learner, loaded.config, cards.PAGE)
    assert figure.get_figwidth() <= cards.PAGE
    plt.close(figure)

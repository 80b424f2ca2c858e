"""Imitation in the zoo: adapted by a demonstration, in Python and as a file of its own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from chapters.ch09_frontiers import train_imitation
from chapters.ch09_frontiers.presets import SCRIPTS
from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions
from chapters.engine.figures import plt
from chapters.experiments import imitation
from zoo import kinds, prediction
from zoo.errors import ZooError
from zoo.exports import exporting
from zoo.loaded import Loaded
from zoo.records import cards

TINY = ["--horizon", "3", "--hidden", "5", "--bias", "2", "--test-trajectories", "2"]
PICTURES = ["--sight", "pictures", "--side", "8", "--filters", "2"]
KINDS = {
    "numbers": [],
    "pictures": PICTURES,
    "keypoints": [*PICTURES, "--eyes", "keypoints", "--adapt-eyes"],
    "watched": [*PICTURES, "--shown-by", "other", "--inner", "learned"],
}


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def loaded(request):
    """A small policy with random weights, as if it came from the zoo."""
    keras.utils.set_random_seed(3)
    config = configuration.parse(SCRIPTS["train_imitation"], [*TINY, *request.param])
    policy = train_imitation.build_learner(config)
    kind = kinds.find("demonstration")
    return Loaded("small-imitation", policy, kind, config, {}, None, policy.item_shape, None)


@pytest.mark.parametrize("form", ["onnx", "litert"])
def test_other_formats_have_the_inner_step_too(loaded, form, tmp_path):
    if form == "onnx" and loaded.config.adapt_eyes:
        with pytest.raises(ZooError, match="has no operators for .*BiasAddGrad"):
            exporting.export(loaded, form, tmp_path / "model")
    else:
        exporting.export(loaded, form, tmp_path / "model")


def test_a_policy_is_exported_with_its_inner_step(loaded, tmp_path):
    said = exporting.export(loaded, "savedmodel", tmp_path / "model")
    assert "4 tasks (random, the scripted expert)" in said
    serve = tf.saved_model.load(str(tmp_path / "model/1")).signatures["serve"]
    task = {name: tf.constant(x) for name, x in loaded.kind.random_tasks(loaded)[1].items()}
    expected = loaded.learner({name: x[None] for name, x in task.items()})[0]
    np.testing.assert_allclose(serve(**task)["query_y"], expected, rtol=1e-4, atol=1e-6)


def test_demonstrations_are_not_files(loaded, tmp_path):
    with pytest.raises(ZooError, match="takes demonstrations, not files"):
        prediction.predict(loaded, tmp_path, ["a.png"])


def test_the_fixed_output_of_a_card_is_the_same_every_time(loaded):
    once, again = cards.fixed_output(loaded), cards.fixed_output(loaded)
    assert once == again and np.isfinite(once).all()


def test_the_picture_of_a_policy_fits_the_page(loaded):
    figure = imitation.pictures.picture(loaded.learner, loaded.config, cards.PAGE)
    assert figure.get_figwidth() <= cards.PAGE
    plt.close(figure)


def test_it_is_evaluated_by_acting(loaded):
    rows = imitation.evaluate(loaded.learner, loaded.config, Conditions(episodes=3, seed=1))
    assert [row["measure"] for row in rows] == ["success", "other", "success_known"]
    assert all(0 <= row["mean"] <= 1 and row["episodes"] == 3 for row in rows)
    with pytest.raises(ConfigError, match="--way 5 does not apply"):
        imitation.evaluate(loaded.learner, loaded.config, Conditions(way=5))

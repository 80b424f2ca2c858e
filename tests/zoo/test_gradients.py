"""Update rules in the zoo: exported step by step, drawn, refused where files are expected."""

import keras
import numpy as np
import pytest

from chapters.ch01_learned_optimizers import testing
from chapters.ch01_learned_optimizers.learned import LSTMRule, RNNprop
from chapters.ch01_learned_optimizers.presets import LearnedConfig
from chapters.engine.figures import plt
from zoo import kinds, prediction
from zoo.errors import ZooError
from zoo.exports import exporting
from zoo.loaded import Loaded
from zoo.records import cards


@pytest.fixture(scope="module", params=[LSTMRule, RNNprop])
def loaded(request):
    """A small rule with random weights, as if it came from the zoo."""
    keras.utils.set_random_seed(3)
    rule = request.param(units=4)
    return Loaded("small-rule", rule, kinds.find("gradient"), LearnedConfig(), {}, None, (), None)


@pytest.mark.parametrize("format", ["savedmodel", "onnx", "litert"])
def test_a_rule_is_exported_step_by_step(loaded, format, tmp_path):
    said = exporting.export(loaded, format, tmp_path / "model")
    assert "3 tasks (random)" in said


def test_gradients_are_not_files(loaded, tmp_path):
    with pytest.raises(ZooError, match="takes gradients, not files"):
        prediction.predict(loaded, tmp_path, ["a.png"])


def test_the_fixed_output_of_a_card_is_the_same_every_time(loaded):
    once, again = cards.fixed_output(loaded), cards.fixed_output(loaded)
    assert once == again and len(once) == 4 * 5 and np.isfinite(once).all()


def test_the_picture_of_a_rule_fits_the_page(loaded):
    figure = testing.picture(loaded.learner, loaded.config, cards.PAGE)
    assert figure.get_figwidth() <= cards.PAGE
    plt.close(figure)

"""A published model is what was trained, whatever Keras is set to."""

import keras
import numpy as np
import pytest

import zoo
from zoo.records import cards

NAMES = (
    "siamese-orl-faces",
    "siamese-cats-dogs",
    "prototypical-omniglot-1shot",
    "ntm-copy",
    "mann-omniglot",
    "maml-omniglot-5way",
    "maml-sine-raw-numpy",
    "caml-sine",
    "meta-sgd-sine-5shot",
    "reptile-sine",
    "ga-maml-sine",
)  # one of each kind of network and learner


@pytest.fixture(params=["mixed_float16", "float16", "float64"])
def set_otherwise(request):
    """Keras set to another precision, and back."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy(request.param)
    if request.param != "mixed_float16":
        keras.config.set_floatx(request.param)
    yield request.param
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.mark.parametrize("name", NAMES)
def test_keras_settings_do_not_change_a_published_model(set_otherwise, name):
    loaded = zoo.load(name)
    output, expected = cards.fixed_output(loaded), loaded.card["output"]
    np.testing.assert_allclose(output, expected, rtol=1e-3, atol=1e-3)
    assert keras.config.dtype_policy().name == set_otherwise

"""Any network as encoder: built, given weights, trained or left alone, published, exported."""

import sys
import types

import keras
import numpy as np
import pytest

import zoo
from chapters.ch03_prototypical import backbones, train
from chapters.ch03_prototypical.presets import SCRIPTS
from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from datasets.errors import DataNotice
from tests.zoo.conftest import draw
from zoo.records import results, store

SMALL = ["--image-size", "32", "--channels", "3"]
TINY = ["--steps", "2", "--steps-per-epoch", "2", "--steps-per-call", "2", "--way", "2",
        "--validation-episodes", "2", "--test-episodes", "600", "--query", "1", "--columns", "2w1s",
        "--shot", "1"]  # fmt: skip


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("own") / "tiles", classes=6)


@pytest.fixture
def networks(monkeypatch):
    """A module of the user's own."""
    module = types.ModuleType("my_networks")

    def build(shape):
        inputs = keras.layers.Input(shape)
        x = keras.layers.Conv2D(3, 3, strides=4)(inputs)
        x = keras.layers.BatchNormalization()(x)
        return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))

    module.build, module.number = build, lambda shape: 7
    module.maps = lambda shape: keras.Sequential(
        [keras.layers.Input(shape), keras.layers.Conv2D(3, 3)]
    )
    monkeypatch.setitem(sys.modules, "my_networks", module)
    return module


def parsed(*arguments):
    return configuration.parse(SCRIPTS["train"], [*SMALL, *arguments])


def test_without_a_name_it_is_conv_4():
    encoder = train.build_learner(parsed("--data", ".", "--h-dim", "5")).encoder
    assert [block.layers[0].filters for block in encoder.layers[:4]] == [5, 5, 5, 64]


def test_a_function_of_ones_own_builds_it(networks):
    learner = train.build_learner(parsed("--data", ".", "--encoder", "my_networks:build"))
    x = np.random.default_rng(0).random([2, 32, 32, 3]).astype(np.float32)
    network = learner.encoder.layers[0].network
    np.testing.assert_allclose(learner.embed(x), network(x), rtol=1e-5)
    assert learner.trainable_variables


def test_a_frozen_one_is_as_it_is_at_test_whatever_is_asked(networks):
    config = parsed("--data", ".", "--encoder", "my_networks:build", "--frozen")
    encoder = backbones.build_encoder(config, (32, 32, 3))
    x = np.random.default_rng(0).random([4, 32, 32, 3]).astype(np.float32)
    np.testing.assert_array_equal(encoder(x, training=True), encoder(x, training=False))
    assert not encoder.trainable_variables and encoder.weights


def test_weights_come_from_a_file(networks, tmp_path):
    source = networks.build((32, 32, 3))
    source.save_weights(tmp_path / "mine.weights.h5")
    config = parsed("--data", ".", "--encoder", "my_networks:build",
                    "--encoder-weights", str(tmp_path / "mine.weights.h5"))  # fmt: skip
    encoder = backbones.build_encoder(config, (32, 32, 3))
    backbones.load_weights(encoder, config)
    for ours, theirs in zip(encoder.weights, source.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_that_are_asked_for_by_name_are_those_of_keras(monkeypatch):
    """Nothing is downloaded here: the application is asked for them, and gives what it has."""
    asked, make = [], keras.applications.MobileNetV3Small

    def given(**options):
        asked.append(options.pop("weights"))
        return make(weights=None, **options)

    given.__module__ = make.__module__
    monkeypatch.setattr(keras.applications, "MobileNetV3Small", given)
    config = parsed("--data", ".", "--encoder", "keras:MobileNetV3Small",
                    "--encoder-weights", "imagenet")  # fmt: skip
    encoder = backbones.build_encoder(config, (32, 32, 3))
    before = [w.numpy() for w in encoder.weights]
    backbones.load_weights(encoder, config)
    assert asked == [None, "imagenet"]
    assert any((old != new.numpy()).any() for old, new in zip(before, encoder.weights, strict=True))


def test_pictures_are_what_the_application_wants():
    config = parsed("--data", ".", "--encoder", "keras:VGG16")
    layer = backbones.build_encoder(config, (32, 32, 3)).layers[0].network.layers[0]
    x = np.random.default_rng(0).random([1, 32, 32, 3]).astype(np.float32)
    wanted = keras.applications.vgg16.preprocess_input(255.0 * x.copy())
    np.testing.assert_allclose(layer(x), wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--encoder", "keras:MobilNet"], "is none of keras.applications .did you mean 'MobileNet"),
        (["--encoder", "no_such_module:build"], "No module named 'no_such_module'"),
        (["--encoder", "my_networks"], "MODULE:FUNCTION"),
        (["--encoder", "my_networks:number"], "gives int with outputs None"),
        (["--encoder", "my_networks:maps"], "a built Keras model is wanted"),
        (["--encoder", "keras:Xception"], "takes no pictures of 32 x 32 .* larger --image-size"),
    ],
)
def test_what_is_no_encoder_is_one_sentence(arguments, sentence, networks):
    with pytest.raises(ConfigError, match=sentence):
        backbones.build_encoder(parsed("--data", ".", *arguments), (32, 32, 3))


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [("no_such_file", "no such file"), (__file__, "--encoder-weights .* cannot be used")],
)
def test_weights_that_are_none_are_one_sentence(weights, sentence, networks):
    config = parsed("--data", ".", "--encoder", "my_networks:build", "--encoder-weights", weights)
    with pytest.raises(ConfigError, match=sentence):
        backbones.load_weights(backbones.build_encoder(config, (32, 32, 3)), config)


@pytest.mark.parametrize("flag", [["--frozen"], ["--encoder-weights", "imagenet"]])
def test_what_is_said_of_an_encoder_needs_one(flag):
    with pytest.raises(ConfigError, match=f"{flag[0]} is for --encoder"):
        backbones.fitted(parsed("--data", ".", *flag))
    with pytest.raises(ConfigError, match="--h-dim is for no --encoder"):
        parsed("--data", ".", "--encoder", "keras:VGG16", "--h-dim", "3")


def test_pictures_are_larger_and_in_colour_where_nothing_is_said():
    config = configuration.parse(
        SCRIPTS["train"], ["--data", ".", "--encoder", "keras:MobileNetV3Small"]
    )
    with pytest.warns(DataNotice, match="wants --image-size 96 --channels 3"):
        found = backbones.fitted(config)
    assert (found.image_size, found.channels) == (96, 3)


def test_a_backbone_is_trained_published_and_taken_along(tiles, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "FOLDER", tmp_path / "weights")
    monkeypatch.setattr(results, "FILE", tmp_path / "results.csv")
    run = tmp_path / "run"
    train.main(["--data", str(tiles), *SMALL, "--encoder", "keras:MobileNetV3Small",
                "--run", str(run), *TINY])  # fmt: skip
    zoo.publish(run, "tiles", anyway=True)
    asked = sorted(str(path) for path in tiles.glob("*/3.png"))
    answers = zoo.predict("tiles", tiles, asked)
    assert {answer["name"] for answer in answers} <= {f"class {k}" for k in range(6)}
    said = zoo.export("tiles", "savedmodel", tmp_path / "exported", data=f"{tiles}/")
    assert "largest difference from Python" in said


def test_a_frozen_one_needs_no_training(tiles, tmp_path, networks, capsys):
    train.main(["--data", str(tiles), *SMALL, "--encoder", "my_networks:build", "--frozen",
                "--run", str(tmp_path / "run"), *TINY])  # fmt: skip
    assert "Epoch" not in capsys.readouterr().out
    assert not (tmp_path / "run" / "learning_curve.png").exists()
    assert (tmp_path / "run" / "model.weights.h5").exists()

"""Going on from a trained network, and few classes made more."""

import json

import numpy as np
import pytest
from PIL import Image

import zoo
from chapters.ch03_prototypical import train
from chapters.ch03_prototypical.presets import SCRIPTS
from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from chapters.experiments import images, starting
from chapters.experiments.images.own_folder import fit_start
from datasets.errors import DataNotice

TINY = ["--steps", "2", "--steps-per-epoch", "2", "--steps-per-call", "2", "--way", "2",
        "--validation-episodes", "2", "--test-episodes", "600", "--query", "1"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six classes of four coloured pictures."""
    place, rng = tmp_path_factory.mktemp("own") / "tiles", np.random.default_rng(0)
    for k in range(6):
        (place / f"tile {k}").mkdir(parents=True)
        colours = rng.integers(0, 256, [4, 4, 3])
        for number in range(4):
            pixels = np.clip(colours + rng.integers(-30, 30, [4, 4, 3]), 0, 255).astype(np.uint8)
            picture = Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST)
            picture.save(place / f"tile {k}" / f"{number}.png")
    return place


def parsed(*arguments):
    return configuration.parse(SCRIPTS["train"], list(arguments))


def test_the_network_of_a_name_is_gone_on_from(folder):
    with pytest.warns(
        DataNotice,
        match="goes on from prototypical-emoji: --image-size 28 becomes 32, --channels",
    ):
        config = fit_start(parsed("--data", str(folder), "--init", "prototypical-emoji"))
    assert (config.image_size, config.channels, config.invert) == (32, 3, False)
    asked = parsed("--data", str(folder), "--init", "prototypical-emoji", "--learning-rate", "0.01")
    assert fit_start(asked).learning_rate == 0.01
    learner = train.build_learner(config)
    starting.load(learner, config)
    published = zoo.load("prototypical-emoji").learner
    for ours, theirs in zip(learner.weights, published.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_network_of_ink_sees_ink(folder):
    with pytest.warns(DataNotice, match="--no-invert becomes --invert"):
        asked = parsed("--data", str(folder), "--init", "prototypical-omniglot-1shot")
        config = fit_start(asked)
    assert config.invert and config.channels == 1 and config.image_size == 28


def test_training_begins_there_and_it_stands_in_the_table(folder, tmp_path, capsys):
    """With a rate of 0 nothing changes: both rows are the same network."""
    run = tmp_path / "run"
    with pytest.warns(DataNotice):
        train.main(["--data", str(folder), "--init", "prototypical-emoji", "--run", str(run),
                    "--learning-rate", "0", "--momentum", "1", *TINY])  # fmt: skip
    rows = json.loads((run / "metrics.json").read_text())["results"]
    by_method = {}
    for row in rows:
        by_method.setdefault(row["method"], []).append(row["mean"])
    assert by_method["prototypical-emoji, as it was"] == by_method[train.NAME]
    assert "untrained encoder" not in by_method
    again = tmp_path / "again"  # a run is a beginning too
    with pytest.warns(DataNotice):
        train.main(["--data", str(folder), "--init", str(run), "--run", str(again), *TINY])


@pytest.mark.parametrize(
    ("init", "sentence"),
    [
        ("prototypical-emojis", "--init 'prototypical-emojis' is neither a model of the zoo"),
        ("relation-emoji", "--init relation-emoji does not fit this network"),
    ],
)
def test_what_cannot_be_gone_on_from_is_one_sentence(init, sentence, folder):
    with pytest.raises(ConfigError, match=sentence), np.errstate():
        config = fit_start(parsed("--data", str(folder), "--channels", "3", "--init", init))
        starting.load(train.build_learner(config), config)


def test_where_classes_are_few_a_beginning_is_proposed(folder):
    with pytest.warns(DataNotice, match="2 classes to learn from.*--init prototypical-emoji"):
        images.load(parsed("--data", str(folder), "--channels", "3"))
    with pytest.warns(DataNotice, match="--init prototypical-omniglot-1shot"):
        images.load(parsed("--data", str(folder)))


@pytest.mark.parametrize(("enlarge", "classes"), [("none", 2), ("upright", 2), ("any", 8)])
def test_few_classes_are_made_more_to_learn_from_and_not_to_test_on(folder, enlarge, classes):
    with pytest.warns(DataNotice):
        data, config = images.load(
            parsed("--data", str(folder), "--channels", "3", "--enlarge", enlarge)
        )
    training, validation, tests = images.samplers(data, config, 2)
    plain = getattr(training, "sampler", training)
    assert images.available(data, "train", plain.rotations) == classes
    assert getattr(training, "recolour", False) == (enlarge != "none")
    assert not validation.rotations and not next(iter(tests.values())).rotations
    inputs, _ = training(0)
    assert inputs["support_x"].shape[-1] == 3

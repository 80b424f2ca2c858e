"""The zero-shot scripts of chapters 3 and 4 as their user runs them, with a tiny budget."""

import contextlib
import json

import numpy as np
import pytest

from chapters.ch03_prototypical import train_zero_shot as prototypical
from chapters.ch03_prototypical.presets import SCRIPTS as SCRIPTS_3
from chapters.ch03_prototypical.presets import ZERO_SHOT
from chapters.ch04_relation_matching import train_zero_shot as relation
from chapters.engine import configuration
from chapters.engine.errors import ConfigError
from chapters.experiments import zero_shot
from chapters.experiments.zero_shot import baselines
from datasets.sets import sources
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

TINY = [
    "--h-dim", "4", "--z-dim", "4", "--feature-steps", "2", "--steps", "4",
    "--steps-per-epoch", "2", "--steps-per-call", "2", "--validation-episodes", "2",
    "--test-episodes", "5", "--way", "4",
]  # fmt: skip
BASELINES = {"chance", "mean of the seen classes, by shared words", "ridge regression of words"}
SCRIPTS = {
    "zero-shot prototypical network": prototypical.main,
    "zero-shot relation network": relation.main,
}


def here(preset):
    """Data of a preset that need no download: emoji become painted signs."""
    if preset == "braille" and not sources.find("omniglot"):
        pytest.skip("Omniglot is not on this machine")
    emoji = ["--data", "painted_signs"]
    return emoji if preset == "emoji" else ["--splits", "2"]


@pytest.mark.parametrize(
    ("method", "preset"),
    [
        pytest.param(method, *preset.values, marks=preset.marks, id=f"{method}-{preset.values[0]}")
        for method, fast in zip(SCRIPTS, (("quick", "emoji"), ("quick",)), strict=True)
        for preset in each(ZERO_SHOT, fast)
    ],
)
def test_every_preset_runs_with_a_tiny_budget(method, preset, tmp_path, capsys):
    run = tmp_path / "run"
    exported = ["--export", str(tmp_path / "exported")] if preset == "quick" else []
    arguments = ["--preset", preset, *TINY, *here(preset), "--run", str(run), *exported]
    with without_graphs() if preset == "emoji" else contextlib.nullcontext():
        SCRIPTS[method](arguments)
    metrics = json.loads((run / "metrics.json").read_text())
    assert {row["method"] for row in metrics["results"]} == {
        *BASELINES,
        method,
        *(f"{method} minus {rival}" for rival in (baselines.MEAN, baselines.RIDGE)),
    }
    several = preset != "emoji"
    assert {row["runs"] for row in metrics["results"]} == {2 if several else None}
    (headline,) = (row for row in metrics["results"] if row["headline"])
    assert headline["method"] == method
    chance = next(row for row in metrics["results"] if row["method"] == "chance")
    assert chance["mean"] == pytest.approx(1 / chance["way"])
    assert (run / "descriptions.png").exists() and (run / "model.weights.h5").exists()
    assert (run / "learning_curve.png").exists() != several
    out = capsys.readouterr().out
    assert ("Draw 2, unseen:" in out) == several
    assert bool(exported) == ("SavedModel in" in out)


def test_a_network_that_begins_at_regression_answers_as_it():
    config = configuration.parse(SCRIPTS_3["train_zero_shot"], ["--start", "regression"])
    drawn = zero_shot.split(zero_shot.load(config), config, 0)
    learner = prototypical.build_learner(config, drawn.described.shape[1])
    prototypical.begin_at_regression(learner, drawn)
    means = baselines.class_means(learner.encoder, drawn)
    ridge = baselines.ridge(means, drawn)
    inputs = {name: x[None] for name, x in zero_shot.example(drawn).items()}
    found, expected = learner(inputs), baselines.nearest(learner.encoder, ridge)(inputs)
    # baselines leave out |z|^2, which is the same for all classes
    apart = np.asarray(found - expected)  # [task, query, way]
    scale = np.abs(found).max()
    np.testing.assert_allclose(apart - apart[..., :1], 0, atol=1e-4 * scale)


def test_a_finished_run_is_resumed_without_training(tmp_path):
    arguments = [*TINY, "--splits", "2", "--run", str(tmp_path / "run")]
    with without_graphs():
        prototypical.main(arguments)
        first = json.loads((tmp_path / "run/metrics.json").read_text())["results"]
        prototypical.main([*arguments, "--resume"])
    assert json.loads((tmp_path / "run/metrics.json").read_text())["results"] == first


@pytest.mark.parametrize("main", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "painted_signs", "--unseen", "4"], "--unseen is for --data digits or braille"),
        (["--black"], "--black is for --data emoji or painted_signs"),
        (["--query", "1"], "--query is 1; it must be at least 2"),
        (["--strategy", "mirrored"], "--strategy does not apply"),
    ],
)
def test_options_without_effect_are_refused(main, arguments, sentence, tmp_path):
    with pytest.raises(ConfigError, match=sentence):
        main([*arguments, "--run", str(tmp_path / "run")])

"""The acting scripts of chapters 6 and 7 as their users run them, with tiny budgets."""

import contextlib
import json

import numpy as np
import pytest
import tensorflow as tf

from chapters.ch06_maml import train_acting as maml
from chapters.ch06_maml.presets import ACTING as MAML_PRESETS
from chapters.ch06_maml.presets import SCRIPTS as MAML_SCRIPTS
from chapters.ch07_meta_sgd_reptile import meta_sgd_rl, policy_gradient
from chapters.ch07_meta_sgd_reptile import train_acting as meta_sgd
from chapters.ch07_meta_sgd_reptile.policy_gradient import act_and_adapt
from chapters.ch07_meta_sgd_reptile.presets import ACTING as META_SGD_PRESETS
from chapters.engine import checkpoints, configuration
from chapters.engine.errors import ConfigError
from chapters.engine.evaluation import Conditions
from chapters.experiments import acting
from chapters.experiments.acting.testing import measured
from chapters.experiments.acting.trajectories import rollout
from tests.chapters.graphs import without_graphs
from tests.chapters.presets import each

TINY = [
    "--horizon", "3", "--tasks", "2", "--trajectories", "3", "--hidden", "4", "--steps", "2",
    "--steps-per-epoch", "1", "--test-tasks", "3", "--test-trajectories", "3",
]  # fmt: skip
MAINS = {"MAML": maml.main, "Meta-SGD": meta_sgd.main}


@pytest.fixture
def in_short():
    """Functions run without being compiled."""
    with without_graphs():
        yield


def results(folder):
    return json.loads((folder / "metrics.json").read_text())["results"]


@pytest.mark.parametrize(
    ("method", "preset"),
    [
        pytest.param(method, *one.values, marks=one.marks, id=f"{method}-{one.values[0]}")
        for method, presets, fast in (
            ("MAML", MAML_PRESETS, ("quick", "bandits")),
            ("Meta-SGD", META_SGD_PRESETS, ("quick",)),
        )
        for one in each(presets, fast)
    ],
)
def test_every_preset_runs_with_a_tiny_budget(method, preset, tmp_path):
    with contextlib.nullcontext() if preset == "quick" and method == "MAML" else without_graphs():
        run = ["--run", str(tmp_path / "run"), "--seeds", "1"]
        MAINS[method](["--preset", preset, *TINY, *run])
    found = results(tmp_path / "run")
    world = preset if preset in ("bandits", "cheetah") else "navigation"
    bandits = world == "bandits"
    measures = {"return", "return_squared"} if world == "navigation" else {"return"}
    regrets = [row for row in found if row["measure"].startswith("regret")]
    found = [row for row in found if row not in regrets]
    # four phases of 3 x 3 pulls, of the contenders, Thompson sampling and chance
    assert {row["measure"] for row in regrets} == (
        {f"regret_after_{pulls}_pulls" for pulls in (9, 18, 27, 36)} if bandits else set()
    )
    assert len(regrets) == (4 * 5 if bandits else 0)
    assert {row["measure"].partition("_after")[0] for row in found} == measures
    known = set() if world == "cheetah" else {"knows the goal"}
    beside = {"trained on all tasks", "random start"}
    assert {row["method"] for row in found} == {method} | beside | known
    of_method = [row for row in found if row["method"] == method]
    assert len(of_method) == 4 * len(measures)  # after 0, 1, 2 and 3 steps
    (headline,) = (row for row in of_method if row["headline"])
    assert headline["measure"] == "return_after_3_steps"
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"learning_curve.png", "return_by_steps.png", "model.weights.h5"} <= files
    assert ("paths.png" in files) != bandits and ("regret.png" in files) == bandits


def test_seeds_are_policies_of_their_own_in_the_same_tasks(tmp_path, in_short):
    arguments = [*TINY, "--steps", "1", "--horizon", "2", "--shown-steps", "0", "--seeds", "2"]
    maml.main([*arguments, "--run", str(tmp_path)])
    rows = [row for row in results(tmp_path) if row["method"] == "MAML"]
    assert all(row["runs"] == 2 and len(set(row["values"])) == 2 for row in rows)
    config = configuration.parse(MAML_SCRIPTS["train_acting"], arguments)
    learner = maml.build_learner(config)
    learner.load_weights(tmp_path / "model.weights.h5")
    for seed, same in ((0, True), (1, False)):  # the first seed's stand for the run
        folder = max((tmp_path / f"seed-{seed}" / "checkpoints").iterdir())
        with np.load(folder / "arrays.npz") as arrays:
            kept = [arrays[f"model/{k:04d}"] for k in range(len(learner.variables))]
        equal = [np.array_equal(a, b) for a, b in zip(kept, learner.variables, strict=True)]
        assert all(equal) == same


def test_a_run_that_was_stopped_ends_with_the_same_bits(tmp_path, monkeypatch, in_short):
    arguments = ["--preset", "quick", *TINY, "--shown-steps", "0,1"]
    maml.main([*arguments, "--run", str(tmp_path / "whole")])
    saved = checkpoints.save

    def stop(folder, step, *rest):
        saved(folder, step, *rest)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints, "save", stop)
        maml.main([*arguments, "--run", str(tmp_path / "run")])
    maml.main([*arguments, "--run", str(tmp_path / "run"), "--resume"])
    assert results(tmp_path / "run") == results(tmp_path / "whole")


def test_the_joint_training_sees_as_many_trajectories():
    config = configuration.build(MAML_SCRIPTS["train_acting"], "quick", {"inner_steps": 2})
    joint = acting.joint(config)
    assert joint.inner_steps == 0
    assert joint.trajectories == 3 * config.trajectories


def test_returns_of_both_definitions_are_of_the_same_trajectories():
    rewards = tf.constant([[[-0.5, -0.2, 0.0]]])
    for reward in ("distance", "squared"):
        world = acting.make_world(
            configuration.build(MAML_SCRIPTS["train_acting"], "quick", {"reward": reward})
        )
        paid = rewards if reward == "distance" else -(rewards**2)
        found = measured(world, paid)
        np.testing.assert_allclose(found["distance"], [[-0.7]], rtol=1e-6)
        np.testing.assert_allclose(found["squared"], [[-0.29]], rtol=1e-6)


def test_a_policy_is_tested_again_as_asked():
    config = configuration.parse(MAML_SCRIPTS["train_acting"], TINY)
    learner = maml.build_learner(config)
    rows = acting.evaluate(learner, config, Conditions(episodes=2, seed=5))
    assert {row["episodes"] for row in rows} == {2} and {row["seed"] for row in rows} == {5}
    with pytest.raises(ConfigError, match="a policy has no classes"):
        acting.evaluate(learner, config, Conditions(way=5))


def test_e7_7_trajectories_after_the_step_are_of_the_adapted_policy(monkeypatch):
    config = configuration.parse(MAML_SCRIPTS["train_acting"], TINY)
    world, recorded = acting.make_world(config), []
    learner = meta_sgd_rl.MetaSGDPolicy(acting.make_policy(config, world), rate=0.5)

    def watched(world, policy, weights, *arguments):
        recorded.append([np.array(w) for w in weights])
        return rollout(world, policy, weights, *arguments)

    monkeypatch.setattr(policy_gradient, "rollout", watched)
    task, _ = acting.Tasks(world, 2, 0)(0)
    _, weights, _ = act_and_adapt(learner, world, task, 3, tf.constant([0, 1]))
    before, after = recorded
    for one, other in zip(after, weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


def test_rates_of_meta_sgd_are_learned_and_part_of_what_trust_regions_move():
    config = configuration.parse(MAML_SCRIPTS["train_acting"], TINY)
    world = acting.make_world(config)
    learner = meta_sgd_rl.MetaSGDPolicy(acting.make_policy(config, world), rate=0.1)
    count = len(learner.policy.parameters())
    assert len(learner.parameters()) == 2 * count
    task, _ = acting.Tasks(world, 2, 0)(0)
    phases, weights, _ = act_and_adapt(learner, world, task, 3, tf.constant([0, 1]))
    theta = [tf.convert_to_tensor(v) for v in learner.parameters()]
    again = learner.adapted(theta, phases, 2)
    for one, other in zip(weights, again, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    doubled = [*theta[:count], *(2 * rate for rate in theta[count:])]
    for start, one, two in zip(
        learner.start(2), weights, learner.adapted(doubled, phases, 2), strict=True
    ):
        np.testing.assert_allclose(two - start, 2 * (one - start), rtol=1e-3, atol=1e-6)

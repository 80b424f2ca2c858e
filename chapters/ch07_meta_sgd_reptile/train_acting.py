"""Meta-SGD for reinforcement learning: where a policy starts, and how far each weight goes.

python -m chapters.ch07_meta_sgd_reptile.train_acting                      # a point in the plane
python -m chapters.ch07_meta_sgd_reptile.train_acting --preset navigation  # as long as the paper
python -m chapters.ch07_meta_sgd_reptile.train_acting --preset bandits     # slot machines
"""

import dataclasses

import keras

from chapters.ch07_meta_sgd_reptile import meta_sgd_rl, policy_gradient
from chapters.ch07_meta_sgd_reptile.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.runs import RunFolder
from chapters.experiments import acting

NAME = "Meta-SGD"


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_acting"], argv)
    device = script.prepare(config.seed)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", acting.describe(config), sep="\n")

    # Training: act, adapt, act with the adapted policy, and see what the start was worth. Beside
    # it: the same policy trained on all tasks at once, with as many trajectories, and not trained.
    contenders, loops = {NAME: [], acting.JOINT: [], acting.RANDOM: []}, []
    for seed in range(config.seed, config.seed + config.seeds):
        keras.utils.set_random_seed(seed)
        options = dataclasses.replace(config, seed=seed)
        part = run.sub(f"seed-{seed}") if config.seeds > 1 else run
        learner, loop = train(options, part)
        joint, its_loop = train(acting.joint(options), part.sub("joint"))
        beside = learner, joint, build_learner(options)
        for learners, one in zip(contenders.values(), beside, strict=True):
            learners.append(one)
        loops += [loop, its_loop]
    first = contenders[NAME][0]  # stands for the run: chosen by its number, not by its score
    run.weights(first)

    found = acting.test(contenders, config)
    print(acting.table(found, config))
    rows = acting.rows(found, config)
    if config.world == "bandits":
        regrets = acting.regret.test(contenders, config)
        print(acting.regret.table(regrets, config))
        rows += acting.regret.rows(regrets, config)
        run.figure("regret", acting.regret.picture(regrets, config))
    seconds = sum(loop.seconds for loop in loops)
    run.metrics(NAME, rows, first, loops[0], seconds)

    run.figure("learning_curve", acting.pictures.learning_curve(loops[0].history))
    measure = next(iter(found[NAME]))
    run.figure("return_by_steps", acting.pictures.return_by_steps(found, measure))
    if config.world != "bandits":
        run.figure("paths", acting.pictures.picture(first, config))
    print(f"Weights, metrics and pictures are in {run.path}.")


def train(config, run: RunFolder):
    """A learner trained as the options say, and the loop that did it."""
    world = acting.make_world(config)
    training, validation = acting.samplers(config, world)
    learner = build_learner(config)
    optimizer = acting.outer_optimizer(config, learner.parameters())
    step = policy_gradient.outer_step(
        learner, optimizer, world, config.trajectories, config.outer, config.bound
    )
    loop = acting.loop(step, learner, optimizer, training, validation, run, config)
    loop()
    return learner, loop


def build_learner(config):
    """The learner of the options, not trained."""
    return meta_sgd_rl.MetaSGDPolicy(
        acting.make_policy(config, acting.make_world(config)),
        config.inner_rate or None,
        config.inner_steps,
        config.first_order,
        config.inner,
        config.discount,
    )


if __name__ == "__main__":
    script.run(main)

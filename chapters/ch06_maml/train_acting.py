"""MAML for reinforcement learning: a policy that finds a goal it cannot see after one step.

python -m chapters.ch06_maml.train_acting                       # a point in the plane, short
python -m chapters.ch06_maml.train_acting --preset navigation   # the paper's experiment
python -m chapters.ch06_maml.train_acting --preset bandits      # the book's slot machines
"""

from chapters.ch06_maml import maml_rl, policy_gradient
from chapters.ch06_maml.presets import SCRIPTS
from chapters.engine import configuration, script
from chapters.engine.runs import RunFolder
from chapters.experiments import acting

NAME = "MAML"


def main(argv: list[str] | None = None) -> None:
    """Run the script with command-line arguments ``argv``."""
    config = configuration.parse(SCRIPTS["train_acting"], argv)
    device = script.prepare(config.seed)
    run = RunFolder.open(config, __spec__.name, device)
    print(f"Device: {device}. Run folder: {run.path}.", acting.describe(config), sep="\n")

    # Training: act, adapt, act with the adapted policy, and see what the start was worth.
    learner, loop = train(config, run)
    run.weights(learner)

    # Beside it: the same policy trained on all tasks at once, with as many trajectories, and not.
    joint, _ = train(acting.joint(config), run.sub("joint"))
    contenders = {NAME: learner, acting.JOINT: joint, acting.RANDOM: build_learner(config)}
    found = acting.test(contenders, config)
    print(acting.table(found, config))
    run.metrics(NAME, acting.rows(found, config), learner, loop)

    run.figure("learning_curve", acting.pictures.learning_curve(loop.history))
    measure = next(iter(found[NAME]))
    run.figure("return_by_steps", acting.pictures.return_by_steps(found, measure))
    if config.world == "navigation":
        world = acting.make_world(config)
        run.figure("paths", acting.pictures.paths(learner, world, config))
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
    return maml_rl.MAMLPolicy(
        acting.make_policy(config, acting.make_world(config)),
        config.inner_rate,
        config.inner_steps,
        config.first_order,
        config.inner,
        config.discount,
    )


if __name__ == "__main__":
    script.run(main)

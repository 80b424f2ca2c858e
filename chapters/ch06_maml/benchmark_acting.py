"""How fast trajectories are made: inside the graph, and by gymnasium's vector environment.

    pip install -r requirements-acting.txt
    python -m chapters.ch06_maml.benchmark_acting

2-D navigation, 20 tasks, 20 trajectories of 100 steps, a policy of its own for each task (two
layers of 100). gymnasium steps 400 environments: those that this project registers, and as fast
as it gets, written in NumPy for this purpose; the policy is NumPy too. All are measured in turns in
one run; what counts are the ratios. Without gymnasium its lines are left out. The outer step (TRPO)
is timed beside them.
"""

import numpy as np
import tensorflow as tf

from chapters.ch06_maml import policy_gradient, train_acting
from chapters.ch06_maml.presets import SCRIPTS
from chapters.engine import script, timing
from chapters.engine.configuration import Parser, build
from chapters.experiments import acting
from chapters.experiments.acting.trajectories import rollout
from datasets.worlds.navigation import NEAR, STEP

OURS, GYM = "in the graph", "gymnasium, written in NumPy"
REGISTERED, SOME = "gymnasium, metazoo/Navigation-v0", 2  # so many steps are timed, for all


def main(argv: list[str] | None = None) -> None:
    """Print seconds and ratios."""
    parser = Parser(description="Trajectories in the graph and by gymnasium.")
    timing.add_repeats(parser, default=10)
    options = parser.parse_args(argv)
    print(f"Device: {script.prepare(seed=0)}.")
    config = build(SCRIPTS["train_acting"], "navigation", {"preset": "navigation"})
    world, learner = acting.make_world(config), train_acting.build_learner(config)
    task, _ = acting.Tasks(world, config.tasks, 0)(0)
    functions = {OURS: in_graph(world, learner, task, config.trajectories)}
    try:
        functions[GYM] = by_gymnasium(learner, task.numpy(), config, config.horizon)
        functions[REGISTERED] = by_gymnasium(learner, task.numpy(), config, SOME, registered=True)
    except ImportError:
        print("gymnasium is not installed (pip install -r requirements-acting.txt).")
    medians = {
        name: float(np.median(seconds)) * (config.horizon / SOME if name == REGISTERED else 1)
        for name, seconds in timing.time_in_turns(functions, options.repeats).items()
    }
    print(f"\n{config.tasks} tasks, {config.trajectories} trajectories, {config.horizon} steps:")
    for name, seconds in medians.items():
        print(f"{name:34}{1e3 * seconds:10.1f} ms{seconds / medians[OURS]:10.1f} x ours")

    step = outer_step(world, learner, task, config)
    seconds = np.median(timing.time_in_turns({"step": step}, min(options.repeats, 5))["step"])
    print(f"\nAn outer step: {seconds:.2f} s; a hundred of them: {100 * seconds / 60:.1f} minutes.")


def in_graph(world, learner, task, trajectories: int):
    """A function that draws all trajectories with the first weights."""
    weights = learner.start(task.shape[0])

    @tf.function(autograph=False, jit_compile=True)  # as in training
    def draw(seed):
        return rollout(world, learner.policy, weights, task, trajectories, seed)

    return lambda: draw(tf.constant([0, 1])).reward.numpy()


def outer_step(world, learner, task, config):
    """A function that adapts to all tasks and takes the outer step."""
    optimizer = acting.outer_optimizer(config, learner.parameters())
    step = tf.function(
        policy_gradient.outer_step(learner, optimizer, world, config.trajectories),
        autograph=False,
        jit_compile=True,
    )
    return lambda: float(step((task, ()), tf.constant([0, 1]))["loss"])


def by_gymnasium(learner, goals: np.ndarray, config, steps: int, registered: bool = False):
    """The same with a vector of environments: all tasks and trajectories step at once.

    Args:
        learner: whose policy acts.
        goals: [task, 2].
        config: options of the run.
        steps: how many.
        registered: step the project's own environments, whatever their goals are.
    """
    import gymnasium

    from datasets.worlds import gym  # noqa: F401 - registers them

    class Point(gymnasium.Env):
        """Navigation with one goal, in NumPy."""

        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

        def __init__(self, goal):
            self.goal, self.place = goal, np.zeros(2, np.float32)

        def reset(self, *, seed=None, options=None):
            """Back to the origin."""
            super().reset(seed=seed)
            self.place = np.zeros(2, np.float32)
            return self.place, {}

        def step(self, action):
            """Move, and be paid for being near."""
            self.place = self.place + STEP * np.clip(action, -1, 1)
            apart = self.goal - self.place
            distance = float(np.sqrt(apart @ apart))
            return self.place, -distance, distance < NEAR, False, {}

    repeated = np.repeat(goals, config.trajectories, axis=0)
    makers = [lambda goal=goal: Point(goal) for goal in repeated]
    if registered:
        makers = [lambda: gymnasium.make("metazoo/Navigation-v0")] * len(repeated)
    vector = gymnasium.vector.SyncVectorEnv(makers)
    weights = [w.numpy() for w in learner.start(len(goals))]
    *layers, log_std = weights
    pairs = list(zip(layers[::2], layers[1::2], strict=True))
    rng = np.random.default_rng(0)

    def policy(seen):
        """Actions [task * trajectory, action] of observations in the same rows."""
        x = seen.reshape(len(goals), config.trajectories, -1)  # [task, trajectory, observation]
        for number, (kernel, bias) in enumerate(pairs):
            x = x @ kernel + bias[:, None]
            x = np.maximum(x, 0) if number < len(pairs) - 1 else x
        action = x + np.exp(log_std)[:, None] * rng.standard_normal(x.shape, np.float32)
        return np.clip(action.reshape(-1, action.shape[-1]), -1, 1)

    def draw():
        seen, _ = vector.reset(seed=0)
        rewards = np.empty([steps, len(repeated)])
        for time in range(steps):
            seen, rewards[time], *_ = vector.step(policy(seen))
        return rewards

    return draw


if __name__ == "__main__":
    script.run(main)

"""Returns of adapted policies in tasks never seen: test, table, rows, and the same for the zoo."""

import dataclasses

import numpy as np
import tensorflow as tf

from chapters.engine.evaluation import Conditions, interval95_over
from chapters.engine.results import Measure, Result, after_steps
from chapters.experiments.acting.tasks import TEST, Tasks, make_world
from chapters.experiments.acting.trajectories import rollout
from chapters.experiments.options import ActingOptions, shown_steps
from datasets.worlds import Bandits, Cheetah, Navigation

RETURN = {
    "distance": Measure("return", "return, minus distances", digits=2, better="larger"),
    "squared": Measure("return_squared", "return, minus squares", digits=2, better="larger"),
    "way": Measure("return", "return", digits=1, better="larger"),
    "pulls": Measure("return", "return per pull", digits=3, better="larger"),
}
ORACLE, RANDOM, JOINT = "knows the goal", "random start", "trained on all tasks"
# name -> measure -> inner steps -> return [seed, task]
Returns = dict[str, dict[str, dict[int, np.ndarray]]]


def measured(world, reward) -> dict:
    """Returns under each definition: rewards [..., time] -> name of a measure -> [...]."""
    if isinstance(world, Bandits):
        return {"pulls": tf.reduce_mean(reward, axis=-1)}
    if isinstance(world, Cheetah):
        return {"way": tf.reduce_sum(reward, axis=-1)}
    distance = -reward if world.reward == "distance" else tf.sqrt(-reward)
    return {
        "distance": -tf.reduce_sum(distance, axis=-1),
        "squared": -tf.reduce_sum(distance**2, axis=-1),
    }


def phases(learner, world, task, config: ActingOptions, seed: int):
    """Yields number of inner steps, and trajectories of the policies that took them.

    New trajectories are drawn after every step; the first has the rate of the training and the
    others half of it, as in the paper.
    """
    count = config.test_trajectories

    @tf.function(autograph=False)
    def phase(weights, seeds, share):
        drawn = rollout(world, learner.policy, weights, task, count, seeds)
        return drawn, learner.step_on(weights, drawn, share)

    weights = learner.start(config.test_tasks)
    for number in range(max(shown_steps(config)) + 1):
        share = tf.constant(1.0 if number == 0 else 0.5)
        drawn, weights = phase(weights, tf.constant([seed, number]), share)
        yield number, drawn


def adapted_returns(learner, world, task, config: ActingOptions, seed: int) -> dict:
    """What a learner earns after each of the shown numbers of steps: measure -> steps -> [task]."""
    found = {}
    for number, drawn in phases(learner, world, task, config, seed):
        if number in shown_steps(config):
            for name, values in measured(world, drawn.reward).items():
                found.setdefault(name, {})[number] = tf.reduce_mean(values, axis=1).numpy()
    return found


def test(contenders: dict[str, list], config: ActingOptions) -> Returns:
    """Returns of every contender in the same tasks, and of one that knows the goal in closed form.

    Args:
        contenders: name -> learners, one of each seed.
        config: options of the run.
    """
    world = make_world(config)
    seed = config.seed + TEST
    task, _ = Tasks(world, config.test_tasks, seed)(0)
    found = {
        name: _stacked([adapted_returns(one, world, task, config, seed) for one in learners])
        for name, learners in contenders.items()
    }
    # how much can be earned on four legs is not known
    known = {} if isinstance(world, Cheetah) else {ORACLE: _stacked([_oracle(world, task)])}
    return {**found, **known}


def _stacked(of_seeds: list[dict]) -> dict:
    """[seed] measure -> steps -> [task], as measure -> steps -> [seed, task]."""
    return {
        name: {steps: np.stack([one[name][steps] for one in of_seeds]) for steps in by_steps}
        for name, by_steps in of_seeds[0].items()
    }


def _oracle(world, task) -> dict:
    if isinstance(world, Navigation):
        return {
            reward: {0: Navigation(world.horizon, reward).best_return(task).numpy()}
            for reward in ("distance", "squared")
        }
    return {"pulls": {0: tf.reduce_max(task, axis=-1).numpy()}}


def table(found: Returns, config: ActingOptions) -> str:
    """Returns as text, a line per contender and a column per number of inner steps."""
    shown = shown_steps(config)
    over = f"{config.seeds} seeds (Student's t)" if config.seeds > 1 else "tasks"
    width = max(map(len, found)) + 2
    lines = []
    for name in next(iter(found.values())):
        measure = RETURN[name]
        lines += [
            f"\nMean {measure.label} in {config.test_tasks} {_which(config)}, "
            f"{config.test_trajectories} trajectories, 95 % interval over {over},\nafter that "
            "many inner steps:\n",
            " " * width + "".join(f"{steps}".rjust(17) for steps in shown),
        ]
        for who, by_measure in found.items():
            by_steps = by_measure[name]
            cells = [
                f"{by_steps[k].mean():.{measure.digits}f} +- {interval95_over(by_steps[k]):.2f}"
                for k in shown
                if k in by_steps
            ]
            lines.append(who.ljust(width) + "".join(cell.rjust(17) for cell in cells))
    return "\n".join(lines) + "\n"


def _which(config: ActingOptions) -> str:
    """What the tasks of a test are, beside those of the training."""
    return "tasks, half of each kind" if config.world == "cheetah" else "tasks never seen"


def rows(found: Returns, config: ActingOptions) -> list[dict]:
    """Rows of ``metrics.json``."""
    most = max(shown_steps(config))
    return [
        Result(
            method=who,
            measure=after_steps(RETURN[name], steps),
            mean=float(values.mean(dtype=np.float64)),
            interval=interval95_over(values),
            data=data_of(config),
            seed=config.seed,
            tested="tasks",
            episodes=values.shape[1],
            runs=len(values) if len(values) > 1 else None,
            headline=steps == most and name == next(iter(by_measure)),
            rival=who != ORACLE,
        ).row()
        | {"values": values.mean(axis=1, dtype=np.float64).tolist()}
        for who, by_measure in found.items()
        for name, by_steps in by_measure.items()
        for steps, values in by_steps.items()
    ]


def data_of(config: ActingOptions) -> str:
    """What stands for a set of data in results."""
    return f"{config.world}, {config.horizon} steps"


def evaluate(learner, config: ActingOptions, given: Conditions) -> list[dict]:
    """Rows of the returns in fresh tasks, as asked; ``given.episodes`` are tasks.

    Raises:
        ConfigError: what is asked does not fit acting.
    """
    given.check("a policy has no classes", way=(), shot=(), query=())
    given.check("a policy has no batch norm", batch_norm=())
    config = dataclasses.replace(config, seed=given.seed, test_tasks=given.episodes, seeds=1)
    found = test({"": [learner]}, config)
    return [row for row in rows(found, config) if row["method"] == ""]

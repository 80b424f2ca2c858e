"""Regret of slot machines: what the best arm would have paid more, summed over all pulls.

Adapting has a price: the pulls of all trajectories before a step count, in the order in which they
were made. Beside it stands Thompson sampling, which knows nothing of other machines and adapts
after every pull.
"""

import numpy as np
import tensorflow as tf

from chapters.engine.evaluation import interval95_over
from chapters.engine.figures import WIDTH, legend, plt, style
from chapters.engine.results import Measure, Result
from chapters.experiments.acting.tasks import TEST, Tasks, make_world
from chapters.experiments.acting.testing import data_of, phases

THOMPSON, PULLS_AT_RANDOM = "Thompson sampling", "pulls at random"
Regrets = dict[str, np.ndarray]  # name -> regret after each pull [seed, task, pull]


def test(contenders: dict[str, list], config) -> Regrets:
    """Regret of every contender on the same machines, of Thompson sampling and of pure chance.

    Args:
        contenders: name -> learners, one of each seed.
        config: options of the run.
    """
    world, seed = make_world(config), config.seed + TEST
    task, _ = Tasks(world, config.test_tasks, seed)(0)
    found = {
        name: np.stack([of_learner(one, world, task, config, seed) for one in learners])
        for name, learners in contenders.items()
    }
    chances, pulls = task.numpy(), next(iter(found.values())).shape[-1]
    return {**found, THOMPSON: thompson(chances, pulls, seed)[None],
            PULLS_AT_RANDOM: at_random(chances, pulls)[None]}  # fmt: skip


def of_learner(learner, world, task, config, seed: int) -> np.ndarray:
    """Regret after each pull, those before the first inner step included: [task, pull]."""
    gap = tf.reduce_max(task, axis=-1, keepdims=True) - task  # [task, arm]
    lost = []
    for _, drawn in phases(learner, world, task, config, seed):
        each = tf.gather(gap, drawn.action, batch_dims=1)  # [task, trajectory, time]
        lost.append(tf.reshape(each, [each.shape[0], -1]).numpy())  # one trajectory after another
    return np.cumsum(np.concatenate(lost, axis=1), axis=1, dtype=np.float64)


def thompson(chances: np.ndarray, pulls: int, seed: int) -> np.ndarray:
    """Regret of Thompson sampling after each pull: [task, pull] (Thompson, 1933).

    It pulls the arm whose draw from Beta(1 + wins, 1 + losses) is the largest.

    Args:
        chances: of the arms [task, arm].
        pulls: how many.
        seed: of its draws, and of what the arms pay.
    """
    rng, rows = np.random.default_rng(seed), np.arange(len(chances))
    wins, losses = np.zeros_like(chances), np.zeros_like(chances)
    lost = np.zeros([len(chances), pulls])
    for pull in range(pulls):
        arm = rng.beta(1 + wins, 1 + losses).argmax(axis=1)  # [task]
        paid = rng.random(len(chances)) < chances[rows, arm]
        wins[rows, arm] += paid
        losses[rows, arm] += ~paid
        lost[:, pull] = chances.max(axis=1) - chances[rows, arm]
    return np.cumsum(lost, axis=1)


def at_random(chances: np.ndarray, pulls: int) -> np.ndarray:
    """Mean regret of pulling every arm as often: [task, pull]."""
    gap = chances.max(axis=1) - chances.mean(axis=1)  # [task]
    return gap[:, None].astype(np.float64) * np.arange(1, pulls + 1)


def ends(config, pulls: int) -> list[int]:
    """Numbers of pulls after which an inner step is taken, or the test ends."""
    phase = config.horizon * config.test_trajectories
    return list(range(phase, pulls + 1, phase))


def table(found: Regrets, config) -> str:
    """Regret as text, a column for every end of a phase."""
    shown = ends(config, next(iter(found.values())).shape[-1])
    width = max(map(len, found)) + 2
    lines = [
        "\nMean regret after that many pulls; an inner step follows all but the last:\n",
        " " * width + "".join(f"{pulls}".rjust(17) for pulls in shown),
    ]
    for name, values in found.items():
        cells = [
            f"{at.mean():.1f} +- {interval95_over(at):.1f}"
            for at in (values[..., pulls - 1] for pulls in shown)
        ]
        lines.append(name.ljust(width) + "".join(cell.rjust(17) for cell in cells))
    return "\n".join(lines) + "\n"


def rows(found: Regrets, config) -> list[dict]:
    """Rows of ``metrics.json``."""
    return [
        Result(
            method=name,
            measure=Measure(f"regret_after_{pulls}_pulls", f"regret after {pulls} pulls", digits=1),
            mean=float(values[..., pulls - 1].mean()),
            interval=interval95_over(values[..., pulls - 1]),
            data=data_of(config),
            seed=config.seed,
            tested="tasks",
            episodes=values.shape[1],
            runs=len(values) if len(values) > 1 else None,
            rival=False,  # another question than that of the headline
        ).row()
        for name, values in found.items()
        for pulls in ends(config, values.shape[-1])
    ]


def picture(found: Regrets, config):
    """Mean regret against pulls, a line per contender; grey where an inner step is taken."""
    figure, axis = plt.subplots(figsize=(WIDTH, 3.8), layout="constrained")
    for name, values in found.items():
        pulls = np.arange(1, values.shape[-1] + 1)
        axis.plot(pulls, values.mean(axis=(0, 1)), **style(name), label=name)
    for end in ends(config, len(pulls))[:-1]:
        axis.axvline(end, color="0.85", linewidth=1, zorder=0)
    axis.set(xlabel="pulls; an inner step at every grey line", ylabel="regret")
    axis.set_ylim(bottom=0)
    legend(figure)
    return figure

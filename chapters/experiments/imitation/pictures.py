"""Pictures of imitation: where arms end after a demonstration, and a film of one that follows."""

import numpy as np
import tensorflow as tf

from chapters.engine.figures import NEUTRAL, RIGHT, WIDTH, WRONG, plt
from chapters.experiments.imitation.tasks import TEST, sampler
from chapters.experiments.imitation.testing import outcome
from datasets.worlds.reacher import NEAR

TASKS = 4  # of a picture
SIDE = 96  # pixels of what is drawn for people, whatever a policy sees
MARGIN = 4  # pixels between the panels of a film
LAST = 8  # how often the last frame of a film is shown


def imitation(policies: dict, config):
    """Demonstrations, new beginnings, and where the arm of each policy ends.

    Args:
        policies: name -> a policy.
        config: options of the run.
    """
    demonstrations = sampler(config, TEST, TASKS)
    task, shown = demonstrations.shown(0)
    ends = {name: outcome(policy, demonstrations, 1) for name, policy in policies.items()}
    beginning = next(iter(ends.values())).states[0]
    own, other = demonstrations.world, demonstrations.shown_by
    last = config.horizon - 1
    columns = {
        "demonstration begins": _drawn(other, task, _at(shown, 0)),
        "and ends": _drawn(other, task, _at(shown, last)),
        "new beginning": _drawn(own, task, beginning),
        **{name: _drawn(own, task, end.states[-1]) for name, end in ends.items()},
    }
    figure, axes = plt.subplots(TASKS, len(columns), figsize=(WIDTH, 1.5 * TASKS + 0.5),
                                layout="constrained", squeeze=False)  # fmt: skip
    for column, (name, pictures) in enumerate(columns.items()):
        axes[0, column].set_title(name.replace(" a ", " a\n"), fontsize=9)
        for row in range(TASKS):
            axis = axes[row, column]
            axis.imshow(pictures[row])
            axis.set(xticks=[], yticks=[])
            colour, wide = NEUTRAL, 0.8
            if name in ends:
                touches = ends[name].distance[row, 0, 0] < NEAR
                colour, wide = RIGHT if touches else WRONG, 3
            for side in axis.spines.values():
                side.set(color=colour, linewidth=wide, visible=True)
    return figure


def film(policy, config) -> list[np.ndarray]:
    """Demonstrations above, and below them the arm that has seen them, frame by frame.

    Returns:
        pictures of bytes [row, column, 3].
    """
    demonstrations = sampler(config, TEST, TASKS)
    task, shown = demonstrations.shown(0)
    states = outcome(policy, demonstrations, 1).states[:-1]  # as demonstrations are: before a step
    frames = []
    for time, state in enumerate(states):
        above = _drawn(demonstrations.shown_by, task, _at(shown, time))
        below = _drawn(demonstrations.world, task, state)
        rows = [np.concatenate(_framed(pictures), axis=1) for pictures in (above, below)]
        frames.append((255 * np.concatenate(rows)).astype(np.uint8))
    return frames + [frames[-1]] * LAST


def picture(policy, config, width: float):
    """Demonstrations and where the arm ends, as the zoo shows a policy."""
    figure = imitation({"after it": policy}, config)
    figure.set_figwidth(min(width, figure.get_figwidth()))
    return figure


def _at(states, step: int):
    """The states of one step, of all tasks: [task, 1, ...]."""
    return tf.nest.map_structure(lambda x: x[:, step : step + 1], states)


def _drawn(world, task, state) -> np.ndarray:
    """[task, side, side, 3]."""
    return world.picture(task, state, SIDE)[:, 0].numpy()


def _framed(pictures) -> list[np.ndarray]:
    """White around each picture."""
    edges = ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
    return [np.pad(picture, edges, constant_values=1.0) for picture in pictures]

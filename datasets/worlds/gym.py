"""The worlds as gymnasium environments, one task and one trajectory at a time.

For other people's algorithms; training here rolls out inside one graph. This file alone needs
``gymnasium``: ``pip install -r requirements-acting.txt``.

    import gymnasium
    from datasets.worlds import gym   # registers them
    environment = gymnasium.make("metazoo/Navigation-v0", task_seed=3)

The task follows from ``task_seed`` and stays over ``reset``: a goal that moves with every episode
would be another problem. ``reset(seed=...)`` decides what chance does after that.
"""

import gymnasium
import numpy as np
import tensorflow as tf

from datasets.errors import DataError
from datasets.worlds import WORLDS

SIDE = 96  # pixels of a picture for people


class Environment(gymnasium.Env):
    """A world with one task, as gymnasium has it.

    Args:
        world: key of ``WORLDS``.
        task_seed: which task.
        render_mode: ``rgb_array`` for pictures, where the world draws itself.
        options: of the world.

    Raises:
        DataError: pictures of a world that has none.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, world: str, task_seed: int = 0, render_mode=None, **options):
        self.world, self.render_mode = WORLDS[world](**options), render_mode
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise DataError(f"render_mode is {render_mode!r}; the only one is 'rgb_array'.")
        if render_mode and not hasattr(self.world, "picture"):
            raise DataError(f"{world} draws no pictures; leave render_mode out.")
        self.task = self.world.tasks(1, tf.constant([task_seed, 0]))
        shape = (self.world.observation,)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, shape, np.float32)
        if self.world.discrete:
            self.action_space = gymnasium.spaces.Discrete(self.world.actions)
        else:
            limit = self.world.limit
            self.action_space = gymnasium.spaces.Box(
                -limit, limit, (self.world.actions,), np.float32
            )
        self._state, self._time, self._seed = None, 0, 0

    def reset(self, *, seed=None, options=None):
        """First observation; ``seed`` is of what chance does, not of the task."""
        super().reset(seed=seed)
        self._seed = int(self.np_random.integers(2**31 - 1))
        self._time = 0
        self._state = self.world.start(self.task, 1, tf.constant([self._seed, 0]))
        return self._seen(), {}

    def step(self, action):
        """Observation, reward, whether it has ended, whether time is up, nothing more."""
        if not self.action_space.contains(action):
            raise gymnasium.error.InvalidAction(
                f"Action {action!r} is none of {self.action_space}; give one that it contains."
            )
        kind = np.int32 if self.world.discrete else np.float32
        batched = tf.constant(np.asarray(action, kind)[None, None])  # [task, trajectory, ...]
        seed = tf.constant([self._seed, 1 + self._time])
        self._state, reward, ended = self.world.step(self.task, self._state, batched, seed)
        self._time += 1
        late = self._time >= self.world.horizon
        return self._seen(), float(reward[0, 0]), bool(ended[0, 0]), late, {}

    def render(self):
        """What a camera above sees: bytes [row, column, 3]; None without ``render_mode``."""
        if not self.render_mode:
            return None
        if self._state is None:
            raise gymnasium.error.ResetNeeded("There is nothing to see yet; call reset first.")
        drawn = self.world.picture(self.task, self._state, SIDE)[0, 0]
        return (255 * drawn.numpy()).astype(np.uint8)

    def _seen(self):
        return self.world.observe(self.task, self._state)[0, 0].numpy().astype(np.float32)


def register() -> None:
    """Make the worlds known to gymnasium; once is enough. Each ends at its own horizon."""
    for name in WORLDS:
        known = f"metazoo/{name.capitalize()}-v0"
        if known not in gymnasium.registry:
            gymnasium.register(known, Environment, kwargs={"world": name})


register()

"""MuJoCo's half-cheetah, paid for running forwards in some tasks and backwards in others.

The other worlds are tensor functions; this one asks a simulator of rigid bodies for every step, so
its trajectories take longer and XLA cannot compile them. All that the simulator knows is in the
state, and a step is a function of state and action: that of gymnasium's ``HalfCheetah-v5``, whose
model it reads. Finn et al. (2017), section 5.3, have the same two tasks.

Needs MuJoCo: ``pip install -r requirements-mujoco.txt``.
"""

import importlib.resources
import os

import numpy as np
import tensorflow as tf

from datasets.errors import DataError
from datasets.tasks import draws
from datasets.worlds.world import World

FRAMES = 5  # of the simulator, in each of which an action is held
COST = 0.05  # of the squared size of an action
NOISE = 0.1  # of the first pose and its speeds
JOINTS = 9  # numbers of a pose: place, height, tilt and the six joints that actions turn
PLACE, SPEEDS = 1, 1 + JOINTS  # where they begin in a state, whose first number is the time


class Cheetah(World):
    """Two tasks: forwards, 1, and backwards, -1.

    Args:
        horizon: steps of a trajectory.

    Raises:
        DataError: MuJoCo or gymnasium is not installed, or there is no step to act in.
    """

    name = "cheetah"
    observation = 2 * JOINTS - 1
    actions = 6
    compiled = False
    FORWARDS = JOINTS - 1  # of an observation: how fast it moves forwards

    def __init__(self, horizon: int = 200):
        super().__init__(horizon)
        self.simulator = Simulator()

    def tasks(self, count, seed):
        """Directions, each as often as the other: [task] of 1 and -1."""
        first = tf.cast(draws.uniform([], seed) < 0.5, tf.int32)
        return 1.0 - 2.0 * tf.cast((tf.range(count) + first) % 2, tf.float32)

    def start(self, task, trajectories, seed):
        """Standing, but for some noise: float64 [task, trajectory, state]."""
        pose, moving = tf.unstack(tf.random.split(seed))
        shape = [tf.shape(task)[0], trajectories, JOINTS]
        pose = NOISE * (2 * draws.uniform(shape, pose) - 1)
        numbers = tf.concat([pose, NOISE * draws.normal(shape, moving)], axis=-1)
        # [task, trajectory, time and pose and speeds]
        return tf.pad(tf.cast(numbers, tf.float64), [[0, 0], [0, 0], [1, 0]])

    def observe(self, task, state):
        """Pose and speeds without the place, and so without how far it has come: [..., 17]."""
        return tf.cast(state[..., PLACE + 1 :], tf.float32)

    def step(self, task, state, action, seed):
        """Push the joints; paid for the way made in the task's direction, less what it cost."""
        action = self.cut(action)
        moved = tf.numpy_function(self.simulator, [state, action], tf.float64)
        moved = tf.ensure_shape(moved, state.shape)
        way = tf.cast(moved[..., PLACE] - state[..., PLACE], tf.float32)  # [task, trajectory]
        effort = tf.reduce_sum(action**2, axis=-1)
        reward = task[:, None] * way / self.simulator.seconds - COST * effort
        return moved, reward, tf.zeros_like(reward, tf.bool)


class Simulator:
    """States and actions -> the next states, for all trajectories at once.

    Attributes:
        seconds: how long a step lasts.
    """

    def __init__(self):
        try:
            import mujoco
            from mujoco import rollout

            package = importlib.resources.files("gymnasium")
        except ImportError as error:
            raise DataError(
                f"The cheetah needs MuJoCo and gymnasium ({error}); install them by "
                "`pip install -r requirements-mujoco.txt`."
            ) from None
        model = package / "envs" / "mujoco" / "assets" / "half_cheetah.xml"
        warn = mujoco.get_mju_user_warning()
        mujoco.set_mju_user_warning(lambda _: None)  # the model's totals of mass are out of fashion
        self._model = mujoco.MjModel.from_xml_string(model.read_text(encoding="utf-8"))
        mujoco.set_mju_user_warning(warn)
        threads = os.cpu_count() or 1
        self._each = [mujoco.MjData(self._model) for _ in range(threads)]
        self._run = rollout.Rollout(nthread=threads).rollout
        self.seconds = FRAMES * self._model.opt.timestep

    def __call__(self, state: np.ndarray, action: np.ndarray) -> np.ndarray:
        """One step: state [..., state], action [..., action] -> state."""
        states = state.reshape(-1, state.shape[-1])  # [trajectory, state]
        held = np.repeat(action.reshape(len(states), 1, -1).astype(np.float64), FRAMES, axis=1)
        frames, _ = self._run(self._model, self._each, states, held)  # [trajectory, frame, state]
        return np.ascontiguousarray(frames[:, -1]).reshape(state.shape)

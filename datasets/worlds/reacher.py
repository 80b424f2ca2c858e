"""An arm of two joints that has to touch the target of one colour among others.

Which colour counts is what a task is; a demonstration shows it. The arm is moved by the speeds of
its joints: no masses, so that a scripted expert needs inverse kinematics alone.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from datasets.tasks import draws
from datasets.worlds.world import World

LENGTHS = (0.5, 0.5)  # of upper arm and forearm; the arena is [-1, 1]^2
SPEED = 0.15  # radians of a joint in a step, for an action of 1
NEAR = 0.1  # 0.05 of the arena's width: touched
TARGETS = 2  # in sight, one of them of the right colour


class Scene(NamedTuple):
    """A task: where the targets are, and what colours they have; the first is the right one."""

    place: tf.Tensor  # [task, target, 2]
    colour: tf.Tensor  # red, green, blue [task, target, 3]


class Reacher(World):
    """Joint angles, fingertip and, in an order that tells nothing, the targets with their colours.

    Args:
        horizon: steps of a trajectory.
        colours: hues in turns that targets are drawn from, (low, high) of a range below 1.
    """

    name = "reacher"
    actions = 2
    observation = 6 + 5 * TARGETS

    def __init__(self, horizon: int = 20, colours: tuple[float, float] = (0.0, 1.0)):
        super().__init__(horizon)
        self.colours = colours

    def tasks(self, count, seed):
        """Targets within reach, far from each other and of unlike colours."""
        place, hue = tf.unstack(tf.random.split(seed))
        radius, angle = tf.unstack(draws.uniform([2, count], place))
        # The second target is in another direction: by a quarter turn to three quarters.
        apart = 0.25 + 0.5 * draws.uniform([count], tf.random.fold_in(place, 1))
        turns = tf.stack([angle, angle + apart], axis=-1) * 2 * math.pi  # [task, target]
        reach = 0.4 + 0.5 * tf.stack([radius, tf.roll(radius, 1, axis=0)], axis=-1)
        where = reach[..., None] * tf.stack([tf.cos(turns), tf.sin(turns)], axis=-1)
        low, high = self.colours
        first = low + (high - low) * draws.uniform([count], hue)
        second = first + 1 / 3 + draws.uniform([count], tf.random.fold_in(hue, 1)) / 3
        hues = tf.stack([first, second], axis=-1)  # [task, target]
        return Scene(where, tf.stack([_wave(hues, k / 3) for k in range(3)], axis=-1))

    def start(self, task, trajectories, seed):
        """Angles of the two joints: [task, trajectory, 2]."""
        shape = [tf.shape(task.place)[0], trajectories, 2]
        return math.pi * (2 * draws.uniform(shape, seed) - 1)

    def fingertip(self, angles):
        """[task, trajectory, 2] -> the same."""
        elbow = angles[..., 0]
        wrist = elbow + angles[..., 1]
        upper, fore = LENGTHS
        x = upper * tf.cos(elbow) + fore * tf.cos(wrist)
        y = upper * tf.sin(elbow) + fore * tf.sin(wrist)
        return tf.stack([x, y], axis=-1)

    def observe(self, task, state):
        """Angles, fingertip, targets: [task, trajectory, observation].

        Targets stand in the order of their hues, so that their place says nothing of which counts.
        """
        hue = tf.argsort(task.colour[..., 0] + 2 * task.colour[..., 1], axis=-1)  # [task, target]
        targets = tf.concat([task.place, task.colour], axis=-1)  # [task, target, 5]
        targets = tf.gather(targets, hue, batch_dims=1)
        flat = tf.reshape(targets, [-1, 1, 5 * TARGETS])
        flat = tf.tile(flat, [1, tf.shape(state)[1], 1])
        angles = tf.concat([tf.cos(state), tf.sin(state)], axis=-1)
        return tf.concat([angles, self.fingertip(state), flat], axis=-1)

    def step(self, task, state, action, seed):
        """Turn the joints; paid for being near the right target."""
        state += SPEED * self.cut(action)
        distance = self.distance(task, state)
        return state, -distance, tf.zeros_like(distance, tf.bool)

    def distance(self, task, state):
        """Of the fingertip from the right target: [task, trajectory]."""
        return tf.norm(self.fingertip(state) - task.place[:, None, 0], axis=-1)

    def expert(self, task, state):
        """The action of a scripted expert: turn to the angles at which the target is touched.

        Of the two poses the nearer one.
        """
        x, y = tf.unstack(task.place[:, None, 0], axis=-1)  # [task, 1]
        upper, fore = LENGTHS
        cosine = (x**2 + y**2 - upper**2 - fore**2) / (2 * upper * fore)
        bend = tf.acos(tf.clip_by_value(cosine, -1.0, 1.0))
        best = None
        for wrist in (bend, -bend):
            elbow = tf.atan2(y, x) - tf.atan2(fore * tf.sin(wrist), upper + fore * tf.cos(wrist))
            pose = tf.stack([elbow, wrist], axis=-1)  # [task, 1, 2]
            turn = _shortest(pose - state)  # [task, trajectory, 2]
            size = tf.reduce_max(tf.abs(turn), axis=-1, keepdims=True)
            best = (turn, size) if best is None else (
                tf.where(size < best[1], turn, best[0]), tf.minimum(size, best[1]),
            )  # fmt: skip
        return self.cut(best[0] / SPEED)


def _wave(hue, phase):
    """A colour's share of one primary: bright where the hue is at its phase."""
    return 0.5 + 0.5 * tf.cos(2 * np.pi * (hue - phase))


def _shortest(turn):
    """An angle in [-pi, pi)."""
    return (turn + math.pi) % (2 * math.pi) - math.pi

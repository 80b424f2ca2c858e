"""An arm of two joints that has to touch the target of one colour among others.

Which colour counts is what a task is; where the targets lie changes with every trajectory, so a
demonstration tells the colour and not the place. The arm is moved by the speeds of its joints: no
masses, so that a scripted expert needs inverse kinematics alone.
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
TARGETS = 2  # in sight, the first of them of the right colour


class Scene(NamedTuple):
    """State of a trajectory."""

    angles: tf.Tensor  # of the two joints [task, trajectory, 2]
    place: tf.Tensor  # of the targets [task, trajectory, target, 2]


class Reacher(World):
    """Joint angles, fingertip and, in an order that tells nothing, the targets with their colours.

    Args:
        horizon: steps of a trajectory.
        colours: hues in turns that the right target's is drawn from, (low, high).
    """

    name = "reacher"
    actions = 2
    observation = 6 + 5 * TARGETS

    def __init__(self, horizon: int = 25, colours: tuple[float, float] = (0.0, 1.0)):
        super().__init__(horizon)
        self.colours = colours

    def tasks(self, count, seed):
        """Colours of the targets, unlike each other: red, green, blue [task, target, 3]."""
        own, other = tf.unstack(tf.random.split(seed))
        low, high = self.colours
        first = low + (high - low) * draws.uniform([count], own)
        second = first + 1 / 3 + draws.uniform([count], other) / 3
        hues = tf.stack([first, second], axis=-1)  # [task, target]
        return tf.stack([_wave(hues, k / 3) for k in range(3)], axis=-1)

    def start(self, task, trajectories, seed):
        """An arm in any pose, and targets within reach in different directions."""
        pose, radius, angle, apart = tf.unstack(tf.random.split(seed, 4))
        shape = [tf.shape(task)[0], trajectories]
        angles = math.pi * (2 * draws.uniform([*shape, 2], pose) - 1)
        # The second target is in another direction: by a quarter turn to three quarters.
        first = draws.uniform(shape, angle)
        turns = tf.stack([first, first + 0.25 + 0.5 * draws.uniform(shape, apart)], axis=-1)
        turns *= 2 * math.pi  # [task, trajectory, target]
        reach = 0.4 + 0.5 * draws.uniform([*shape, TARGETS], radius)
        place = reach[..., None] * tf.stack([tf.cos(turns), tf.sin(turns)], axis=-1)
        return Scene(angles, place)

    def fingertip(self, angles):
        """[..., 2] -> the same."""
        elbow = angles[..., 0]
        wrist = elbow + angles[..., 1]
        upper, fore = LENGTHS
        x = upper * tf.cos(elbow) + fore * tf.cos(wrist)
        y = upper * tf.sin(elbow) + fore * tf.sin(wrist)
        return tf.stack([x, y], axis=-1)

    def observe(self, task, state):
        """Angles, fingertip, targets: [task, trajectory, observation].

        Targets stand in the order of their hues, so that their order says nothing of which counts.
        """
        colour = tf.broadcast_to(task[:, None], [*tf.unstack(tf.shape(state.place)[:3]), 3])
        targets = tf.concat([state.place, colour], axis=-1)  # [task, trajectory, target, 5]
        order = tf.argsort(task[..., 0] + 2 * task[..., 1], axis=-1)  # [task, target]
        order = tf.broadcast_to(order[:, None], tf.shape(state.place)[:3])
        targets = tf.gather(targets, order, batch_dims=2)
        flat = tf.reshape(targets, [*tf.unstack(tf.shape(state.angles)[:2]), 5 * TARGETS])
        turned = tf.concat([tf.cos(state.angles), tf.sin(state.angles)], axis=-1)
        seen = tf.concat([turned, self.fingertip(state.angles), flat], axis=-1)
        return tf.ensure_shape(seen, [None, None, self.observation])

    def step(self, task, state, action, seed):
        """Turn the joints; paid for being near the right target."""
        state = state._replace(angles=state.angles + SPEED * self.cut(action))
        distance = self.distance(state)
        return state, -distance, tf.zeros_like(distance, tf.bool)

    def distance(self, state):
        """Of the fingertip from the right target: [task, trajectory]."""
        return tf.norm(self.fingertip(state.angles) - state.place[:, :, 0], axis=-1)

    def expert(self, state):
        """The action of a scripted expert: turn to the angles at which the right target is touched.

        Of the two poses the nearer one.
        """
        x, y = tf.unstack(state.place[:, :, 0], axis=-1)  # [task, trajectory]
        upper, fore = LENGTHS
        cosine = (x**2 + y**2 - upper**2 - fore**2) / (2 * upper * fore)
        bend = tf.acos(tf.clip_by_value(cosine, -1.0, 1.0))
        turns = []
        for wrist in (bend, -bend):
            elbow = tf.atan2(y, x) - tf.atan2(fore * tf.sin(wrist), upper + fore * tf.cos(wrist))
            pose = tf.stack([elbow, wrist], axis=-1)  # [task, trajectory, 2]
            turns.append(_shortest(pose - state.angles))
        sizes = [tf.reduce_max(tf.abs(turn), axis=-1, keepdims=True) for turn in turns]
        return self.cut(tf.where(sizes[0] <= sizes[1], *turns) / SPEED)


def _wave(hue, phase):
    """A colour's share of one primary: bright where the hue is at its phase."""
    return 0.5 + 0.5 * tf.cos(2 * np.pi * (hue - phase))


def _shortest(turn):
    """An angle in [-pi, pi)."""
    return (turn + math.pi) % (2 * math.pi) - math.pi

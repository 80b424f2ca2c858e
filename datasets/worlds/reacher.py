"""An arm of two joints that has to touch the target of one colour among others.

Which colour counts is what a task is; where the targets lie changes with every trajectory, so a
demonstration tells the colour and not the place. The arm is moved by the speeds of its joints: no
masses, so that a scripted expert needs inverse kinematics alone.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from datasets.errors import DataError
from datasets.tasks import draws
from datasets.worlds import drawing
from datasets.worlds.world import World

SPEED = 0.15  # radians of a joint in a step, for an action of 1; the arena is [-1, 1]^2
NEAR = 0.1  # 0.05 of the arena's width: touched; a target is as large
TARGETS = 2  # in sight, the first of them of the right colour
ARM, PLACES = 6, 6  # numbers of an observation: of the arm, and of the targets


class Arm(NamedTuple):
    """How an arm is made and looks."""

    upper: float  # length
    fore: float  # length
    width: float
    colour: tuple[float, float, float]  # red, green, blue


ROBOT = Arm(0.5, 0.5, 0.04, (0.7, 0.7, 0.7))
OTHER = Arm(0.6, 0.4, 0.09, (0.85, 0.65, 0.5))  # whom the robot watches


class Scene(NamedTuple):
    """State of a trajectory."""

    angles: tf.Tensor  # of the two joints [task, trajectory, 2]
    place: tf.Tensor  # of the targets [task, trajectory, target, 2]


class Reacher(World):
    """The arm's joints and fingertip, and the targets: as numbers, or as a picture.

    Args:
        horizon: steps of a trajectory.
        hues: part of every third of the colour wheel that hues are drawn from, (low, high); worlds
            whose parts do not meet share no colour.
        side: of the pictures in pixels; 0 gives numbers.
        arm: which one.
        watched: seen from outside, so that nothing is known of the joints.

    Raises:
        DataError: no step to act in, a side below 8, or no part of the colours.
    """

    name = "reacher"
    actions = 2

    def __init__(
        self,
        horizon: int = 25,
        hues: tuple[float, float] = (0.0, 0.5),
        side: int = 0,
        arm: Arm = ROBOT,
        watched: bool = False,
    ):
        super().__init__(horizon)
        if not 0 <= hues[0] < hues[1] <= 1:
            raise DataError(f"hues are {hues[0]:g} to {hues[1]:g}; give a part of 0 to 1.")
        if side and side < 8:
            raise DataError(f"Pictures of {side} pixels a side show no arm; give 8 or more, or 0.")
        self.hues, self.side, self.arm, self.watched = hues, side, arm, watched
        self.observation = ARM + (3 * side * side or PLACES)

    def tasks(self, count, seed):
        """Colours of the targets, from different thirds: red, green, blue [task, target, 3]."""
        which, part = tf.unstack(tf.random.split(seed))
        third = draws.distinct(draws.uniform([count, 3], which), TARGETS)  # [task, target]
        low, high = self.hues
        inside = low + (high - low) * draws.uniform([count, TARGETS], part)
        hue = (tf.cast(third, tf.float32) + inside) / 3  # in turns of the wheel
        return tf.stack([_wave(hue, k / 3) for k in range(3)], axis=-1)

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

    def elbow(self, angles):
        """[..., 2] -> the same."""
        turn = angles[..., :1]
        return self.arm.upper * tf.concat([tf.cos(turn), tf.sin(turn)], axis=-1)

    def fingertip(self, angles):
        """[..., 2] -> the same."""
        turn = tf.reduce_sum(angles, axis=-1, keepdims=True)
        return self.elbow(angles) + self.arm.fore * tf.concat([tf.cos(turn), tf.sin(turn)], axis=-1)

    def observe(self, task, state):
        """The arm's numbers, zeros where it is watched, then targets: [task, trajectory, ...]."""
        own = [tf.cos(state.angles), tf.sin(state.angles), self.fingertip(state.angles)]
        arm = tf.concat(own, axis=-1)  # [task, trajectory, 6]
        arm = tf.zeros_like(arm) if self.watched else arm
        targets = self._pictured(task, state) if self.side else self._weighted(task, state)
        return tf.concat([arm, targets], axis=-1)

    def _weighted(self, task, state):
        """For red, green and blue the sum of the targets' places times their share of it.

        A list of targets would need an order, and one that stays with the colours would tell the
        right target by its position. A sum has none.
        """
        sums = tf.einsum("akc,atkx->atcx", task, state.place)  # [task, trajectory, colour, 2]
        return tf.reshape(sums, [*tf.unstack(tf.shape(sums)[:2]), PLACES])

    def _pictured(self, task, state):
        drawn = self.picture(task, state, self.side)
        return tf.reshape(drawn, [*tf.unstack(tf.shape(drawn)[:2]), 3 * self.side * self.side])

    def picture(self, task, state, side: int):
        """What a camera above sees, from 0 to 1: [task, trajectory, side, side, 3]."""
        shape = tf.unstack(tf.shape(state.angles)[:2])
        drawn = drawing.ground(shape, side)  # [task, trajectory, pixel, 3]
        drawn = drawing.discs(drawn, state.place, NEAR, task[:, None])
        elbow, fingertip = self.elbow(state.angles), self.fingertip(state.angles)
        look = self.arm.width, self.arm.colour
        drawn = drawing.limb(drawn, tf.zeros_like(elbow), elbow, *look)
        drawn = drawing.limb(drawn, elbow, fingertip, *look)
        return tf.reshape(drawn, [*shape, side, side, 3])

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
        upper, fore = self.arm.upper, self.arm.fore
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

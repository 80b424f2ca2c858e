"""Tasks without labels: every unlabelled picture is a class, and its items are altered copies.

A copy is turned, zoomed, sheared, moved, drawn thicker or thinner or in other colours, and may lose
a part. For people it is still the same class: a network that finds the copies of a picture among
those of others has learned what does not change, and never saw a label. As with episodes, drawing
is a pure function of (seed, index).
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from datasets.dataset import Dataset
from datasets.errors import DataError, at_least_one
from datasets.tasks import draws
from datasets.tasks.colours import recoloured
from datasets.tasks.episodes import Episode, divided, to_float, turn_tasks
from datasets.tasks.pairs import items_of_split


class Alterations(NamedTuple):
    """How far a copy may be from its picture; each draws uniformly, 0 leaves it out."""

    turn: float = 20.0  # degrees, to either side
    zoom: float = 0.25  # the picture is 1 - 0.25 to 1 + 0.25 times as large, both sides alike
    shear: float = 0.3  # tangent, to either side
    shift: float = 0.11  # of the sides
    thickness: float = 0.5  # share of the way to strokes one pixel thicker or thinner all around
    colour: float = 0.0  # share of half a turn of the hues, and of a doubling of their strength
    erase: float = 0.0  # side of a square of ground, as a share of the picture's; half have one


USUAL = Alterations()
CERTAIN = Alterations._fields[:6]  # what changes every copy


class Copies:
    """Draws ``way`` pictures, each a class, and alters ``shot`` support and ``query`` query copies.

    Calling the sampler gives ``(inputs, query_y)``: support_x [task, way * shot, height, width,
    channel], support_y [task, way * shot], query_x [task, way * query, ...] and query_y.

    Args:
        dataset: whose labels are not looked at: only which pictures are in the split.
        split: name of a split of ``dataset``.
        way: pictures of a task.
        shot, query: copies of each.
        tasks: tasks of a batch.
        seed: the same seed and index give the same tasks.
        alterations: of copies.
        ground: value of what comes in from outside, 1 for white paper and 0 for bright ink.
        rotations: each task is turned as a whole, by 0 to 3 quarter turns.

    Raises:
        DataError: fewer pictures than a task needs, or nothing that is altered.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        way: int,
        shot: int,
        query: int,
        tasks: int = 1,
        seed: int = 0,
        alterations: Alterations = USUAL,
        ground: float = 0.0,
        rotations: bool = False,
    ):
        self.way, self.shot, self.query, self.tasks = way, shot, query, tasks
        self.seed, self.alterations, self.ground = seed, alterations, ground
        self.rotations, self.name = rotations, f"{dataset.name}/{split}"
        positions = items_of_split(dataset, split)
        at_least_one(way=way, shot=shot, query=query, tasks=tasks)
        if len(positions) < way:
            raise DataError(
                f"{self.name} has {len(positions)} pictures, but a task of {way} classes needs as "
                "many; use a smaller way or more pictures."
            )
        if not any(getattr(alterations, name) for name in CERTAIN):
            raise DataError(
                "Copies are not altered, or only by squares that half of them lose: a query could "
                "be its support copy unchanged. Turn, zoom, shear, move or thicken them."
            )
        if alterations.colour and dataset.image_shape[-1] != 3:
            raise DataError(f"Pictures of {self.name} are grey: there are no colours to alter.")
        height, width = dataset.items.shape[1:3]
        if rotations and height != width:
            raise DataError(
                f"Quarter turns need square images; {self.name} has {height} x {width}."
            )
        self._positions = tf.constant(np.sort(positions), tf.int32)
        self._items = tf.constant(dataset.items.reshape(-1, *dataset.image_shape))

    def __call__(self, index):
        """Batch number ``index`` as ``(inputs, query_y)``."""
        episode = self.episode(index)
        return episode.inputs, episode.query_y

    def episode(self, index) -> Episode:
        """Batch number ``index`` (int or scalar tensor); classes are positions of pictures."""
        seed = tf.random.fold_in(tf.constant([self.seed, 4]), tf.cast(index, tf.int32))
        drawing, turning, altering = tf.unstack(tf.random.split(seed, 3))
        shape = [self.tasks, len(self._positions)]
        scores = tf.random.stateless_uniform(shape, drawing, alg="philox")
        chosen = tf.gather(self._positions, draws.distinct(scores, self.way))  # [task, way]
        x = to_float(tf.gather(self._items, chosen))[:, :, None]
        if self.rotations:
            x = turn_tasks(x, turning)
        # [task, way, copy, height, width, channel]
        x = tf.tile(x, [1, 1, self.shot + self.query, 1, 1, 1])
        flat = tf.reshape(x, [-1, *x.shape[3:]])
        copies = tf.reshape(alter(flat, altering, self.alterations, self.ground), x.shape)
        return divided(copies, self.shot, chosen)


def alter(x, seed, alterations: Alterations, ground: float):
    """Alter each picture at random: [item, height, width, channel] -> the same.

    Args:
        x: floats, 0 to 1.
        seed: int32 [2].
        alterations: how far.
        ground: value of what comes in from outside.
    """
    placing, thickening, colouring, erasing = tf.unstack(tf.random.split(seed, 4))
    if any(alterations[:4]):
        x = _place(x, placing, alterations, ground)
    if alterations.thickness:
        x = _thicken(x, thickening, alterations.thickness, ground)
    if alterations.colour:
        x = _colour(x, colouring, alterations.colour)
    if alterations.erase:
        x = _erase(x, erasing, alterations.erase, ground)
    return x


def _place(x, seed, alterations: Alterations, ground: float):
    """Turn, zoom, shear and move, about the centre."""
    count, height, width = x.shape[0], *x.shape[1:3]
    u = tf.random.stateless_uniform([5, count], seed, -1.0, 1.0, alg="philox")
    angle = u[0] * alterations.turn * np.pi / 180
    size, shear = 1 + u[1] * alterations.zoom, u[2] * alterations.shear
    move_x, move_y = (u[3] * width, u[4] * height)
    # Where the value of a place is looked up: the inverse of R(angle) [[1, shear], [0, 1]] size.
    cos, sin = tf.cos(angle) / size, tf.sin(angle) / size
    a, b = cos + shear * sin, sin - shear * cos  # x' = a x + b y + c
    d, e = -sin, cos  # y' = d x + e y + f
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    c = middle_x - a * middle_x - b * middle_y + alterations.shift * move_x
    f = middle_y - d * middle_x - e * middle_y + alterations.shift * move_y
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=tf.stack([a, b, c, d, e, f, zero, zero], axis=1),  # [item, 8]
        output_shape=[height, width],
        fill_value=ground,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _thicken(x, seed, most: float, ground: float):
    """Strokes thicker or thinner: towards the largest, or the smallest, of the 3 x 3 around."""
    ink = x if ground < 0.5 else 1 - x  # bright is ink
    share = tf.random.stateless_uniform([x.shape[0], 1, 1, 1], seed, -most, most, alg="philox")
    thicker = tf.nn.max_pool2d(ink, 3, 1, "SAME")
    thinner = -tf.nn.max_pool2d(-ink, 3, 1, "SAME")
    ink += tf.maximum(share, 0) * (thicker - ink) + tf.maximum(-share, 0) * (thinner - ink)
    return ink if ground < 0.5 else 1 - ink


def _colour(x, seed, most: float):
    """Hues turned around the axis of grey, and stronger or paler; white, grey and black stay."""
    u = tf.random.stateless_uniform([2, x.shape[0]], seed, -most, most, alg="philox")
    return recoloured(x, np.pi * u[0], 2.0 ** u[1])


def _erase(x, seed, side: float, ground: float):
    """A square of ground somewhere, in half of the pictures."""
    count, height, width = x.shape[0], *x.shape[1:3]
    u = tf.random.stateless_uniform([3, count, 1], seed, alg="philox")
    rows = tf.abs((tf.range(height, dtype=tf.float32) + 0.5) / height - u[0]) < side / 2
    columns = tf.abs((tf.range(width, dtype=tf.float32) + 0.5) / width - u[1]) < side / 2
    erased = rows[:, :, None] & columns[:, None] & (u[2][..., None] < 0.5)  # [item, row, column]
    return tf.where(erased[..., None], ground, x)

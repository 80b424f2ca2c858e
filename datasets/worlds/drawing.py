"""Pictures drawn with tensors: discs and limbs on a square, so that a world is seen inside a graph.

Edges are soft, about a pixel wide, as a camera of that size would see them.
"""

import numpy as np
import tensorflow as tf

HALF = 1.15  # the square shown is [-HALF, HALF]^2
GROUND = 0.1  # grey of what is empty


def pixels(side: int):
    """Where the centres of the pixels are, the first row at the top: [side^2, 2]."""
    steps = ((np.arange(side) + 0.5) / side * 2 - 1) * HALF
    x, y = np.meshgrid(steps, -steps)
    return tf.constant(np.stack([x, y], axis=-1).reshape(-1, 2), tf.float32)


def ground(shape, side: int):
    """Nothing yet: [..., side^2, 3]."""
    return tf.fill([*shape, side * side, 3], GROUND)


def discs(picture, centres, radius: float, colours):
    """Discs that do not meet, over a picture [..., pixel, 3]: centres [..., disc, 2], colours.

    All at once: soft edges would tell which of two was painted first.
    """
    pixels = _pixels_of(picture)
    painted = picture
    for centre, colour in zip(
        tf.unstack(centres, axis=-2), tf.unstack(colours, axis=-2), strict=True
    ):
        distance = tf.norm(pixels - centre[..., None, :], axis=-1)  # [..., pixel]
        painted += _cover(picture, distance, radius, colour) - picture
    return painted


def limb(picture, start, end, radius: float, colour):
    """A line with round ends over a picture [..., pixel, 3]; ends [..., 2], colour [3]."""
    along = (end - start)[..., None, :]  # [..., 1, 2]
    off = _pixels_of(picture) - start[..., None, :]  # [..., pixel, 2]
    # The nearest point of the line is at the share t of its length.
    t = tf.reduce_sum(off * along, axis=-1) / tf.reduce_sum(along**2, axis=-1)
    nearest = tf.clip_by_value(t, 0.0, 1.0)[..., None] * along
    return _cover(picture, tf.norm(off - nearest, axis=-1), radius, colour)


def _pixels_of(picture):
    return pixels(round(picture.shape[-2] ** 0.5))


def _cover(picture, distance, radius, colour):
    """Paint where the distance is below the radius."""
    soft = HALF / picture.shape[-2] ** 0.5 / 2  # a quarter of a pixel
    share = tf.sigmoid((radius - distance) / soft)[..., None]  # [..., pixel, 1]
    return picture + share * (tf.convert_to_tensor(colour)[..., None, :] - picture)

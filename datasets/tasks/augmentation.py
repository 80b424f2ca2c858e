"""Altered copies of training pictures: mirrored, moved and zoomed at random.

Few drawings of a class are learned by heart; altered ones are new at every draw. Like all sampling
here this is a pure function of (seed, index).
"""

import numpy as np
import tensorflow as tf

from datasets.tasks.colours import recoloured
from datasets.tasks.episodes import Episode

ZOOM = 0.2  # sides of the part that is seen: 1 - 0.2 to 1 + 0.2 of the picture's, each on its own
SHIFT = 0.125  # of the sides, by which its centre is moved at most


class Augmented:
    """A sampler whose pictures are altered.

    A class is mirrored in half of its tasks, support and query alike: mirrored, it is another class
    to tell from the others. Every picture is moved and zoomed on its own.

    Args:
        sampler: index -> (inputs, query_y) of pictures: ``query_x``, and ``support_x`` with
            ``support_y`` where a task has a support set.
        ground: value of what comes in from outside, 1 for white paper and 0 for bright ink.
        recolour: the hues of a class are turned, support and query alike, as it is mirrored.
    """

    def __init__(self, sampler, ground: float, recolour: bool = False):
        self.sampler, self.ground, self.recolour = sampler, ground, recolour
        self.way, self.query = sampler.way, sampler.query
        self.shot = getattr(sampler, "shot", 0)  # tasks of described classes have none
        self.tasks, self.seed = sampler.tasks, sampler.seed

    def __call__(self, index):
        """Batch number ``index`` as ``(inputs, query_y)``."""
        inputs, query_y = self.sampler(index)
        return self._altered(index, inputs, query_y), query_y

    def episode(self, index) -> Episode:
        """Batch number ``index`` as an Episode, of an ``EpisodeSampler``."""
        episode = self.sampler.episode(index)
        inputs = self._altered(index, episode.inputs, episode.query_y)
        return episode._replace(support_x=inputs["support_x"], query_x=inputs["query_x"])

    def _altered(self, index, inputs, query_y) -> dict:
        seed = tf.random.fold_in(tf.constant([self.seed, 1]), tf.cast(index, tf.int32))
        mirror, support, query = tf.unstack(tf.random.split(seed, 3))
        coin = tf.random.stateless_uniform([self.tasks, self.way], mirror) < 0.5  # [task, way]
        hue = tf.random.stateless_uniform(
            [self.tasks, self.way], tf.random.fold_in(seed, 1), -np.pi, np.pi
        )
        of_class = coin, hue
        altered = {**inputs, "query_x": self._alter(inputs["query_x"], query_y, of_class, query)}
        if "support_x" in inputs:
            labels = inputs["support_y"]
            altered["support_x"] = self._alter(inputs["support_x"], labels, of_class, support)
        return altered

    def _alter(self, x, y, of_class, seed):
        """Pictures [task, item, height, width, channel] with labels [task, item].

        ``of_class``: whether each class is mirrored, and how far its hues turn [task, way].
        """
        coin, hue = (tf.gather(drawn, y, batch_dims=1) for drawn in of_class)  # [task, item]
        x = tf.where(coin[..., None, None, None], tf.reverse(x, [3]), x)
        flat = tf.reshape(x, [-1, *x.shape[2:]])  # [task * item, height, width, channel]
        if self.recolour:
            hue = tf.reshape(hue, [-1])  # [task * item]
            flat = recoloured(flat, hue, tf.ones_like(hue))
        return tf.reshape(move_and_zoom(flat, seed, self.ground), x.shape)


def move_and_zoom(x, seed, ground: float):
    """Look at each picture through a window that is moved and zoomed at random.

    Args:
        x: [item, height, width, channel].
        seed: int32 [2].
        ground: value outside of the picture.
    """
    items, size = x.shape[0], x.shape[1:3]
    zoom, shift = tf.unstack(tf.random.split(seed))
    half = tf.random.stateless_uniform([items, 2], zoom, 1 - ZOOM, 1 + ZOOM) / 2  # [item, yx]
    centre = 0.5 + tf.random.stateless_uniform([items, 2], shift, -SHIFT, SHIFT)  # [item, yx]
    window = tf.concat([centre - half, centre + half], axis=1)  # [item, y x y x]
    return tf.image.crop_and_resize(x, window, tf.range(items), size, extrapolation_value=ground)

"""Policies that act on what they see: eyes, hidden layers, a head, and what a demonstration adds.

    policy({"support_x", "support_y", "query_x"}) -> actions

The support set is one demonstration or more, step after step; queries are observations, each
answered on its own. All policies of a comparison have these parts in the same sizes.
"""

import math

import keras
import tensorflow as tf
from keras import layers

from chapters.engine.errors import RunError
from chapters.engine.learner import FewShotLearner
from datasets.worlds import drawing
from datasets.worlds.reacher import ARM, NEAR


class Imitator(FewShotLearner):
    """A policy for demonstrations. A subclass has ``adapt`` and ``predict_with``.

    Args:
        eyes: built Keras model, [item, observation] -> [item, feature].
        control: built hidden layers, [item, feature and more] -> [item, unit].
        head: built layer of actions, [item, unit] -> [item, action].
        horizon: steps of a demonstration.
        options: of ``keras.Model``.
    """

    output = "values"
    PARTS: tuple[str, ...] = ("eyes", "control", "head")
    CONFIG: tuple[str, ...] = ("horizon",)

    def __init__(self, eyes, control, head, horizon, **options):
        super().__init__(**options)
        self.eyes, self.control, self.head, self.horizon = eyes, control, head, horizon
        self.built = True

    @property
    def item_shape(self):
        """Of an observation."""
        return tuple(self.eyes.input_shape[1:])

    @property
    def outputs(self):
        """Numbers of an action."""
        return self.head.output_shape[-1]

    def adapt(self, support_x, support_y):
        """What a demonstration makes of the policy: tensors [task, ...]."""
        raise NotImplementedError

    def predict_with(self, adapted, query_x):
        """Actions [task, query, action] of policies that were adapted."""
        raise NotImplementedError

    def call(self, inputs, training=False):
        """See the demonstrations, act on the queries."""
        adapted = self.adapt(inputs["support_x"], inputs["support_y"])
        return self.predict_with(adapted, inputs["query_x"])

    def see(self, observation):
        """[task, item, observation] -> [task, item, feature]."""
        return over_items(self.eyes, observation)

    def by_time(self, x):
        """Demonstrations step by step: [task, shot * time, ...] -> [task, shot, time, ...].

        Raises:
            RunError: they are longer or shorter than those that were learned from.
        """
        steps = x.shape[1]
        if steps is not None and steps % self.horizon:
            raise RunError(
                f"support_x has {steps} steps; a demonstration has {self.horizon}, and there may "
                "be several, one after the other."
            )
        return tf.reshape(x, [x.shape[0] or tf.shape(x)[0], -1, self.horizon, *x.shape[2:]])

    def get_config(self):
        parts = {name: getattr(self, name) for name in self.PARTS}
        made = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        own = {name: getattr(self, name) for name in self.CONFIG}
        return {**super().get_config(), **made, **own}

    @classmethod
    def from_config(cls, config):
        parts = {
            name: keras.saving.deserialize_keras_object(config.pop(name)) for name in cls.PARTS
        }
        return cls(**parts, **config)


@keras.saving.register_keras_serializable(__package__)
class Places(layers.Layer):
    """How much of each feature there is where: the sum over pixels of a feature times their place.

    [item, row, column, channel] -> [item, 2 * channel]. Of linear features of colours it is what
    the reacher's numbers are, the places of all things weighted by their colours. In units of what
    a target covers.
    """

    def call(self, maps):
        """Sums over pixels."""
        flat, pixels = _flat(maps), _pixels(maps)
        covered = pixels.shape[0] * math.pi * (NEAR / drawing.HALF / 2) ** 2
        sums = tf.einsum("ipc,pd->icd", flat, pixels) / covered  # [item, channel, 2]
        return tf.reshape(sums, [-1, 2 * maps.shape[-1]])

    def compute_output_shape(self, shape):
        """[item, 2 * channel]."""
        return (shape[0], 2 * shape[-1])


@keras.saving.register_keras_serializable(__package__)
class Keypoints(Places):
    """Where each feature is (Levine et al., 2016): the mean place under a softmax over pixels."""

    def call(self, maps):
        """Mean places."""
        share = tf.nn.softmax(_flat(maps), axis=1)  # [item, pixel, channel]
        place = tf.einsum("ipc,pd->icd", share, _pixels(maps))  # [item, channel, 2]
        return tf.reshape(place, [-1, 2 * maps.shape[-1]])


def _flat(maps):
    """[item, row, column, channel] -> [item, pixel, channel]."""
    return tf.reshape(maps, [-1, maps.shape[1] * maps.shape[2], maps.shape[3]])


def _pixels(maps):
    """Where the pixels of maps are: [pixel, 2]."""
    return tf.cast(drawing.pixels(maps.shape[1]), maps.dtype)


def make_eyes(side: int, observation: int, filters: int, reading: str = "places") -> keras.Model:
    """[item, observation] -> [item, feature]: numbers as they are, pictures by convolutions.

    Args:
        side: of the pictures; 0 where observations are numbers.
        observation: numbers of one: the arm's, then those of the picture.
        filters: of each convolution.
        reading: ``places`` of the features of one linear convolution, or ``keypoints`` of those of
            two with a ReLU between.
    """
    if not side:
        return keras.Sequential([layers.Input((observation,)), layers.Identity()], name="eyes")
    seen = layers.Input((observation,))
    arm, picture = seen[:, :ARM], layers.Reshape((side, side, 3))(seen[:, ARM:])
    x = layers.Conv2D(filters, 5, strides=2, padding="same")(picture)
    if reading == "keypoints":
        x = layers.Conv2D(filters, 3, padding="same")(layers.ReLU()(x))
    # [item, side / 2, side / 2, filter] -> [item, 2 * filter]
    x = Keypoints()(x) if reading == "keypoints" else Places()(x)
    return keras.Model(seen, layers.Concatenate()([arm, x]), name="eyes")


def make_control(features: int, hidden: list[int]) -> keras.Sequential:
    """Hidden layers, [item, feature] -> [item, unit]."""
    parts = [layers.Dense(units, "relu") for units in hidden]
    return keras.Sequential([layers.Input((features,)), *parts], name="control")


def make_head(units: int, actions: int) -> keras.Sequential:
    """A linear layer of actions, small at first."""
    small = keras.initializers.VarianceScaling(0.01)
    layer = layers.Dense(actions, kernel_initializer=small)
    return keras.Sequential([layers.Input((units,)), layer])


def over_items(function, x):
    """A function of items [task * item, ...] on x [task, item, ...]."""
    shape = tf.shape(x)
    y = function(tf.reshape(x, [shape[0] * shape[1], *x.shape[2:]]))
    y = tf.reshape(y, [shape[0], shape[1], *y.shape[1:]])
    return tf.ensure_shape(y, [*x.shape[:2], *y.shape[2:]])

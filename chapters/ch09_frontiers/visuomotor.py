"""Policies that act on what they see: eyes, hidden layers, a head, and what a demonstration adds.

    policy({"support_x", "support_y", "query_x"}) -> actions

The support set is one demonstration or more, step after step; queries are observations, each
answered on its own. All policies of a comparison have these parts.
"""

import math

import keras
import tensorflow as tf
from keras import layers

from chapters.engine.errors import RunError
from chapters.engine.learner import FewShotLearner
from chapters.engine.per_task import over_items
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

    def __call__(self, inputs, *arguments, **options):
        """Actions [task, query, action] after the demonstrations of the support set.

        Args:
            inputs: ``support_x`` [task, shot * time, observation], ``support_y`` [task, shot *
                time, action], ``query_x`` [task, query, observation].
            arguments, options: of ``keras.Model``.

        Raises:
            RunError: they do not fit, or demonstrations are of another length.
        """
        shape = getattr(inputs.get("support_x"), "shape", ()) if isinstance(inputs, dict) else ()
        if len(shape) == 3:
            self._check_length(shape[1])
        return super().__call__(inputs, *arguments, **options)

    def _check_length(self, steps) -> None:
        if steps is not None and steps % self.horizon:
            raise RunError(
                f"support_x has {steps} steps; a demonstration has {self.horizon}, and there may "
                "be several, one after the other."
            )

    def serving(self, strict: bool = False, full: bool = False):
        """The function of an exported file; demonstrations of another length get no answer."""
        answer = super().serving(strict, full)

        def serve(support_x, support_y, query_x):
            fits = tf.equal(tf.shape(support_x)[0] % self.horizon, 0)
            told = f"a demonstration has {self.horizon} steps"
            check = tf.debugging.Assert(fits, [told]) if strict else None
            with tf.control_dependencies([] if check is None else [check]):
                support_x = tf.identity(support_x)
            found = answer(support_x, support_y, query_x)
            return {name: tf.where(fits, x, float("nan")) for name, x in found.items()}

        return serve

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
        """Demonstrations step by step: [task, shot * time, ...] -> [task, shot, time, ...]."""
        self._check_length(x.shape[1])
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
        reading: ``places`` of the features of one linear convolution; ``keypoints`` of those of two
            with a ReLU between; or ``strided``, three with strides as in Finn, Yu et al. (2017).
    """
    if not side:
        return keras.Sequential([layers.Input((observation,)), layers.Identity()], name="eyes")
    seen = layers.Input((observation,))
    arm, picture = seen[:, :ARM], layers.Reshape((side, side, 3))(seen[:, ARM:])
    read = {"places": _places, "keypoints": _keypoints, "strided": _strided}[reading]
    return keras.Model(seen, layers.Concatenate()([arm, read(picture, filters)]), name="eyes")


def _places(x, filters):
    """[item, side, side, 3] -> [item, 2 * filter]."""
    x = layers.Conv2D(filters, 5, strides=2, padding="same", kernel_initializer="he_normal")(x)
    return Places()(x)


def _keypoints(x, filters):
    """[item, side, side, 3] -> [item, 2 * filter]."""
    x = layers.Conv2D(filters, 5, strides=2, padding="same", activation="relu")(x)
    return Keypoints()(layers.Conv2D(filters, 3, padding="same")(x))


def _strided(x, filters):
    """[item, side, side, 3] -> [item, side / 8 * side / 8 * filter]."""
    for _ in range(3):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    return layers.Flatten()(x)


def make_control(features: int, hidden: list[int]) -> keras.Sequential:
    """Hidden layers, [item, feature] -> [item, unit]."""
    parts = [layers.Dense(units, "relu", kernel_initializer="he_normal") for units in hidden]
    return keras.Sequential([layers.Input((features,)), *parts], name="control")


def make_head(units: int, actions: int) -> keras.Sequential:
    """A linear layer of actions, small at first."""
    small = keras.initializers.VarianceScaling(0.1)
    layer = layers.Dense(actions, kernel_initializer=small)
    return keras.Sequential([layers.Input((units,)), layer])

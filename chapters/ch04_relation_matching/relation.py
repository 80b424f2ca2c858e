"""Relation network (Sung et al., 2018; sections 4.1 to 4.4 of the book).

How alike two items are is itself learned: an embedding function turns items into feature maps, and
a relation function scores pairs of maps. A query belongs to the class with the largest score.

The book's names: ``embedding_function``, ``relation_function`` and ``relation_scores``. It writes
phi for the weights of both functions in its prose and varphi for one of them in the loss (E4.1);
here f has the weights varphi, g the weights phi.
"""

import math

import keras
import tensorflow as tf
from keras import layers

from chapters.engine.errors import ConfigError
from chapters.engine.layers import BatchNormalization, embed_tasks
from chapters.engine.metric import MetricLearner

SMALLEST_MAP = 4  # pixels along a side that two poolings leave something of


def convolution_weights():
    """The authors' first weights, N(0, 2 / (3 * 3 * channels out)); each layer has its own."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def dense_weights():
    """The authors' first weights of dense layers, N(0, 0.01^2); each layer has its own."""
    return keras.initializers.RandomNormal(stddev=0.01)


def convolution_block(out_channels, momentum, padding="same", pool=True) -> list:
    """Convolution 3x3, batch normalisation, ReLU, and max-pooling 2x2 where it is asked for."""
    # The convolution has no bias: batch normalisation would subtract it again.
    convolution = layers.Conv2D(
        out_channels, 3, padding=padding, use_bias=False, kernel_initializer=convolution_weights()
    )
    block = [convolution, BatchNormalization(momentum=momentum), layers.ReLU()]
    return [*block, layers.MaxPooling2D(2)] if pool else block


def embedding_function(
    image_shape, h_dim: int = 64, z_dim: int = 64, momentum: float = 0.99
) -> keras.Sequential:
    """f_varphi: image [height, width, channel] -> feature map [row, column, z_dim].

    28 x 28 images give 5 x 5 maps: 28 -> 26 -> 13 -> 11 -> 5 pixels. Not flattened: the relation
    function looks at neighbouring pixels of a map.

    Args:
        image_shape: height, width and channels of an image.
        h_dim: channels of the first three convolutions.
        z_dim: channels of the last one.
        momentum: how much of batch norm's stored averages each training step keeps.

    Raises:
        ConfigError: the image is too small.
    """
    if any(_map_side(side) < SMALLEST_MAP for side in image_shape[:2]):
        height, width = image_shape[:2]
        raise ConfigError(
            f"Images of {height} x {width} pixels are too small for a relation network, whose "
            "layers halve them four times; use 22 x 22 or more."
        )
    return keras.Sequential(
        [
            layers.Input(image_shape),
            *convolution_block(h_dim, momentum, "valid"),
            *convolution_block(h_dim, momentum, "valid"),
            *convolution_block(h_dim, momentum, pool=False),
            *convolution_block(z_dim, momentum, pool=False),
        ],
        name="embedding_function",
    )


def _map_side(pixels: int) -> int:
    """Side of a feature map: twice a valid convolution and a halving."""
    return ((pixels - 2) // 2 - 2) // 2


def relation_function(
    map_shape, r_dim: int = 64, hidden: int = 8, momentum: float = 0.99
) -> keras.Sequential:
    """g_phi: two feature maps, concatenated in depth [row, column, 2 z_dim] -> logit [1].

    The relation score is its sigmoid. It has two parts, the first convolution and the rest:
    ``relation_logits`` needs them apart.

    Args:
        map_shape: rows, columns and channels of one feature map.
        r_dim: channels of the two convolutions.
        hidden: units of the dense layer between them and the logit.
        momentum: as for ``embedding_function``.
    """
    *size, z_dim = map_shape
    convolution, *block = convolution_block(r_dim, momentum)
    rest = keras.Sequential(
        [
            *block,
            *convolution_block(r_dim, momentum),
            layers.Flatten(),
            # A bias of one: all hidden units are alive at first, though their weights are small.
            layers.Dense(
                hidden, "relu", kernel_initializer=dense_weights(), bias_initializer="ones"
            ),
            layers.Dense(1, kernel_initializer=dense_weights()),
        ],
        name="rest",
    )
    return keras.Sequential(
        [layers.Input([*size, 2 * z_dim]), convolution, rest], name="relation_function"
    )


def class_maps(support_z, support_y, way, shots: str = "mean"):
    """Feature map of each class, from those of its support items element by element.

    Labels drive: the order of the support set plays no role, and classes may differ in size.

    Args:
        support_z: feature maps [task, support, row, column, channel].
        support_y: labels [task, support] in [0, way).
        way: number of classes.
        shots: ``sum``, as the paper, which grows with the shot (E4.1), or ``mean``; for one item
            per class they are the same.

    Returns:
        [task, way, row, column, channel]; that of a class without support items is zero.
    """
    member = tf.one_hot(support_y, way, dtype=support_z.dtype)  # [task, support, way]
    if shots == "mean":
        member = tf.math.divide_no_nan(member, tf.reduce_sum(member, axis=1, keepdims=True))
    z = _flat(support_z)  # [task, support, row * column * channel]
    # z_i = sum of f(x) over the support set S_i of class i              section 3.2 of the paper
    total = tf.einsum("tsw,tsd->twd", member, z)  # [task, way, row * column * channel]
    tasks = tf.shape(total)[0]
    return tf.reshape(total, [tasks, way, *support_z.shape[2:]])  # [task, way, row, ...]


def relation_logits(relation, class_z, query_z, training=False):
    """Logits of the relation of every query with every class.

        logit_ij = g(Z(z_i, z_j)),  Z: concatenation in depth, the class first

    Args:
        relation: ``relation_function``.
        class_z: maps of classes [task, way, row, column, channel].
        query_z: maps of queries [task, query, row, column, channel].
        training: batch statistics of each task when true, stored ones otherwise.

    Returns:
        [task, query, way]
    """
    convolution, rest = relation.layers
    of_class, of_query = tf.split(convolution.kernel, 2, axis=2)  # [3, 3, channel, filter] each
    # A convolution is linear, w * Z(a, b) = w_1 * a + w_2 * b: every map is convolved once instead
    # of once in each of its pairs.
    a = _flat(_convolved(class_z, of_class))  # [task, way, row * column * filter]
    b = _flat(_convolved(query_z, of_query))  # [task, query, row * column * filter]
    pairs = b[:, :, None] + a[:, None]  # [task, query, way, row * column * filter]
    tasks, queries, way = tf.unstack(tf.shape(pairs)[:3])
    # [task, query * way, row, column, filter]
    pairs = tf.reshape(pairs, [tasks, queries * way, *rest.input_shape[1:]])
    pairs = tf.ensure_shape(pairs, [class_z.shape[0], *pairs.shape[1:]])
    logits = embed_tasks(rest, pairs, training)  # [task, query * way, 1]
    return tf.reshape(logits, [tasks, queries, way])


def _convolved(z, kernel):
    """[task, item, row, column, channel] -> [task, item, row, column, filter]."""
    flat = tf.reshape(z, [-1, *z.shape[2:]])  # [task * item, row, column, channel]
    maps = tf.nn.conv2d(flat, kernel, strides=1, padding="SAME")
    shape = [*tf.unstack(tf.shape(z)[:2]), *maps.shape[1:]]
    return tf.reshape(maps, shape)  # [task, item, row, column, filter]


def _flat(maps):
    """[task, item, row, column, channel] -> [task, item, row * column * channel]."""
    tasks, items = tf.unstack(tf.shape(maps)[:2])
    return tf.reshape(maps, [tasks, items, math.prod(maps.shape[2:])])


@keras.saving.register_keras_serializable(__package__)
class RelationNetwork(MetricLearner):
    """Few-shot classifier with a learned comparison; adapting is adding up, in the forward pass.

    Call it with ``support_x`` [task, support, height, width, channel], ``support_y`` [task,
    support] and ``query_x`` [task, query, ...]; it returns logits [task, query, way], whose sigmoid
    are the relation scores. The number of classes is the largest label plus one.

    Its ``answer`` has probabilities that sum to one, the softmax of the logits. This is what the
    scores r_k say when it is known besides that a query belongs to exactly one class:

        p(k) = r_k prod_{j != k} (1 - r_j) / sum over k of the same = softmax(logit)_k

    With ``shots`` "sum" a class map grows with the number of its items: give a class as many as in
    training (E4.1).

    Args:
        embedding: ``embedding_function``, [item, ...] -> [item, row, column, channel].
        relation: ``relation_function``, [pair, row, column, 2 channel] -> [pair, 1].
        shots: ``mean`` or ``sum`` over the support items of a class.
    """

    ENCODER = "embedding"
    SHOTS = ("sum", "mean")

    def __init__(self, embedding, relation, shots: str = "mean", **kwargs):
        super().__init__(**kwargs)
        if shots not in self.SHOTS:
            raise ValueError(f"shots is {shots!r}; it must be one of {', '.join(self.SHOTS)}")
        self.embedding, self.relation, self.shots = embedding, relation, shots
        self.built = True  # all weights are those of the two functions

    def classify(self, support_z, support_y, query_z, training=False):
        """Logits of the queries [task, query, way]; maps are of one embedding function (E4.5)."""
        # [task, way, row, column, channel]
        class_z = class_maps(support_z, support_y, tf.reduce_max(support_y) + 1, self.shots)
        return relation_logits(self.relation, class_z, query_z, training)

    def relation_scores(self, inputs):
        """r_ij = sigmoid(logit) of query j and class i, between 0 and 1: [task, query, way]."""
        return tf.sigmoid(self(inputs, training=False))

    def get_config(self):
        parts = {"embedding": self.embedding, "relation": self.relation}
        own = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **own, "shots": self.shots}

    @classmethod
    def from_config(cls, config):
        parts = ("embedding", "relation")
        own = {name: keras.saving.deserialize_keras_object(config.pop(name)) for name in parts}
        return cls(**own, **config)

"""Gaussian prototypical networks: an item is an embedding and how far it can be trusted.

The encoder gives every item a Gaussian, by its mean and its precision, the inverse of its variance.
Precisions add up: the prototype of a class is the mean of its items weighted by precision, and the
class is as precise as its items together. A drawing that is hard to read has a small precision and
moves the prototype little. Only labels drive the learning: nobody says which drawings are bad.

The book (sections 3.4 and 3.5) gives the encoder and four transforms; the rest is Fort (2017). The
book's names: ``X_encoded`` is the mean, ``raw_covariance_matrix`` what the network says of the
precision, ``inv_covariance_matrix`` the precision itself, made by ``inverse_transform_type``;
``component`` is ``radius`` (one number for an item) or ``diagonal`` (one for each dimension). A
covariance is large where an item is doubtful, its inverse is small there (E3.18: the book confuses
the two). There are as many classes as the labels name, not two (E3.18).
"""

import keras
import tensorflow as tf
from keras import layers

from chapters.ch03_prototypical.encoder import convolution_block
from chapters.engine.layers import BatchNormalization
from chapters.engine.metric import MetricLearner

LEAST = 0.05  # of the trained numbers of "other": precisions stay positive, nothing divides by 0
SQUARE_EPSILON = 1e-8  # added under the root, whose slope at 0 is infinite otherwise


def last_block(out_channels: int, momentum: float = 0.99) -> keras.Sequential:
    """Convolution 3x3, batch normalisation, max-pooling 2x2, and no ReLU.

    After a ReLU the raw precision could not be negative, and the transforms would lose the half of
    their range where an item is not trusted (E3.17).
    """
    return keras.Sequential(
        [
            layers.Conv2D(out_channels, 3, padding="same", use_bias=False),
            BatchNormalization(momentum=momentum),
            layers.MaxPooling2D(2),  # height and width halved, rounded down
        ]
    )


def get_gaussians(
    image_shape,
    h_dim: int = 64,
    z_dim: int = 64,
    component: str = "radius",
    momentum: float = 0.99,
) -> keras.Model:
    """Conv-4 whose last convolution has channels for the embedding and for its raw precision.

    28 x 28 images shrink to one pixel (28 -> 14 -> 7 -> 3 -> 1) with ``z_dim`` channels and 1 or
    ``z_dim`` more; of larger images every pixel counts, and a radius is the mean over them.

    Args:
        image_shape: height, width and channels of an image.
        h_dim: channels of the first three convolutions.
        z_dim: channels of the embedding.
        component: ``radius``, ``diagonal``.
        momentum: how much of batch norm's stored averages each training step keeps.

    Returns:
        Model, image [item, height, width, channel] -> [item, dim + 1] or [item, 2 dim].
    """
    image = features = layers.Input(image_shape)
    for _ in range(3):
        features = convolution_block(h_dim, momentum)(features)
    channels = z_dim + PRECISIONS[component](z_dim)
    features = last_block(channels, momentum)(features)  # [item, height, width, channels]
    X_encoded = layers.Flatten()(features[..., :z_dim])  # [item, dim]
    raw = features[..., z_dim:]  # [item, height, width, 1 or z_dim]
    summary = layers.GlobalAveragePooling2D() if component == "radius" else layers.Flatten()
    raw_covariance_matrix = summary(raw)  # [item, 1 or dim]
    z = layers.Concatenate()([X_encoded, raw_covariance_matrix])
    return keras.Model(image, z, name="encoder")


# component -> how many numbers of precision belong to an embedding of ``dim`` numbers.
PRECISIONS = {"radius": lambda dim: 1, "diagonal": lambda dim: dim, "none": lambda dim: 0}


@keras.saving.register_keras_serializable(__package__)
class InverseTransform(layers.Layer):
    """Raw precision, any number -> precision: ``raw_covariance_matrix -> inv_covariance_matrix``.

    ``softplus``: above 1; ``sigmoid``: 1 to 2; ``sigmoid_2``: 1 to 5; ``other``: a softplus whose
    offset, scale and divisor are trained, all three (E3.16), and kept above ``LEAST``.

    Args:
        inverse_transform_type: one of these.
        options: of ``keras.layers.Layer``.
    """

    TYPES = ("softplus", "sigmoid", "sigmoid_2", "other")

    def __init__(self, inverse_transform_type: str = "softplus", **options):
        super().__init__(**options)
        if inverse_transform_type not in self.TYPES:
            raise ValueError(
                f"inverse_transform_type is {inverse_transform_type!r}; it must be one of "
                f"{', '.join(self.TYPES)}"
            )
        self.inverse_transform_type = inverse_transform_type
        if inverse_transform_type == "other":
            self.offset, self.scale, self.div = (
                self.add_weight(shape=(), initializer="ones", name=name)
                for name in ("offset", "scale", "div")
            )
        self.built = True  # nothing depends on the shape of its input

    def call(self, raw_covariance_matrix):
        """Precision of every raw one, in its shape."""
        raw = raw_covariance_matrix
        if self.inverse_transform_type == "softplus":
            return 1.0 + tf.math.softplus(raw)  # S = 1 + softplus(S_raw)
        if self.inverse_transform_type == "sigmoid":
            return 1.0 + tf.sigmoid(raw)  # S = 1 + sigmoid(S_raw)
        if self.inverse_transform_type == "sigmoid_2":
            return 1.0 + 4.0 * tf.sigmoid(raw)  # S = 1 + 4 sigmoid(S_raw)
        offset, scale, div = map(_at_least, (self.offset, self.scale, self.div))
        return offset + scale * tf.math.softplus(raw / div)  # S = offset + scale softplus(raw/div)

    def get_config(self):
        return {**super().get_config(), "inverse_transform_type": self.inverse_transform_type}


def _at_least(weight):
    """The weight, or ``LEAST``; the gradient passes, so that a weight below can come back."""
    weight = tf.convert_to_tensor(weight)
    return weight + tf.stop_gradient(tf.nn.relu(LEAST - weight))


def class_gaussians(X_encoded, inv_covariance_matrix, support_y, way):
    """Prototype and precision of each class.

    Labels drive: the order of the support set plays no role, and classes may differ in size.

    Args:
        X_encoded: embeddings [task, support, dim].
        inv_covariance_matrix: their precisions [task, support, dim].
        support_y: labels [task, support] in [0, way).
        way: number of classes.

    Returns:
        Prototypes and precisions of the classes, both [task, way, dim]; zeros for a class without
        support items.
    """
    member = tf.one_hot(support_y, way, dtype=X_encoded.dtype)  # [task, support, way]
    # s^c = sum_i s_i^c                                 E3.15: of the class, not of a point
    precision = tf.einsum("tsw,tsd->twd", member, inv_covariance_matrix)  # [task, way, dim]
    # p^c = sum_i s_i^c x_i^c / sum_i s_i^c
    weighted = inv_covariance_matrix * X_encoded  # [task, support, dim]
    total = tf.einsum("tsw,tsd->twd", member, weighted)  # [task, way, dim]
    return tf.math.divide_no_nan(total, precision), precision


def squared_distance(query_z, prototypes, precision):
    """(x - p)^T diag(s) (x - p): [task, query, dim] and classes [task, way, dim] -> [.., way]."""
    # sum s x^2 - 2 sum s p x + sum s p^2: matrix products instead of all differences
    square = tf.einsum("tqd,twd->tqw", query_z**2, precision)  # [task, query, way]
    cross = tf.einsum("tqd,twd->tqw", query_z, precision * prototypes)  # [task, query, way]
    own = tf.reduce_sum(precision * prototypes**2, axis=-1)[:, None, :]  # [task, 1, way]
    return tf.maximum(square - 2.0 * cross + own, 0.0)


def root_distance(query_z, prototypes, precision):
    """d_c = sqrt((x - p)^T diag(s) (x - p)), as in the paper; its gradient is finite at 0."""
    square = squared_distance(query_z, prototypes, precision)  # [task, query, way]
    return tf.sqrt(square + SQUARE_EPSILON)


DISTANCES = {"root": root_distance, "squared": squared_distance}


@keras.saving.register_keras_serializable(__package__)
class GaussianPrototypicalNetwork(MetricLearner):
    """Few-shot classifier whose items have a precision; adapting is a weighted mean.

    Call it with ``support_x`` [task, support, ...], ``support_y`` [task, support] and ``query_x``
    [task, query, ...]; it returns logits [task, query, way], the negative distances. The number of
    classes is the largest label plus one.

    Args:
        encoder: Keras model, [item, ...] -> [item, dim + 1], or [item, 2 dim] for ``diagonal``: the
            embedding, then its raw precision.
        component: ``radius`` or ``diagonal``; ``none`` trusts all items alike, and everything that
            the encoder returns is the embedding: a plain prototypical network of the same size.
        inverse_transform_type: how raw precisions become positive, see ``InverseTransform``.
        distance: a key of ``DISTANCES``.
        options: of ``keras.Model``.
    """

    def __init__(
        self,
        encoder,
        component: str = "radius",
        inverse_transform_type: str = "softplus",
        distance: str = "root",
        **options,
    ):
        super().__init__(**options)
        for name, value, known in (
            ("component", component, PRECISIONS),
            ("distance", distance, DISTANCES),
        ):
            if value not in known:
                raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
        self.encoder, self.component, self.distance = encoder, component, distance
        self.inverse_transform_type = inverse_transform_type
        self.transform = InverseTransform(inverse_transform_type)
        self.built = True  # all weights are the encoder's and the transform's

    def classify(self, support_z, support_y, query_z, training=False):
        """Logits of queries from what the encoder says of all items, [task, item, dim + s]."""
        way = tf.reduce_max(support_y) + 1
        classes = class_gaussians(*self.gaussians(support_z), support_y, way)  # [task, way, dim]
        query, _ = self.gaussians(query_z)  # how sure a query is of itself favours no class
        # p(y = c | x) is the softmax over c of -d_c
        return -DISTANCES[self.distance](query, *classes)  # [task, query, way]

    def gaussians(self, z):
        """What the encoder says, [..., dim + s] -> embedding and precision, both [..., dim]."""
        if self.component == "none":
            return z, tf.ones_like(z)
        dim = z.shape[-1] - 1 if self.component == "radius" else z.shape[-1] // 2
        X_encoded, raw_covariance_matrix = z[..., :dim], z[..., dim:]
        inv_covariance_matrix = self.transform(raw_covariance_matrix)  # [..., 1] or [..., dim]
        return X_encoded, inv_covariance_matrix * tf.ones_like(X_encoded)

    def embed(self, x):
        """Embeddings with stored batch-norm averages: [item, ...] -> [item, dim]."""
        return self.gaussians(self.encode(x))[0]

    def confidence(self, x):
        """Precisions with stored batch-norm averages: [item, ...] -> [item, dim], all above 0."""
        return self.gaussians(self.encode(x))[1]

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        names = ("component", "inverse_transform_type", "distance")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), "encoder": encoder, **own}

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        return cls(encoder, **config)

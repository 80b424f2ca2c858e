"""Running a Keras network with weights of its own for each task.

An inner loop gives every task other weights. Here everything has a leading task axis: weights
[task, ...], items [task, item, ...]. Since tasks do not see each other, the gradient of the summed
task losses is the gradient of each task, and no mapping over tasks is needed.

A ``keras.Sequential`` of common layers is run by matrix products over all tasks at once, and with a
single task by TensorFlow's own kernels; any other network through ``tf.vectorized_map``.
"""

import contextlib

import keras
import tensorflow as tf
from keras import layers

from chapters.engine.errors import RunError
from chapters.engine.functional import call_with_weights

# Layers without weights that treat every item alike.
ITEMWISE = (
    layers.InputLayer,
    layers.ReLU,
    layers.Activation,
    layers.Flatten,
    layers.Reshape,
    layers.Rescaling,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
)


def repeat_for_tasks(variables, tasks) -> list[tf.Tensor]:
    """Present values of ``variables``, once per task: list of [task, ...]."""
    return [
        tf.tile(tf.convert_to_tensor(v)[None], [tasks] + [1] * len(v.shape))  # [task, ...]
        for v in variables
    ]


def call_per_task(network, weights, x, normalise_by=None):
    """Output of ``network`` for the items of each task with that task's weights.

    Batch normalisation uses the statistics of the task's own items, never stored averages: those
    are made of many tasks at one set of weights, and an inner loop has other weights at every step.

    Args:
        network: built Keras model, [item, ...] -> [item, out].
        weights: list of [task, ...], in the order of ``network.trainable_variables``.
        x: [task, item, ...].
        normalise_by: items [task, other, ...] whose statistics normalise ``x`` (such as a support
            set, so that queries stay apart); ``x`` itself when None.

    Returns:
        [task, item, out]

    Raises:
        RunError: ``normalise_by`` for a network with batch norm that is not a plain Sequential.
    """
    plan = layers_in_order(network)
    if plan is None:
        return _any_network(network, weights, x, normalise_by)
    items, counted = tf.shape(x)[1], None
    if normalise_by is not None and normalises(network):
        counted = tf.shape(normalise_by)[1]
        x = tf.concat([normalise_by, x], axis=1)  # [task, other + item, ...]
    return call_layers(plan, weights, x, counted)[:, -items:]  # [task, item, out]


def call_layers(plan, weights, x, counted=None):
    """Output of some layers of a network, as ``call_per_task`` of all.

    Args:
        plan: a stretch of ``layers_in_order``.
        weights: list of [task, ...], in the order of ``weights_of(plan)``.
        x: [task, item, ...].
        counted: items of each task, its first ones, whose statistics normalise all of them; all
            when None.

    Returns:
        [task, item, ...]
    """
    remaining = list(weights)
    for layer in plan:
        own = [remaining.pop(0) for _ in layer.trainable_variables]
        x = _call_layer(layer, own, x, counted)
    return x


def weights_of(plan) -> list:
    """Trainable variables of a stretch of layers."""
    return [variable for layer in plan for variable in layer.trainable_variables]


def normalises(network) -> bool:
    """True when the network has batch normalisation."""
    return any(isinstance(layer, layers.BatchNormalization) for layer in network._flatten_layers())


def layers_in_order(network):
    """The layers of a chain of known ones: list; None when the network is more than that."""
    if not isinstance(network, keras.Sequential):
        return None
    plan = []
    for layer in network.layers:
        inner = layers_in_order(layer) if isinstance(layer, keras.Sequential) else [layer]
        if inner is None or not all(_known(one) for one in inner):
            return None
        plan += inner
    same = [id(v) for v in weights_of(plan)] == [id(v) for v in network.trainable_variables]
    return plan if same else None


def _known(layer) -> bool:
    if not layer.trainable:  # has weights of its own that are not among those of the tasks
        return False
    if isinstance(layer, layers.Dense):
        return len(layer.input.shape) == 2
    if isinstance(layer, layers.Conv2D):
        plain = layer.data_format == "channels_last" and layer.groups == 1
        return plain and layer.dilation_rate == (1, 1)
    if isinstance(layer, layers.BatchNormalization):
        return layer.axis in (-1, len(layer.input.shape) - 1)
    return isinstance(layer, ITEMWISE)


def _call_layer(layer, own, x, counted):
    if isinstance(layer, layers.Dense):
        return layer.activation(_with_bias(tf.matmul(x, own[0]), own[1:]))  # [task, item, unit]
    if isinstance(layer, layers.Conv2D):
        return layer.activation(_with_bias(_convolve(layer, own[0], x), own[1:]))
    if isinstance(layer, layers.BatchNormalization):
        return _normalise(layer, own, x, counted)
    return over_items(layer, x)


def _with_bias(y, bias):
    return y + _spread(bias[0], y) if bias else y


def _spread(vector, x):
    """[task, channel] in the rank of ``x`` [task, ..., channel]."""
    return tf.reshape(vector, [-1] + [1] * (len(x.shape) - 2) + [vector.shape[-1]])


def over_items(function, x):
    """A function of items [task * item, ...] on x [task, item, ...]."""
    tasks, items = tf.shape(x)[0], tf.shape(x)[1]
    y = function(tf.reshape(x, tf.concat([[tasks * items], tf.shape(x)[2:]], 0)))
    return tf.ensure_shape(
        tf.reshape(y, tf.concat([[tasks, items], tf.shape(y)[1:]], 0)),
        [x.shape[0], x.shape[1], *y.shape[1:]],
    )  # [task, item, ...]


def _convolve(layer, kernel, x):
    """Convolution with a kernel per task: [task, item, height, width, channel].

    With one task this is TensorFlow's convolution. With several it is a product of matrices: every
    window of the image is a row, every kernel a matrix.
    """
    padding = layer.padding.upper()
    if x.shape[0] == 1:
        native = tf.nn.conv2d
        return over_items(lambda flat: native(flat, kernel[0], layer.strides, padding), x)
    windows = over_items(
        lambda flat: image_windows(flat, layer.kernel_size, layer.strides, padding), x
    )  # [task, item, height, width, window]
    shape = tf.shape(windows)
    rows = tf.reshape(windows, [shape[0], -1, windows.shape[-1]])  # [task, row, window]
    filters = tf.reshape(kernel, [shape[0], windows.shape[-1], layer.filters])
    y = tf.matmul(rows, filters)  # [task, row, channel]
    y = tf.reshape(y, tf.concat([shape[:-1], [layer.filters]], 0))
    return tf.ensure_shape(y, [*windows.shape[:-1], layer.filters])


def image_windows(x, size, strides, padding):
    """Every window as a vector: [item, height, width, channel] -> [item, row, column, window].

    Slices instead of ``tf.image.extract_patches``, whose gradient is slow on a CPU.
    """
    counts = []
    pads = [[0, 0]]
    for length, k, stride in zip(x.shape[1:3], size, strides, strict=True):
        count = -(-length // stride) if padding == "SAME" else (length - k) // stride + 1
        pad = max((count - 1) * stride + k - length, 0) if padding == "SAME" else 0
        counts.append(count)
        pads.append([pad // 2, pad - pad // 2])
    x = tf.pad(x, [*pads, [0, 0]])
    rows, columns = (
        stride * (count - 1) + 1 for stride, count in zip(strides, counts, strict=True)
    )
    slices = [
        x[:, i : i + rows : strides[0], j : j + columns : strides[1]]
        for i in range(size[0])
        for j in range(size[1])
    ]
    return tf.concat(slices, axis=-1)  # [item, row, column, window]


def _normalise(layer, own, x, counted):
    """Batch normalisation with the statistics of each task's first ``counted`` items."""
    own = list(own)
    gamma = own.pop(0) if layer.scale else None
    beta = own.pop(0) if layer.center else None
    axes = list(range(1, len(x.shape) - 1))  # all but task and channel
    counting = x if counted is None else x[:, :counted]
    mean, variance = _moments(counting, axes, keepdims=True)  # [task, 1, ..., channel]
    # y = gamma (x - mean) / sqrt(variance + epsilon) + beta
    scale = tf.math.rsqrt(variance + layer.epsilon)
    scale = scale if gamma is None else scale * _spread(gamma, x)
    y = (x - mean) * scale
    return y if beta is None else y + _spread(beta, x)


def _any_network(network, weights, x, normalise_by):
    if normalise_by is not None and normalises(network):
        raise RunError(
            "Batch norm with the support set's statistics needs a keras.Sequential of dense, "
            "convolution, pooling and activation layers; classify with training=True instead "
            "(transductive), or leave batch norm out of the network."
        )

    def one(task):
        return call_with_weights(network, task[0], task[1], training=True)

    with _twice_differentiable():
        if x.shape[0] == 1:
            return one(([w[0] for w in weights], x[0]))[None]
        return tf.vectorized_map(one, (list(weights), x))


def _moments(x, axes, keepdims=False):
    """Mean and variance, with all derivatives.

    ``tf.nn.moments`` holds the mean constant in the variance, which leaves the first derivative as
    it is and makes the second one wrong.
    """
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean((x - mean) ** 2, axes, keepdims=keepdims)
    return (mean if keepdims else tf.squeeze(mean, axes)), variance


@contextlib.contextmanager
def _twice_differentiable():
    """Keras' layers that normalise (batch, layer, group) take their moments from ``_moments``."""
    original, tf.nn.moments = tf.nn.moments, _moments
    try:
        yield
    finally:
        tf.nn.moments = original
